"""What a stack may call of Bedrock, as its policies name it: by the catalogue, and inside the Boundary. No Pulumi."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from components.flows import served
from components.infrastructure import Refused
from components.spec import Candidate, FabricSpec
from regions.boundary import Boundary, Flow
from regions.catalogue import ANYWHERE, SELF, Catalogue
from regions.endpoints import BEDROCK, IN_REGION, Serving
from regions.residency import Purpose


class Invocable(NamedTuple):
    """``candidate``: ``<class>/<name>``. ``profile``: the inference profile that is called in the stack's region; none:
    the model itself is. ``regions``: every one where the model may then answer."""

    candidate: str
    model: str
    profile: str | None
    regions: tuple[str, ...]


def invocable(spec: FabricSpec, catalogue: Catalogue, boundary: Boundary, on: date) -> tuple[Invocable, ...]:
    """Each candidate of Bedrock; raises ``Refused``, ``UnknownServing`` for what the catalogue does not know."""
    return tuple(_invocables(spec, catalogue, boundary, on))


def _invocables(spec: FabricSpec, catalogue: Catalogue, boundary: Boundary, on: date) -> Iterator[Invocable]:
    for (_, model_class, _, name), candidate in spec.candidates():
        if candidate.managed is None or candidate.managed.provider != BEDROCK:
            continue
        called, key = f"{model_class}/{name}", f"models.{model_class}.candidates.{name}"
        found = served(candidate, catalogue)
        if found.called != spec.region:
            raise Refused(
                f"{key}: it is called in {found.called}, which no private endpoint in {spec.region} leads to; "
                f"take a model or profile that is called in {spec.region}"
            )
        regions = _regions(catalogue, found, key)
        _check(spec, catalogue, boundary, on, candidate, regions, key)
        profile = None if found.via == IN_REGION else f"{found.via}.{found.model}"
        yield Invocable(called, found.model, profile, regions)


def _regions(catalogue: Catalogue, found: Serving, key: str) -> tuple[str, ...]:
    if found.via == "mantle":
        raise Refused(f"{key}: Bedrock's mantle endpoint is not private here; take a profile of {found.model}")
    calls = catalogue.models[BEDROCK][found.model].ways[found.via].calls
    terms = calls.get(found.called) or next(
        terms for name, terms in calls.items() if found.called in catalogue.sets.get(name, ())
    )
    if ANYWHERE in terms:
        raise Refused(f"{key}: {found.via} answers in any region; take a profile of one geography")
    reached = (catalogue.sets.get(term, (found.called if term == SELF else term,)) for term in terms)
    return tuple(sorted({region for group in reached for region in group}))


def _check(
    spec: FabricSpec,
    catalogue: Catalogue,
    boundary: Boundary,
    on: date,
    candidate: Candidate,
    regions: tuple[str, ...],
    key: str,
) -> None:
    """Each region by itself is inside: what is allowed becomes a line of a policy."""
    for region in regions:
        place = catalogue.regions.get(region)
        countries = (place.country,) if place else ()
        for data_class in candidate.data_classes or spec.residency.data_classes:
            verdict = boundary.decide(Flow(f"{key} in {region}", Purpose.PROCESS, countries, data_class), on)
            if not verdict.allowed:
                raise Refused(f"{verdict.reason}; take a model that answers inside the Boundary alone")
