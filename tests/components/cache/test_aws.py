"""The cache on AWS: only the runtime reaches it, encrypted and without a password, and it is in several zones."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.cache.aws import SIZES, AwsCache, AwsCacheArgs
from components.infrastructure import Refused
from tests.fixtures.recording import Graph, aws_calls, conforms, record, reviewed
from tests.fixtures.workloads import unmet

HOMES = (("eu-central-1", "eu-gdpr"), ("eusc-de-east-1", "eu-gdpr"), ("us-east-1", "us-hipaa"))
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
ARGS: AwsCacheArgs = {
    "stack": "s",
    "vpc": "vpc-1",
    "subnets": ["subnet-1", "subnet-2"],
    "runtime_group": "sg-runtime",
    "key": KEY,
    "size": "small",
    "log_days": 90,
}
CELL_CACHE: list[tuple[str, str, dict[str, Any]]] = [
    (
        "aws:elasticache/replicationGroup:ReplicationGroup",
        "cache-valkey",
        {
            "engine": "valkey",
            "engineVersion": "8.0",
            "transitEncryptionEnabled": True,
            "transitEncryptionMode": "required",
            "atRestEncryptionEnabled": True,
            "kmsKeyId": ...,
            "automaticFailoverEnabled": True,
            "multiAzEnabled": True,
            "userGroupIds": ...,
            "securityGroupIds": ...,
            "subnetGroupName": ...,
            "snapshotRetentionLimit": 0,
            "logDeliveryConfigurations.0.logType": "slow-log",
            "logDeliveryConfigurations.1.logType": "engine-log",
        },
    ),
    ("aws:elasticache/user:User", "cache-user", {"authenticationMode.type": "iam", "engine": "valkey"}),
    ("aws:elasticache/userGroup:UserGroup", "cache-users", {"engine": "valkey", "userIds": ...}),
    ("aws:elasticache/subnetGroup:SubnetGroup", "cache-subnets", {"subnetIds": ...}),
    (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "cache-door-from",
        {"referencedSecurityGroupId": ..., "fromPort": 6379, "toPort": 6379, "ipProtocol": "tcp"},
    ),
    ("aws:cloudwatch/logGroup:LogGroup", "cache-slow-log", {"retentionInDays": ..., "kmsKeyId": ...}),
    ("aws:cloudwatch/logGroup:LogGroup", "cache-engine-log", {"retentionInDays": ..., "kmsKeyId": ...}),
]


def cache(region: str = "eu-central-1", preview: bool = False, **more: Any) -> Graph:
    def program() -> None:
        args: AwsCacheArgs = {**ARGS, **more}
        AwsCache("cache", args, pulumi.ResourceOptions(providers=[aws.Provider("aws", region=region)]))

    return record(program, calls=aws_calls(region), preview=preview)


@pytest.mark.parametrize("preview", [False, True])
def test_parents_providers_and_names_are_as_decided(preview: bool) -> None:
    conforms(cache(preview=preview), "loomstead:cache:Cache")


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_no_rule_has_anything_against_it(region: str, regime: str) -> None:
    assert reviewed(cache(region), regime, region) == []


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(cache(), CELL_CACHE) == []


def test_only_the_runtime_reaches_it() -> None:
    graph = cache()
    (found,) = graph.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    out = graph.named("cache-door-to").properties

    assert found.properties["referencedSecurityGroupId"] == out["securityGroupId"] == "sg-runtime"
    assert found.properties["securityGroupId"] == out["referencedSecurityGroupId"] == "cache-door-group-id"
    assert {"ingress", "egress"}.isdisjoint(graph.named("cache-door-group").properties)
    assert graph.named("cache-valkey").properties["securityGroupIds"] == ["cache-door-group-id"]


def test_who_signs_in_has_no_password_and_needs_iam_on_both_arns() -> None:
    graph = cache()
    told = graph.outputs[graph.component("loomstead:cache:Cache").urn]

    assert "password" not in json.dumps([each.properties for each in graph.resources]).lower()
    assert told == {
        "host": "cache-valkey-primaryEndpointAddress",
        "port": 6379,
        "user": "s-runtime",
        "connectable": [graph.named("cache-valkey").state["arn"], graph.named("cache-user").state["arn"]],
    }


@pytest.mark.parametrize("size", sorted(SIZES))
def test_a_size_says_machine_and_nodes(size: str) -> None:
    found = cache(size=size).named("cache-valkey").properties

    assert (found["nodeType"], found["numCacheClusters"]) == (SIZES[size].machine, SIZES[size].nodes)


def test_the_machine_can_be_said_instead() -> None:
    assert cache(machine="cache.r7g.xlarge").named("cache-valkey").properties["nodeType"] == "cache.r7g.xlarge"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"size": "huge"}, "sizes are small, medium, large"),
        ({"machine": "m7g.large"}, "is no machine of ElastiCache"),
        ({"stack": "a" * 33}, "at most 32 small letters"),
        ({"log_days": 100}, "the next that it can is 120"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told):
        cache(**wrong)
