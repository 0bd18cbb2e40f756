"""The gateway on AWS: callers come by TLS 1.3 through a filter, and nothing else reaches its pods."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes
import pytest

from components.gateway.aws import REQUESTS, AwsGateway, AwsGatewayArgs
from components.gateway.aws_filter import MANAGED, UNLOGGED
from components.infrastructure import Refused
from regions.findings import Severity
from tests.components.gateway.test_kubernetes import CELL_GATEWAY, IN_CLOUD
from tests.fixtures.recording import Graph, aws_calls, conforms, record, reviewed
from tests.fixtures.workloads import unmet

HOMES = (("eu-central-1", "eu-gdpr"), ("eusc-de-east-1", "eu-gdpr"), ("us-east-1", "us-hipaa"))
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
CELL_GATEWAY_EDGE: list[tuple[str, str, dict[str, Any]]] = [
    (
        "aws:lb/loadBalancer:LoadBalancer",
        "-edge-balancer",
        {
            "internal": True,
            "loadBalancerType": "application",
            "securityGroups": ...,
            "enableDeletionProtection": True,
            "dropInvalidHeaderFields": True,
            "desyncMitigationMode": "strictest",
            "enableWafFailOpen": False,
            "accessLogs.enabled": True,
            "accessLogs.bucket": ...,
        },
    ),
    (
        "aws:lb/listener:Listener",
        "-edge-listener",
        {
            "port": 443,
            "protocol": "HTTPS",
            "sslPolicy": "ELBSecurityPolicy-TLS13-1-3-2021-06",
            "certificateArn": ...,
            "defaultActions.0.type": "fixed-response",
        },
    ),
    ("aws:lb/listenerRule:ListenerRule", "-edge-host", {"conditions.0.hostHeader.values": ...}),
    (
        "aws:lb/targetGroup:TargetGroup",
        "-edge-target",
        {"targetType": "ip", "port": 8080, "healthCheck.path": "/readyz", "deregistrationDelay": 600},
    ),
    (
        "kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding",
        "-edge-binding",
        {"spec.targetGroupARN": ..., "spec.targetType": "ip", "spec.serviceRef.name": ...},
    ),
    (
        "aws:wafv2/webAcl:WebAcl",
        "-edge-filter-acl",
        {
            "scope": "REGIONAL",
            "rules.0.statement.rateBasedStatement.limit": ...,
            "rules.0.action.block": ...,
            "rules.1.statement.managedRuleGroupStatement.name": "AWSManagedRulesCommonRuleSet",
            "rules.2.statement.managedRuleGroupStatement.name": "AWSManagedRulesKnownBadInputsRuleSet",
        },
    ),
    ("aws:wafv2/webAclAssociation:WebAclAssociation", "-edge-filtered", {"resourceArn": ..., "webAclArn": ...}),
    (
        "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
        "-edge-filter-logging",
        {"logDestinationConfigs": ..., "redactedFields.0.singleHeader.name": "authorization"},
    ),
    (
        "aws:cloudwatch/logGroup:LogGroup",
        "-edge-filter-log",
        {"retentionInDays": ..., "kmsKeyId": ...},
    ),
    ("aws:route53/zone:Zone", "-edge-zone", {"vpcs.0.vpcId": ...}),
    ("aws:route53/record:Record", "-edge-name", {"aliases.0.name": ...}),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", "-edge-failed", {"alarmActions": ...}),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", "-edge-slow", {"alarmActions": ..., "extendedStatistic": "p99"}),
]


def gateway(region: str = "eu-central-1", preview: bool = False, **more: Any) -> Graph:
    def program() -> None:
        providers: list[pulumi.ProviderResource] = [
            aws.Provider("aws", region=region),
            pulumi_kubernetes.Provider("cluster", context="test"),
        ]
        args: AwsGatewayArgs = {
            **IN_CLOUD,
            "stack": "s",
            "region": region,
            "vpc": "vpc-1",
            "subnets": ["subnet-1", "subnet-2"],
            "runtime_group": "sg-runtime",
            "callers": ["10.20.0.0/16", "10.99.0.0/24"],
            "certificate": f"arn:aws:acm:{region}:123456789012:certificate/0000-1",
            "key": KEY,
            "log_days": 90,
            "topic": TOPIC,
        }
        args = {**args, **more}
        AwsGateway("runtime", args, pulumi.ResourceOptions(providers=providers))

    return record(program, calls=aws_calls(region), preview=preview)


@pytest.mark.parametrize("preview", [False, True])
def test_parents_providers_and_names_are_as_decided(preview: bool) -> None:
    conforms(gateway(preview=preview), "loomstead:gateway:Gateway")


def test_it_is_what_its_cell_claims() -> None:
    pods = [each for each in CELL_GATEWAY if not each[1].endswith("-gateway")]  # these are of another region

    assert unmet(gateway(), [*pods, *CELL_GATEWAY_EDGE]) == []


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_rules_have_nothing_against_it_but_that_a_private_name_is_kept_by_route_53(region: str, regime: str) -> None:
    findings = reviewed(gateway(region), regime, region)

    assert [(found.rule, found.severity, found.resource) for found in findings] == [
        ("A26", Severity.WARN, "runtime-edge-zone")
    ]


def test_callers_reach_the_balancer_and_the_balancer_reaches_the_pods_and_that_is_all() -> None:
    graph = gateway()
    ways = {
        (
            each.properties["securityGroupId"],
            each.properties.get("cidrIpv4") or each.properties.get("referencedSecurityGroupId"),
            each.properties["fromPort"],
            each.properties["toPort"],
            each.type,
        )
        for each in (*graph.of(INGRESS), *graph.of(EGRESS))
    }

    assert ways == {
        ("runtime-edge-group-id", "10.20.0.0/16", 443, 443, INGRESS),
        ("runtime-edge-group-id", "10.99.0.0/24", 443, 443, INGRESS),
        ("runtime-edge-group-id", "sg-runtime", 8080, 8080, EGRESS),
        ("sg-runtime", "runtime-edge-group-id", 8080, 8080, INGRESS),
    }


def test_another_host_than_the_gateways_gets_nothing() -> None:
    graph = gateway()

    assert graph.named("runtime-edge-listener").properties["defaultActions"][0]["fixedResponse"]["statusCode"] == "421"
    assert graph.named("runtime-edge-host").properties["conditions"] == [
        {"hostHeader": {"values": ["agents.corp.example"]}}
    ]
    assert graph.named("runtime-edge-zone").properties["name"] == "agents.corp.example"


def test_no_rule_about_bodies_stops_a_prompt_and_all_others_stop_what_they_find() -> None:
    rules = gateway().named("runtime-edge-filter-acl").properties["rules"]

    for rule in rules[1:]:
        group = rule["statement"]["managedRuleGroupStatement"]
        counted = [each["name"] for each in group["ruleActionOverrides"]]
        assert counted == [*MANAGED[group["name"]]]
        assert all(name.endswith("_BODY") for name in counted)
        assert rule["overrideAction"] == {"none": {}}


def test_what_is_secret_in_a_request_is_not_logged() -> None:
    graph = gateway()
    logging = graph.named("runtime-edge-filter-logging")

    assert graph.named("runtime-edge-filter-log").properties["name"].startswith("aws-waf-logs-")
    assert [each["singleHeader"]["name"] for each in logging.properties["redactedFields"]] == [*UNLOGGED]
    assert not any(
        rule["visibilityConfig"]["sampledRequestsEnabled"]
        for rule in graph.named("runtime-edge-filter-acl").properties["rules"]
    )
    assert graph.named("runtime-edge-filter-writer").urn in logging.dependencies


def test_the_balancer_may_write_its_log_before_it_is_made() -> None:
    graph = gateway()
    written = json.loads(graph.named("runtime-edge-logs-policy").properties["policy"])["Statement"][1]

    assert graph.named("runtime-edge-logs-policy").urn in graph.named("runtime-edge-balancer").dependencies
    assert written["Principal"] == {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    assert written["Condition"]["ArnLike"]["aws:SourceArn"].endswith(":123456789012:loadbalancer/*")
    assert graph.named("runtime-edge-logs-lifecycle").properties["rules"][0]["expiration"] == {"days": 90}


@pytest.mark.parametrize("size", sorted(REQUESTS))
def test_a_size_says_how_many_requests_one_address_may_make(size: str) -> None:
    rate, *_ = gateway(size=size).named("runtime-edge-filter-acl").properties["rules"]

    assert rate["statement"]["rateBasedStatement"]["limit"] == REQUESTS[size]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"stack": "internal-s"}, "cannot name a load balancer"),
        ({"certificate": "arn:aws:acm:us-east-1:123456789012:certificate/1"}, "no certificate of ACM in eu-central-1"),
        ({"callers": []}, "nobody could call"),
        ({"callers": ["0.0.0.0/0"]}, "is not a part of"),
        ({"requests": 3}, "no fewer than 10"),
        ({"log_days": 100}, "the next that it can is 120"),
        ({"replicas": 1}, "is not 2 at least"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told):
        gateway(**wrong)


def test_a_pod_that_ends_goes_on_until_nobody_sends_to_it_and_its_calls_are_answered() -> None:
    """It serves while it waits, for at least as long as the load balancer takes to give up a target by itself; then
    calls have as long as the longest, on both sides."""
    graph = gateway()
    pod = graph.named("runtime-gateway").properties["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    waits = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    target = graph.named("runtime-edge-target").properties
    longest = graph.named("runtime-edge-balancer").properties["idleTimeout"]

    assert waits >= target["healthCheck"]["interval"] * target["healthCheck"]["unhealthyThreshold"]
    assert target["deregistrationDelay"] >= longest
    assert pod["terminationGracePeriodSeconds"] > waits + longest
