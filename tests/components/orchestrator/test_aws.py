"""Step Functions on AWS: what its cell claims is in the graph, and each role may do its own work alone."""

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.infrastructure import Refused
from components.orchestrator.aws import AwsOrchestrator, AwsOrchestratorArgs
from regions.manifest import Endpoints, StepFunctions
from tests.fixtures.recording import AWS_ACCOUNT, Graph, aws_calls, conforms, record, reviewed
from tests.fixtures.workloads import unmet

HOMES = (("eu-central-1", "eu-gdpr"), ("eusc-de-east-1", "eu-gdpr"), ("us-east-1", "us-hipaa"))
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
ARGS: AwsOrchestratorArgs = {
    "stack": "s",
    "region": "eu-central-1",
    "key": KEY,
    "boundary": "arn:aws:iam::123456789012:policy/s-boundary",
    "topic": "arn:aws:sns:eu-central-1:123456789012:s-alarms",
    "log_days": 90,
}
_QUEUE = {
    "kmsMasterKeyId": KEY,
    "messageRetentionSeconds": 1_209_600,
    "visibilityTimeoutSeconds": 30,
}
CELL_ORCHESTRATOR: list[tuple[str, str, Mapping[str, Any]]] = [
    ("aws:sqs/queue:Queue", "-steps", {**_QUEUE, "redrivePolicy": ...}),
    ("aws:sqs/queue:Queue", "-dead-letters", _QUEUE),
    ("aws:sqs/queuePolicy:QueuePolicy", "-steps-policy", {"policy": ...}),
    ("aws:sqs/queuePolicy:QueuePolicy", "-dead-letters-policy", {"policy": ...}),
    ("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy", "-dead-letters-from", {"redriveAllowPolicy": ...}),
    (
        "aws:sfn/stateMachine:StateMachine",
        "-machine",
        {
            "type": "STANDARD",
            "definition": ...,
            "roleArn": ...,
            "loggingConfiguration.level": "ALL",
            "loggingConfiguration.includeExecutionData": False,
            "loggingConfiguration.logDestination": ...,
            "tracingConfiguration.enabled": True,
            "encryptionConfiguration.type": "CUSTOMER_MANAGED_KMS_KEY",
            "encryptionConfiguration.kmsKeyId": KEY,
        },
    ),
    (
        "aws:cloudwatch/logGroup:LogGroup",
        "-log",
        {"name": "/aws/vendedlogs/states/s-tasks", "retentionInDays": 90, "kmsKeyId": KEY},
    ),
    ("aws:iam/role:Role", "-role", {"assumeRolePolicy": ..., "permissionsBoundary": ARGS["boundary"]}),
    ("aws:iam/rolePolicy:RolePolicy", "-role-policy", {"policy": ..., "role": ...}),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", "-dead-letters-alarm", {"alarmActions": ..., "threshold": 0}),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", "-old-steps-alarm", {"alarmActions": ..., "threshold": 300}),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", "-failed-alarm", {"alarmActions": ..., "threshold": 0}),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", "-timed-out-alarm", {"alarmActions": ..., "threshold": 0}),
]
HELD = ("orchestrator-steps", "orchestrator-dead-letters", "orchestrator-machine")
MACHINE = f"arn:aws:states:eu-central-1:{AWS_ACCOUNT}:stateMachine:s-tasks"


