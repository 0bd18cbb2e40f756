"""A log group as every one of ours is: under the stack's key, and it forgets."""

import pulumi
import pulumi_aws as aws
from pulumi import Input

from components.infrastructure import Refused

KEPT_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""What CloudWatch takes, as pulumi_aws documents it."""


def checked_days(days: int) -> int:
    """Days that CloudWatch keeps logs; raises ``Refused`` for others. A component asks before it makes anything."""
    if days not in KEPT_DAYS:
        more = next((each for each in KEPT_DAYS if each > days), KEPT_DAYS[-1])
        raise Refused(f"logs.days: CloudWatch cannot keep logs for {days} days; the next that it can is {more}")
    return days


def create_log_group(
    parent: pulumi.Resource, name: str, called: str, key: Input[str], days: int
) -> aws.cloudwatch.LogGroup:
    """``called``: its name in CloudWatch."""
    return aws.cloudwatch.LogGroup(
        name,
        name=called,
        retention_in_days=checked_days(days),
        kms_key_id=key,
        opts=pulumi.ResourceOptions(parent=parent),
    )
