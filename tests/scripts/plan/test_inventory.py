"""Each resource is told with its capability, region, key, price and what is against it."""

import pytest

from components.loading import load_spec
from components.naming import REPOSITORY
from regions.catalogue import load_catalogue
from regions.findings import Finding, Severity
from scripts.graph import Graph, State
from scripts.plan.inventory import PRICED, capability_of, inventory
from scripts.rehearsal.sdk import shape

CATALOGUE = load_catalogue()
SPEC = load_spec(REPOSITORY / "stacks" / "Pulumi.aws-eu-central-1.yaml")
FABRIC = "urn:pulumi:s::loomstead::loomstead:fabric:Fabric"
KEY = "arn:aws:kms:eu-central-1:111122223333:key/k"
PROVIDER = f"{FABRIC}$pulumi:providers:aws::aws"


def state(path: str, type_: str, name: str, **inputs: object) -> State:
    return State(f"{FABRIC}{path}${type_}::{name}", type_, inputs, provider=PROVIDER)


STATES = (
    State("urn:pulumi:s::loomstead::pulumi:pulumi:Stack::loomstead-s", "pulumi:pulumi:Stack", {}),
    State(PROVIDER, "pulumi:providers:aws", {"region": "eu-central-1"}),
    state("$loomstead:network:Network", "aws:ec2/natGateway:NatGateway", "nat"),
    state(
        "$loomstead:postgres:Postgres",
        "aws:rds/instance:Instance",
        "fabric-postgres-primary",
        instanceClass="db.m7g.large",
        kmsKeyId=KEY,
    ),
    state("$loomstead:postgres:Postgres", "aws:rds/instance:Instance", "fabric-postgres-replica", instanceClass="db.x"),
    state("$loomstead:network:Network", "aws:ec2/vpc:Vpc", "vpc", region="eu-west-1"),
    state("", "aws:sns/topic:Topic", "own"),
)


def told(*findings: Finding):
    return {item.name: item for item in inventory(Graph(STATES, {}), SPEC, findings, CATALOGUE)}


def test_resources_alone_are_told_in_the_order_of_capabilities() -> None:
    assert list(told()) == ["nat", "vpc", "fabric-postgres-primary", "fabric-postgres-replica", "own"]


def test_a_resource_is_of_its_component_and_the_replica_of_its_own() -> None:
    found = {name: item.capability for name, item in told().items()}
    assert found["fabric-postgres-primary"] == "postgres"
    assert found["fabric-postgres-replica"] == "replica"
    assert found["own"] == "fabric"


def test_a_component_in_another_counts_by_the_innermost() -> None:
    urn = f"{FABRIC}$loomstead:gateway:Gateway$loomstead:network:Network$aws:ec2/vpc:Vpc::vpc"
    assert capability_of(urn) == "network"


def test_region_key_and_price_are_told() -> None:
    found = told()
    assert (found["nat"].region, found["vpc"].region) == ("eu-central-1", "eu-west-1")
    assert (found["fabric-postgres-primary"].key, found["nat"].key) == (KEY, None)
    assert found["nat"].price == "$0.052 an hour"
    assert str(found["fabric-postgres-primary"].price).endswith("us-east-1's")


def test_what_is_paid_for_without_a_known_price_says_so_and_what_is_free_says_nothing() -> None:
    found = told()
    assert found["fabric-postgres-replica"].price == "unpriced"
    assert found["vpc"].price is None


def test_what_a_rule_has_against_a_resource_is_its_verdict() -> None:
    against = Finding(
        rule="A01",
        severity=next(iter(Severity)),
        resource="vpc",
        property="",
        value="",
        countries=(),
        message="outside",
        remedy="",
    )
    found = told(against)
    assert (found["vpc"].verdict, found["nat"].verdict) == ("A01", "inside")


@pytest.mark.parametrize("token", sorted(PRICED))
def test_every_priced_type_is_one_of_a_clouds_sdk(token: str) -> None:
    assert shape(token)
