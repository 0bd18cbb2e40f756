"""The parity table says what is true: what it calls there can be imported, and what is not there raises."""

from pathlib import Path

import pulumi
import pytest

from components.budget.contract import Budget
from components.cluster.contract import Cluster
from components.core_system.contract import CoreSystem
from components.gateway.contract import Gateway
from components.guardrails.contract import Guardrails
from components.identity.contract import Identity
from components.keys.contract import Keys
from components.model_host.contract import ModelHost
from components.models.contract import Models
from components.network.contract import Network
from components.observability.contract import Observability
from components.orchestrator.contract import Orchestrator
from components.parity import PLATFORMS, Capability, NotSupported, Unsupported, implementation, parity, require
from components.postgres.contract import Postgres
from components.spec import Platform
from components.vector.contract import Vector

CONTRACTS = (
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


def supported(platform: str) -> set[Capability]:
    return {capability for capability in Capability if not isinstance(parity(capability, platform), Unsupported)}


def test_platforms_are_those_of_the_spec() -> None:
    assert set(PLATFORMS) == set(Platform)


@pytest.mark.parametrize(("contract", "platform"), CELLS)
def test_what_is_there_meets_its_contract(contract: type[pulumi.ComponentResource], platform: str) -> None:
    found = implementation(contract, platform)

    assert found is not contract
    assert issubclass(found, contract)


def test_every_capability_that_is_there_has_a_contract_and_a_test_of_its_own() -> None:
    there = {(str(capability), str(platform)) for platform in Platform for capability in supported(platform)}

    assert {(contract.__module__.split(".")[1], str(platform)) for contract, platform in CELLS} == there
    for capability, platform in there - {(capability, "local") for capability, _ in there}:
        assert (Path(__file__).parent / capability / f"test_{platform}.py").is_file()


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


def test_what_has_all_that_is_asked_for_is_not_refused() -> None:
    require(supported("local"), Platform.LOCAL)
