"""The parity table says what is true: what it calls there can be imported, and what is not there raises."""

from importlib import import_module

import pulumi
import pytest

from components.cluster.contract import Cluster
from components.core_system.contract import CoreSystem
from components.gateway.contract import Gateway
from components.identity.contract import Identity
from components.keys.contract import Keys
from components.model_host.contract import ModelHost
from components.orchestrator.contract import Orchestrator
from components.parity import PLATFORMS, Capability, NotSupported, Unsupported, implementation, parity, require_all
from components.postgres.contract import Postgres
from components.spec import Platform
from components.vector.contract import Vector

CONTRACTS = (Cluster, CoreSystem, Gateway, Identity, Keys, ModelHost, Orchestrator, Postgres, Vector)
BUILT = {Platform.LOCAL}


def supported(platform: str) -> set[Capability]:
    return {capability for capability in Capability if not isinstance(parity(capability, platform), Unsupported)}


def test_platforms_are_those_of_the_spec() -> None:
    assert set(PLATFORMS) == set(Platform)
    assert {platform for platform in Platform if supported(platform)} == BUILT


@pytest.mark.parametrize("contract", CONTRACTS)
def test_what_is_there_meets_its_contract(contract: type[pulumi.ComponentResource]) -> None:
    found = implementation(contract, "local")

    assert found is not contract
    assert issubclass(found, contract)


def test_every_capability_that_is_there_has_a_contract_and_a_table() -> None:
    assert {contract.__module__.split(".")[1] for contract in CONTRACTS} == supported("local")
    for capability in supported("local"):
        assert set(import_module(f"components.{capability}").PLATFORMS) == {"local"}


@pytest.mark.parametrize("platform", sorted(set(Platform) - BUILT))
def test_asking_for_what_is_not_there_raises_with_the_reason(platform: str) -> None:
    with pytest.raises(NotSupported, match=f"postgres on {platform}: not built yet"):
        implementation(Postgres, platform)


@pytest.mark.parametrize("platform", sorted(set(Platform) - BUILT))
def test_all_that_a_platform_lacks_is_told_together(platform: str) -> None:
    with pytest.raises(NotSupported) as caught:
        require_all(platform)
    assert all(f"{capability} on {platform}: not built yet" in str(caught.value) for capability in supported("local"))


def test_what_has_all_that_a_fabric_needs_is_not_refused() -> None:
    require_all(Platform.LOCAL)
