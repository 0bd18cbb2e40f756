"""Which countries may answer a call: by provider, model, way and the place where it is called.

The catalogue's facts, for a model as a person or a resource writes it. What the catalogue does not hold is unknown and
raises: a model version under another date, a way it does not list, a region whose row it lacks. Nothing is rewritten.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from regions.catalogue import Catalogue, CatalogueModel, Country, Mode, Way
from regions.expectations import nearest

BEDROCK = "bedrock"
IN_REGION = "in-region"
_BARE_WAYS = (IN_REGION, "mantle")
"""Ways that no prefix of a Bedrock id selects."""
_NAMED_WAYS = frozenset({"azure", "azure-anthropic"})
"""Providers that no place and no model id tells the way of: a deployment's SKU has to be said."""
_ARN = re.compile(
    r"arn:(?P<partition>[^:]+):bedrock:(?P<region>[^:]*):[^:]*:"
    r"(?P<kind>inference-profile|foundation-model|guardrail-profile)/(?P<id>.+)"
)


class UnknownServing(Exception):
    """The catalogue cannot tell where a call would be answered; says what it lacks, and the nearest name it has."""


class ContextTooLong(UnknownServing):
    """Where a call is answered is promised for a shorter context alone; says up to which."""


@dataclass(frozen=True, slots=True)
class Serving:
    """``model`` and ``via`` as the catalogue has them; ``countries`` sorted and never empty.

    ``context_tokens``: with up to how much context these are promised; ``None``: with any.
    """

    provider: str
    model: str
    via: str
    called: str
    mode: Mode
    countries: tuple[Country, ...]
    source: str
    context_tokens: int | None = None

    def with_context(self, tokens: int) -> Self:
        """Itself; raises ``ContextTooLong`` where its countries are not promised for so many tokens of context."""
        if self.context_tokens is not None and tokens > self.context_tokens:
            raise ContextTooLong(
                f"{self.provider}: {self.model} by {self.via} is promised for {', '.join(self.countries)} with up to "
                f"{self.context_tokens} tokens of context, and beyond it may be answered anywhere: got {tokens}"
            )
        return self


def serving(catalogue: Catalogue, provider: str, model: str, called: str, via: str | None = None) -> Serving:
    """Where the model may answer when it is called at ``called``: a region, a location or a host.

    A Bedrock id selects its way by its prefix (none: ``in-region``), an ARN also its region. A Vertex location selects
    it; Azure's SKU has to be said, and so has ``via`` wherever several ways start at the same host. Raises
    ``UnknownServing``.
    """
    models = catalogue.models.get(provider)
    if models is None:
        raise _unknown("no provider", provider, catalogue.models)
    if provider == BEDROCK:
        model, called, via = _bedrock(catalogue, model, called, via)
    found = models.get(model)
    if found is None:
        there = (each.model for each in servings(catalogue, provider=provider, called=called))
        raise _unknown(f"{provider}: no model", model, _alike(models, model) if provider == BEDROCK else there)
    if via is None:
        via = _only_way(catalogue, provider, model, called)
    way = found.ways.get(via)
    if way is None:
        raise UnknownServing(f"{provider}: {model} has no way {via!r}; it has {_listed(found.ways)}")
    served = _served(catalogue, provider, model, via, way, called)
    if served is None:
        raise _uncalled(catalogue, provider, model, called, {via: way})
    return served


def servings(
    catalogue: Catalogue, *, provider: str | None = None, model: str | None = None, called: str | None = None
) -> Iterator[Serving]:
    """Every way to call a model from every place that the catalogue has, or those asked for, in its order."""
    for name, models in catalogue.models.items():
        for key, found in models.items():
            if provider in (None, name) and model in (None, key):
                yield from _servings(catalogue, name, key, found, called)


def other_partition(catalogue: Catalogue, regimes: Iterable[str], called: str) -> str | None:
    """The regime that wants a model called in another partition than where it is, or in none.

    A vendor's host and a cloud's multi-region are in no partition, and so in none that a regime wants.
    """
    region = catalogue.regions.get(called)
    for name in regimes:
        wanted = catalogue.regimes[name].partitions if name in catalogue.regimes else {}
        if wanted and (region is None or region.partition not in wanted.get(region.platform, ())):
            return name
    return None


def guardrail(catalogue: Catalogue, profile: str, called: str) -> tuple[Country, ...]:
    """Where a guardrail profile (id or ARN) may evaluate text when it is called at ``called``; ``UnknownServing``."""
    if profile.startswith("arn:"):
        _, profile, called = _from_arn(catalogue, profile, ("guardrail-profile",))
    found = catalogue.guardrails.get(profile)
    if found is None:
        raise _unknown("no guardrail profile", profile, catalogue.guardrails)
    countries = catalogue.reached(found.calls, called, catalogue.providers[BEDROCK].platform)
    if countries is None:
        places = ", ".join(_places(catalogue, found.calls))
        raise UnknownServing(f"guardrail profile {profile} is not known to be called at {called!r}; it is at {places}")
    return countries


