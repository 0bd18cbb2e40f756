"""The checks that clauses are made of. Each takes what the provider means by an unset property as ``unset``."""

import re
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Any

from regions.catalogue import Country
from regions.endpoints import UnknownServing, guardrail, serving
from regions.hosts import host_of
from regions.residency import Purpose
from regions.rules.rule import UNSET, Breach, Check, Follows, Plan, Resource, is_one_of, values_at

_ARN = re.compile(r"^arn:(?P<partition>[a-z0-9-]+):(?P<service>[a-z0-9-]*):(?P<region>[a-z0-9-]*):(?P<account>[^:]*):.")
_ZONE = re.compile(r"^(?P<region>[a-z]+(-[a-z]+)+[0-9]+)-[a-z]$|^(?P<aws>[a-z]+(-[a-z]+)+-[0-9]+)[a-z]$")


def region_name(text: str) -> str:
    """``West Europe`` → ``westeurope``; a zone → its region; a GCP path → its last part."""
    name = text.rpartition("/")[2]
    zone = _ZONE.match(name)
    if zone:
        return zone["region"] or zone["aws"]
    return name.replace(" ", "").lower() if " " in name or name != name.lower() else name


def within(purpose: Purpose, *, unset: str | None = None) -> Check:
    """A region (zone, location, or an ARN's) where the purpose is allowed. ``unset``: what is wrong when unsaid."""

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        if value is UNSET:
            if unset is not None:
                yield unset
        elif str(value).startswith("arn:"):
            yield from _arn(str(value), resource, plan, purpose)
        elif breach := outside(plan, resource, purpose, str(value)):
            yield breach

    return check


def stands_within(*purposes: Purpose) -> Check:
    """For the property ``region``: where the resource stands, its provider's region where it says none.

    The first purpose that is not allowed there is told.
    """

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        place = resource.region if value is UNSET else value
        if place is None:
            yield "neither it nor its provider says where it stands"
            return
        breaches = (outside(plan, resource, purpose, str(place)) for purpose in purposes)
        yield from islice(filter(None, breaches), 1)

    return check


def outside(plan: Plan, resource: Resource, purpose: Purpose, place: str) -> Breach | None:
    """Why a region may not hold the purpose."""
    name = region_name(place)
    country = plan.country(name)
    if country is None:
        return Breach("", place, f"{place} is no region of the catalogue, so nothing allows it")
    if plan.catalogue.regions[name].partition != plan.partition:
        theirs = plan.catalogue.regions[name].partition
        return Breach("", place, f"{place} is in partition {theirs}, the stack in {plan.partition}", (country,))
    return plan.outside(f"{resource.name} in {name}", purpose, (country,))


