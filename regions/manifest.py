"""What a stack publishes when it is up; the runtime and the developer's command line read nothing else.

No secret and no time is in it: the same spec, keys and ports give the same bytes. The signature lies in
``regions.signature``; whoever verifies got the key by another way than the Manifest itself.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from regions.boundary import Boundary
from regions.canonical import digest
from regions.catalogue import Country, Kind, Protocol, Signal
from regions.residency import DataClass

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Temporal(_Frozen):
    """``address``: ``host:port`` of its gRPC API, namespace ``default``. ``ui``: URL of its web page."""

    kind: Literal["temporal"] = "temporal"
    address: str
    ui: str


class StepFunctions(_Frozen):
    """``state_machine``: ARN. ``queue``: URL of the queue of steps. ``ui``: URL of its page in the console."""

    kind: Literal["step-functions"] = "step-functions"
    state_machine: str
    queue: str
    ui: str


class Endpoints(_Frozen):
    """Where the fabric's own parts answer."""

    gateway: str
    orchestrator: Temporal | StepFunctions = Field(discriminator="kind")
    primary_host: str
    primary_port: int
    replica_host: str
    replica_port: int
    database: str
    """The runtime's database on the primary."""


class ModelEndpoint(_Frozen):
    """One candidate of a model class: where it is called, and every country where its inference may run.

    ``name``: ``<model class>/<candidate>``. ``url``: its base, with ``/v1`` where it speaks OpenAI's format; a
    translated one has none unless it is called elsewhere than at its provider's public host. ``region``: the region,
    location or host that is called. ``via``: by which way of the catalogue (profile prefix, SKU, location, geography).
    ``upstream_model``: the model name it expects. ``data_classes``: the only ones that may be sent there.
    ``weight``: its share among the candidates of the same ``priority`` (lowest first); 0: only compared, never chosen.
    ``shadow_percent``: it gets copies of so many of a hundred calls, and its answers act on nothing.
    ``version``: the reply's ``model`` has to be this; none: the first one seen is remembered.
    ``signal``: where its replies say where they were made; any value beside ``signal_values`` quarantines it.
    ``credential``: name of the secret that it is called with.
    """

    name: str
    model_class: str
    kind: Kind
    protocol: Protocol
    url: str | None
    provider: str | None
    region: str | None
    via: str | None = None
    upstream_model: str
    countries: tuple[Country, ...] = Field(min_length=1)
    data_classes: tuple[DataClass, ...] = Field(min_length=1)
    context_tokens: int
    weight: int = Field(ge=0)
    priority: int = Field(ge=0)
    shadow_percent: int | None = Field(None, ge=1, le=100)
    version: str | None = None
    signal: Signal | None = None
    signal_values: tuple[str, ...] = ()
    credential: str | None = None


class CoreSystem(_Frozen):
    """A system of record that tools act on, described by its OpenAPI document."""

    name: str
    url: str
    openapi: str
    country: Country


class ScopeClass(_Frozen):
    """A named set of rights in a core system; the tools are operation ids of its OpenAPI document."""

    name: str
    core_system: str
    tools: tuple[str, ...]


class ServiceAccount(_Frozen):
    """A workload as its cluster names it. ``issuer``: of the cluster's tokens; ``jwks``: URL of its published keys.

    ``subject``: ``system:serviceaccount:<namespace>:<name>``.
    """

    issuer: str
    jwks: str = Field(pattern=r"^https://")
    subject: str = Field(pattern=r"^system:serviceaccount:[a-z0-9.-]+:[a-z0-9.-]+$")


class Client(_Frozen):
    """Who may ask the fabric's issuer for an identity token: by a public key (JWK), or as a workload of a cluster."""

    id: str
    subject: str
    kind: Literal["workload", "person"]
    jwk: dict[str, Any] | None = None
    service_account: ServiceAccount | None = None

    @model_validator(mode="after")
    def _proved_in_one_way(self) -> Self:
        if (self.jwk is None) == (self.service_account is None):
            raise ValueError(f"client {self.id}: give exactly one of jwk, service_account")
        if self.service_account and self.kind != "workload":
            raise ValueError(f"client {self.id}: a ServiceAccount is no {self.kind}")
        return self


class Identities(_Frozen):
    issuer: str
    clients: tuple[Client, ...]


class Limits(_Frozen):
    """``iterations``: model turns a task has before a person is asked. The others are seconds."""

    iterations: int
    token_seconds: int
    task_seconds: int
    approval_seconds: int


class Manifest(_Frozen):
    version: Literal[1] = 1
    stack: str
    platform: str
    region: str
    country: Country
    boundary: Boundary
    boundary_digest: Digest
    catalogue_digest: Digest
    spec_digest: Digest
    endpoints: Endpoints
    models: tuple[ModelEndpoint, ...]
    core_systems: tuple[CoreSystem, ...]
    scope_classes: tuple[ScopeClass, ...]
    identities: Identities
    limits: Limits

    @property
    def digest(self) -> str:
        """Digest of the whole Manifest."""
        return digest(self.model_dump(mode="json"))
