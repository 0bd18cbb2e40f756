"""Triggers on AWS: events and mails arrive encrypted, from who may send them, for who may read them."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.infrastructure import Refused
from components.triggers.aws import AwsTriggers, AwsTriggersArgs
from components.triggers.aws_regions import RECEIVES_MAIL
from regions.catalogue import load_catalogue
from tests.fixtures.recording import Graph, aws_calls, conforms, record, reviewed
from tests.fixtures.workloads import unmet

HOMES = (("eu-central-1", "eu-gdpr"), ("us-east-1", "us-hipaa"))
WORKER = "arn:aws:iam::123456789012:role/worker"
CLUSTER = "arn:aws:kafka:eu-central-1:123456789012:cluster/events/uuid-1"
ARGS: AwsTriggersArgs = {
    "stack": "s",
    "region": "eu-central-1",
    "vpc": "vpc-1",
    "subnets": ["subnet-1", "subnet-2"],
    "runtime_group": "sg-runtime",
    "key": "arn:aws:kms:eu-central-1:123456789012:key/1",
    "topic": "arn:aws:sns:eu-central-1:123456789012:alarms",
    "topics": ["orders.events"],
    "readers": [WORKER],
    "address": "orders@agents.corp.example",
}
CELL_TRIGGERS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "aws:msk/serverlessCluster:ServerlessCluster",
        "-events",
        {
            "clientAuthentication.sasl.iam.enabled": True,
            "vpcConfigs.0.subnetIds": ...,
            "vpcConfigs.0.securityGroupIds": ...,
        },
    ),
    ("aws:msk/clusterPolicy:ClusterPolicy", "-events-policy", {"policy": ..., "clusterArn": ...}),
    (
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "-kafka-from",
        {"referencedSecurityGroupId": ..., "fromPort": 9098, "toPort": 9098},
    ),
    (
        "aws:ses/receiptRule:ReceiptRule",
        "-mail-rule",
        {
            "enabled": True,
            "scanEnabled": True,
            "tlsPolicy": "Require",
            "recipients": ...,
            "s3Actions.0.bucketName": ...,
        },
    ),
    ("aws:ses/activeReceiptRuleSet:ActiveReceiptRuleSet", "-mail-active", {"ruleSetName": ...}),
    (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "-mail-kept-encryption",
        {"rules.0.applyServerSideEncryptionByDefault.sseAlgorithm": "aws:kms"},
    ),
    (
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "-mail-kept-lifecycle",
        {"rules.0.expiration.days": 30},
    ),
    (
        "aws:s3/bucketNotification:BucketNotification",
        "-mail-notification",
        {"queues.0.queueArn": ..., "queues.0.events": ["s3:ObjectCreated:*"]},
    ),
    ("aws:sqs/queue:Queue", "-mail-arrived", {"kmsMasterKeyId": ..., "redrivePolicy": ...}),
    ("aws:sqs/queue:Queue", "-mail-dead", {"kmsMasterKeyId": ...}),
]


def triggers(region: str = "eu-central-1", preview: bool = False, less: tuple[str, ...] = (), **more: Any) -> Graph:
    def program() -> None:
        args: Any = {key: value for key, value in {**ARGS, "region": region, **more}.items() if key not in less}
        AwsTriggers("triggers", args, pulumi.ResourceOptions(providers=[aws.Provider("aws", region=region)]))

    def filled_in(type_: str, name: str, inputs: Any) -> dict[str, Any]:
        return {"arn": CLUSTER} if "serverlessCluster" in type_ else {}

    return record(program, calls=aws_calls(region), answers=filled_in, preview=preview)


def policy(graph: Graph, name: str) -> list[dict[str, Any]]:
    return json.loads(graph.named(name).properties["policy"])["Statement"]


@pytest.mark.parametrize("preview", [False, True])
def test_parents_providers_and_names_are_as_decided(preview: bool) -> None:
    conforms(triggers(preview=preview), "loomstead:triggers:Triggers")


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(triggers(), CELL_TRIGGERS) == []


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_no_rule_has_anything_against_it(region: str, regime: str) -> None:
    assert reviewed(triggers(region), regime, region) == []


def test_only_the_readers_read_and_only_the_topics_that_start_tasks() -> None:
    statements = policy(triggers(), "triggers-events-policy")

    assert all(statement["Principal"] == {"AWS": [WORKER]} for statement in statements)
    read = next(each for each in statements if "kafka-cluster:ReadData" in each["Action"])
    assert read["Resource"] == ["arn:aws:kafka:eu-central-1:123456789012:topic/events/uuid-1/orders.events"]
    assert not any("WriteData" in action for statement in statements for action in statement["Action"])


def test_only_ses_by_this_stacks_rules_writes_mails_and_only_their_bucket_tells_the_queue() -> None:
    graph = triggers()
    _, written = policy(graph, "triggers-mail-kept-policy")
    (told,) = policy(graph, "triggers-mail-arrived-policy")

    assert written["Principal"] == {"Service": "ses.amazonaws.com"}
    assert written["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:ses:eu-central-1:123456789012:receipt-rule-set/s-mail:receipt-rule/*"},
    }
    assert told["Principal"] == {"Service": "s3.amazonaws.com"}
    assert told["Condition"]["ArnEquals"] == {"aws:SourceArn": graph.named("triggers-mail-kept").state["arn"]}
    assert graph.named("triggers-mail-kept-policy").urn in graph.named("triggers-mail-rule").dependencies
    assert graph.named("triggers-mail-arrived-policy").urn in graph.named("triggers-mail-notification").dependencies


def test_a_mail_that_nobody_can_handle_goes_to_the_dead_letters_and_somebody_is_told() -> None:
    graph = triggers()
    redrive = json.loads(graph.named("triggers-mail-arrived").properties["redrivePolicy"])

    assert redrive == {"deadLetterTargetArn": graph.named("triggers-mail-dead").state["arn"], "maxReceiveCount": 5}
    assert graph.named("triggers-mail-given-up").properties["alarmActions"] == [ARGS["topic"]]


def test_only_what_is_asked_for_is_made() -> None:
    kafka = {each.type for each in triggers(less=("address",)).resources}
    mail = {each.type for each in triggers(topics=[]).resources}
    neither = {each.type for each in triggers(less=("address",), topics=[]).resources}

    assert not any(":ses/" in type_ or ":sqs/" in type_ for type_ in kafka)
    assert not any(":msk/" in type_ for type_ in mail)
    assert neither == {"pulumi:providers:aws", "loomstead:triggers:Triggers"}


def test_outputs_are_the_contracts() -> None:
    graph = triggers()
    told = graph.outputs[graph.component("loomstead:triggers:Triggers").urn]

    assert told == {
        "kafka": "triggers-events-bootstrapBrokersSaslIam",
        "mail": graph.named("triggers-mail-arrived").state["url"],
    }


def test_mail_is_refused_where_no_source_says_that_ses_receives_it() -> None:
    with pytest.raises(Refused, match=r"receives mail in eusc-de-east-1; let a mailbox .* take one of ap-northeast-1"):
        triggers("eusc-de-east-1")


def test_every_region_that_receives_mail_is_one_of_the_catalogue() -> None:
    assert load_catalogue().regions.keys() >= RECEIVES_MAIL


def test_topics_that_nobody_may_read_are_refused() -> None:
    with pytest.raises(Refused, match="nobody is named who may read"):
        triggers(readers=[])