def _bedrock(catalogue: Catalogue, model: str, called: str, via: str | None) -> tuple[str, str, str]:
    """Model without prefix, region and way."""
    kind = ""
    if model.startswith("arn:"):
        kind, model, called = _from_arn(catalogue, model, ("inference-profile", "foundation-model"))
    models = catalogue.models[BEDROCK]
    prefix, _, rest = model.partition(".")
    if kind == "inference-profile" and model in models:
        raise UnknownServing(f"{BEDROCK}: an inference profile has a prefix, {model!r} has none")
    if model in models or rest not in models:
        if via not in (None, *_BARE_WAYS):
            raise UnknownServing(f"{BEDROCK}: {model} has no prefix, so it is not called by way {via!r}")
        return model, called, via or IN_REGION
    if kind == "foundation-model":
        raise UnknownServing(f"{BEDROCK}: a foundation model has no prefix, {model!r} has")
    if via not in (None, prefix):
        raise UnknownServing(f"{BEDROCK}: {model} is called by way {prefix!r}, not {via!r}")
    return rest, called, prefix


def _alike(models: Mapping[str, CatalogueModel], model: str) -> Iterable[str]:
    """Names to take for an unknown Bedrock id: with its prefix where it has one, so that no hint leads elsewhere."""
    prefix = model.partition(".")[0]
    if any(prefix in found.ways for found in models.values()):
        return [f"{prefix}.{name}" for name, found in models.items() if prefix in found.ways]
    return models


def _from_arn(catalogue: Catalogue, arn: str, kinds: tuple[str, ...]) -> tuple[str, str, str]:
    """Kind, id and region of an ARN of one of the kinds."""
    found = _ARN.fullmatch(arn)
    if found is None or found["kind"] not in kinds:
        raise UnknownServing(f"{BEDROCK}: expected an ARN of {' or '.join(kinds)}, got {arn!r}")
    region = catalogue.regions.get(found["region"])
    if region is None:
        raise _unknown("no region", found["region"], catalogue.regions)
    if region.partition != found["partition"]:
        raise UnknownServing(f"{found['region']} is in partition {region.partition}, not {found['partition']}: {arn}")
    return found["kind"], found["id"], found["region"]


def _only_way(catalogue: Catalogue, provider: str, model: str, called: str) -> str:
    ways = catalogue.models[provider][model].ways
    if provider in _NAMED_WAYS:
        raise UnknownServing(f"{provider}: {model} needs the SKU it is deployed by: {_listed(ways)}")
    starting = [via for via, way in ways.items() if _served(catalogue, provider, model, via, way, called)]
    if not starting:
        raise _uncalled(catalogue, provider, model, called, ways)
    if len(starting) > 1:
        raise UnknownServing(f"{provider}: {model} at {called} has several ways, say which: {_listed(starting)}")
    return starting[0]


def _served(catalogue: Catalogue, provider: str, model: str, via: str, way: Way, called: str) -> Serving | None:
    countries = catalogue.reached(way.calls, called, catalogue.providers[provider].platform)
    if not countries:
        return None
    return Serving(provider, model, via, called, way.mode, countries, way.source, way.context_tokens)


def _servings(
    catalogue: Catalogue, provider: str, model: str, found: CatalogueModel, called: str | None
) -> Iterator[Serving]:
    for via, way in found.ways.items():
        for place in _places(catalogue, way.calls) if called is None else (called,):
            if served := _served(catalogue, provider, model, via, way, place):
                yield served


def _places(catalogue: Catalogue, calls: Iterable[str]) -> list[str]:
    """Where calls start, sets expanded, each place once."""
    return list(dict.fromkeys(place for name in calls for place in catalogue.sets.get(name, (name,))))


def _uncalled(catalogue: Catalogue, provider: str, model: str, called: str, ways: dict[str, Way]) -> UnknownServing:
    places = _places(catalogue, (name for way in ways.values() for name in way.calls))
    by = f" by {next(iter(ways))}" if len(ways) == 1 else ""
    hint = nearest(called, places) or f"; it is at {', '.join(places)}"
    return UnknownServing(f"{provider}: {model}{by} is not known to be called at {called!r}{hint}")


def _unknown(what: str, name: str, known: Iterable[str]) -> UnknownServing:
    return UnknownServing(f"{what} {name!r} in the catalogue{nearest(name, known)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
