"""The budget on AWS: of this stack alone, and somebody is told in time."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.budget.aws import AwsBudget, AwsBudgetArgs
from components.infrastructure import Refused
from tests.fixtures.recording import Graph, aws_calls, conforms, record, reviewed
from tests.fixtures.workloads import unmet

ARGS: AwsBudgetArgs = {
    "stack": "s",
    "partition": "aws",
    "tag": ("loomstead:stack", "s"),
    "monthly": 900,
    "notify": ["platform@corp.example", "cfo@corp.example"],
}
CELL_BUDGET: list[tuple[str, str, dict[str, Any]]] = [
    (
        "aws:budgets/budget:Budget",
        "-monthly",
        {
            "budgetType": "COST",
            "timeUnit": "MONTHLY",
            "limitAmount": ...,
            "costFilters.0.name": "TagKeyValue",
            "costFilters.0.values": ...,
            "notifications.0.threshold": 50,
            "notifications.1.threshold": 80,
            "notifications.2.threshold": 100,
            "notifications.3.notificationType": "FORECASTED",
        },
    ),
    ("aws:costexplorer/anomalyMonitor:AnomalyMonitor", "-odd", {"monitorSpecification": ...}),
    ("aws:costexplorer/anomalySubscription:AnomalySubscription", "-odd-told", {"subscribers": ...}),
]


def budget(region: str = "eu-central-1", preview: bool = False, **more: Any) -> Graph:
    def program() -> None:
        args: AwsBudgetArgs = {**ARGS, **more}
        AwsBudget("budget", args, pulumi.ResourceOptions(providers=[aws.Provider("aws", region=region)]))

    return record(program, calls=aws_calls(region), preview=preview)


@pytest.mark.parametrize("preview", [False, True])
def test_parents_providers_and_names_are_as_decided(preview: bool) -> None:
    conforms(budget(preview=preview), "loomstead:budget:Budget")


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(budget(), CELL_BUDGET) == []


@pytest.mark.parametrize("region", ["eu-central-1", "eusc-de-east-1"])
def test_no_rule_has_anything_against_it(region: str) -> None:
    partition = "aws-eusc" if region.startswith("eusc") else "aws"

    assert reviewed(budget(region, partition=partition), "eu-gdpr", region) == []


def test_it_counts_what_the_stack_made_and_nothing_else() -> None:
    graph = budget()
    odd = json.loads(graph.named("budget-odd").properties["monitorSpecification"])

    assert graph.named("budget-monthly").properties["costFilters"][0]["values"] == ["user:loomstead:stack$s"]
    assert (odd["Tags"]["Key"], odd["Tags"]["Values"]) == ("loomstead:stack", ["s"])


def test_everybody_is_told_of_spending_and_of_what_is_odd() -> None:
    graph = budget()
    told = graph.named("budget-monthly").properties["notifications"]
    odd = graph.named("budget-odd-told").properties

    assert all(each["subscriberEmailAddresses"] == ARGS["notify"] for each in told)
    assert [each["address"] for each in odd["subscribers"]] == ARGS["notify"]
    assert odd["thresholdExpression"]["dimension"]["values"] == ["90"]


def test_what_is_odd_is_told_only_where_aws_can_tell_it() -> None:
    types = {each.type for each in budget("eusc-de-east-1", partition="aws-eusc").resources}

    assert "aws:budgets/budget:Budget" in types
    assert not any("costexplorer" in type_ for type_ in types)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"partition": "aws-us-gov"}, "aws-us-gov has no AWS Budgets; leave budget out"),
        ({"monthly": 0}, "1 US dollar at least"),
        ({"notify": []}, "one address at least"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told):
        budget(**wrong)
