"""What a resource points at: another that is there, in the region of its provider.

Decidable offline are ids in a form that the pretend cloud gives out, ARNs of its account and resource ids of Azure.
Names that point, such as a subnet group's, are not: docs/rehearsal.md says so.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from scripts.rehearsal.checks import Problem
from scripts.rehearsal.outputs import ACCOUNT, EC2_PREFIXES, MARK
from scripts.rehearsal.wire import leaves

_EC2 = rf"({'|'.join(sorted(EC2_PREFIXES.values()))})-[0-9a-f]{{8,17}}"
_MADE_HERE = rf"[\w-]+-{MARK}-[0-9a-f]{{12}}"
_ARN = rf"arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:{ACCOUNT}:(?!root$)[^*]+"
_AZURE = r"/subscriptions/[^/]+/resourceGroups/[^*]+"
_REFERENCE = re.compile("|".join(f"(?:{form})" for form in (_EC2, _MADE_HERE, _ARN, _AZURE)))


def dangling(inputs: Mapping[str, Any], known: Collection[str]) -> list[Problem]:
    """``known``: the ids and ARNs of all that is there. A part of what is there, such as a bucket's key, is there."""
    return [
        Problem(path, f"{value} is neither recorded nor told of as existing")
        for path, value in leaves(inputs)
        if isinstance(value, str)
        and _REFERENCE.fullmatch(value)
        and value not in known
        and not any(value.startswith((f"{found}/", f"{found}:")) for found in known)
    ]


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
    """The region itself, one of its zones (``eu-central-1a``, ``europe-west3-a``), or everywhere."""
    place, region = (re.sub(r"\s", "", name).lower() for name in (place, region))
    return place in (region, "global") or re.fullmatch(rf"{re.escape(region)}-?[a-z]", place) is not None
