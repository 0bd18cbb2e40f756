"""Dated facts about countries, regimes, regions, models and what serves them. Nothing here is legal advice.

Every fact cites a source, which says ``as_of`` when it held, and with what ``confidence``. The YAML beside this file is
read once and never fetched; what it does not hold is unknown, and unknown is refused.

    sources.yaml  countries.yaml  regimes.yaml  adequacy.yaml  regions/*.yaml  models/*.yaml  guardrails.yaml
    gpus.yaml  telemetry.yaml  weights.yaml
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from regions.canonical import digest
from regions.catalogue.facts import (
    ANYWHERE,
    HOST,
    PURPOSES,
    SELF,
    Adequacy,
    CatalogueModel,
    Cited,
    Confidence,
    Countries,
    Country,
    CountryTerm,
    Custody,
    Evidence,
    Facts,
    Frozen,
    GpuFamily,
    Group,
    GuardrailProfile,
    Kind,
    Mode,
    PlaceTerm,
    Protocol,
    Provider,
    Regime,
    Region,
    RegionName,
    Signal,
    Source,
    TelemetryHost,
    TransferMode,
    Way,
    Weights,
    WeightSources,
    Wheels,
)
from regions.catalogue.references import wrong_references
from regions.documents import Document, DocumentError, Place

__all__ = [
    "ANYWHERE",
    "HOST",
    "PURPOSES",
    "SCHEMA_PATH",
    "SELF",
    "Adequacy",
    "Catalogue",
    "CatalogueError",
    "CatalogueModel",
    "Cited",
    "Confidence",
    "Countries",
    "Country",
    "CountryTerm",
    "Custody",
    "Evidence",
    "GpuFamily",
    "Group",
    "GuardrailProfile",
    "Kind",
    "Mode",
    "Protocol",
    "Provider",
    "Regime",
    "Region",
    "Signal",
    "Source",
    "TelemetryHost",
    "TransferMode",
    "Way",
    "WeightSources",
    "Weights",
    "Wheels",
    "load_catalogue",
    "read_catalogue",
    "schema_text",
]


SCHEMA_PATH = Path(__file__).with_name("catalogue.schema.json")


class CatalogueError(DocumentError):
    """The catalogue itself is wrong; nothing may be decided with it."""


class _CountriesFile(Frozen):
    countries: Countries
    groups: dict[str, Group]


class _SourcesFile(Frozen):
    sources: dict[str, Source]


class _RegimesFile(Frozen):
    regimes: dict[str, Regime]


class _AdequacyFile(Frozen):
    adequacy: tuple[Adequacy, ...]


class _RegionsFile(Frozen):
    """``sets``: regions that other facts name together."""

    sets: dict[str, tuple[RegionName, ...]] = Field(default_factory=dict)
    regions: dict[RegionName, Region]


class _ModelsFile(Frozen):
    providers: dict[str, Provider]
    models: dict[str, dict[str, CatalogueModel]]
    """By provider, then by the provider's id without what selects the way."""


class _GuardrailsFile(Frozen):
    guardrails: dict[str, GuardrailProfile]


class _GpusFile(Frozen):
    gpus: dict[str, GpuFamily]


class _TelemetryFile(Frozen):
    telemetry: dict[str, TelemetryHost]
    """By host name; a name also stands for the hosts under it."""


class _WeightsFile(Frozen):
    weights: dict[str, Weights]


_FILES: Mapping[str, type[BaseModel]] = {
    "sources.yaml": _SourcesFile,
    "countries.yaml": _CountriesFile,
    "regimes.yaml": _RegimesFile,
    "adequacy.yaml": _AdequacyFile,
    "regions/aws.yaml": _RegionsFile,
    "regions/azure.yaml": _RegionsFile,
    "regions/gcp.yaml": _RegionsFile,
    "regions/own.yaml": _RegionsFile,
    "models/bedrock.yaml": _ModelsFile,
    "models/azure.yaml": _ModelsFile,
    "models/vertex.yaml": _ModelsFile,
    "models/direct.yaml": _ModelsFile,
    "guardrails.yaml": _GuardrailsFile,
    "gpus.yaml": _GpusFile,
    "telemetry.yaml": _TelemetryFile,
    "weights.yaml": _WeightsFile,
}


