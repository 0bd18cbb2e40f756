"""The budget on Azure: of the stack's group alone, and somebody is told in time."""

from typing import Any

import pytest

from components.budget.azure import AzureBudget, AzureBudgetArgs
from tests.fixtures.azure import built
from tests.fixtures.recording import Graph, conforms, reviewed
from tests.fixtures.workloads import unmet

CELL_BUDGET: list[tuple[str, str, dict[str, Any]]] = [
    (
        "azure-native:consumption:Budget",
        "-monthly",
        {
            "category": "Cost",
            "timeGrain": "Monthly",
            "amount": ...,
            "scope": ...,
            "notifications.half.threshold": 50,
            "notifications.most.threshold": 80,
            "notifications.all.threshold": 100,
            "notifications.all.thresholdType": "Actual",
            "notifications.all.contactEmails": ...,
            "notifications.foreseen.thresholdType": "Forecasted",
        },
    )
]
ARGS: AzureBudgetArgs = {
    "stack": "s",
    "group": "group-id",
    "monthly": 900,
    "notify": ["platform@corp.example", "cfo@corp.example"],
    "since": "2026-11-01",
}


def budget(*, preview: bool = False) -> Graph:
    return built(lambda opts: AzureBudget("budget", ARGS, opts), "swedencentral", preview=preview)


@pytest.mark.parametrize("preview", [False, True])
def test_it_keeps_what_every_component_keeps(preview: bool) -> None:
    conforms(budget(preview=preview), "loomstead:budget:Budget")


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(budget(), CELL_BUDGET) == []


def test_it_watches_the_stacks_group_and_tells_all_that_are_named() -> None:
    made = budget().named("budget-monthly").properties

    assert (made["scope"], made["amount"]) == ("group-id", 900)
    assert {tuple(told["contactEmails"]) for told in made["notifications"].values()} == {tuple(ARGS["notify"])}
    assert {told["enabled"] for told in made["notifications"].values()} == {True}


def test_the_month_that_it_began_in_stays_for_azure_takes_none_that_is_over() -> None:
    made = budget().named("budget-monthly")

    assert made.properties["timePeriod"] == {"startDate": "2026-11-01T00:00:00Z"}
    assert made.ignore_changes == {"timePeriod"}


def test_the_rules_have_nothing_against_it() -> None:
    assert reviewed(budget(), "eu-gdpr", "swedencentral") == []
