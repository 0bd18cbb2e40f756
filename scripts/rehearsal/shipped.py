"""A shipped stack as a rehearsal takes it: its file, what is there before it, and how it grows half-way."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from components.infrastructure import Refused
from components.loading import load_spec
from components.naming import REPOSITORY
from components.postgres.aws_authority import authority
from components.spec import CONFIG_KEY, FabricSpec, Platform
from scripts.rehearsal.answers import DRAWN, MARK
from scripts.rehearsal.cloud import Control
from scripts.rehearsal.cycle import Kubernetes, Plan
from scripts.rehearsal.references import pointing

STACKS = REPOSITORY / "stacks"
PACKAGES = ("aws", "azure-native", "gcp", "kubernetes")
_GROWN = {"small": "medium", "medium": "large", "large": "medium"}
_MOMENTS = {
    Platform.AWS: ("ec2/vpc:Vpc::", "rds/instance:Instance::"),
    Platform.AZURE: ("network:VirtualNetwork::", "dbforpostgresql:Server::"),
    Platform.GCP: ("compute/network:Network::", "sql/databaseInstance:DatabaseInstance::"),
    Platform.KUBERNETES: ("core/v1:Namespace::", "apps/v1:Deployment::"),
}
"""At the creation of what the engine is killed, and then the creation of what fails."""


def shipped() -> tuple[str, ...]:
    """Every stack that is raised in a cloud or on a cluster, by name."""
    names = sorted(file.stem.removeprefix("Pulumi.") for file in STACKS.glob("Pulumi.*.yaml"))
    return tuple(name for name in names if load_spec(_file(name)).platform is not Platform.LOCAL)


def platform_of(stack: str) -> Platform:
    return load_spec(_file(stack)).platform


def needs_kubernetes(stack: str) -> bool:
    """Whether its objects go to a real API server."""
    return platform_of(stack) is Platform.KUBERNETES


@contextmanager
def plan_of(stack: str, kubernetes: Kubernetes | None, file: Path | None = None) -> Generator[Plan]:
    """``kubernetes``: for a stack whose platform that is. ``file``: another than the one that the stack ships with.

    Raises ``SpecError`` for a wrong stack file.
    """
    file = file or _file(stack)
    spec = load_spec(file)
    config = yaml.safe_load(file.read_text())["config"]
    killed, breaks = _MOMENTS[spec.platform]
    cluster = kubernetes if spec.platform is Platform.KUBERNETES else None
    with TemporaryDirectory(prefix="loomstead-kubeconfig-") as folder:
        bring(config[CONFIG_KEY], spec, Path(folder))
        yield Plan(
            project=REPOSITORY,
            stack=stack,
            packages=PACKAGES,
            killed=killed,
            breaks=breaks,
            config=config,
            change={CONFIG_KEY: grown(config[CONFIG_KEY])},
            control=Control(existing=pointing(config, spec.account or "")),
            signing=spec.platform is Platform.AWS,
            cluster=replace(cluster, standing=standing(spec)) if cluster else None,
            environment=kubeconfig(Path(folder, "kubeconfig"), spec),
        )


def standing(spec: FabricSpec) -> tuple[Mapping[str, Any], ...]:
    """What a stack looks up on its cluster, and where it puts what others read: the class of its volumes, and
    cert-manager's own namespace."""
    storage = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": f"{MARK}.example/volumes"}
    holder = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cert-manager"}}
    return {**storage, "metadata": {"name": spec.cluster.storage_class}}, holder


def grown(fabric: Mapping[str, Any]) -> dict[str, Any]:
    """What the stack file says of the fabric, one size larger (from the largest: smaller), with one more of the
    gateway's replicas and of the nodes with GPUs where it counts them."""
    found = json.loads(json.dumps(fabric, default=str))
    found["size"] = _GROWN[found.get("size", "small")]
    for section, key in ((found.get("gateway"), "replicas"), ((found.get("cluster") or {}).get("gpu"), "nodes")):
        if section and key in section:
            section[key] += 1
    return found


def bring(fabric: dict[str, Any], spec: FabricSpec, folder: Path) -> None:
    """What the stack file leaves to whoever deploys: the authority of a database where it is not known here."""
    if spec.platform is not Platform.AWS:
        return
    try:
        authority(spec.region, spec.postgres.authority)
    except Refused:
        file = folder / "authority.pem"
        file.write_text(f"-----BEGIN CERTIFICATE-----\n{MARK}\n-----END CERTIFICATE-----\n")
        fabric.setdefault("postgres", {})["authority"] = str(file)


def _file(stack: str) -> Path:
    return STACKS / f"Pulumi.{stack}.yaml"


def kubeconfig(file: Path, spec: FabricSpec) -> dict[str, str]:
    """Where the stack declares a cluster: the kubeconfig of whoever deploys, whose token is a canary."""
    cluster = spec.cluster
    if not cluster.context or not cluster.server:
        return {}
    file.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": cluster.context,
                "clusters": [{"name": "declared", "cluster": {"server": cluster.server}}],
                "users": [{"name": "deployer", "user": {"token": f"{DRAWN}kubeconfig"}}],
                "contexts": [{"name": cluster.context, "context": {"cluster": "declared", "user": "deployer"}}],
            }
        )
    )
    return {"KUBECONFIG": str(file)}
