"""The parity table says what is true: what it calls there can be imported, and what is not there raises."""

import pulumi
import pytest

from components.backup.contract import Backup
from components.budget.contract import Budget
from components.cache.contract import Cache
from components.cluster.contract import Cluster
from components.core_system.contract import CoreSystem
from components.gateway.contract import Gateway
from components.guardrails.contract import Guardrails
from components.identity.contract import Identity
from components.keys.contract import Keys
from components.model_host.contract import ModelHost
from components.models.contract import Models
from components.naming import REPOSITORY
from components.network.contract import Network
from components.observability.contract import Observability
from components.orchestrator.contract import Orchestrator
from components.parity import PLATFORMS, Capability, NotSupported, Unsupported, implementation, parity, require
from components.postgres.contract import Postgres
from components.spec import Platform
from components.triggers.contract import Triggers
from components.vector.contract import Vector
from tests.conformance.cells import rows

CONTRACTS = (
    Triggers,
    Cache,
    Backup,
    Budget,
    Cluster,
    CoreSystem,
    Gateway,
    Guardrails,
    Identity,
    Keys,
    ModelHost,
    Models,
    Network,
    Observability,
    Orchestrator,
    Postgres,
    Vector,
)
WHOLE = {Platform.LOCAL}
CELLS = [
    (contract, platform)
    for contract in CONTRACTS
    for platform in Platform
    if not isinstance(parity(Capability(contract.__module__.split(".")[1]), platform), Unsupported)
]


ELSEWHERE = {Capability.REPLICA: "postgres", Capability.COST: "cost"}
"""Capabilities that are made by another one's component, or by none."""
PROVED = {
    (Capability.COST, "aws"): "tests/scripts/cost/test_estimate.py",
    (Capability.COST, "azure"): "tests/scripts/cost/test_estimate.py",
    (Capability.COST, "gcp"): "tests/scripts/cost/test_estimate.py",
    (Capability.VECTOR, "aws"): "tests/components/vector/test_aws.py",
    (Capability.VECTOR, "kubernetes"): "tests/components/vector/test_kubernetes.py",
}
"""Cells without a resource of their own, and where they are proved."""
LIVE = "tests/live/test_fabric.py"
"""Where the local fabric is raised, and asked."""


def supported(platform: str) -> set[Capability]:
    return {capability for capability in Capability if not isinstance(parity(capability, platform), Unsupported)}


def test_platforms_are_those_of_the_spec() -> None:
    assert set(PLATFORMS) == set(Platform)


@pytest.mark.parametrize(("contract", "platform"), CELLS)
def test_what_is_there_meets_its_contract(contract: type[pulumi.ComponentResource], platform: str) -> None:
    found = implementation(contract, platform)

    assert found is not contract
    assert issubclass(found, contract)


THERE = {(capability, str(platform)) for platform in Platform for capability in supported(platform)}


def test_every_capability_that_is_there_has_a_contract() -> None:
    met = {(Capability(contract.__module__.split(".")[1]), str(platform)) for contract, platform in CELLS}
    assert met == {(capability, platform) for capability, platform in THERE if capability not in ELSEWHERE}


@pytest.mark.parametrize(("capability", "platform"), sorted(THERE), ids=str)
def test_every_claim_is_held_by_a_table_of_its_cell_or_by_a_test(capability: Capability, platform: str) -> None:
    """A table ``CELL_…`` is asked of every shipped stack; what is not made by a cloud has a test of its own."""
    if (capability, platform) in PROVED or platform == "local":
        assert (REPOSITORY / PROVED.get((capability, platform), LIVE)).is_file()
        return
    held = [row for row in rows(platform) if row.table.startswith(f"{ELSEWHERE.get(capability, capability)}.")]
    assert held, f"tests/components/{capability}/test_{platform}.py has no table CELL_…"
    assert capability is not Capability.REPLICA or any("replica" in row.suffix for row in held)


def test_a_cell_that_the_table_calls_missing_is_not_offered() -> None:
    with pytest.raises(NotSupported, match="cluster on gcp: not built yet"):
        implementation(Cluster, "gcp")


@pytest.mark.parametrize("platform", sorted(set(Platform) - WHOLE))
def test_asking_for_what_is_not_there_raises_with_the_reason(platform: str) -> None:
    with pytest.raises(NotSupported, match=f"core_system on {platform}: not built yet"):
        implementation(CoreSystem, platform)


def test_all_that_a_platform_lacks_is_told_together() -> None:
    with pytest.raises(NotSupported, match="core_system on gcp: not built yet; gateway on gcp: not built yet"):
        require((Capability.CORE_SYSTEM, Capability.NETWORK, Capability.GATEWAY), "gcp")


def test_a_platform_of_foundations_alone_is_told_of_that_extent() -> None:
    for lacking, offered in ((Capability.CLUSTER, True), (Capability.CORE_SYSTEM, False)):
        with pytest.raises(NotSupported) as refused:
            require((Capability.NETWORK, lacking), "azure")
        assert ("or extent: foundation" in str(refused.value)) is offered


def test_what_has_all_that_is_asked_for_is_not_refused() -> None:
    require(supported("local"), Platform.LOCAL)
