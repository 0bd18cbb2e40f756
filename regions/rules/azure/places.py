"""Where an Azure resource stands, which planned resource an Azure id means, and the checks that follow from both."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from regions.residency import Purpose
from regions.rules.clauses import outside, region_name
from regions.rules.rule import UNSET, Breach, Check, Plan, Resource

_GROUP = "azure-native:resources:ResourceGroup"


def place(resource: Resource, plan: Plan) -> str | None:
    """Its own location, else its parent's, else the provider's, else its resource group's; ``None`` where not known."""
    own = resource.properties.get("location")
    if own is not None:
        return own if isinstance(own, str) else None
    parent = parent_of(resource, plan)
    if parent is not None:
        return place(parent, plan)
    if resource.region is not None:
        return resource.region
    group = named(plan, str(resource.properties.get("resourceGroupName")), _GROUP)
    return None if group is None or group is resource else place(group, plan)


def parent_of(resource: Resource, plan: Plan) -> Resource | None:
    """The planned resource of the same module that has a location and that the resource's ``…Name`` properties name."""
    module = resource.type.rpartition(":")[0]
    names = _names(resource)
    parents = [
        found
        for found in plan.resources
        if found is not resource
        and found.type.rpartition(":")[0] == module
        and found.properties.get("location") is not None
        and _names(found) <= names
    ]
    return max(parents, key=lambda found: len(_names(found)), default=None)


def named(plan: Plan, text: str, *types: str) -> Resource | None:
    """The planned resource that an Azure id, or a bare name, means; ``None`` where there is not just one."""
    segments = text.casefold().split("/")
    group = segments[segments.index("resourcegroups") + 1] if "resourcegroups" in segments[:-1] else None
    found = [
        resource
        for resource in plan.resources
        if resource.type in types
        and (str(resource.properties.get("id")).casefold() == text.casefold() or _is_meant(resource, segments, group))
    ]
    return found[0] if len(found) == 1 else None


def _is_meant(resource: Resource, segments: Collection[str], group: str | None) -> bool:
    own = resource.properties.get("resourceGroupName")
    elsewhere = group is not None and isinstance(own, str) and own.casefold() != group
    return not elsewhere and any(name.casefold() in segments for name in _names(resource))


def _names(resource: Resource) -> frozenset[str]:
    """Its own name and its parents'; its name in the program where it says none."""
    said = frozenset(
        value
        for key, value in resource.properties.items()
        if (key == "name" or key.endswith("Name")) and isinstance(value, str)
    )
    group = resource.properties.get("resourceGroupName")
    if resource.type != _GROUP and isinstance(group, str):
        said -= {group}
    return said or frozenset({resource.name})


def stands_within(*purposes: Purpose) -> Check:
    """For a clause without path: the resource stands where the purposes are allowed."""

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach]:
        where = place(resource, plan)
        if where is None:
            yield Breach(
                "location", UNSET, "neither it, its parent, its provider nor its resource group says where it is"
            )
            return
        found = next((breach for purpose in purposes if (breach := outside(plan, resource, purpose, where))), None)
        if found is not None:
            yield replace(found, property="location", value=where)

    return check


def refers_within(purpose: Purpose, *types: str, unset: str | None = None) -> Check:
    """An Azure id of a planned resource of these types, which stands where the purpose is allowed."""

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        if value is UNSET:
            if unset is not None:
                yield unset
            return
        target = named(plan, str(value), *types)
        where = None if target is None else place(target, plan)
        if where is None:
            yield f"{value} is not one resource of this plan whose location is known"
        elif breach := outside(plan, resource, purpose, where):
            yield breach

    return check


def copies_within(purpose: Purpose, *, geo: Collection[str], local: Collection[str], unset: str | None = None) -> Check:
    """A redundancy. ``local``: stays in the region. ``geo``: has a copy in the paired region, whose country decides.

    ``unset``: what Azure takes where it is not said.
    """

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        redundancy = unset if value is UNSET else value
        if redundancy in local:
            return
        if redundancy in geo:
            yield from paired_within(plan, resource, purpose)
        else:
            yield f"it is none of {', '.join(sorted((*local, *geo)))}, so where its copies are is not known"

    return check


def paired_within(plan: Plan, resource: Resource, purpose: Purpose) -> Iterator[Breach | str]:
    """What is wrong with a copy in the paired region of where the resource stands."""
    where = place(resource, plan)
    region = None if where is None else plan.catalogue.regions.get(region_name(where))
    if region is None or region.pair is None:
        yield f"a copy goes to the paired region, and the catalogue has none for {where or 'where it stands'}"
    elif breach := outside(plan, resource, purpose, region.pair):
        yield replace(breach, value="", message=f"the paired region of {where} is {region.pair}: {breach.message}")
