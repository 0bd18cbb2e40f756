"""FabricSpec: what a stack file says about its fabric, the object under ``loomstead:fabric``.

The types alone: ``components.loading`` reads one from a file, ``components.review`` says whether what it asks for is
allowed by its own residency section. No Pulumi here: review reads stack files without it.
"""

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, Field, model_validator

from components.infrastructure import (
    Budget,
    Cache,
    Cluster,
    Directory,
    Extent,
    Gateway,
    Http,
    Image,
    Name,
    Network,
    Orchestrator,
    Section,
    Size,
    Triggers,
)
from regions.canonical import digest
from regions.catalogue import HOST, Catalogue, Country, Custody, Kind
from regions.documents import DocumentError, Place
from regions.findings import Waiver
from regions.residency import DataClass, Residency

CONFIG_KEY = "loomstead:fabric"
SCHEMA_PATH = Path(__file__).with_name("fabric.schema.json")


class SpecError(DocumentError):
    """The stack file is not a FabricSpec: one line a mistake, with file, line and key."""


Chosen = TypeVar("Chosen", bound=BaseModel)


class Platform(StrEnum):
    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"
    KUBERNETES = "kubernetes"
    LOCAL = "local"


class Port(StrEnum):
    PRIMARY = "primary"
    REPLICA = "replica"
    TEMPORAL = "temporal"
    TEMPORAL_UI = "temporal-ui"
    MODEL = "model"
    ORDERS = "orders"
    GATEWAY = "gateway"


def _exactly_one(section: Chosen, *names: str) -> Chosen:
    given = [name for name in names if getattr(section, name) is not None]
    if len(given) != 1:
        raise ValueError(f"expected exactly one of {', '.join(names)}, got {' and '.join(given) or 'none'}")
    return section


Operation = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]{0,63}$", examples=["orders.get"])]
UnprivilegedPort = Annotated[int, Field(ge=1024, le=65535)]


class Replica(Section):
    """What bounds the agents' reads."""

    connection_limit: int = Field(20, ge=1, le=90)  # the servers take 100
    statement_timeout_ms: int = Field(5000, ge=1, le=600_000)


class Postgres(Section):
    """``version``, machines and storage (GiB): otherwise the size's. ``backup_days``: how long backups are kept.

    ``image``: on Kubernetes, PostgreSQL with pgvector. ``authority``: a PEM file, where it is not known here who
    answers for the database's certificate.
    """

    replica: Replica = Replica()
    version: str | None = Field(None, pattern=r"^\d\d(\.\d+)?$")
    machine: str | None = None
    replica_machine: str | None = None
    storage_gib: int | None = Field(None, ge=20, le=65_536)
    image: Image | None = None
    authority: Path | None = None
    backup_days: int = Field(14, ge=1, le=35)


class Bucket(Section):
    """On a cluster: a store that speaks S3 at ``url``, and the ``bucket`` in it, with the folder of the stack.
    ``countries``: every one where it keeps what it is given."""

    url: Http
    bucket: str = Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._/-]+)?$")
    countries: tuple[Country, ...] = Field(min_length=1)


