"""Events and workflows that call other regions: A36, A37."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.aws.copies import BUCKET
from regions.rules.aws.models import answered_within
from regions.rules.aws.where import host_within
from regions.rules.clauses import arn_within, points_within, within
from regions.rules.rule import UNSET, Breach, Check, Clause, Plan, Resource, ResourceRule

_ENDPOINT = "aws:cloudwatch/eventEndpoint:EventEndpoint"
_TARGET = "aws:cloudwatch/eventTarget:EventTarget"
_SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
_LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
_NO_ARN = "no ARN, so where it leads is not known"
_ARNS = re.compile(r"arn:[^\s\"'|,)]*")
_OF_NO_REGION = {"states", "iam"}
"""Services whose ARNs name no region: an integration of Step Functions calls its own, a role holds no data."""


def _delivered_within() -> Check:
    """What a subscription names: an ARN or a host, by its protocol; addresses and phones of people have no region."""
    by_region, by_host = arn_within(Purpose.PROCESS, bare=_NO_ARN), host_within(Purpose.PROCESS)

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        protocol = resource.properties.get("protocol")
        if protocol in ("http", "https"):
            yield from by_host(value, resource, plan)
        else:
            yield from by_region(value, resource, plan)

    return check


def _stays_within() -> Check:
    """A definition in Amazon States Language whose every ARN, host and model is inside the Boundary."""

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        if value is UNSET:
            return
        try:
            definition = json.loads(value)
        except (TypeError, ValueError):
            yield "the definition is no JSON, so what it calls is not known"
            return
        for place, key, found in _texts(definition, "definition"):
            for breach in _judged(key, found, resource, plan):
                told = Breach("", "", breach) if isinstance(breach, str) else breach
                yield Breach(place, found, told.message, told.countries)

    return check


def _texts(value: Any, place: str, key: str = "") -> Iterator[tuple[str, str, str]]:
    """Place, key and text of every text in the definition."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, f"{place}.{name}", name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, f"{place}[{index}]", key)
    elif isinstance(value, str) and key != "Comment":
        yield place, key, value


_BY_REGION = arn_within(Purpose.PROCESS)
_BY_BUCKET = points_within(Purpose.PROCESS, BUCKET)
_BY_HOST = host_within(Purpose.PROCESS)
_BY_KEY = {"ApiEndpoint": _BY_HOST, "QueueUrl": _BY_HOST, "ModelId": answered_within(), "Bucket": _BY_BUCKET}
"""What a state's arguments name by other means than an ARN."""


def _judged(key: str, text: str, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    name = key.removesuffix(".$")
    if name in _BY_KEY:
        if key != name or text.startswith("{%"):
            yield f"{name} is chosen while it runs, so where it leads is not known"
        else:
            yield from _BY_KEY[name](text, resource, plan)
        return
    for arn in _ARNS.findall(text):
        service, region = (*arn.split(":"), "", "", "")[2:4]
        if service == "s3":
            yield from _BY_BUCKET(arn.partition("/")[0], resource, plan)
        elif region or service not in _OF_NO_REGION:
            yield from _BY_REGION(arn, resource, plan)


def _logged_with_key(value: Any, resource: Resource, plan: Plan) -> Iterator[str]:
    """No execution data in logs, unless the log group is of this plan and under a key of one's own."""
    if value in (UNSET, False):
        return
    logging = resource.properties["loggingConfiguration"]
    destination = str(logging.get("logDestination")).removesuffix(":*")
    group = plan.named(_LOG_GROUP, destination, destination.rpartition(":")[2])
    if group is None or not group.properties.get("kmsKeyId"):
        yield "prompts and results would be written to a log group that is not known to have a kmsKeyId"


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="A36",
        title="Events sent to another region",
        severity=Severity.DENY,
        types=(_ENDPOINT, _TARGET, _SUBSCRIPTION),
        trap="a target's ARN may be in another region; a global endpoint copies events to a second one",
        remedy="name targets inside the Boundary, by their ARN; hosts that the stack declares",
        source="residency-facts.md §7 A36, pulumi_aws 7.51.1",
        clauses=(
            Clause(
                "routingConfig.failoverConfig.secondary.route",
                within(Purpose.PROCESS, unset="it does not say its second region"),
                (_ENDPOINT,),
            ),
            Clause("eventBuses[].eventBusArn", arn_within(Purpose.PROCESS, bare=_NO_ARN), (_ENDPOINT,)),
            Clause("arn", arn_within(Purpose.PROCESS, bare=_NO_ARN), (_TARGET,)),
            Clause("endpoint", _delivered_within(), (_SUBSCRIPTION,)),
        ),
    ),
    ResourceRule(
        id="A37",
        title="Workflow that calls or logs outside the Boundary",
        severity=Severity.DENY,
        types=("aws:sfn/stateMachine:StateMachine",),
        trap="ARNs, hosts and models in a definition may be of another region; execution data copies prompts into logs",
        remedy="name only what is inside the Boundary, and not at run time; includeExecutionData false, or a log group "
        "of this plan with kmsKeyId",
        source="residency-facts.md §7 A37, pulumi_aws 7.51.1; Step Functions developer guide, service-quotas",
        clauses=(
            Clause("definition", _stays_within()),
            Clause("loggingConfiguration.logDestination", arn_within(Purpose.LOGS, bare=_NO_ARN)),
            Clause("loggingConfiguration.includeExecutionData", _logged_with_key),
        ),
    ),
)
