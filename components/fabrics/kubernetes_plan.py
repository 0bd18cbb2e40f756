"""What a cluster's fabric is made of, read from the stack file and the deployer's kubeconfig: plain values, and all
that its parts would refuse.

Everything here is decided before anything is made.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from components.infrastructure import Engine, Gateway, Refused
from components.naming import stack_home
from components.network.exits import Exit, runtime_exits, telemetry_exits
from components.publish import Ground
from components.spec import Bucket, Extent, FabricSpec, Staged

_API_PORT = 443
_POSTGRES = ("18", "17")


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
        return self.gateway.image.partition("@")[0].rpartition("/")[0]


def planned(ground: Ground) -> Planned:
    """Raises ``KubernetesFabricError`` with all that is wrong."""
    spec, gateway = ground.spec, ground.spec.gateway
    faults = [*_wanting(spec)]
    if faults or gateway is None:
        raise KubernetesFabricError("\n".join(faults))
    return Planned(
        spec=spec,
        stack=ground.stack,
        gateway=gateway,
        kubeconfig=_kubeconfig(),
        server=_exit(str(spec.cluster.server), _API_PORT),
        exits=runtime_exits(spec, ground.catalogue),
        telemetry=telemetry_exits(spec),
        hosting=_hosting(spec),
        postgres=int(spec.postgres.version or _POSTGRES[0]),
        home=stack_home(ground.stack),
    )


def _wanting(spec: FabricSpec) -> Iterator[str]:
    if spec.extent is not Extent.FABRIC:
        yield "extent: a cluster is declared whole: expected fabric"
    if spec.gateway is None:
        yield "gateway: expected image, host and certificate"
    elif spec.gateway.callers:
        yield "gateway.callers: the Gateway API has no field for callers: leave it out, and bound them at the Gateway"
    if spec.orchestrator.engine not in (None, Engine.TEMPORAL):
        yield "orchestrator.engine: Step Functions is AWS's: expected temporal"
    if not (spec.telemetry or spec.logs.sinks):
        yield "telemetry: expected one destination at least, or one of logs.sinks: a cluster keeps no telemetry itself"
    if (spec.postgres.version or _POSTGRES[0]) not in _POSTGRES:
        yield f"postgres.version: expected {' or '.join(_POSTGRES)}, got {spec.postgres.version}"
    for key in ("machine", "replica_machine", "authority"):
        if getattr(spec.postgres, key) is not None:
            yield f"postgres.{key}: a cluster's databases are pods: leave it out"
    for key in ("cidr", "own", "zones"):
        if getattr(spec.network, key):
            yield f"network.{key}: a cluster's network is its own: leave it out"
    if spec.hosted and spec.hosted.hosted and spec.hosted.hosted.staged and not spec.hosted.hosted.staged.store:
        yield "models: hosted.staged.store: expected url, bucket and countries of where the weights lie"


def _hosting(spec: FabricSpec) -> Hosting | None:
    for (_, model_class, _, candidate), found in spec.candidates():
        staged = found.hosted.staged if found.hosted else None
        if staged and staged.store:
            tokens = spec.models[str(model_class)].context_tokens
            return Hosting(str(model_class), str(candidate), staged, staged.store, tokens)
    return None


def _kubeconfig(environment: Mapping[str, str] = os.environ) -> str:
    path = Path(environment.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    try:
        return path.read_text()
    except OSError as error:
        raise KubernetesFabricError(
            f"{path}: the kubeconfig cannot be read: {error.strerror}; name another by KUBECONFIG"
        ) from error


def _exit(url: str, port: int) -> Exit:
    parts = urlsplit(url)
    return Exit(parts.hostname or "", parts.port or port)


def exit_of(store: Bucket) -> Exit:
    """Where a store is reached."""
    return _exit(store.url, 443)
