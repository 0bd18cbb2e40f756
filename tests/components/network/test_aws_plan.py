"""What an AWS network is planned from."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.network import aws_plan as plan
from components.network.aws_plan import AwsNetworkError, Found


@given(zones=st.sampled_from([2, 3]), size=st.integers(16, 21), third=st.integers(0, 31))
def test_subnets_lie_in_the_vpc_and_never_overlap(zones: int, size: int, third: int) -> None:
    cidr = str(IPv4Network(f"10.20.{third * 8}.0/{size}", strict=False))
    found = plan.divide(cidr, zones)
    subnets = [IPv4Network(each) for role in found.subnets.values() for each in role]

    assert all(each.subnet_of(IPv4Network(cidr)) and each.prefixlen <= 28 for each in subnets)  # AWS's smallest
    assert not any(a.overlaps(b) for index, a in enumerate(subnets) for b in subnets[index + 1 :])
    assert {len(role) for role in found.subnets.values()} == {zones}


def test_the_smallest_vpc_has_room_for_an_endpoint_of_every_service_and_a_load_balancer() -> None:
    kept, balancer = 5, 8  # AWS keeps that many addresses of each subnet; a load balancer asks for as many free ones

    for block in plan.divide("10.20.0.0/21", 3).subnets["endpoints"]:
        assert IPv4Network(block).num_addresses - kept - balancer >= len(plan.INTERFACES)


def test_a_third_zone_leaves_the_addresses_of_two_as_they_are() -> None:
    two, three = (plan.divide("10.20.0.0/16", zones).subnets for zones in (2, 3))

    assert {role: blocks[:2] for role, blocks in three.items()} == two


@pytest.mark.parametrize(
    ("cidr", "told"),
    [
        ("", "expected such as 10.20.0.0/16"),
        ("10.20.0.1/16", "has host bits set"),
        ("8.8.0.0/16", "expected private IPv4 addresses"),
        ("10.0.0.0/8", "/16 to /21"),
        ("10.20.0.0/22", "/16 to /21"),
        ("fd00::/56", "expected private IPv4 addresses"),
    ],
)
def test_other_addresses_are_refused(cidr: str, told: str) -> None:
    with pytest.raises(AwsNetworkError, match=told):
        plan.divide(cidr, 3)


@pytest.mark.parametrize(
    "zones", [[], ["eu-central-1a"], ["eu-central-1a"] * 2, ["eu-west-1a", "eu-central-1b"], ["eu-central-1"] * 2]
)
def test_other_zones_are_refused(zones: list[str]) -> None:
    with pytest.raises(AwsNetworkError, match="two or three different ones of eu-central-1"):
        plan.checked_zones(zones, "eu-central-1")


def test_the_sovereign_cloud_has_two_zones() -> None:
    zones = ("eusc-de-east-1a", "eusc-de-east-1b")

    assert plan.checked_zones(zones, "eusc-de-east-1") == zones


@pytest.mark.parametrize(
    ("host", "port", "told"),
    [
        ("10.1.2.3", 443, "expected a host name"),
        ("::1", 443, "expected a host name"),
        ("*.example.com", 443, "expected a host name"),
        ("localhost", 443, "expected a host name"),
        ("orders.example", 80, "would leave unencrypted"),
    ],
)
def test_an_exit_that_the_firewall_could_not_tell_is_refused(host: str, port: int, told: str) -> None:
    with pytest.raises(AwsNetworkError, match=told):
        plan.declared([("models.example", 443), (host, port)])


def test_exits_are_named_once_and_sorted() -> None:
    exits = [("b.example", 443), ("a.example", 8443), ("b.example", 8443)]

    assert plan.declared([*exits, *exits]) == [("a.example", 8443), ("b.example", 443), ("b.example", 8443)]


def test_a_host_passes_at_the_ports_that_it_is_declared_with_and_at_no_other() -> None:
    rules = plan.firewall_rules([("a.example", 8443), ("b.example", 443)]).splitlines()

    assert rules == [
        "pass tls $HOME_NET any -> $EXTERNAL_NET 8443 "
        '(tls.sni; content:"a.example"; startswith; endswith; nocase; flow:to_server, established; sid:1; rev:1;)',
        "pass tls $HOME_NET any -> $EXTERNAL_NET 443 "
        '(tls.sni; content:"b.example"; startswith; endswith; nocase; flow:to_server, established; sid:2; rev:1;)',
    ]


def test_an_unknown_service_is_refused() -> None:
    with pytest.raises(AwsNetworkError, match="services dynamodb: no policy"):
        plan.checked_services(["kms", "dynamodb"])


@pytest.mark.parametrize("service", sorted(plan.INTERFACES))
def test_an_endpoint_lets_only_the_accounts_principals_do_what_is_listed(service: str) -> None:
    statements = plan.endpoint_policy(service, "aws-eusc", "123456789012")["Statement"]
    allowed = [each for each in statements if each["Effect"] == "Allow"]

    assert all(
        each.get("Condition") or each["Resource"].startswith("arn:aws-eusc:iam::123456789012:") for each in allowed
    )
    assert allowed[0]["Condition"]["StringEquals"]["aws:PrincipalAccount"] == "123456789012"
    assert not any(action.endswith(":*") or action == "*" for each in allowed for action in each["Action"])


def test_nobody_calls_a_model_by_a_global_profile() -> None:
    statements = plan.endpoint_policy("bedrock-runtime", "aws", "123456789012")["Statement"]
    denied = [each for each in statements if each["Effect"] == "Deny"]

    assert [each["Resource"] for each in denied] == ["arn:aws:bedrock:*:*:inference-profile/global.*", "*"]


def test_s3_leads_to_the_accounts_buckets_and_to_image_layers_alone() -> None:
    own, layers = plan.s3_policy("aws", "123456789012", "eu-central-1")["Statement"]

    assert own["Condition"]["StringEquals"]["aws:ResourceAccount"] == "123456789012"
    assert layers["Action"] == ["s3:GetObject"]
    assert layers["Resource"] == "arn:aws:s3:::prod-eu-central-1-starport-layer-bucket/*"


def test_own_subnets_have_one_role_each_and_two_at_least() -> None:
    plan.checked_own({"primary": ["a", "b"], "replica": ["c", "d"]})
    with pytest.raises(AwsNetworkError, match="replica: expected two subnets at least"):
        plan.checked_own({"primary": ["a", "b"], "replica": ["c", "c"]})
    with pytest.raises(AwsNetworkError, match=r"network\.own: expected each subnet in one role.*; twice: b"):
        plan.checked_own({"primary": ["a", "b"], "replica": ["b", "c"]})


def test_all_that_an_own_vpc_lacks_is_told_together() -> None:
    good = [Found("s1", "vpc-1", "z1", False, ["t1"]), Found("s2", "vpc-1", "z2", False, ["t1"])]
    bad = [Found("s3", "vpc-2", "z1", False, []), Found("s4", "vpc-1", "z1", True, ["t2"])]

    assert plan.unfit("vpc-1", True, {"primary": good}, ["t2"]) == []
    assert plan.unfit("vpc-1", True, {"workloads": good, "endpoints": good}, ["t2"]) == []
    assert plan.unfit("vpc-1", False, {"primary": good, "replica": bad}, ["t2"]) == [
        "vpc-1: switch on DNS support and DNS host names; private endpoints need them",
        "s3 (replica) is in vpc-2, not in vpc-1",
        "s4 (replica) gives public addresses; switch that off",
        "s3 (replica) has no route table; give it one",
        "s4 (replica) has a route to an internet gateway; give it a table without",
        "replica: its subnets are in one zone; take two at least",
    ]


def test_an_own_vpc_has_endpoints_in_every_zone_of_its_workloads() -> None:
    """The gateway's load balancer is in their subnets, and sends to pods of its zones alone."""
    two = [Found(f"s{zone}", "vpc-1", f"z{zone}", False, ["t1"]) for zone in "12"]
    three = [*two, Found("s3", "vpc-1", "z3", False, ["t1"])]
    (told,) = plan.unfit("vpc-1", True, {"workloads": three, "endpoints": two}, [])

    assert told.startswith("endpoints: no subnet in z3")
    assert plan.unfit("vpc-1", True, {"workloads": two, "endpoints": three}, []) == []


def test_who_shows_a_token_may_be_tagged_by_it() -> None:
    *_, shown = plan.endpoint_policy("sts", "aws", "123456789012")["Statement"]

    assert shown["Action"] == ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]
