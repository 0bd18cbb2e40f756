"""What AWS's fabric is made of, read from the stack file: plain values, and all that AWS or its parts would refuse.

Everything here is decided before anything is made.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from ipaddress import ip_network

from components.aws.hosts import check_registry
from components.aws.logs import checked_days
from components.budget.aws import check_partition
from components.cache.aws_sizes import checked_machine
from components.cluster.aws_plan import GPUS, checked_made, gpu_machine, system_nodes
from components.fabrics.contract import chosen, unread
from components.gateway.aws import check_entry
from components.identity.aws import issuer_url
from components.infrastructure import Engine, Refused
from components.keys.aws import check_encryption
from components.models.bedrock import Invocable, invocable
from components.network.aws_plan import checked_own, checked_zones, declared, divide
from components.network.exits import Exit, exits, telemetry_exits
from components.postgres.aws_authority import authority
from components.postgres.aws_sizes import sized
from components.publish import Ground
from components.spec import Extent, FabricSpec, Redundancy
from components.triggers.aws_regions import check_mail
from components.vector.aws import check_version
from regions.catalogue.facts import Custody

POSTGRES_VERSION = "18"
"""RDS's newest major version that is known here."""
_ACCOUNT = re.compile(r"\d{12}")
_UNREAD = (
    *("directory", "ports", "network.addresses"),
    *(f"cluster.{key}" for key in ("context", "server", "issuer", "storage_class", "cilium")),
    *(f"cluster.{key}" for key in ("encrypted_at_rest", "key", "gateway_class", "entry", "operator")),
)
"""What other platforms have, where AWS makes its own."""
_STACK = re.compile(r"[a-z][a-z0-9-]{0,23}")
"""The longest that leaves room for what AWS's load balancers, caches and roles are called after it."""


class AwsFabricError(Refused):
    """The fabric asked for cannot be made on AWS; nothing was created. One line a cause, with what to do."""


@dataclass(frozen=True)
class Planned:
    """``zones``: of a network made here. ``exits``: whom the runtime calls outside; Bedrock is called by its private
    endpoint. ``models``: what may be called of it. ``gpu_families``: those that the region has. ``registry``: where
    images come from. ``authority``: PEM of who answers for RDS. ``issuer``: ``iss`` of the fabric's tokens.
    ``data``: what the collector may hand on, and to whom."""

    spec: FabricSpec
    stack: str
    account: str
    partition: str
    on: date
    zones: tuple[str, ...]
    exits: tuple[Exit, ...]
    models: tuple[Invocable, ...]
    gpu_families: tuple[str, ...]
    authority: str
    issuer: str

    @property
    def region(self) -> str:
        return self.spec.region

    @property
    def tags(self) -> Mapping[str, str]:
        return {"loomstead:stack": self.stack}

    @property
    def registry(self) -> str:
        """Host and folder of the runtime's image, and of every other."""
        return self.spec.gateway.registry if self.spec.gateway else ""

    @property
    def callers(self) -> tuple[str, ...]:
        """CIDRs that may call the gateway: those of the stack file alone, and where it names none, the network's."""
        gateway, cidr = self.spec.gateway, self.spec.network.cidr
        return (gateway.callers if gateway else ()) or ((cidr,) if cidr else ())

    @property
    def telemetry_ports(self) -> tuple[int, ...]:
        """At which the collector hands on what it gets to hosts outside."""
        return tuple(sorted({way.port for way in telemetry_exits(self.spec)}))

    @property
    def temporal(self) -> bool:
        return self.engine is Engine.TEMPORAL

    @property
    def engine(self) -> Engine:
        return self.spec.orchestrator.engine or Engine.STEP_FUNCTIONS


def planned(ground: Ground) -> Planned:
    """Raises ``Refused`` with what is wrong first."""
    spec, region = ground.spec, ground.catalogue.regions[ground.spec.region]
    on = datetime.now(UTC).date()
    account = _account(spec)
    if not _STACK.fullmatch(ground.stack):
        raise AwsFabricError(
            f"stack {ground.stack}: AWS's names begin with it: expected a-z, 0-9 and -, 24 characters at most"
        )
    check_encryption(spec.keys.encryption, spec.region, account)
    if faults := [*_unknown(spec)]:
        raise AwsFabricError("\n".join(faults))
    checked_days(spec.logs.days)
    outside = tuple(exits(_elsewhere(ground), ground.catalogue))
    declared(outside)
    found = Planned(
        spec=spec,
        stack=ground.stack,
        account=account,
        partition=region.partition,
        on=on,
        zones=_zones(spec),
        exits=outside,
        models=invocable(spec, ground.catalogue, ground.boundary, on),
        gpu_families=tuple(name for name in GPUS if _offers(ground, name)),
        authority=authority(spec.region, spec.postgres.authority),
        issuer=issuer_url(ground.stack, spec.region, account, region.partition),
    )
    _check_postgres(spec)
    if spec.budget:
        check_partition(region.partition)
    if spec.extent is Extent.FABRIC:
        _check_cluster(found)
    return found


