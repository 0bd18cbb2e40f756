"""Permissions are those of what the stack file has made, and not of what it brings."""

from typing import Any

from components.infrastructure import Engine
from components.loading import load_spec
from components.naming import REPOSITORY
from components.spec import Extent, FabricSpec
from scripts.preflight.wanted import actions
from tests.fixtures.stacks import RIGHT

MADE = load_spec(REPOSITORY / "stacks" / "Pulumi.aws-eu-central-1.yaml")
(OWN,) = [load_spec(file) for file in RIGHT if file.name == "eu-gdpr.aws-own.yaml"]
NETWORK = {
    *("ec2:CreateVpc", "network-firewall:CreateFirewall", "route53resolver:CreateFirewallRuleGroup"),
    "route53resolver:CreateResolverQueryLogConfig",
}
CLUSTER = {"eks:CreateCluster", "eks:CreateNodegroup"}
ASKS = {"eks:DescribeCluster", "eks:DescribeAddon", "cloudformation:GetResource"}
STEPS = {"states:CreateStateMachine", "sqs:CreateQueue"}


def wanted(spec: FabricSpec, **changed: Any) -> set[str]:
    return {*actions(spec.model_copy(update=changed))}


def test_who_makes_network_and_cluster_may_make_both_and_asks_nothing_of_an_own_one() -> None:
    assert wanted(MADE) >= NETWORK | CLUSTER | STEPS
    assert wanted(MADE) & ASKS == set()


def test_who_brings_both_needs_no_right_to_make_them_but_those_by_which_the_cluster_is_asked() -> None:
    assert wanted(OWN) & (NETWORK | CLUSTER) == set()
    assert wanted(OWN) >= ASKS | STEPS | {"ec2:CreateSecurityGroup", "ec2:CreateVpcEndpoint"}


def test_a_network_may_be_brought_without_a_cluster() -> None:
    assert wanted(MADE, network=OWN.network) == wanted(MADE) - NETWORK


def test_a_foundation_needs_nothing_of_a_cluster_nor_of_what_runs_there() -> None:
    left = wanted(MADE) - wanted(MADE, extent=Extent.FOUNDATION)

    assert left >= CLUSTER | STEPS | {"elasticache:CreateReplicationGroup", "elasticloadbalancing:CreateLoadBalancer"}
    assert wanted(OWN, extent=Extent.FOUNDATION) & ASKS == set()


def test_temporal_takes_no_state_machine_and_its_queue_only_where_mail_starts_tasks() -> None:
    temporal = MADE.orchestrator.model_copy(update={"engine": Engine.TEMPORAL})
    no_mail = MADE.triggers.model_copy(update={"mail": None})

    assert wanted(OWN, orchestrator=temporal) & STEPS == {"sqs:CreateQueue"}
    assert wanted(MADE, orchestrator=temporal, triggers=no_mail) & STEPS == set()
