"""What a resource points at: another that is there, in the region of its provider.

Decidable offline are ids in a form that the pretend cloud gives out, ARNs of its account and resource ids of Azure.
Names that point, such as a subnet group's, are not: docs/rehearsal.md says so.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any

from scripts.rehearsal.answers import ACCOUNT, MARK, Place
from scripts.rehearsal.checks import Problem
from scripts.rehearsal.outputs import EC2_PREFIXES
from scripts.rehearsal.wire import leaves

_EC2 = rf"({'|'.join(sorted(EC2_PREFIXES.values()))})-[0-9a-f]{{8,17}}"
_MADE_HERE = rf"[\w-]+-{MARK}-[0-9a-f]{{12}}"
_AZURE = r"/subscriptions/[^/]+/resourceGroups/[^*]+"


def dangling(inputs: Mapping[str, Any], known: Collection[str], place: Place) -> list[Problem]:
    """``known``: the ids and ARNs of all that is there. A part of what is there, such as a bucket's key, is there."""
    form = _reference(place.account or ACCOUNT)
    return [
        Problem(path, f"{value} is neither recorded nor told of as existing")
        for path, value in leaves(inputs)
        if isinstance(value, str)
        and form.fullmatch(value)
        and value not in known
        and not any(value.startswith((f"{found}/", f"{found}:")) for found in known)
    ]


def pointing(value: Any, account: str) -> frozenset[str]:
    """Every text anywhere in ``value`` that points at something."""
    form = _reference(account or ACCOUNT)
    return frozenset(leaf for _, leaf in leaves(value) if isinstance(leaf, str) and form.fullmatch(leaf))


@cache
def _reference(account: str) -> re.Pattern[str]:
    arn = rf"arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:{re.escape(account)}:(?!root$)[^*]+"
    return re.compile("|".join(f"(?:{form})" for form in (_EC2, _MADE_HERE, arn, _AZURE)))


def foreign(inputs: Mapping[str, Any], region: str) -> list[Problem]:
    """What asks for another region than the provider's; nothing is said where the provider has none."""
    return [
        Problem(path, f"{value!r} is outside the provider's region {region!r}")
        for path, value in (_places(inputs) if region else ())
        if not _inside(value, region)
    ]


def _places(inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, value in leaves({name: inputs[name] for name in _PLACES & inputs.keys()}):
        if isinstance(value, str):
            yield path, value


_PLACES = {"region", "location", "zone", "availabilityZone", "availabilityZones"}


def _inside(place: str, region: str) -> bool:
    """The region itself, one of its zones (``eu-central-1a``, ``europe-west3-a``), everywhere, or none said, which is
    what the SDK makes of an Azure server's zone."""
    place, region = (re.sub(r"\s", "", name).lower() for name in (place, region))
    return place in (region, "global", "") or re.fullmatch(rf"{re.escape(region)}-?[a-z]", place) is not None
