"""Budget on AWS: what the stack's tag costs in a month, and who is told of half, four fifths, all, and of what is odd.

AWS counts what carries the tag only once its account has it as a cost allocation tag (Billing, Cost allocation tags),
some hours after the first resource. Costs are known a day late, and nothing is turned off.
"""

import json
from collections.abc import Sequence
from typing import TypedDict

import pulumi
import pulumi_aws as aws

from components.budget.contract import Budget
from components.infrastructure import Refused

PARTITIONS = ("aws", "aws-eusc", "aws-cn")
"""Where Budgets and Cost Explorer have an endpoint (botocore 1.44.5, endpoint rules of both). GovCloud is billed in the
commercial account that it belongs to."""
ANOMALIES_IN = ("aws",)
"""Where costs that are out of the ordinary are told; of other partitions no source says so."""
_TOLD_AT = {"half": 50, "most": 80, "all": 100}
"""Per cent of the budget that were spent."""
ODD_PERCENT = 10
"""Of the budget: costs beyond what is expected by so much are odd."""


class AwsBudgetArgs(TypedDict):
    """``tag``: key and value that the provider puts on all that the stack makes. ``monthly``: whole US dollars.
    ``notify``: e-mail addresses, which AWS keeps outside the region. ``partition``: of the stack's region, by the
    catalogue."""

    stack: str
    partition: str
    tag: tuple[str, str]
    monthly: int
    notify: Sequence[str]


class AwsBudget(Budget):
    def __init__(self, name: str, args: AwsBudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args = name, _checked(args)
        self._child = pulumi.ResourceOptions(parent=self)
        self.id = self._create_budget().id
        if args["partition"] in ANOMALIES_IN:
            self._create_anomalies()
        self.register_outputs({"id": self.id})

    def _create_budget(self) -> aws.budgets.Budget:
        args = self._args
        key, value = args["tag"]
        return aws.budgets.Budget(
            f"{self._name}-monthly",
            name=f"{args['stack']}-monthly",
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=str(args["monthly"]),
            limit_unit="USD",
            cost_filters=[{"name": "TagKeyValue", "values": [f"user:{key}${value}"]}],
            notifications=[
                *(_told(percent, "ACTUAL", args["notify"]) for percent in _TOLD_AT.values()),
                _told(100, "FORECASTED", args["notify"]),
            ],
            opts=self._child,
        )

    def _create_anomalies(self) -> None:
        args = self._args
        key, value = args["tag"]
        monitor = aws.costexplorer.AnomalyMonitor(
            f"{self._name}-odd",
            name=f"{args['stack']}-odd",
            monitor_type="CUSTOM",
            monitor_specification=json.dumps({"Tags": {"Key": key, "Values": [value], "MatchOptions": None}}),
            opts=self._child,
        )
        aws.costexplorer.AnomalySubscription(
            f"{self._name}-odd-told",
            name=f"{args['stack']}-odd",
            frequency="DAILY",
            monitor_arn_lists=[monitor.arn],
            subscribers=[{"type": "EMAIL", "address": address} for address in args["notify"]],
            threshold_expression={
                "dimension": {
                    "key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
                    "match_options": ["GREATER_THAN_OR_EQUAL"],
                    "values": [str(max(1, args["monthly"] * ODD_PERCENT // 100))],
                }
            },
            opts=self._child,
        )


def _told(percent: int, kind: str, whom: Sequence[str]) -> aws.budgets.BudgetNotificationArgsDict:
    return {
        "comparison_operator": "GREATER_THAN",
        "notification_type": kind,
        "threshold": percent,
        "threshold_type": "PERCENTAGE",
        "subscriber_email_addresses": [*whom],
    }


def check_partition(partition: str) -> None:
    """Raises ``Refused`` where AWS has no budgets."""
    if partition not in PARTITIONS:
        raise Refused(
            f"budget: partition {partition} has no AWS Budgets; leave budget out and watch the costs in the "
            f"account that pays, or take a region of {', '.join(PARTITIONS)}"
        )


def _checked(args: AwsBudgetArgs) -> AwsBudgetArgs:
    check_partition(args["partition"])
    if args["monthly"] < 1 or not args["notify"]:
        raise Refused("budget: expected a monthly sum of 1 US dollar at least, and one address at least to notify")
    return args