def arn_within(purpose: Purpose, *, unset: str | None = None, bare: str | None = None) -> Check:
    """An ARN whose region allows the purpose. ``bare``: what is wrong with what is no ARN; none: it is local."""

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        if value is UNSET:
            if unset is not None:
                yield unset
        elif str(value).startswith("arn:"):
            yield from _arn(str(value), resource, plan, purpose)
        elif bare is not None:
            yield bare

    def sources(led: tuple[Resource, ...], resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        yield from _stand_within(led, resource, plan, purpose)

    return Follows(check, sources)


def _arn(text: str, resource: Resource, plan: Plan, purpose: Purpose) -> Iterator[Breach | str]:
    arn = _ARN.match(text)
    if arn is None:
        yield f"{text} is no whole ARN, so where it leads is not known"
    elif not arn["region"]:
        yield "the ARN names no region, so where it leads is not known"
    elif breach := outside(plan, resource, purpose, arn["region"]):
        yield breach


def points_within(purpose: Purpose, type_pattern: str, *, unset: str | None = None) -> Check:
    """A name, id or ARN of a planned resource, which stands where the purpose is allowed.

    For what has no region in its name (a bucket): a resource that is not planned here is not known, and so a breach.
    """

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        if value is UNSET:
            if unset is not None:
                yield unset
            return
        target = plan.named(type_pattern, str(value), str(value).rpartition(":")[2])
        region = None if target is None else _region(target)
        if region is None:
            yield f"{value} is not one resource of this plan, so where it stands is not known"
        elif breach := outside(plan, resource, purpose, region):
            yield breach

    def sources(led: tuple[Resource, ...], resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        targets = tuple(target for target in led if is_one_of(target.type, (type_pattern,)))
        yield from _stand_within(targets, resource, plan, purpose)

    return Follows(check, sources)


def _region(resource: Resource) -> str | None:
    """Where an AWS resource stands; ``None`` where that is not known."""
    region = resource.properties.get("region") or resource.region
    return region if isinstance(region, str) else None


def _stand_within(
    targets: tuple[Resource, ...], resource: Resource, plan: Plan, purpose: Purpose
) -> Iterator[Breach | str]:
    """Whichever of the planned resources is meant: all have to stand where the purpose is allowed."""
    if not targets:
        yield "it is an output of no such resource of this plan, so where it leads is not known"
    for target in targets:
        region = _region(target)
        if region is None:
            yield f"neither {target.name}, of which it is an output, nor its provider says where it stands"
        elif breach := outside(plan, resource, purpose, region):
            yield breach


def absent(message: str) -> Check:
    """The property may not be there at all (an empty list or mapping is not)."""

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[str]:
        if value is not UNSET and value not in ([], {}, (), ""):
            yield message

    return check


def present(message: str) -> Check:
    """The property has to be there, and say something."""

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[str]:
        if value is UNSET or value in ([], {}, (), ""):
            yield message

    return Follows(check, lambda *_: ())  # an output of a planned resource is something


def one_of(allowed: Collection[Any], message: str, *, unset: str | None = None) -> Check:
    """``unset``: what is wrong when it is not said; none: the provider's default is one of them."""
    choices = tuple(allowed)

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[str]:
        if value is UNSET:
            if unset is not None:
                yield unset
        elif value not in choices:
            yield message

    return check


def exists(message: str) -> Check:
    """For a clause without path: the resource itself is what is wrong."""

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[str]:
        yield message

    return check


def says(path: str, *values: Any) -> Callable[[Resource], bool]:
    """For a clause's ``unless``: the resource has one of the values there."""
    return lambda resource: any(value in values for _, value in values_at(resource.properties, path))


def runs_within(provider: str, via: Callable[[Resource], str | None] | None = None) -> Check:
    """A model id or ARN that is answered only where processing is allowed; called in the resource's region."""

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        if value is UNSET:
            return
        called = str(resource.properties.get("region") or resource.region or plan.region)
        try:
            found = serving(plan.catalogue, provider, str(value), called, via=via(resource) if via else None)
        except UnknownServing as unknown:
            yield str(unknown)
            return
        yield from _processed(f"{found.model} by {found.via}", found.countries, plan)

    return check


def guarded_within() -> Check:
    """A Bedrock guardrail profile whose regions may all process."""

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        if value is UNSET:
            return
        called = str(resource.properties.get("region") or resource.region or plan.region)
        try:
            countries = guardrail(plan.catalogue, str(value), called)
        except UnknownServing as unknown:
            yield str(unknown)
            return
        yield from _processed(f"guardrail profile {value}", countries, plan)

    return check


def _processed(subject: str, countries: tuple[Country, ...], plan: Plan) -> Iterator[Breach]:
    breach = plan.outside(subject, Purpose.PROCESS, countries)
    if breach is not None:
        yield breach


def host_declared(purpose: Purpose, *, unset: str | None = None) -> Check:
    """A URL or host that the stack declares, or one whose countries the catalogue knows and the purpose allows."""

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        if value is UNSET:
            if unset is not None:
                yield unset
            return
        host = host_of(str(value)) or str(value)
        if host in plan.hosts:
            return
        known = plan.catalogue.telemetry_countries(host, plan.boundary.host)
        if known is None:
            yield f"{host} is no telemetry host that the stack declares or the catalogue knows"
        elif breach := plan.outside(host, purpose, known):
            yield breach

    return check