def _unknown(spec: FabricSpec) -> Iterator[str]:
    """What other platforms have, and what AWS has in another way."""
    for section, placed in (("keys", spec.keys), ("logs", spec.logs)):
        if placed.region not in (None, spec.region):
            yield f"{section}.region: on AWS it is the stack's, {spec.region}: leave it out"
    if spec.keys.replicas:
        yield "keys.replicas: a key stays in its region here: leave it out"
    if spec.keys.custody is Custody.EXTERNAL and spec.keys.encryption is None:
        yield (
            "keys.encryption: expected the ARN of a key in KMS's external key store, as keys.custody is external: "
            "who holds the key makes it"
        )
    if spec.backup.redundancy is Redundancy.GEO and spec.backup.region in (None, spec.region):
        yield "backup.redundancy: geo on AWS is a copy in a region that backup.region names: name one, or take zone"
    if spec.backup.store:
        yield "backup.store: on AWS backups lie in a vault of the stack's own: leave it out"
    if spec.guardrail:
        yield "guardrail: no call of the gateway names one yet, so it would withhold nothing: leave it out"
    if spec.postgres.image:
        yield "postgres.image: RDS runs its own: leave it out"
    yield from unread(spec, _UNREAD)
    if shared := sorted(spec.telemetry.keys() & spec.logs.sinks.keys()):
        yield f"logs.sinks.{shared[0]}: telemetry has one of that name too; give each a name of its own"


def _account(spec: FabricSpec) -> str:
    if not _ACCOUNT.fullmatch(spec.account or ""):
        raise AwsFabricError(f"account: expected the 12 digits of an AWS account, got {spec.account}")
    return str(spec.account)


def _check_postgres(spec: FabricSpec) -> None:
    asked = spec.postgres
    version = asked.version or POSTGRES_VERSION
    if int(version.partition(".")[0]) > int(POSTGRES_VERSION):
        raise AwsFabricError(f"postgres.version: {version} is not known to be RDS's; the newest known is 18")
    check_version(version)
    sized(spec.size, chosen(machine=asked.machine, replica_machine=asked.replica_machine), asked.storage_gib, None)


def _zones(spec: FabricSpec) -> tuple[str, ...]:
    """Of a network made here; raises ``AwsNetworkError`` for zones, addresses or own subnets that do not fit."""
    if own := spec.network.own:
        checked_own({role: getattr(own, role) for role in ("workloads", "primary", "replica", "endpoints")})
        return ()
    zones = checked_zones(spec.network.zones or [f"{spec.region}{letter}" for letter in "abc"], spec.region)
    divide(spec.network.cidr or "", len(zones))
    return zones


def _elsewhere(ground: Ground) -> FabricSpec:
    """The spec without Bedrock's models, which no exit leads to."""
    classes = {}
    for name, model_class in ground.spec.models.items():
        rest = {
            key: one
            for key, one in model_class.candidates.items()
            if not (one.managed and one.managed.provider == "bedrock")
        }
        classes[name] = model_class.model_copy(update={"candidates": rest})
    return ground.spec.model_copy(update={"models": classes})


def _offers(ground: Ground, family: str) -> bool:
    found = ground.catalogue.gpus.get(family)
    return found is not None and ground.spec.region in found.regions


def _check_cluster(found: Planned) -> None:
    cluster, gateway = found.spec.cluster, found.spec.gateway
    if cluster.own:
        _check_own(found.spec)
    _check_callers(cluster.callers, found.spec.network.cidr)
    if found.spec.triggers.mail:
        check_mail(found.region)
    if gateway:
        check_registry(gateway.image, found.region, found.partition)
        check_entry(found.region, gateway.certificate, found.callers)
    if found.spec.cache.machine:
        checked_machine(found.spec.cache.machine)
    system_nodes(found.spec.size, cluster.machine, cluster.nodes)
    if gpu := cluster.gpu:
        gpu_machine(found.region, gpu.family, gpu.machine, gpu.per_node, found.gpu_families)


def _check_callers(callers: Iterable[str], network: str | None) -> None:
    """The network's own addresses are its pods', and the cluster's API is none of theirs."""
    for block in callers:
        if network and ip_network(block).overlaps(ip_network(network)):
            raise AwsFabricError(
                f"cluster.callers: {block} has addresses of network.cidr {network}, which are the pods': "
                "name the network that deployers and operators are in"
            )


def _check_own(spec: FabricSpec) -> None:
    """What the stack file says of an own cluster; ``look_up`` asks AWS for the rest."""
    if spec.network.own is None:
        raise AwsFabricError("cluster.own: expected network.own too: the VPC that it is in, and its subnets")
    made = [key for key in ("version", "machine", "nodes", "callers") if getattr(spec.cluster, key)]
    checked_made([*made, *(["gpu.machine"] if spec.cluster.gpu and spec.cluster.gpu.machine else [])])
