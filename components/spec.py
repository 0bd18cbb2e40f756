"""FabricSpec: what a stack file says about its fabric, the object under ``loomstead:fabric``.

    SpecError         the file is malformed: one line a mistake, with file, line and key
    ResidencyRefused  the file is well-formed and asks for something its own residency section does not allow

No Pulumi here: review reads stack files without it.
"""

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from regions.boundary import Boundary, Flow, Purpose, Residency, compile_boundary
from regions.canonical import digest
from regions.catalogue import Catalogue, Country, load_catalogue
from regions.documents import Document, DocumentError, Place
from regions.expectations import nearest

CONFIG_KEY = "loomstead:fabric"
SCHEMA_PATH = Path(__file__).with_name("fabric.schema.json")


class SpecError(DocumentError):
    """The stack file is not a FabricSpec."""


class ResidencyRefused(Exception):
    """The spec places data where its Boundary does not allow it; one line per key, with rule, country and remedy."""


class Platform(StrEnum):
    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"
    KUBERNETES = "kubernetes"
    LOCAL = "local"


BUILT = frozenset({Platform.LOCAL})


class Port(StrEnum):
    PRIMARY = "primary"
    REPLICA = "replica"
    TEMPORAL = "temporal"
    TEMPORAL_UI = "temporal-ui"
    MODEL = "model"
    ORDERS = "orders"
    GATEWAY = "gateway"


