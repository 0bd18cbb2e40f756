"""Observability on AWS: in the region, under the stack's key, kept for a time, and somebody is told."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.infrastructure import Refused
from components.observability.aws import PIPELINES, SOURCES, AwsObservability, AwsObservabilityArgs
from tests.fixtures.recording import Graph, aws_calls, conforms, record, reviewed
from tests.fixtures.workloads import unmet

HOMES = (("eu-central-1", "eu-gdpr"), ("eusc-de-east-1", "eu-gdpr"), ("us-east-1", "us-hipaa"))
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
ARGS: AwsObservabilityArgs = {
    "stack": "s",
    "region": "eu-central-1",
    "key": KEY,
    "log_days": 365,
    "databases": {"primary": "s-primary", "replica": "s-replica"},
    "traces_key": True,
}
LOG, ALARM = "aws:cloudwatch/logGroup:LogGroup", "aws:cloudwatch/metricAlarm:MetricAlarm"
CELL_OBSERVABILITY: list[tuple[str, str, dict[str, Any]]] = [
    *(
        (LOG, f"-{source}-log", {"retentionInDays": 365, "kmsKeyId": ..., "name": f"/loomstead/s/{source}"})
        for source in SOURCES
    ),
    ("aws:amp/workspace:Workspace", "-metrics", {"kmsKeyArn": ..., "loggingConfiguration.logGroupArn": ...}),
    ("aws:amp/workspaceConfiguration:WorkspaceConfiguration", "-metrics-kept", {"retentionPeriodInDays": 365}),
    ("aws:xray/group:Group", "-traces", {"filterExpression": 'annotation.otel_resource_loomstead_stack = "s"'}),
    ("aws:xray/encryptionConfig:EncryptionConfig", "-traces-key", {"type": "KMS", "keyId": ...}),
    ("aws:sns/topic:Topic", "-alarms", {"kmsMasterKeyId": ...}),
    ("aws:sns/topicPolicy:TopicPolicy", "-alarms-policy", {"policy": ...}),
    *(
        (
            ALARM,
            f"-{role}-{kind}",
            {"alarmActions": ..., "okActions": ..., "dimensions.DBInstanceIdentifier": f"s-{role}"},
        )
        for role, kinds in {"primary": ("busy", "full"), "replica": ("busy", "full", "behind")}.items()
        for kind in kinds
    ),
]


def observability(region: str = "eu-central-1", preview: bool = False, **more: Any) -> Graph:
    def program() -> None:
        args: AwsObservabilityArgs = {**ARGS, "region": region, **more}
        AwsObservability("watch", args, pulumi.ResourceOptions(providers=[aws.Provider("aws", region=region)]))

    return record(program, calls=aws_calls(region), answers=filled_in, preview=preview)


def filled_in(type_: str, name: str, inputs: Any) -> dict[str, Any]:
    return {"prometheusEndpoint": "https://aps.test/workspaces/ws-1/"} if "amp/workspace:" in type_ else {}


def told(graph: Graph) -> Any:
    return graph.outputs[graph.component("loomstead:observability:Observability").urn]


@pytest.mark.parametrize("preview", [False, True])
def test_parents_providers_and_names_are_as_decided(preview: bool) -> None:
    conforms(observability(preview=preview), "loomstead:observability:Observability")


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(observability(), CELL_OBSERVABILITY) == []


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_no_rule_has_anything_against_it(region: str, regime: str) -> None:
    assert reviewed(observability(region), regime, region) == []


def test_every_exporter_names_the_region_and_a_place_that_is_made_here() -> None:
    graph = observability()
    exporters = told(graph)["exporters"]
    logs = {each["log_group_name"] for name, each in exporters.items() if name.startswith("awscloudwatchlogs/")}

    assert logs <= {group.properties["name"] for group in graph.of(LOG)}
    assert len(logs) == len(SOURCES)
    assert all(each.get("region", "eu-central-1") == "eu-central-1" for each in exporters.values())
    assert exporters["prometheusremotewrite"] == {
        "endpoint": "https://aps.test/workspaces/ws-1/api/v1/remote_write",
        "auth": {"authenticator": "sigv4auth"},
    }
    assert {each for gets in PIPELINES.values() for each in gets} == exporters.keys()
    assert told(graph)["extensions"] == {"sigv4auth": {"region": "eu-central-1", "service": "aps"}}


def test_the_collector_may_write_to_these_places_and_to_no_other() -> None:
    graph = observability()
    writable = told(graph)["writable"]

    assert writable["aps:RemoteWrite"] == [graph.named("watch-metrics").state["arn"]]
    assert writable["logs:PutLogEvents"] == [f"{graph.named(f'watch-{each}-log').state['arn']}:*" for each in SOURCES]
    assert {action for action, arns in writable.items() if arns == ["*"]} == {
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
    }


def test_only_alarms_of_this_account_are_told_and_only_over_tls() -> None:
    allowed, denied = json.loads(observability().named("watch-alarms-policy").properties["policy"])["Statement"]

    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_each_alarm_tells_the_topic_when_it_begins_and_when_it_ends() -> None:
    graph = observability()
    topic = graph.named("watch-alarms").state["arn"]

    assert {(*each.properties["alarmActions"], *each.properties["okActions"]) for each in graph.of(ALARM)} == {
        (topic, topic)
    }
    assert {*told(graph)["alarms"]} == {each.state["arn"] for each in graph.of(ALARM)}
    assert told(graph)["topic"] == topic


def test_metrics_are_kept_as_long_as_logs_and_three_years_at_most() -> None:
    kept = observability(log_days=2192).named("watch-metrics-kept").properties

    assert kept["retentionPeriodInDays"] == 1095


def test_the_accounts_setting_of_x_ray_is_left_alone_unless_it_is_asked_for() -> None:
    assert observability(traces_key=False).of("aws:xray/encryptionConfig:EncryptionConfig") == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"log_days": 100}, "the next that it can is 120"),
        ({"databases": {"third": "s-third"}}, "no database is called third"),
        ({"stack": "s" * 33}, "take 32 characters at most"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message):
        observability(**wrong)
