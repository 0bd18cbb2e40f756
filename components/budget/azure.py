"""Budget on Azure: what the stack's resource group costs in a month, and who is told of half, four fifths and all.

Azure counts in the currency that the subscription is billed in: ``monthly`` is that many of it. Nothing is turned off.
"""

from collections.abc import Sequence
from typing import TypedDict

import pulumi
from pulumi import Input
from pulumi_azure_native import consumption

from components.budget.contract import Budget

_TOLD_AT = {"half": 50, "most": 80, "all": 100}
"""Per cent of the budget that were spent."""


class AzureBudgetArgs(TypedDict):
    """``group``: id of the resource group. ``since``: first day of the month in which the budget is made, as
    2026-11-01; Azure takes no month that is over, and the date stays as it was at first."""

    stack: str
    group: Input[str]
    monthly: int
    notify: Sequence[str]
    since: str


class AzureBudget(Budget):
    def __init__(self, name: str, args: AzureBudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self.id = consumption.Budget(
            f"{name}-monthly",
            budget_name=f"{args['stack']}-monthly",
            scope=args["group"],
            amount=args["monthly"],
            category=consumption.CategoryType.COST,
            time_grain=consumption.TimeGrainType.MONTHLY,
            time_period=consumption.BudgetTimePeriodArgs(start_date=f"{args['since']}T00:00:00Z"),
            notifications={
                **{each: _told(args["notify"], percent, "Actual") for each, percent in _TOLD_AT.items()},
                "foreseen": _told(args["notify"], 100, "Forecasted"),
            },
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["timePeriod"]),
        ).id
        self.register_outputs({"id": self.id})


def _told(whom: Sequence[str], percent: int, kind: str) -> consumption.NotificationArgs:
    return consumption.NotificationArgs(
        contact_emails=[*whom],
        enabled=True,
        operator=consumption.OperatorType.GREATER_THAN_OR_EQUAL_TO,
        threshold=percent,
        threshold_type=kind,
    )