def _http(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a URL that begins with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("expected a URL without user or password: secrets do not belong into a stack file")
    return url.rstrip("/")


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$", examples=["order-desk"])]
Operation = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]{0,63}$", examples=["orders.get"])]
Http = Annotated[str, AfterValidator(_http)]
UnprivilegedPort = Annotated[int, Field(ge=1024, le=65535)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Replica(_Section):
    """What bounds the agents' reads."""

    connection_limit: int = Field(20, ge=1, le=90)  # the servers take 100
    statement_timeout_ms: int = Field(5000, ge=1, le=600_000)


class Postgres(_Section):
    replica: Replica = Replica()


class ModelServer(_Section):
    """An OpenAI-compatible server that is there already, and every country where its inference may run."""

    url: Http
    model: str = Field(min_length=1)
    countries: tuple[Country, ...] = Field(min_length=1)


class Model(_Section):
    """The model behind one model class: exactly one of ``weights``, ``gguf``, ``endpoint``."""

    model_class: Name = Field(alias="class")
    weights: str | None = Field(None, description="A name in regions/catalogue/weights.yaml")
    gguf: Path | None = Field(None, description="A GGUF file on this machine")
    endpoint: ModelServer | None = None
    context_tokens: int = Field(8192, ge=512, le=1_048_576)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("weights", "gguf", "endpoint") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of weights, gguf, endpoint, got {' and '.join(given) or 'none'}")
        return self

    @property
    def hosted(self) -> bool:
        """Whether the fabric runs the model server itself."""
        return self.endpoint is None


class Limits(_Section):
    """``iterations``: model turns a task has before a person is asked. The others are seconds."""

    iterations: int = Field(10, ge=1, le=100)
    token_seconds: int = Field(300, ge=10, le=300)
    task_seconds: int = Field(86_400, ge=60, le=2_592_000)
    approval_seconds: int = Field(86_400, ge=60, le=2_592_000)


class CoreSystem(_Section):
    """``demo: true`` (the order system of the demo, hosted here), or ``url``, ``openapi`` and ``country``."""

    demo: bool = False
    url: Http | None = None
    openapi: str | None = Field(None, description="URL or path of its OpenAPI document")
    country: Country | None = None

    @model_validator(mode="after")
    def _demo_or_own(self) -> Self:
        own = (self.url, self.openapi, self.country)
        if any(own) if self.demo else not all(own):
            raise ValueError("expected demo: true, or all of url, openapi and country")
        return self


class ScopeClass(_Section):
    """A named set of rights in a core system; tools are operation ids of its OpenAPI document."""

    core_system: Name
    tools: tuple[Operation, ...] = Field(min_length=1)


class FabricSpec(_Section):
    platform: Platform
    region: str
    country: Country = Field(description="Where this machine stands")
    residency: Residency
    postgres: Postgres = Postgres()
    model: Model
    ports: dict[Port, UnprivilegedPort] = Field({}, description="Fixed ports; a name left out gets a free one")
    limits: Limits = Limits()
    core_systems: dict[Name, CoreSystem] = {}
    scope_classes: dict[Name, ScopeClass] = {}

    @property
    def digest(self) -> str:
        """Digest of what the spec says, defaults filled in."""
        return digest(self.model_dump(mode="json", by_alias=True))

    def boundary(self, catalogue: Catalogue) -> Boundary:
        """The compiled Boundary, which allows all that the spec itself places.

        Raises ``ResidencyRefused`` where it does not, ``ResidencyError`` for a regime or country that is unknown.
        """
        boundary = compile_boundary(self.residency, catalogue, host=self.country)
        refused: dict[str, str] = {}
        for flow, key in self._flows():
            verdict = boundary.decide(flow)
            if not verdict.allowed:
                refused.setdefault(key, f"{CONFIG_KEY}.{key}: refused by {verdict.rule}: {verdict.reason}")
        if refused:
            remedies = (f"{line}. Remedy: another place, or other residency.regimes" for line in refused.values())
            raise ResidencyRefused("\n".join(remedies))
        return boundary

    def _flows(self) -> Iterator[tuple[Flow, str]]:
        """Every flow the spec declares, and the key that would change it."""
        for data_class in self.residency.data_classes:
            for purpose in Purpose:
                yield Flow("this machine", purpose, (self.country,), data_class), "country"
            if endpoint := self.model.endpoint:
                yield Flow(f"model {endpoint.model}", Purpose.PROCESS, endpoint.countries, data_class), "model.endpoint"
            for name, system in self.core_systems.items():
                for purpose in (Purpose.REST, Purpose.PROCESS) if system.country else ():
                    subject, countries = f"core system {name}", (str(system.country),)
                    yield Flow(subject, purpose, countries, data_class), f"core_systems.{name}"


def load_spec(path: Path) -> FabricSpec:
    """The FabricSpec of a stack file; raises ``SpecError`` with every mistake."""
    return _spec(Document.read(path, SpecError))


def parse_spec(mapping: Mapping[str, Any], path: Path) -> FabricSpec:
    """The FabricSpec in what Pulumi read from the stack file ``path``; lines are told where that file shows them.

    Raises ``SpecError`` with every mistake.
    """
    return _spec(Document.read(path, SpecError).holding({"config": {CONFIG_KEY: mapping}}))


def _spec(document: Document) -> FabricSpec:
    return document.model(FabricSpec, at=("config", CONFIG_KEY), error=SpecError, check=_mistakes)


def _mistakes(spec: FabricSpec) -> Iterator[tuple[Place, str]]:
    """What the types cannot tell: names that nothing declares."""
    if spec.platform not in BUILT:
        yield ("platform",), f"{spec.platform} is not built yet; expected {', '.join(sorted(BUILT))}"
    yield from _unknown_to_catalogue(spec, load_catalogue())
    yield from _unfit_ports(spec)
    for name, scope in spec.scope_classes.items():
        if scope.core_system not in spec.core_systems:
            yield ("scope_classes", name, "core_system"), _unknown(scope.core_system, spec.core_systems)
        if len(set(scope.tools)) < len(scope.tools):
            yield ("scope_classes", name, "tools"), "expected each tool once"


def _unknown_to_catalogue(spec: FabricSpec, catalogue: Catalogue) -> Iterator[tuple[Place, str]]:
    regions = {name for name, region in catalogue.regions.items() if region.platform == spec.platform}
    if spec.platform in BUILT and spec.region not in regions:
        yield ("region",), _unknown(spec.region, regions)
    for index, regime in enumerate(spec.residency.regimes):
        if regime not in catalogue.regimes:
            yield ("residency", "regimes", index), _unknown(regime, catalogue.regimes)
    if spec.model.weights is not None and spec.model.weights not in catalogue.weights:
        yield ("model", "weights"), _unknown(spec.model.weights, catalogue.weights)
    for place, country in _countries(spec):
        if country not in catalogue.countries.names:
            yield place, f"expected a country of ISO 3166-1 alpha-2, got {country}"


def _countries(spec: FabricSpec) -> Iterator[tuple[Place, str]]:
    yield ("country",), spec.country
    if spec.model.endpoint:
        for index, country in enumerate(spec.model.endpoint.countries):
            yield ("model", "endpoint", "countries", index), country
    for name, system in spec.core_systems.items():
        if system.country:
            yield ("core_systems", name, "country"), system.country


def _unfit_ports(spec: FabricSpec) -> Iterator[tuple[Place, str]]:
    if Port.MODEL in spec.ports and not spec.model.hosted:
        yield ("ports", "model"), "expected no port: model.endpoint is hosted elsewhere"
    if Port.ORDERS in spec.ports and not any(system.demo for system in spec.core_systems.values()):
        yield ("ports", "orders"), "expected no port: no core system is demo: true"
    holders: dict[int, str] = {}
    for name, port in spec.ports.items():
        if port in holders:
            yield ("ports", name), f"expected a port of its own, got {port}, which {holders[port]} has"
        holders.setdefault(port, name)


def _unknown(name: str, known: Any) -> str:
    return f"expected one of {', '.join(sorted(known)) or 'none declared'}, got {name}{nearest(name, known)}"


def schema_text() -> str:
    """The JSON Schema of a stack file, as ``components/fabric.schema.json`` has it for editors."""
    fabric = FabricSpec.model_json_schema()
    definitions = fabric.pop("$defs")
    config = {"type": "object", "properties": {CONFIG_KEY: {"$ref": "#/$defs/FabricSpec"}}, "required": [CONFIG_KEY]}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A stack file of Loomstead",
        "type": "object",
        "properties": {"config": config},
        "required": ["config"],
        "$defs": {**definitions, "FabricSpec": fabric},
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