class Staged(Section):
    """Weights in the stack's own bucket, as ``loomstead models stage`` put them there and printed them.

    ``name``: folder in the bucket, and what the model server calls the model. ``digest``: over every file's name and
    hash; the model server starts with no other files. ``licence``: that somebody agreed to. ``store``: where the bucket
    is on a cluster of one's own, opened with the Secret ``weights`` (key ``credentials``, an AWS credentials file).
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$", examples=["mistral-7b-instruct-v0.3"])
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    licence: str = Field(min_length=1, examples=["Apache-2.0"])
    store: Bucket | None = None


class Hosted(Section):
    """A model server that the fabric runs itself: exactly one of ``weights``, ``gguf`` and ``staged``."""

    weights: str | None = Field(None, description="On this machine: a name in regions/catalogue/weights.yaml")
    gguf: Path | None = Field(None, description="On this machine: a GGUF file")
    staged: Staged | None = Field(None, description="On a cluster's GPUs")

    @model_validator(mode="after")
    def _one_file(self) -> Self:
        return _exactly_one(self, "weights", "gguf", "staged")


class ModelServer(Section):
    """An OpenAI-compatible server that is there already, and every country where its inference may run."""

    url: Http
    model: str = Field(min_length=1)
    countries: tuple[Country, ...] = Field(min_length=1)
    credential: Name | None = None


class Managed(Section):
    """A provider's model; the catalogue knows where its inference may run.

    ``region``: the region, Vertex location or host that is called. ``sku``: the Azure deployment's. ``spillover``: the
    candidate of this class to which Azure hands what is too much. ``url``: base of the resource where it has its own.
    ``capacity``: of the Azure deployment, thousands of tokens a minute or provisioned units; otherwise the size's.
    """

    provider: str
    model: str = Field(min_length=1)
    region: str = Field(min_length=1)
    sku: str | None = None
    spillover: Name | None = None
    url: Http | None = None
    credential: Name | None = None
    capacity: int | None = Field(None, ge=1)


class Candidate(Section):
    """One way to answer a model class: exactly one of ``hosted``, ``endpoint``, ``managed``.

    ``data_classes``: the only ones that may be sent there; none named: all of the stack. ``weight``: share among the
    candidates of equal ``priority`` (lowest first; the others are its fallbacks); 0: only compared, never chosen.
    ``shadow_percent``: it gets copies of so many of a hundred calls, and nothing acts on its answers.
    """

    hosted: Hosted | None = None
    endpoint: ModelServer | None = None
    managed: Managed | None = None
    data_classes: tuple[DataClass, ...] | None = Field(None, min_length=1)
    weight: int = Field(1, ge=0, le=1000)
    priority: int = Field(0, ge=0, le=100)
    shadow_percent: int | None = Field(None, ge=1, le=100)
    version: str | None = Field(None, min_length=1, description="What the reply's `model` has to be")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        return _exactly_one(self, "hosted", "endpoint", "managed")


class ModelClass(Section):
    """What agents ask for by name, and who may answer."""

    kind: Kind = Kind.CHAT
    context_tokens: int = Field(8192, ge=512, le=1_048_576)
    candidates: dict[Name, Candidate] = Field(min_length=1)

    @model_validator(mode="after")
    def _somebody_answers(self) -> Self:
        if all(found.shadow_percent or not found.weight for found in self.candidates.values()):
            raise ValueError("expected one candidate at least with a weight and without shadow_percent")
        return self

    def spilled(self, candidate: str) -> tuple[str, ...]:
        """The candidates that may get what is too much for one: its spillover, that one's, and so on, each once."""
        passed = [candidate]
        while managed := self.candidates[passed[-1]].managed:
            if managed.spillover not in self.candidates or managed.spillover in passed:
                break
            passed.append(managed.spillover)
        return tuple(passed[1:])


class Redundancy(StrEnum):
    """Copies in one zone, in the region's zones, or in the provider's paired region too."""

    LOCAL = "local"
    ZONE = "zone"
    GEO = "geo"


class KeyRing(Section):
    """Where the keys lie that encrypt the stack, and who holds them; no region: the stack's own.

    ``encryption``: an own key that encrypts what is stored: ARN, id of a Key Vault, or full name in Cloud KMS.
    """

    region: str | None = None
    custody: Custody = Custody.CUSTOMER
    replicas: tuple[str, ...] = Field((), description="Further regions of a multi-region key")
    encryption: str | None = None


class Destination(Section):
    """A host that gets logs or telemetry; ``countries`` where the catalogue does not know it."""

    url: Http
    countries: tuple[Country, ...] | None = Field(None, min_length=1)


class Backup(Section):
    """Where backups lie; no region: the stack's own. ``store``: on a cluster, which has none of its own."""

    region: str | None = None
    redundancy: Redundancy = Redundancy.ZONE
    store: Bucket | None = None


