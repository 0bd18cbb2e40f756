"""What the VPC's resolver answers: exactly what is declared and what AWS itself serves in the region."""

from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

import pytest

from components.network.aws_dns import ALL_NAMES, names
from runtime.models.staged import S3Bucket
from runtime.provision.aws import client
from runtime.tasks.step_functions import Aws
from tests.components.network.test_aws import DNS, OWN, network

HOSTS = ["orders.example", "models.example", "orders.example"]
OF_AWS = {
    "aws": [
        *(
            "kms.eu-central-1.amazonaws.com",
            "1234.dkr.ecr.eu-central-1.amazonaws.com",
            "b.s3.eu-central-1.amazonaws.com",
        ),
        *("ABC.gr7.eu-central-1.eks.amazonaws.com", "s-primary.x.eu-central-1.rds.amazonaws.com"),
        *("internal-s.eu-central-1.elb.amazonaws.com", "master.s.x.euc1.cache.amazonaws.com"),
        *("eks-auth.eu-central-1.api.aws", "ip-10-20-0-4.eu-central-1.compute.internal"),
    ],
    "aws-eusc": [
        *("kms.eusc-de-east-1.amazonaws.eu", "s-primary.x.eusc-de-east-1.rds.amazonaws.eu"),
        *("eks-auth.eusc-de-east-1.api.amazonwebservices.eu", "ip-10-20-0-4.eusc-de-east-1.compute.internal"),
    ],
}
REGIONS = {"aws": "eu-central-1", "aws-eusc": "eusc-de-east-1"}


CALLS: dict[str, tuple[str, dict[str, str]]] = {
    "s3": ("get_object", {"Bucket": "b", "Key": "k"}),
    "secretsmanager": ("get_secret_value", {"SecretId": "s"}),
    "rds": ("describe_db_instances", {}),
    "stepfunctions": ("send_task_success", {"taskToken": "t", "output": "{}"}),
    "sqs": ("receive_message", {"QueueUrl": "https://sqs.eu-central-1.amazonaws.com/1/q"}),
}
"""Service → one call of it."""


class Called(Exception):
    """In the place of what the client would have sent."""


def answered(name: str, listed: list[str]) -> bool:
    """As AWS reads a list: ``*`` at the beginning is one label or more."""
    return any(fnmatchcase(name.lower(), each) for each in listed)


@pytest.mark.parametrize(("partition", "name"), [(each, name) for each in OF_AWS for name in OF_AWS[each]])
def test_what_the_fabric_calls_of_aws_is_answered(partition: str, name: str) -> None:
    assert answered(name, names(REGIONS[partition], partition, []))


def called(service: str, of: Any) -> str:
    """The host that botocore's client calls, by the request that it is about to send."""

    def refuse(request: Any, **_: object) -> None:
        raise Called(urlsplit(request.url).hostname)

    of.meta.events.register("before-send", refuse)
    operation, parameters = CALLS[service]
    with pytest.raises(Called) as found:
        getattr(of, operation)(**parameters)
    return str(found.value)


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-east-1", "aws"), ("eu-central-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("eusc-de-east-1", "aws-eusc")],
)
def test_every_host_that_the_runtimes_own_clients_call_is_answered(
    region: str, partition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "test")
    machine = f"arn:{partition}:states:{region}:1:stateMachine:s"
    hosts = [
        called("s3", S3Bucket("b", region, None)._client),
        *(called(service, client(service, region)) for service in ("s3", "secretsmanager", "rds")),
        *(called(service, Aws(service, machine)._client) for service in ("stepfunctions", "sqs")),
    ]

    assert [host for host in hosts if not answered(host, names(region, partition, []))] == []


@pytest.mark.parametrize(
    "name",
    [
        *("secret.attacker.example", "secret.orders.example", "example", "amazonaws.com", "com"),
        *("s3.amazonaws.com", "b.s3.us-east-1.amazonaws.com", "eu-central-1.amazonaws.com.attacker.example"),
        *("attacker-eu-central-1.amazonaws.com", "kms.eusc-de-east-1.amazonaws.eu", "f.lambda-url.eu-central-1.on.aws"),
    ],
)
def test_what_is_not_declared_is_not_answered(name: str) -> None:
    assert not answered(name, names("eu-central-1", "aws", HOSTS))


def test_declared_hosts_are_named_whole_and_once_before_aws() -> None:
    listed = names("us-east-1", "aws", HOSTS)

    assert listed[:2] == ["models.example", "orders.example"]
    assert all(each.startswith("*.") for each in listed[2:])
    assert len(set(listed)) == len(listed)
    assert "*.ec2.internal" in listed  # Virginia's nodes are called so


@pytest.mark.parametrize("region", REGIONS.values())
def test_a_vpc_answers_the_list_first_and_then_nothing(region: str) -> None:
    graph = network(region)
    allowed, blocked = graph.named("net-answered-rule"), graph.named("net-unanswered-rule")

    assert graph.named("net-answered").properties["domains"] == names(
        region, "aws-eusc" if region.startswith("eusc") else "aws", ["models.example", "orders.example"]
    )
    assert graph.named("net-unanswered").properties["domains"] == [ALL_NAMES]
    assert allowed.properties["firewallDomainListId"] == "net-answered-id"
    assert blocked.properties["firewallDomainListId"] == "net-unanswered-id"
    assert allowed.properties["priority"] < blocked.properties["priority"]


def test_the_vpc_is_held_to_both_rules_and_to_no_half_of_them() -> None:
    graph = network()
    association = graph.named("net-names-rules-by-vpc")
    rules = {graph.named(f"net-{role}-rule").urn for role in ("answered", "unanswered")}

    assert rules <= set(association.dependencies)
    assert association.properties["vpcId"] == graph.named("net-names-closed").properties["resourceId"] == "net-vpc-id"


def test_without_declared_hosts_names_of_aws_alone_are_answered() -> None:
    assert network(exits=[]).named("net-answered").properties["domains"] == names("eu-central-1", "aws", [])


def test_a_name_of_the_vpcs_own_zone_is_answered_and_leads_nowhere() -> None:
    graph, without = network(inside=["gateway.example"]), network()

    assert "gateway.example" in graph.named("net-answered").properties["domains"]
    for resource in ("net-hosts", "net-runtime-to-exits-443"):
        assert graph.named(resource).properties == without.named(resource).properties


def test_the_resolver_of_an_own_vpc_is_its_owners() -> None:
    graph = network(own={"vpc": "vpc-1", **OWN})

    assert not [each for each in graph.resources if each.type.startswith((DNS, "aws:route53/"))]
