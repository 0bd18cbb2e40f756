"""Where a Google Cloud resource stands, and which planned resource a name or path means."""

from collections.abc import Iterator
from typing import Any

from regions.residency import Purpose
from regions.rules.clauses import outside, region_name
from regions.rules.rule import UNSET, Breach, Check, Plan, Resource, values_at

_PLACES = ("location", "region", "zone")


def places(resource: Resource) -> Iterator[tuple[str, Any]]:
    """What the resource says of where it stands, by property; else its provider's region, where it has one."""
    said = [(key, resource.properties[key]) for key in _PLACES if resource.properties.get(key) is not None]
    yield from said or ([("region", resource.region)] if resource.region else [])


def place(resource: Resource) -> str | None:
    """Its region; ``None`` where nothing says it."""
    where = next((value for _, value in places(resource)), None)
    return region_name(where) if isinstance(where, str) else None


def named(plan: Plan, text: str, *types: str) -> Resource | None:
    """The planned resource of these types that a name, ``project:name`` or path means; ``None`` if not just one."""
    name = text.replace(":", "/").rpartition("/")[2]
    found = [
        resource
        for resource in plan.resources
        if resource.type in types and ({text, name} & _names(resource) or resource.name in (text, name))
    ]
    return found[0] if len(found) == 1 else None


def _names(resource: Resource) -> set[Any]:
    said = (resource.properties.get(key) for key in ("id", "name", "selfLink", "datasetId", "clusterId"))
    return {value for value in said if isinstance(value, str)}


def copied_within(*types: str) -> Check:
    """The source of a copy: in the same region, or the copy stands where backups are allowed."""

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        if value is UNSET:
            return
        source = named(plan, str(value), *types)
        origin = None if source is None else place(source)
        where = place(resource)
        if origin is None or where is None:
            yield f"{value} is not one resource of this plan, so whether the copy changes region is not known"
        elif origin != where and (breach := outside(plan, resource, Purpose.BACKUP, where)):
            yield breach

    return check


def stored_within(resource: Resource, plan: Plan, purpose: Purpose, target: Resource | None) -> Iterator[Breach | str]:
    """What is wrong with writing to a planned bucket, dataset or topic; ``None``: it is none."""
    said = (
        []
        if target is None
        else [value for _, value in values_at(target.properties, _STORED.get(target.type, "location"))]
    )
    if not all(isinstance(value, str) for value in said) or not said:
        yield "it leads to no resource of this plan whose location is known"
        return
    for where in said:
        if breach := outside(plan, resource, purpose, str(where)):
            yield breach


_STORED = {"gcp:pubsub/topic:Topic": "messageStoragePolicy.allowedPersistenceRegions[]"}