class Catalogue(Facts):
    """The facts, and what follows from them."""

    @cached_property
    def digest(self) -> str:
        """Digest of every fact, sources and dates included."""
        return digest(self.model_dump(mode="json"))

    def expand(self, terms: Iterable[CountryTerm], host: Country) -> frozenset[Country]:
        """The countries that terms mean for a stack that stands in ``host``."""
        return frozenset(country for term in terms for country in self._expand(term, host))

    def _expand(self, term: CountryTerm, host: Country) -> tuple[Country, ...]:
        if term == HOST:
            return (host,)
        return self.groups[term].countries if term in self.groups else (term,)

    def reached(
        self, calls: Mapping[str, tuple[PlaceTerm, ...]], called: str, platform: str | None
    ) -> tuple[Country, ...] | None:
        """Every country where a call made at ``called`` may be answered, sorted; ``None`` where no fact says so."""
        terms = calls.get(called)
        if terms is None:
            terms = next((found for name, found in calls.items() if called in self.sets.get(name, ())), None)
        if terms is None:
            return None
        return tuple(sorted({country for term in terms for country in self._reach(term, called, platform)}))

    def _reach(self, term: PlaceTerm, called: str, platform: str | None) -> Iterable[Country]:
        if term == ANYWHERE:
            return self._anywhere(called, platform)
        if term in self.sets:
            return [self.regions[name].country for name in self.sets[term]]
        name = called if term == SELF else term
        return [self.regions[name].country] if name in self.regions else self._expand(name, name)

    def _anywhere(self, called: str, platform: str | None) -> Iterable[Country]:
        called_in = self.regions.get(called)
        return [
            region.country
            for region in self.regions.values()
            if region.country != HOST
            and platform in (None, region.platform)
            and (called_in is None or region.partition == called_in.partition)
        ]

    def telemetry_countries(self, name: str, home: Country) -> tuple[Country, ...] | None:
        """Where a host keeps what it is sent, for a stack in ``home``; ``None`` where no fact says so of just it."""
        found = self.telemetry.get(name)
        return None if found is None else tuple(sorted(self.expand(found.countries, home)))

    def telemetry_site(self, name: str) -> str | None:
        """The known host above a host, which may, like a vendor's other sites, be in another country."""
        above = [known for known in self.telemetry if name.endswith(f".{known}")]
        return max(above, key=len, default=None)


def read_catalogue(folder: Path) -> Catalogue:
    """The catalogue in a folder; raises ``CatalogueError`` with the mistakes of all its files."""
    mistakes: list[str] = []
    documents: dict[str, Document] = {}
    facts: dict[str, Any] = {}
    for name, cls in _FILES.items():
        try:
            documents[name] = Document.read(folder / name, CatalogueError)
            _merge(facts, documents[name].model(cls, error=CatalogueError), documents[name])
        except CatalogueError as wrong:
            mistakes.extend(wrong.mistakes)
    if mistakes:
        raise CatalogueError(mistakes)
    catalogue = Catalogue.model_construct(**facts)
    wrong = [_placed(documents, place).mistake(place, problem) for place, problem in wrong_references(catalogue)]
    if wrong:
        raise CatalogueError(wrong)
    return catalogue


def _merge(facts: dict[str, Any], read: BaseModel, document: Document) -> None:
    """Add one file's facts to those of the files before it; a name may stand in one file only."""
    for field in type(read).model_fields:
        value = getattr(read, field)
        if not isinstance(value, dict):
            facts[field] = value
            continue
        known = facts.setdefault(field, {})
        again = sorted(known.keys() & value.keys())
        if again:
            raise CatalogueError([document.mistake((field, name), "expected once in all files") for name in again])
        known.update(value)


def _placed(documents: Mapping[str, Document], place: Place) -> Document:
    """The file where a fact stands."""
    return next(found for found in documents.values() if place[:2] in found.lines)


def schema_text() -> str:
    """One JSON Schema for every file, as ``catalogue.schema.json`` has it for editors: no file has all the keys."""
    schema = Catalogue.model_json_schema()
    del schema["required"]
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


@cache
def load_catalogue() -> Catalogue:
    """The catalogue shipped with the kit; raises ``CatalogueError``."""
    return read_catalogue(Path(__file__).parent)
