"""One fabric, end to end. Read this first.

A spec that was reviewed is asked three things: does the platform have what it asks for, does it say all that has to be
known, and can its parts be made so. Only then is anything registered, by the platform's own ``components/fabrics``.

keys ─┬→ network ─┬→ databases, cache ─┬→ gateway, worker → Manifest
      │           ├→ cluster ─→ identity┤
      │           └→ managed models     ├→ orchestrator, triggers
      └→ observability, guardrails, budget, backup
"""

from collections.abc import Iterator
from importlib import import_module

from components.fabrics import PLATFORMS, check_installed
from components.fabrics.contract import Fabric
from components.parity import RUNS, Capability, require
from components.publish import Ground
from components.spec import Extent, FabricSpec, Platform
from regions.catalogue import Catalogue
from regions.documents import Place, shown

FOUNDATION = (
    Capability.NETWORK,
    Capability.KEYS,
    Capability.IDENTITY,
    Capability.POSTGRES,
    Capability.OBSERVABILITY,
    Capability.GUARDRAILS,
)
LOCAL = (
    *(Capability.CLUSTER, Capability.KEYS, Capability.IDENTITY, Capability.POSTGRES, Capability.VECTOR),
    *(Capability.GATEWAY, Capability.ORCHESTRATOR),
)


class Incomplete(Exception):
    """The stack file is right so far and does not say enough for its fabric to be made; one line a key."""


def build(ground: Ground) -> Fabric:
    """Register the fabric that ``ground.spec`` asks for, or nothing: raises before the first resource.

    Raises ``NotSupported``, ``Incomplete``, and what the platform's parts refuse.
    """
    check(ground)
    return _fabric(ground.spec.platform)("fabric", ground)


def check(ground: Ground) -> None:
    """Raises what ``build`` does, and makes nothing."""
    require(asked_for(ground.spec, ground.catalogue), ground.spec.platform)
    if wanting := [f"loomstead:fabric.{shown(place)}: expected {what}" for place, what in lacking(ground.spec)]:
        raise Incomplete("\n".join(wanting))
    _fabric(ground.spec.platform).check(ground)


def _fabric(platform: str) -> type[Fabric]:
    check_installed(platform)
    module, _, name = PLATFORMS[platform].partition(":")
    return getattr(import_module(module), name)


def asked_for(spec: FabricSpec, catalogue: Catalogue) -> tuple[Capability, ...]:
    """The capabilities that a spec needs of its platform, in the order of the table."""
    if spec.platform is Platform.LOCAL:
        always = LOCAL
    else:
        always = (*FOUNDATION, *(RUNS if spec.extent is Extent.FABRIC else ()))
    wanted = {
        Capability.MODEL_HOST: spec.hosted is not None,
        # another platform's models are called over the exits
        Capability.MODELS: any(catalogue.providers[each.provider].platform == spec.platform for each in spec.managed()),
        Capability.CORE_SYSTEM: any(system.demo for system in spec.core_systems.values()),
        Capability.TRIGGERS: spec.triggers.kafka is not None or spec.triggers.mail is not None,
        Capability.BUDGET: spec.budget is not None,
    }
    return tuple(found for found in Capability if found in always or wanted.get(found))


def lacking(spec: FabricSpec) -> Iterator[tuple[Place, str]]:
    """The keys that a stack file may leave out for review, and that its fabric cannot be made without."""
    if spec.platform is Platform.LOCAL:
        return
    if spec.platform is Platform.KUBERNETES:
        yield from _of_a_cluster(spec)
    else:
        yield from _of_a_cloud(spec)
    if spec.extent is Extent.FABRIC and spec.gateway is None:
        yield ("gateway",), "image, host and certificate of the gateway, as extent is fabric"


def _of_a_cloud(spec: FabricSpec) -> Iterator[tuple[Place, str]]:
    kinds = {Platform.AWS: "AWS account (12 digits)", Platform.AZURE: "subscription's id", Platform.GCP: "project's id"}
    if spec.account is None:
        yield ("account",), f"the {kinds[spec.platform]} that all of it is made in, and nowhere else"
    if spec.network.cidr is None and spec.network.own is None:
        yield ("network",), "cidr, such as 10.20.0.0/16, for a new network, or own, the one to use"
    if spec.platform is Platform.AZURE and spec.directory is None:
        yield ("directory",), "tenant, administrators and administrators_name: who administers the databases"
    reached = spec.cluster.callers or spec.cluster.own
    if spec.platform is Platform.AWS and spec.extent is Extent.FABRIC and not reached:
        yield (
            ("cluster", "callers"),
            "CIDRs from which deployers call the cluster's API, which is private: raise the stack with extent: "
            "foundation first, attach its network to theirs, then take extent: fabric",
        )
    if spec.hosted and not spec.cluster.gpu:
        yield ("cluster", "gpu"), "the GPU family that the hosted model runs on"


def _of_a_cluster(spec: FabricSpec) -> Iterator[tuple[Place, str]]:
    cluster = spec.cluster
    if not cluster.context:
        yield ("cluster", "context"), "the context of the kubeconfig"
    if not cluster.server:
        yield ("cluster", "server"), "the URL of the API server that the context leads to"
    if not cluster.storage_class:
        yield ("cluster", "storage_class"), "the class of the databases' volumes"
    if not cluster.encrypted_at_rest:
        yield (
            ("cluster", "encrypted_at_rest"),
            "true: Secrets lie in etcd, and only who runs the API server can see that it encrypts them",
        )
    if spec.hosted and not cluster.gpu:
        yield ("cluster", "gpu"), "the nodes that the hosted model runs on"