class Logs(Section):
    """Where logs are kept (no region: the stack's own), for how many days, and who else gets them."""

    region: str | None = None
    days: int = Field(365, ge=1, le=3653)
    sinks: dict[Name, Destination] = Field({})


class Guardrail(Section):
    """A Bedrock guardrail; ``profile``: the cross-region one that evaluates its text, none: the stack's region."""

    profile: str | None = None


class Limits(Section):
    """``iterations``: model turns a task has before a person is asked. The others are seconds."""

    iterations: int = Field(10, ge=1, le=100)
    token_seconds: int = Field(300, ge=10, le=300)
    task_seconds: int = Field(86_400, ge=60, le=2_592_000)
    approval_seconds: int = Field(86_400, ge=60, le=2_592_000)


class CoreSystem(Section):
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


class ScopeClass(Section):
    """A named set of rights in a core system; tools are operation ids of its OpenAPI document."""

    core_system: Name
    tools: tuple[Operation, ...] = Field(min_length=1)


class FabricSpec(Section):
    """``account``: the only AWS account, Azure subscription or Google project that this stack is made in."""

    platform: Platform
    region: str
    extent: Extent = Extent.FABRIC
    size: Size = Size.SMALL
    account: str | None = Field(None, min_length=1)
    directory: Directory | None = None
    country: Country | None = Field(None, description="Where the machines stand; of a cloud's region it is known")
    residency: Residency
    waivers: tuple[Waiver, ...] = ()
    keys: KeyRing = KeyRing()
    backup: Backup = Backup()
    logs: Logs = Logs()
    telemetry: dict[Name, Destination] = Field({})
    guardrail: Guardrail | None = None
    network: Network = Network()
    cluster: Cluster = Cluster()
    gateway: Gateway | None = None
    orchestrator: Orchestrator = Orchestrator()
    cache: Cache = Cache()
    triggers: Triggers = Triggers()
    budget: Budget | None = None
    postgres: Postgres = Postgres()
    models: dict[Name, ModelClass] = Field(min_length=1)
    ports: dict[Port, UnprivilegedPort] = Field({}, description="Fixed ports; a name left out gets a free one")
    limits: Limits = Limits()
    core_systems: dict[Name, CoreSystem] = Field({})
    scope_classes: dict[Name, ScopeClass] = Field({})

    @property
    def digest(self) -> str:
        """Digest of what the spec says, defaults filled in."""
        return digest(self.model_dump(mode="json", by_alias=True))

    @property
    def hosted(self) -> Candidate | None:
        """The candidate whose model server the fabric runs itself; a stack has one at most."""
        return next((found for _, found in self.candidates() if found.hosted), None)

    def managed(self) -> Iterator[Managed]:
        """Every candidate of a provider."""
        return (found.managed for _, found in self.candidates() if found.managed)

    def credentials(self) -> tuple[str, ...]:
        """Names of the secrets that models are called with; sorted, each once."""
        asked = (found.endpoint or found.managed for _, found in self.candidates())
        return tuple(sorted({server.credential for server in asked if server and server.credential}))

    def regions(self) -> Iterator[tuple[Place, str]]:
        """Every region that a section names, and where it stands; the models' are their candidates' own."""
        yield ("region",), self.region
        for section, placed in (("keys", self.keys), ("backup", self.backup), ("logs", self.logs)):
            if placed.region:
                yield (section, "region"), placed.region
        for index, region in enumerate(self.keys.replicas):
            yield ("keys", "replicas", index), region

    def candidates(self) -> Iterator[tuple[Place, Candidate]]:
        """Every candidate of every model class, and where it stands."""
        for name, model_class in self.models.items():
            for candidate, found in model_class.candidates.items():
                yield ("models", name, "candidates", candidate), found


def country_of(spec: FabricSpec, catalogue: Catalogue, region: str | None = None) -> Country | None:
    """Where a region stands (none given: the stack's own); ``None`` where the catalogue does not know it."""
    found = catalogue.regions.get(region or spec.region)
    if found is None:
        return None
    return spec.country if found.country == HOST else found.country


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
