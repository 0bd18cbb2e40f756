"""A36 and A37: events and workflows that call other regions."""

import json

import pytest

from regions.residency import Purpose
from regions.rules.aws import events
from regions.rules.rule import UNKNOWN
from tests.fixtures.resources import resource
from tests.fixtures.rule_cases import Case, breaches, purposes, survivors

ENDPOINT, TARGET = "aws:cloudwatch/eventEndpoint:EventEndpoint", "aws:cloudwatch/eventTarget:EventTarget"
SUBSCRIPTION, MACHINE = "aws:sns/topicSubscription:TopicSubscription", "aws:sfn/stateMachine:StateMachine"
BUCKET, GROUP = "aws:s3/bucket:Bucket", "aws:cloudwatch/logGroup:LogGroup"
HOME = "eu-central-1"
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
BUCKETS = (
    resource(BUCKET, "here", {"bucket": "acme-here"}, region=HOME),
    resource(BUCKET, "london", {"bucket": "acme-london"}, region="eu-west-2"),
)
GROUPS = (
    resource(GROUP, "kept", {"name": "kept", "kmsKeyId": "k"}, region=HOME),
    resource(GROUP, "open", {"name": "open"}, region=HOME),
)


def bus(region: str) -> str:
    return f"arn:aws:events:{region}:123456789012:event-bus/orders"


def queue(region: str) -> str:
    return f"arn:aws:sqs:{region}:123456789012:orders"


def group(name: str, region: str = HOME) -> str:
    return f"arn:aws:logs:{region}:123456789012:log-group:{name}:*"


def machine(**state: object) -> str:
    return json.dumps({"StartAt": "Call", "States": {"Call": {"Type": "Task", "End": True, **state}}})


def route(region: str) -> dict[str, object]:
    return {"routingConfig": {"failoverConfig": {"secondary": {"route": region}}}}


