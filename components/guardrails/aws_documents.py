"""What AWS itself refuses, from the Boundary: a service control policy for the account, a boundary for every role.

Both hold where the kit is wrong or is gone round. Plain data; no Pulumi.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from components.infrastructure import Refused
from regions.boundary import Boundary, Flow
from regions.catalogue import Catalogue
from regions.residency import Purpose

SCP_CHARACTERS: Final = 5120
BOUNDARY_CHARACTERS: Final = 6144
"""The most of a service control policy, and of a managed policy (IAM and Organizations, quotas)."""

GLOBAL: Final = (
    *("account:*", "aws-portal:*", "billing:*", "budgets:*", "ce:*", "cur:*", "health:*", "iam:*", "organizations:*"),
    *("pricing:*", "route53:*", "route53domains:*", "sts:*", "support:*", "tax:*", "trustedadvisor:*"),
    *("ec2:DescribeRegions", "s3:GetAccountPublic*", "s3:ListAllMyBuckets", "s3:PutAccountPublic*"),
)
"""What is called in one region for all of them, as the example of AWS Organizations exempts it ("Deny access to AWS
based on the requested AWS Region"); less what carries data elsewhere (CloudFront, Global Accelerator, Chime), and less
what has regions after all (KMS, ACM, WAF, which that example exempts for CloudFront's sake)."""

PURPOSES: Mapping[Purpose, tuple[str, ...]] = {
    Purpose.KEYS: ("cloudhsm:*", "kms:*"),
    Purpose.LOGS: ("cloudtrail:*", "logs:*"),
    Purpose.BACKUP: ("backup:*", "dlm:*", "rds:CopyDBSnapshot"),
    Purpose.PROCESS: ("bedrock:*",),
}
"""What serves one purpose alone, and so may be where that one is allowed; every other service both keeps and works."""

SHUT: Final = (
    *("account:DisableRegion", "account:EnableRegion", "bedrock:DeleteModelInvocationLoggingConfiguration"),
    *("cloudtrail:DeleteTrail", "cloudtrail:StopLogging", "config:DeleteConfigurationRecorder"),
    *("config:StopConfigurationRecorder", "ec2:DeleteFlowLogs", "ec2:DisableEbsEncryptionByDefault"),
    *("iam:DeleteRolePermissionsBoundary", "kms:DisableKey", "kms:DisableKeyRotation", "kms:ScheduleKeyDeletion"),
    *("logs:DeleteLogGroup", "logs:DeleteRetentionPolicy", "logs:DisassociateKmsKey"),
    *(
        f"network-firewall:{action}"
        for action in (
            *("AssociateFirewallPolicy", "DeleteFirewall", "DeleteFirewallPolicy", "DeleteRuleGroup"),
            *("DisassociateAvailabilityZones", "DisassociateSubnets", "UpdateFirewallDeleteProtection"),
            *("UpdateFirewallPolicyChangeProtection", "UpdateSubnetChangeProtection"),
        )
    ),
    "organizations:LeaveOrganization",
    *(
        f"route53resolver:{action}"
        for action in (
            *("BatchDeleteFirewallRule", "BatchUpdateFirewallRule", "DeleteFirewallDomainList", "DeleteFirewallRule"),
            *("DeleteFirewallRuleGroup", "DeleteResolverQueryLogConfig", "DisassociateFirewallRuleGroup"),
            *("DisassociateResolverQueryLogConfig", "UpdateFirewallRule", "UpdateFirewallRuleGroupAssociation"),
        )
    ),
)
"""What takes a guard away, and nothing that a stack's first ``up`` calls: ``route53resolver:UpdateFirewallConfig`` and
``network-firewall:UpdateLoggingConfiguration`` set their guards up too (terraform-provider-aws, ``firewall_config.go``
and ``logging_configuration.go``)."""
COPIES: Final = (
    *("ec2:ModifyImageAttribute", "ec2:ModifySnapshotAttribute", "ecr:PutReplicationConfiguration", "kms:ReplicateKey"),
    *("rds:ModifyDBClusterSnapshotAttribute", "rds:ModifyDBSnapshotAttribute", "s3:PutReplicationConfiguration"),
    "secretsmanager:ReplicateSecretToRegions",
)
"""What hands copies to another region or account and names only the one that it is called in."""

USED: Final = (
    *("aps", "autoscaling", "backup", "bedrock", "cloudwatch", "ec2", "ecr", "eks", "eks-auth", "elasticache"),
    *("elasticloadbalancing", "kafka", "kafka-cluster", "kms", "logs", "rds", "rds-db", "s3", "secretsmanager"),
    *("ses", "sns", "sqs", "states", "sts", "tag", "xray"),
    *("dynamodb", "events", "execute-api", "lambda"),
)
"""Services that roles of the fabric call, at last those that core systems on AWS are reached by; the boundary lets none
call another."""
_OWN = ("kms:*", "s3:PutObject*", "secretsmanager:*", "sqs:*", "states:*")
"""What would lead data into somebody else's account."""


@dataclass(frozen=True)
class Fence:
    """``places``: the partition's regions where all data classes may be, by purpose; ``region``: the stack's."""

    partition: str
    region: str
    places: Mapping[Purpose, tuple[str, ...]]

    @property
    def worked_in(self) -> tuple[str, ...]:
        """Where data may be kept and worked on."""
        return tuple(each for each in self.places[Purpose.REST] if each in self.places[Purpose.PROCESS])


def fence(boundary: Boundary, catalogue: Catalogue, region: str, on: date) -> Fence:
    """The regions of AWS that the Boundary allows on a day."""
    partition = catalogue.regions[region].partition
    known = sorted(
        (name, found.country)
        for name, found in catalogue.regions.items()
        if found.platform == "aws" and found.partition == partition
    )
    places = {
        purpose: tuple(
            name
            for name, country in known
            if all(
                boundary.decide(Flow(name, purpose, (country,), data_class), on).allowed
                for data_class in boundary.data_classes
            )
        )
        for purpose in Purpose
    }
    return Fence(partition, region, places)


def documents(
    boundary: Boundary, catalogue: Catalogue, region: str, on: date, administrators: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """What the organisation's administrators attach to the account: by the name of its kind. ``administrators``: as of
    ``service_control_policy``. Raises ``Refused``."""
    return {"service-control-policy": service_control_policy(fence(boundary, catalogue, region, on), administrators)}


def service_control_policy(within: Fence, administrators: Sequence[str] = ()) -> dict[str, Any]:
    """``administrators``: names of the roles that may take guards away, as who tears a stack down has to; without one
    the policy has to be detached for that. Raises ``Refused`` for what is no name, and for a policy too long."""
    policy = _policy(*_outside(within), *_global_models(within), *_guards(administrators))
    return _fitting(policy, SCP_CHARACTERS, "service control policy")


def permission_boundary(within: Fence, account: str) -> dict[str, Any]:
    """It grants nothing: a role may do what its own policies say, where this says so too. Raises ``Refused``."""
    used = {
        "Sid": "Used",
        "Effect": "Allow",
        "Action": sorted(f"{service}:*" for service in USED),
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": sorted(set().union(*within.places.values()))}},
    }
    foreign = {
        "Sid": "OwnAccountAlone",
        "Effect": "Deny",
        "Action": [*_OWN],
        "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:ResourceAccount": account}},
    }
    shut = _deny("Guards", sorted((*SHUT, *COPIES)))
    policy = _policy(used, *_outside(within), *_global_models(within), foreign, shut)
    return _fitting(policy, BOUNDARY_CHARACTERS, "permission boundary")


def _outside(within: Fence) -> Iterator[dict[str, Any]]:
    """One denial for each set of regions. Where none is allowed, ``none`` stands: no region is called so."""
    by_places: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for purpose, actions in PURPOSES.items():
        by_places[within.places[purpose]] += actions
    exempt = sorted([*GLOBAL, *(action for actions in PURPOSES.values() for action in actions)])
    yield {
        "Sid": "Elsewhere",
        "Effect": "Deny",
        "NotAction": exempt,
        "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": [*within.worked_in] or ["none"]}},
    }
    for index, (places, actions) in enumerate(sorted(by_places.items())):
        where = {"StringNotEquals": {"aws:RequestedRegion": [*places] or ["none"]}}
        yield {**_deny(f"Elsewhere{index}", sorted(actions)), "Condition": where}


