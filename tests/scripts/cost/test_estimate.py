"""A month is told as far as prices go: what has none is named, and never counted as nothing."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.cluster.aws_nodes import GPU_GIB, SYSTEM_GIB
from components.keys import gcp as gcp_keys
from components.keys.aws import MANIFEST, SECRETS
from components.loading import load_spec
from components.naming import REPOSITORY
from components.network.gcp_apis import REGIONAL, REGISTRIES
from components.parity import Capability
from components.spec import CONFIG_KEY, FabricSpec
from regions.catalogue import load_catalogue
from scripts.cost import aws, gcp
from scripts.cost.estimate import NoPrices, dollars, estimate, over_budget
from scripts.cost.use import GPU_HOURS, HOURS

CATALOGUE = load_catalogue()


def shipped(stack: str) -> FabricSpec:
    return load_spec(REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml")


def changed(tmp_path: Path, stack: str, **more: Any) -> FabricSpec:
    document = yaml.safe_load((REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml").read_text())
    document["config"][CONFIG_KEY] |= more
    file = tmp_path / "Pulumi.changed.yaml"
    file.write_text(yaml.safe_dump(document))
    return load_spec(file)


@pytest.mark.parametrize("stack", ["aws-eu-central-1", "aws-us-east-1", "azure-swedencentral", "gcp-europe-west3"])
def test_least_is_not_above_typical_nor_typical_above_most(stack: str) -> None:
    found = estimate(shipped(stack), CATALOGUE)
    for line in found.lines:
        assert 0 <= line.amounts.least <= line.amounts.typical <= line.amounts.most
    assert found.total is not None
    assert 0 < found.total.least < found.total.typical < found.total.most


def test_nodes_with_gpus_are_none_then_one_in_working_hours_then_all() -> None:
    (gpus,) = [
        line for line in estimate(shipped("aws-eu-central-1"), CATALOGUE).lines if line.use.item == "ec2.g6.xlarge"
    ]
    assert (gpus.use.least, gpus.use.typical, gpus.use.most) == (0, GPU_HOURS, 2 * HOURS)
    assert gpus.price.of is None


def test_what_idle_gpus_cost_is_told() -> None:
    found = estimate(shipped("aws-eu-central-1"), CATALOGUE)
    assert found.idle == pytest.approx((2 * HOURS - GPU_HOURS) * 1.0064)


def test_what_has_no_price_is_named_and_in_no_sum() -> None:
    found = estimate(shipped("aws-eu-central-1"), CATALOGUE)
    assert "MSK Serverless" in {use.what for use in found.unpriced}
    assert found.of(Capability.TRIGGERS) is None
    assert set(dollars(found.of(Capability.TRIGGERS))) == {"unpriced"}


def test_a_partition_without_prices_has_no_total() -> None:
    found = estimate(shipped("aws-eusc-de-east-1"), CATALOGUE)
    assert found.total is None
    assert found.unpriced
    assert set(dollars(found.total)) == {"unpriced"}


@pytest.mark.parametrize("stack", ["kubernetes-onprem", "local"])
def test_machines_of_ones_own_have_no_price_here(stack: str) -> None:
    with pytest.raises(NoPrices, match="your own"):
        estimate(shipped(stack), CATALOGUE)


def test_a_larger_fabric_costs_more(tmp_path: Path) -> None:
    small = estimate(changed(tmp_path, "aws-eu-central-1", size="small"), CATALOGUE).total
    medium = estimate(changed(tmp_path, "aws-eu-central-1", size="medium"), CATALOGUE).total
    assert small is not None
    assert medium is not None
    assert small.typical < medium.typical


def test_an_own_network_and_cluster_are_not_paid_for_twice(tmp_path: Path) -> None:
    own = {"id": "vpc-1", "workloads": ["subnet-1", "subnet-2"], "primary": ["subnet-3"], "replica": ["subnet-4"]}
    spec = changed(
        tmp_path, "aws-eu-central-1", network={"own": own}, cluster={"own": "theirs", "encrypted_at_rest": True}
    )
    items = {line.use.item for line in estimate(spec, CATALOGUE).lines}
    assert items.isdisjoint({"nat.gateway", "firewall.endpoint", "eks.cluster"})


def test_a_machine_of_the_stack_files_own_is_what_is_paid_for(tmp_path: Path) -> None:
    spec = changed(tmp_path, "azure-swedencentral", postgres={"machine": "Standard_D8ds_v5"})
    assert "postgres.Standard_D8ds_v5" in {use.item for use in estimate(spec, CATALOGUE).unpriced}


def test_a_typical_month_above_the_budget_is_told(tmp_path: Path) -> None:
    notify = {"notify": ["a@b.example"]}
    tight = changed(tmp_path, "aws-us-east-1", budget={"monthly": 10, **notify})
    wide = changed(tmp_path, "aws-us-east-1", budget={"monthly": 1_000_000, **notify})

    assert "budget.monthly is $10" in str(over_budget(tight, estimate(tight, CATALOGUE)))
    assert over_budget(wide, estimate(wide, CATALOGUE)) is None


def test_what_the_estimate_counts_is_what_the_fabric_makes() -> None:
    """Numbers that stand in modules with Pulumi, which an estimate does not load."""
    assert (aws.NODE_GIB, aws.GPU_NODE_GIB) == (SYSTEM_GIB, GPU_GIB)
    assert aws.SECRETS == SECRETS
    assert ("encryption", MANIFEST) == aws.KEYS
    assert (gcp.SIGNERS, gcp.SECRETS) == (gcp_keys.SIGNERS, gcp_keys.SECRETS)
    assert len(gcp.ENDPOINTS) == 1 + len(REGIONAL)
    assert len(gcp.ZONES) == 1 + len(REGISTRIES["googleapis.com"])


def test_cloud_sql_is_paid_by_vcpu_memory_and_storage_and_twice_in_two_zones() -> None:
    found = estimate(shipped("gcp-europe-west3"), CATALOGUE)
    items = {(line.use.capability, line.use.item): line for line in found.lines}

    assert items[Capability.POSTGRES, "sql.cpu"].use.typical == 2 * 2 * HOURS
    assert items[Capability.REPLICA, "sql.cpu"].use.typical == 2 * HOURS
    assert items[Capability.REPLICA, "sql.memory"].use.typical == 8 * HOURS
    assert items[Capability.POSTGRES, "sql.cpu"].price.of == "us-central1", "nobody here knows Frankfurt's"
    assert items[Capability.POSTGRES, "sql.ssd"].price.of is None
    assert "kms.hsm-symmetric" in {use.item for use in found.unpriced}
