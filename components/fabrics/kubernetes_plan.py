"""What a cluster's fabric is made of, read from the stack file and the deployer's kubeconfig: plain values, and all
that its parts would refuse.

Everything here is decided before anything is made.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from urllib.parse import urlsplit

from components.backup.kubernetes import check_store
from components.cluster.kubernetes import check_cluster
from components.fabrics.contract import chosen, unread
from components.gateway import kubernetes as gateway
from components.guardrails.kubernetes import check_registries
from components.infrastructure import Engine, Gateway, Refused
from components.kubernetes.parts import Part
from components.model_host.kubernetes import KEDA
from components.naming import stack_home
from components.network.exits import Exit, runtime_exits, telemetry_exits
from components.network.kubernetes import CILIUM, KubernetesNetworkArgs
from components.observability.kubernetes import check_destinations
from components.postgres import kubernetes as postgres
from components.providers import check_context
from components.publish import Ground
from components.spec import Bucket, Extent, FabricSpec, Staged
from regions.documents import shown

_HTTPS = 443
_POSTGRES = ("18", "17")
_UNREAD = (
    *("account", "budget", "directory", "guardrail", "ports"),
    *("keys.region", "keys.encryption", "keys.replicas", "backup.region", "backup.redundancy", "logs.region"),
    *("network.cidr", "network.own", "network.zones", "cache.machine"),
    *(f"cluster.{key}" for key in ("own", "version", "machine", "nodes", "callers", "gpu.machine")),
)
"""What a cluster has of its own, and what only a cloud has."""
_HOSTS = 8
"""Pods of the model's that the budget of every size has room for."""


class KubernetesFabricError(Refused):
    """The fabric asked for cannot be made on this cluster; nothing was created. One line a cause, with what to do."""


@dataclass(frozen=True)
class Hosting:
    """The model that the fabric serves: ``model_class`` and ``candidate`` as the Manifest calls it."""

    model_class: str
    candidate: str
    staged: Staged
    store: Bucket
    context_tokens: int


@dataclass(frozen=True)
class Planned:
    """``kubeconfig``: its text. ``server``: the API server, as pods reach it. ``registry``: where images come from.
    ``home``: folder of the deployer's keys. ``postgres``: major version."""

    spec: FabricSpec
    stack: str
    gateway: Gateway
    kubeconfig: str
    server: Exit
    exits: tuple[Exit, ...]
    telemetry: tuple[Exit, ...]
    hosting: Hosting | None
    postgres: int
    home: Path

    @property
    def region(self) -> str:
        return self.spec.region

    @property
    def registry(self) -> str:
        return self.gateway.registry


def planned(ground: Ground) -> Planned:
    """Raises ``KubernetesFabricError`` with all that is wrong; ``NotAllowed`` for a context that leads elsewhere."""
    spec, entry = ground.spec, ground.spec.gateway
    faults = [*_wanting(spec)]
    if faults or entry is None:
        raise KubernetesFabricError("\n".join(faults or ["gateway: expected image, host and certificate"]))
    return Planned(
        spec=spec,
        stack=ground.stack,
        gateway=entry,
        kubeconfig=_kubeconfig(spec),
        server=_exit(str(spec.cluster.server), _HTTPS),
        exits=runtime_exits(spec, ground.catalogue),
        telemetry=telemetry_exits(spec),
        hosting=_hosting(spec),
        postgres=int(spec.postgres.version or _POSTGRES[0]),
        home=stack_home(ground.stack),
    )


def _wanting(spec: FabricSpec) -> Iterator[str]:
    if spec.extent is not Extent.FABRIC:
        yield "extent: a cluster is declared whole: expected fabric"
    if spec.gateway and spec.gateway.callers:
        yield "gateway.callers: the Gateway API has no field for callers: leave it out, and bound them at the Gateway"
    if spec.orchestrator.engine not in (None, Engine.TEMPORAL):
        yield "orchestrator.engine: Step Functions is AWS's: expected temporal"
    if not (spec.telemetry or spec.logs.sinks):
        yield "telemetry: expected one destination at least, or one of logs.sinks: a cluster keeps no telemetry itself"
    yield from _wanting_of_databases(spec)
    yield from _wanting_of_weights(spec)
    for check in _checks(spec):
        try:
            check()
        except Refused as refused:
            yield str(refused)
    yield from unread(spec, _UNREAD)