CALL = "definition.States.Call"
STEPS = [
    ({"Resource": queue(HOME)}, ""),
    ({"Resource": queue("us-east-1")}, "Resource"),
    ({"Resource": "arn:aws:states:::http:invoke"}, ""),
    ({"Resource": "arn:aws:lambda:{}:1:function:f"}, "Resource"),
    ({"Credentials": {"RoleArn": "arn:aws:iam::123456789012:role/worker"}}, ""),
    ({"Parameters": {"Message": f"States.Format('{queue('us-east-1')} {{}}', $.x)"}}, "Parameters.Message"),
    ({"Parameters": {"ApiEndpoint": "https://a.execute-api.eu-central-1.amazonaws.com/x"}}, ""),
    ({"Parameters": {"ApiEndpoint": "https://a.execute-api.us-east-1.amazonaws.com/x"}}, "Parameters.ApiEndpoint"),
    ({"Parameters": {"ApiEndpoint": "https://api.example.org"}}, "Parameters.ApiEndpoint"),
    ({"Parameters": {"ApiEndpoint": "https://orders.acme.example"}}, ""),
    ({"Parameters": {"ApiEndpoint.$": "$.url"}}, "Parameters.ApiEndpoint.$"),
    ({"Arguments": {"ApiEndpoint": "{% $states.input.url %}"}}, "Arguments.ApiEndpoint"),
    ({"Parameters": {"ModelId": f"eu.{SONNET}"}}, ""),
    ({"Parameters": {"ModelId": f"global.{SONNET}"}}, "Parameters.ModelId"),
    ({"Parameters": {"ModelId.$": "$.model"}}, "Parameters.ModelId.$"),
    ({"Parameters": {"QueueUrl": "https://sqs.eu-central-1.amazonaws.com/1/orders"}}, ""),
    ({"Parameters": {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/orders"}}, "Parameters.QueueUrl"),
    ({"Parameters": {"Bucket": "acme-here"}}, ""),
    ({"Parameters": {"Bucket": "acme-london"}}, "Parameters.Bucket"),
    ({"Parameters": {"Source": "arn:aws:s3:::acme-here/input.json"}}, ""),
    ({"Parameters": {"Source": "arn:aws:s3:::acme-london/input.json"}}, "Parameters.Source"),
    ({"Catch": [{"Next": "Call"}, {"Next": queue("us-east-1")}]}, "Catch[1].Next"),
    ({"Comment": f"not {queue('us-east-1')}"}, ""),
]

CASES = [
    Case("A36", "endpoint inside", resource(ENDPOINT, "e", route("eu-west-1"))),
    Case(
        "A36",
        "endpoint outside",
        resource(ENDPOINT, "e", route("us-east-1")),
        ("routingConfig.failoverConfig.secondary.route",),
    ),
    Case(
        "A36",
        "endpoint nobody knows where",
        resource(ENDPOINT, "e", {}),
        ("routingConfig.failoverConfig.secondary.route",),
    ),
    Case(
        "A36",
        "second bus outside",
        resource(
            ENDPOINT,
            "e",
            {**route("eu-west-1"), "eventBuses": [{"eventBusArn": bus(HOME)}, {"eventBusArn": bus("us-east-1")}]},
        ),
        ("eventBuses[1].eventBusArn",),
    ),
    Case(
        "A36",
        "buses inside",
        resource(ENDPOINT, "e", {**route("eu-west-1"), "eventBuses": [{"eventBusArn": bus(HOME)}]}),
    ),
    Case("A36", "target inside", resource(TARGET, "t", {"arn": queue("eu-west-1")})),
    Case("A36", "target outside", resource(TARGET, "t", {"arn": bus("ap-northeast-1")}), ("arn",)),
    Case("A36", "target without region", resource(TARGET, "t", {"arn": "orders"}), ("arn",)),
    Case("A36", "target not known yet", resource(TARGET, "t", {"arn": UNKNOWN}), ("arn",)),
    *(
        Case(
            "A36",
            f"{protocol} to {endpoint}",
            resource(SUBSCRIPTION, "s", {"protocol": protocol, "endpoint": endpoint}),
            ("endpoint",) if outside else (),
            hosts=("orders.acme.example",),
        )
        for protocol, endpoint, outside in (
            ("sqs", queue(HOME), False),
            ("sqs", queue("us-east-1"), True),
            ("https", "https://orders.acme.example/in", False),
            ("https", "https://hooks.example.org/in", True),
            ("email", "jane@acme.example", True),
            ("sms", "+15550100", True),
        )
    ),
    *(
        Case(
            "A37",
            f"state {json.dumps(state)}",
            resource(MACHINE, "m", {"definition": machine(**state)}, region=HOME),
            (f"{CALL}.{place}",) if place else (),
            BUCKETS,
            hosts=("orders.acme.example",),
        )
        for state, place in STEPS
    ),
    Case("A37", "definition that is no JSON", resource(MACHINE, "m", {"definition": "StartAt: Call"}), ("definition",)),
    Case("A37", "definition not known yet", resource(MACHINE, "m", {"definition": UNKNOWN}), ("definition",)),
    *(
        Case(
            "A37",
            f"logs {logging}",
            resource(MACHINE, "m", {"loggingConfiguration": logging}),
            found,
            GROUPS,
        )
        for logging, found in (
            ({"logDestination": group("open"), "includeExecutionData": False}, ()),
            ({"logDestination": group("open", "eu-west-1")}, ()),
            ({"logDestination": group("kept"), "includeExecutionData": True}, ()),
            (
                {"logDestination": group("open"), "includeExecutionData": True},
                ("loggingConfiguration.includeExecutionData",),
            ),
            ({"includeExecutionData": True}, ("loggingConfiguration.includeExecutionData",)),
            ({"logDestination": group("kept", "us-east-1")}, ("loggingConfiguration.logDestination",)),
        )
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in events.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(events.RULES, CASES) == []


def test_asks_for_the_purposes_that_it_is_about() -> None:
    assert purposes(events.RULES, CASES) == {
        "A36": {Purpose.PROCESS},
        "A37": {Purpose.PROCESS, Purpose.LOGS},
    }