def _global_models(within: Fence) -> Iterator[dict[str, Any]]:
    """A profile ``global.*`` runs a model in any region, and such a call names none."""
    profiles = f"arn:{within.partition}:bedrock:*:*:inference-profile/global.*"
    yield _deny("NoGlobalProfile", ["bedrock:InvokeModel*"], profiles)
    anywhere = {"StringEquals": {"aws:RequestedRegion": "unspecified"}}
    yield {**_deny("NoUnnamedRegion", ["bedrock:*"]), "Condition": anywhere}


def _guards(administrators: Sequence[str]) -> Iterator[dict[str, Any]]:
    shut = _deny("Guards", sorted(SHUT))
    for name in administrators:
        if not re.fullmatch(r"[\w+=,.@/-]+", name, re.ASCII):
            raise Refused(f"guardrails: {name!r} is no role's name: give the one after role/ in its ARN")
    if administrators:
        roles = [f"arn:*:iam::*:role/{name}" for name in sorted(administrators)]
        shut["Condition"] = {"ArnNotLike": {"aws:PrincipalArn": roles}}
    yield shut
    yield _deny("Copies", sorted(COPIES))


def _deny(sid: str, actions: list[str], resource: str = "*") -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Deny", "Action": actions, "Resource": resource}


def _policy(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [*statements]}


def text(policy: Mapping[str, Any]) -> str:
    """As AWS counts it: without blanks."""
    return json.dumps(policy, separators=(",", ":"))


def _fitting(policy: dict[str, Any], most: int, kind: str) -> dict[str, Any]:
    if len(text(policy)) > most:
        raise Refused(
            f"guardrails: the {kind} has {len(text(policy))} characters, and AWS takes {most}: "
            "name fewer regions by residency.allow or residency.deny"
        )
    return policy