def _wanting_of_databases(spec: FabricSpec) -> Iterator[str]:
    if (spec.postgres.version or _POSTGRES[0]) not in _POSTGRES:
        yield f"postgres.version: expected {' or '.join(_POSTGRES)}, got {spec.postgres.version}"
    image, registry = spec.postgres.image, spec.gateway.registry if spec.gateway else ""
    if image and not image.startswith(f"{registry}/"):
        yield f"postgres.image: {image} is not in {registry}, the only registry here: push it there, and name it so"
    for key in ("machine", "replica_machine", "authority"):
        if getattr(spec.postgres, key) is not None:
            yield f"postgres.{key}: a cluster's databases are pods: leave it out"


def _wanting_of_weights(spec: FabricSpec) -> Iterator[str]:
    for place, candidate in spec.candidates():
        staged = candidate.hosted.staged if candidate.hosted else None
        store = shown((*place, "hosted", "staged", "store"))
        if staged and not staged.store:
            yield f"{store}: expected url, bucket and countries of where the weights lie"
        elif staged and staged.store and "/" in staged.store.bucket.removeprefix("s3://"):
            yield (
                f"{store}.bucket: {staged.store.bucket} has a folder: expected the bucket alone, for each model's "
                "folder in it has the model's name"
            )


def _checks(spec: FabricSpec) -> Iterator[Callable[[], None]]:
    """What the parts themselves would refuse, when others were made already."""
    cluster, database = spec.cluster, spec.postgres
    yield partial(check_cluster, encrypted_at_rest=cluster.encrypted_at_rest, key=cluster.key, issuer=cluster.issuer)
    yield partial(check_destinations, spec.telemetry, spec.logs.sinks)
    if spec.gateway:
        yield partial(check_registries, [spec.gateway.registry])
    if spec.backup.store:
        yield partial(check_store, spec.backup.store.bucket, spec.backup.store.url)
    if database.image:
        yield partial(postgres.check_image, database.image)
    if database.storage_gib:
        yield partial(postgres.check_storage, spec.size, database.storage_gib)


def _hosting(spec: FabricSpec) -> Hosting | None:
    for (_, model_class, _, candidate), found in spec.candidates():
        staged = found.hosted.staged if found.hosted else None
        if staged and staged.store:
            tokens = spec.models[str(model_class)].context_tokens
            return Hosting(str(model_class), str(candidate), staged, staged.store, tokens)
    return None


def budgets(spec: FabricSpec) -> dict[Part, int]:
    """How many times a size's budget a part needs, where the stack file asks for more than the size has."""
    running, kept = gateway.SIZES[spec.size], postgres.SIZES[spec.size]
    replicas = spec.gateway.replicas if spec.gateway else None
    volumes = ceil((spec.postgres.storage_gib or 0) / kept.storage)
    asked = {
        Part.RUNTIME: ceil((replicas or 0) / running.most),
        Part.MODELS: ceil((spec.cluster.gpu.nodes if spec.cluster.gpu else 0) / _HOSTS),
        Part.PRIMARY: volumes,
        Part.REPLICA: volumes,
    }
    return {part: times for part, times in asked.items() if times > 1}


def _kubeconfig(spec: FabricSpec, environment: Mapping[str, str] = os.environ) -> str:
    """Its text, where its context leads to the declared server; raises ``KubernetesFabricError``, ``NotAllowed``."""
    path = Path(environment.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    try:
        text = path.read_text()
    except OSError as error:
        raise KubernetesFabricError(
            f"{path}: the kubeconfig cannot be read: {error.strerror}; name another by KUBECONFIG"
        ) from error
    check_context(text, spec.cluster.context or "", {spec.cluster.server or ""})
    return text


def _exit(url: str, port: int) -> Exit:
    parts = urlsplit(url)
    return Exit(parts.hostname or "", parts.port or port)


def network_of(found: Planned) -> KubernetesNetworkArgs:
    """What the network is made of."""
    spec, hosting = found.spec, found.hosting
    return {
        "stack": found.stack,
        "hosted": hosting is not None,
        "exits": found.exits,
        "addresses": spec.network.addresses,
        "cilium": spec.cluster.cilium,
        "entry": spec.cluster.entry or CILIUM,
        "server": found.server,
        "telemetry": found.telemetry,
        "operator": spec.cluster.operator,
        **chosen(
            backup=_exit(spec.backup.store.url, _HTTPS) if spec.backup.store else None,
            bucket=_exit(hosting.store.url, _HTTPS) if hosting else None,
            scaler=KEDA if hosting else None,
        ),
    }
