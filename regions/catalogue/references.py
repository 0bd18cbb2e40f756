"""What facts say of each other: every name stands for something, and for one thing."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set

from regions.catalogue.facts import ANYWHERE, HOST, PURPOSES, SELF, Facts, PlaceTerm, Way
from regions.documents import Place
from regions.expectations import nearest

Told = Iterator[tuple[Place, str]]
"""A place in the files and what is wrong there."""


def wrong_references(facts: Facts) -> Told:
    """Names that stand for nothing, for two things, or for what does not fit."""
    yield from _dangling(facts)
    yield from _ambiguous(facts)
    yield from _foreign(facts)
    yield from _called_nowhere(facts)


def _dangling(facts: Facts) -> Told:
    countries = set(facts.countries.names)
    names = countries | set(facts.groups)
    regions = set(facts.regions)
    places = names | regions | set(facts.sets) | {SELF, ANYWHERE}
    terms: list[tuple[Told, Set[str], str]] = [
        (cited(facts), set(facts.sources), "a source of sources.yaml"),
        (_members(facts), countries, "a country of countries.yaml"),
        (_hostless_terms(facts), names, "a country or group of countries.yaml"),
        (_terms(facts), names | {HOST}, "a country or group of countries.yaml"),
        (_region_names(facts), regions, "a region of regions/"),
        (_reached(facts), places, "a region, set, country or group"),
        (_platforms(facts), {region.platform for region in facts.regions.values()}, "a platform that has regions"),
        (((("models", name), name) for name in facts.models), set(facts.providers), "a provider of models/"),
    ]
    for uses, known, kind in terms:
        for place, term in uses:
            if term not in known:
                yield place, f"expected {kind}, got {term}{nearest(term, known)}"


def cited(facts: Facts) -> Told:
    yield ("countries", "source"), facts.countries.source
    for field in ("groups", "regimes", "regions", "providers", "guardrails", "gpus", "telemetry", "weights"):
        for name, fact in getattr(facts, field).items():
            yield (field, name, "source"), fact.source
    for index, edge in enumerate(facts.adequacy):
        yield ("adequacy", index, "source"), edge.source
    for place, way in _ways(facts):
        yield (*place, "source"), way.source


def _ways(facts: Facts) -> Iterator[tuple[Place, Way]]:
    for provider, models in facts.models.items():
        for model, found in models.items():
            for via, way in found.ways.items():
                yield ("models", provider, model, "ways", via), way


def _calls(facts: Facts) -> Iterator[tuple[Place, Mapping[str, tuple[PlaceTerm, ...]]]]:
    for place, way in _ways(facts):
        yield (*place, "calls"), way.calls
    for name, profile in facts.guardrails.items():
        yield ("guardrails", name, "calls"), profile.calls


def _members(facts: Facts) -> Told:
    for name, group in facts.groups.items():
        yield from _listed(("groups", name, "countries"), group.countries)


def _listed(place: Place, terms: Iterable[str]) -> Told:
    for index, term in enumerate(terms):
        yield (*place, index), term


def _terms(facts: Facts) -> Told:
    for name, regime in facts.regimes.items():
        for purpose in PURPOSES:
            yield from _listed(("regimes", name, purpose), getattr(regime, purpose))
    for name, region in facts.regions.items():
        yield ("regions", name, "country"), region.country


def _hostless_terms(facts: Facts) -> Told:
    for index, edge in enumerate(facts.adequacy):
        yield ("adequacy", index, "origin"), edge.origin
        yield ("adequacy", index, "to"), edge.to
    for name, host in facts.telemetry.items():
        yield from _listed(("telemetry", name, "countries"), host.countries)


def _region_names(facts: Facts) -> Told:
    for name, region in facts.regions.items():
        if region.pair is not None:
            yield ("regions", name, "pair"), region.pair
    for name, members in facts.sets.items():
        yield from _listed(("sets", name), members)
    for name, family in facts.gpus.items():
        yield from _listed(("gpus", name, "regions"), family.regions)


def _reached(facts: Facts) -> Told:
    for place, calls in _calls(facts):
        for called, terms in calls.items():
            yield from _listed((*place, called), terms)


def _platforms(facts: Facts) -> Told:
    for name, provider in facts.providers.items():
        if provider.platform is not None:
            yield ("providers", name, "platform"), provider.platform
    for name, family in facts.gpus.items():
        yield ("gpus", name, "platform"), family.platform
    for name, regime in facts.regimes.items():
        for platform in regime.partitions:
            yield ("regimes", name, "partitions", platform), platform


def _ambiguous(facts: Facts) -> Told:
    """A name for two things, two decisions for one direction, two sets from which one region is called."""
    reserved = {HOST, SELF, ANYWHERE}
    for field, taken in (
        ("groups", reserved),
        ("regions", reserved | set(facts.groups)),
        ("sets", reserved | set(facts.groups) | set(facts.regions)),
    ):
        for name in getattr(facts, field):
            if name in taken:
                yield (field, name), "expected a name that no region, group or other term has"
    directions = [(edge.origin, edge.to) for edge in facts.adequacy]
    for index, direction in enumerate(directions):
        if direction in directions[:index]:
            yield ("adequacy", index), f"expected one decision from {direction[0]} to {direction[1]}, got another"
    for place, calls in _calls(facts):
        members = Counter(region for called in calls for region in facts.sets.get(called, ()))
        for region in sorted(name for name, times in members.items() if times > 1 and name not in calls):
            yield place, f"expected {region} in one of the sets called from, got it in {members[region]}"


def _foreign(facts: Facts) -> Told:
    """Regions and partitions of another cloud than the one spoken of."""
    for name, region in facts.regions.items():
        pair = facts.regions.get(region.pair) if region.pair else None
        if pair and (pair is region or (pair.platform, pair.partition) != (region.platform, region.partition)):
            yield ("regions", name, "pair"), f"expected another region of {region.partition}, got {region.pair}"
    for name, family in facts.gpus.items():
        for place, member in _listed(("gpus", name, "regions"), family.regions):
            if member in facts.regions and facts.regions[member].platform != family.platform:
                yield place, f"expected a region of {family.platform}, got {member}"
    for name, regime in facts.regimes.items():
        for platform, partitions in regime.partitions.items():
            known = {region.partition for region in facts.regions.values() if region.platform == platform}
            for place, partition in _listed(("regimes", name, "partitions", platform), partitions):
                if partition not in known:
                    yield place, f"expected a partition of {platform}, got {partition}{nearest(partition, known)}"


def _called_nowhere(facts: Facts) -> Told:
    """Calls from what is no region, no set, and no host or location by which the way itself is chosen."""
    known = facts.regions.keys() | facts.sets.keys()
    for place, calls in _calls(facts):
        provider = facts.providers.get(str(place[1])) if place[0] == "models" else None
        if provider is not None and provider.platform is None:
            continue
        for called in calls:
            if called not in known and called != place[-2]:
                yield (*place, called), f"expected a region or set, got {called}{nearest(called, known)}"
