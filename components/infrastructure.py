"""Sections of the FabricSpec that say how large the parts of a fabric are, and on whose ground they stand.

``size`` of the FabricSpec settles every number that is not named here.
"""

from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from regions.hosts import base_url


class Refused(Exception):
    """What a stack file asks for cannot be made, and nothing was; says what, where and what to do."""


def _http(url: str) -> str:
    return base_url(url).geturl()


def _block(cidr: str) -> str:
    try:
        return str(ip_network(cidr))
    except ValueError as error:
        raise ValueError(f"expected a CIDR, such as 10.20.0.0/16: {error}") from None


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$", examples=["order-desk"])]
Http = Annotated[str, AfterValidator(_http)]
Cidr = Annotated[str, AfterValidator(_block), Field(examples=["10.20.0.0/16"])]
Host = Annotated[
    str, Field(pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$", examples=["agents.corp.example"])
]
Image = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9.:/_-]*@sha256:[0-9a-f]{64}$", examples=["registry.example/loomstead@sha256:…"]),
]
"""By digest, because a tag can be moved."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Size(StrEnum):
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


class Extent(StrEnum):
    """``fabric``: all of it. ``foundation``: what a fabric stands on (network, keys, identity, databases, managed
    models, observability, guardrails), without a cluster and what runs there."""

    FABRIC = "fabric"
    FOUNDATION = "foundation"


class OwnNetwork(Section):
    """A network that is there. ``id``: of the VPC (AWS) or VNet (Azure), or the network's name (Google Cloud).

    AWS: ids of its subnets by role. Azure: ``workloads`` are the runtime's subnet and the tools', ``endpoints`` one,
    ``egress`` the private address of its firewall. Google Cloud: ``workloads`` is the name of one subnetwork,
    ``primary`` and ``replica`` names of peered ranges, ``egress`` the address at which it reaches Google's APIs.
    """

    id: str = Field(min_length=1)
    workloads: tuple[str, ...] = Field(min_length=1)
    primary: tuple[str, ...] = ()
    replica: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    egress: str | None = None


class Network(Section):
    """Either ``cidr``, private addresses for a network made here, or ``own``. On Azure an own one needs both.

    ``zones``: AWS's by name (none named: the region's a, b and c), Azure's by number.
    ``addresses``: on Kubernetes without Cilium, the CIDRs of each host that is called outside.
    """

    cidr: Cidr | None = None
    zones: tuple[str, ...] = ()
    own: OwnNetwork | None = None
    addresses: dict[str, tuple[Cidr, ...]] = Field({})


class Gpu(Section):
    """``family``: a name in regions/catalogue/gpus.yaml; on Kubernetes the value of the nodes' label
    ``loomstead/gpu``. ``nodes``: the most that there are; there are none while nobody asks the model.
    ``machine``: one of the family, none for its smallest. ``per_node``: accelerators of one machine."""

    family: str = Field(min_length=1)
    nodes: int = Field(2, ge=1, le=64)
    machine: str | None = None
    per_node: int = Field(1, ge=1, le=16)


class Cluster(Section):
    """``own``: name of a cluster that is there. ``version``: of Kubernetes. ``machine``, ``nodes``: of the system's
    nodes, otherwise the size's. ``callers``: CIDRs of the network that deployers and operators call its API from.

    Kubernetes: ``context`` of the kubeconfig, and ``server``, the URL of the API server that it has to lead to;
    ``issuer``: what its ServiceAccounts' tokens name; ``storage_class`` for volumes; ``cilium``: whether it is the
    network plugin; ``encrypted_at_rest``: that the API server encrypts Secrets with a key outside it, which nobody can
    see from inside; ``key``: a reference to that key. ``gateway_class``: of the Gateway API; ``entry``: namespace of
    its data plane, none where it is Cilium's own. ``operator``: namespace of CloudNativePG.
    """

    own: str | None = None
    version: str | None = Field(None, pattern=r"^1\.\d\d$")
    machine: str | None = None
    nodes: int | None = Field(None, ge=2, le=1000)
    gpu: Gpu | None = None
    callers: tuple[Cidr, ...] = ()
    context: str | None = None
    server: Http | None = None
    issuer: Http = "https://kubernetes.default.svc.cluster.local"
    storage_class: str | None = None
    cilium: bool = False
    encrypted_at_rest: bool = False
    key: str | None = None
    gateway_class: str = "cilium"
    entry: Name | None = None
    operator: Name = "cnpg-system"


class Gateway(Section):
    """``host``: the name under which callers in the network reach it, over TLS by ``certificate``: the ARN of one in
    ACM, or on Kubernetes the name of a cert-manager ClusterIssuer.
    ``image``: the runtime's, and its registry is the only one. ``replicas``: otherwise the size's.
    ``callers``: CIDRs that may call it; none: the network's.
    """

    image: Image
    host: Host
    certificate: str = Field(min_length=1)
    replicas: int | None = Field(None, ge=2, le=100)
    callers: tuple[Cidr, ...] = ()

    @property
    def registry(self) -> str:
        """Host and folder of ``image``."""
        return self.image.partition("@")[0].rpartition("/")[0]


class Engine(StrEnum):
    TEMPORAL = "temporal"
    STEP_FUNCTIONS = "step-functions"


class Orchestrator(Section):
    """``engine``: none: Step Functions on AWS, Temporal elsewhere."""

    engine: Engine | None = None


class Cache(Section):
    """``machine``: otherwise the size's."""

    machine: str | None = None


class Kafka(Section):
    """``topics`` that start tasks. ``bootstrap``: ``host:port`` of brokers that are there; none: one is made."""

    topics: tuple[str, ...] = Field(min_length=1)
    bootstrap: tuple[str, ...] = ()


class Mail(Section):
    """``address``: that mails are sent to. ``server``: of its mailbox (IMAP over TLS), none where the cloud receives
    mail itself. ``credential``: name of the secret that it is opened with."""

    address: str = Field(pattern=r"^[^@\s]+@([a-z0-9-]+\.)+[a-z]{2,63}$", examples=["orders@agents.example"])
    server: Host | None = None
    credential: Name | None = None


class Triggers(Section):
    """What starts tasks beside the gateway's signed webhook, which is always there."""

    kafka: Kafka | None = None
    mail: Mail | None = None


class Budget(Section):
    """``monthly``: whole US dollars. ``notify``: who is told at half, four fifths and all of it."""

    monthly: int = Field(ge=1)
    notify: tuple[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")], ...] = Field(min_length=1)


class Directory(Section):
    """Azure's Entra: ``tenant``, and the group of those who administer the databases: object id and name.

    ``issuer``: the public HTTPS address at which Entra fetches the gateway's discovery document and public keys; scope
    classes need it. ``key_administrators``: object ids of three or more who take a Managed HSM's security domain, where
    Key Vault's copies would leave the Boundary.
    """

    tenant: str = Field(pattern=r"^[0-9a-f-]{36}$")
    administrators: str = Field(pattern=r"^[0-9a-f-]{36}$")
    administrators_name: str = Field(min_length=1)
    issuer: Http | None = None
    key_administrators: tuple[Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")], ...] = ()