def orchestrator(region: str = "eu-central-1", preview: bool = False, **more: Any) -> Graph:
    suffix = "amazonaws.eu" if region.startswith("eusc-") else "amazonaws.com"

    def program() -> None:
        args: AwsOrchestratorArgs = {**ARGS, "region": region, **more}
        opts = pulumi.ResourceOptions(providers=[aws.Provider("aws", region=region)])
        part = AwsOrchestrator("orchestrator", args, opts)
        pulumi.Output.json_dumps([part.gateway, part.worker]).apply(lambda text: asked.append(json.loads(text)))

    def answers(type_: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        if type_ != "aws:sqs/queue:Queue":
            return {}
        return {"url": f"https://sqs.{region}.{suffix}/{AWS_ACCOUNT}/{inputs['name']}"}

    asked.clear()
    return record(program, calls=aws_calls(region), answers=answers, preview=preview)


asked: list[list[list[dict[str, Any]]]] = []
"""What the last orchestrator asks to be allowed: the gateway's statements, the worker's."""


def told(graph: Graph) -> Mapping[str, Any]:
    """What the component gives."""
    return graph.outputs[graph.component("loomstead:orchestrator:Orchestrator").urn]


def statements(graph: Graph, name: str) -> dict[str, dict[str, Any]]:
    """Of the policy of that resource, by their names."""
    return {each["Sid"]: each for each in json.loads(graph.named(name).properties["policy"])["Statement"]}


@pytest.fixture(scope="module")
def graph() -> Graph:
    return orchestrator()


@pytest.mark.parametrize("preview", [False, True])
def test_parents_providers_and_names_are_as_decided(preview: bool) -> None:
    conforms(orchestrator(preview=preview), "loomstead:orchestrator:Orchestrator")


def test_it_is_what_its_cell_claims(graph: Graph) -> None:
    assert unmet(graph, CELL_ORCHESTRATOR) == []


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_no_rule_has_anything_against_it(region: str, regime: str) -> None:
    key = KEY.replace("eu-central-1", region)
    assert reviewed(orchestrator(region, key=key), regime, region) == []


@pytest.mark.parametrize("name", HELD)
def test_what_running_tasks_lie_in_is_not_deleted_by_the_way(graph: Graph, name: str) -> None:
    held = graph.named(name)
    assert held.protect
    assert held.retain_on_delete


@pytest.mark.parametrize(("region", "partition"), [("eu-central-1", "aws"), ("eusc-de-east-1", "aws-eusc")])
def test_the_definition_is_whole_and_of_the_regions_own_partition(region: str, partition: str) -> None:
    text = orchestrator(region).named("orchestrator-machine").properties["definition"]
    assert "${" not in text
    tasks = [state for state in json.loads(text)["States"].values() if state["Type"] == "Task"]
    assert {state["Resource"] for state in tasks} == {f"arn:{partition}:states:::sqs:sendMessage.waitForTaskToken"}
    (queue,) = {state["Parameters"]["QueueUrl"] for state in tasks}
    assert queue.endswith("/s-steps")


def test_the_endpoint_is_what_the_manifest_says_of_an_orchestrator(graph: Graph) -> None:
    endpoints = Endpoints.model_validate(
        {
            "gateway": "http://gateway",
            "orchestrator": told(graph)["endpoint"],
            "primary_host": "p",
            "primary_port": 1,
            "replica_host": "r",
            "replica_port": 1,
            "database": "d",
        }
    )
    assert isinstance(endpoints.orchestrator, StepFunctions)
    assert endpoints.orchestrator.queue == f"https://sqs.eu-central-1.amazonaws.com/{AWS_ACCOUNT}/s-steps"
    assert "/statemachines/view/arn:aws:" in endpoints.orchestrator.ui


def test_a_console_whose_address_nobody_documents_is_left_out() -> None:
    assert told(orchestrator("eusc-de-east-1"))["ui"] == ""


def test_a_step_that_five_workers_took_is_put_aside(graph: Graph) -> None:
    redrive = json.loads(graph.named("orchestrator-steps").properties["redrivePolicy"])
    assert redrive == {
        "deadLetterTargetArn": graph.named("orchestrator-dead-letters").state["arn"],
        "maxReceiveCount": 5,
    }
    back = json.loads(graph.named("orchestrator-dead-letters-from").properties["redriveAllowPolicy"])
    assert back["sourceQueueArns"] == [graph.named("orchestrator-steps").state["arn"]]


@pytest.mark.parametrize("queue", ["steps", "dead-letters"])
def test_nobody_reaches_a_queue_without_tls_or_from_elsewhere(graph: Graph, queue: str) -> None:
    denied = statements(graph, f"orchestrator-{queue}-policy")
    assert {each["Effect"] for each in denied.values()} == {"Deny"}
    assert denied["OnlyTls"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert denied["OnlyOwn"]["Condition"] == {"StringNotEquals": {"aws:PrincipalAccount": AWS_ACCOUNT}}
    assert {each["Resource"] for each in denied.values()} == {graph.named(f"orchestrator-{queue}").state["arn"]}


def test_nobody_but_the_state_machine_puts_a_step_into_its_queue(graph: Graph) -> None:
    sending = statements(graph, "orchestrator-steps-policy")["OnlyStateMachine"]
    assert (sending["Effect"], sending["Principal"], sending["Action"]) == ("Deny", "*", "sqs:SendMessage")
    assert sending["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": graph.named("orchestrator-role").state["arn"]}}
    dead = statements(graph, "orchestrator-dead-letters-policy")
    assert dead.keys() == {"OnlyTls", "OnlyOwn"}, "what is put aside is sent by SQS itself"


def test_only_the_state_machine_takes_its_role_and_only_for_its_own_steps(graph: Graph) -> None:
    (trust,) = json.loads(graph.named("orchestrator-role").properties["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "states.amazonaws.com"}
    assert trust["Condition"]["ArnLike"] == {"aws:SourceArn": [MACHINE]}
    may = statements(graph, "orchestrator-role-policy")
    assert may["Steps"]["Action"] == "sqs:SendMessage"
    assert may["Steps"]["Resource"] == graph.named("orchestrator-steps").state["arn"]
    assert {name for name, each in may.items() if each["Resource"] == "*"} == {"Log", "Traces"}
    own = {"kms:EncryptionContext:aws:states:stateMachineArn": MACHINE}
    assert may["HistoryKey"]["Condition"]["StringEquals"] == own


def test_no_action_is_a_wildcard_where_something_is_allowed() -> None:
    graph = orchestrator()
    given = [*statements(graph, "orchestrator-role-policy").values(), *asked[0][0], *asked[0][1]]
    assert "*" not in json.dumps([each["Action"] for each in given])


def test_gateway_and_worker_may_do_their_own_part_alone() -> None:
    graph = orchestrator()
    machine = graph.named("orchestrator-machine").state["arn"]
    gateway, worker = asked[0]
    assert [(each["Action"], each["Resource"]) for each in gateway] == [
        (["states:StartExecution", "states:DescribeStateMachine", "states:SendTaskSuccess"], machine)
    ]
    assert {each["Sid"]: each["Resource"] for each in worker} == {
        "TakeSteps": graph.named("orchestrator-steps").state["arn"],
        "StepsKey": KEY,
        "Answer": machine,
    }


def test_a_number_of_days_that_cloudwatch_cannot_keep_is_refused_before_anything_is_made() -> None:
    with pytest.raises(Refused, match=r"logs\.days"):
        orchestrator(log_days=91)
