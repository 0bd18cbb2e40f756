"""What a regional web ACL stops before the gateway sees it: too many requests of one caller, and known attacks.

A body here is a prompt, in which code, markup and file names are no attack, and it is longer than what AWS reads of one
(8 KiB at a load balancer): rules about bodies only count. The gateway itself limits and checks bodies.
"""

from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.aws.documents import document
from components.aws.logs import create_log_group

MANAGED: dict[str, tuple[str, ...]] = {
    "AWSManagedRulesCommonRuleSet": (
        "SizeRestrictions_BODY",
        "EC2MetaDataSSRF_BODY",
        "GenericLFI_BODY",
        "GenericRFI_BODY",
        "CrossSiteScripting_BODY",
    ),
    "AWSManagedRulesKnownBadInputsRuleSet": (
        "JavaDeserializationRCE_BODY",
        "Log4JRCE_BODY",
        "ReactJSRCE_BODY",
    ),
}
"""AWS's rule groups, each with its rules about bodies (WAF developer guide, baseline rule groups). They also limit the
path to 1 KiB, the query to 2 KiB and cookies to 10 KiB."""
WINDOW_SECONDS = 300
UNLOGGED = ("authorization", "dpop", "cookie", "x-api-key")
_LOG_PREFIX = "aws-waf-logs-"
"""WAF writes to no other log group."""


class Filter:
    """``acl``: its ARN. ``requests``: how many one address may make in five minutes. All are children of ``parent``."""

    acl: Output[str]

    def __init__(
        self, parent: pulumi.Resource, name: str, stack: str, requests: int, key: Input[str], log_days: int
    ) -> None:
        self._parent, self._name, self._stack = parent, name, stack
        self._child = pulumi.ResourceOptions(parent=parent)
        self._asked = pulumi.InvokeOutputOptions(parent=parent)
        acl = self._create_acl(requests)
        self._create_log(acl, key, log_days)
        self.acl = acl.arn

    def _create_acl(self, requests: int) -> aws.wafv2.WebAcl:
        managed = [_managed(1 + index, group, counted) for index, (group, counted) in enumerate(MANAGED.items())]
        return aws.wafv2.WebAcl(
            f"{self._name}-acl",
            name=self._stack,
            description=f"What callers of {self._stack} may send",
            scope="REGIONAL",
            default_action={"allow": {}},
            rules=[_rate(requests), *managed],
            visibility_config=_seen(self._stack),
            opts=self._child,
        )

    def _create_log(self, acl: aws.wafv2.WebAcl, key: Input[str], days: int) -> None:
        group = create_log_group(self._parent, f"{self._name}-log", f"{_LOG_PREFIX}{self._stack}", key, days)
        account = aws.get_caller_identity_output(opts=self._asked).account_id
        policy = aws.cloudwatch.LogResourcePolicy(
            f"{self._name}-writer",
            policy_name=f"{self._stack}-waf",
            policy_document=document(
                {
                    "Effect": "Allow",
                    "Principal": {
                        "Service": aws.get_service_principal_output(service_name="delivery.logs", opts=self._asked).name
                    },
                    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                    "Resource": Output.format("{0}:*", group.arn),
                    "Condition": {"StringEquals": {"aws:SourceAccount": account}},
                }
            ),
            opts=self._child,
        )
        aws.wafv2.WebAclLoggingConfiguration(
            f"{self._name}-logging",
            resource_arn=acl.arn,
            log_destination_configs=[group.arn],
            redacted_fields=[{"single_header": {"name": header}} for header in UNLOGGED],
            opts=pulumi.ResourceOptions(parent=self._parent, depends_on=[policy]),
        )


def _rate(requests: int) -> aws.wafv2.WebAclRuleArgsDict:
    return {
        "name": "rate",
        "priority": 0,
        "action": {"block": {"custom_response": {"response_code": 429}}},
        "statement": {
            "rate_based_statement": {
                "aggregate_key_type": "IP",
                "limit": requests,
                "evaluation_window_sec": WINDOW_SECONDS,
            }
        },
        "visibility_config": _seen("rate"),
    }


def _managed(priority: int, group: str, counted: tuple[str, ...]) -> aws.wafv2.WebAclRuleArgsDict:
    return {
        "name": group,
        "priority": priority,
        "override_action": {"none": {}},
        "statement": {
            "managed_rule_group_statement": {
                "vendor_name": "AWS",
                "name": group,
                "rule_action_overrides": [{"name": rule, "action_to_use": {"count": {}}} for rule in counted],
            }
        },
        "visibility_config": _seen(group),
    }


def _seen(metric: str) -> Any:
    """Counted, without samples: those would show what callers sent to whoever may read WAF."""
    return {"metric_name": metric, "cloudwatch_metrics_enabled": True, "sampled_requests_enabled": False}
