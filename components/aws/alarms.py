"""An alarm of CloudWatch as every one of ours is: over five minutes, told when it begins and when it ends."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input

WINDOW_SECONDS = 300


@dataclass(frozen=True)
class Watched:
    """``statistic``: ``Sum``, ``Average``, ``Maximum`` or a percentile such as ``p99``. ``threshold``: in the metric's
    own unit; told when the value is ``above`` it, or below it, in ``windows`` in a row. ``what``: whoever is told
    reads this. No data is no alarm."""

    what: str
    namespace: str
    metric: str
    statistic: str
    threshold: float
    dimensions: Mapping[str, Input[str]]
    above: bool = True
    windows: int = 1


def create_alarm(parent: pulumi.Resource, name: str, watched: Watched, topic: Input[str]) -> aws.cloudwatch.MetricAlarm:
    """``topic``: ARN of who is told."""
    percentile = watched.statistic.startswith("p")
    return aws.cloudwatch.MetricAlarm(
        name,
        alarm_description=watched.what,
        namespace=watched.namespace,
        metric_name=watched.metric,
        dimensions=watched.dimensions,
        statistic=None if percentile else watched.statistic,
        extended_statistic=watched.statistic if percentile else None,
        comparison_operator="GreaterThanThreshold" if watched.above else "LessThanThreshold",
        threshold=watched.threshold,
        period=WINDOW_SECONDS,
        evaluation_periods=watched.windows,
        treat_missing_data="notBreaching",
        alarm_actions=[topic],
        ok_actions=[topic],
        opts=pulumi.ResourceOptions(parent=parent),
    )
