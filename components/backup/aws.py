"""Backups on AWS: a vault whose points nobody deletes before their time, filled each day, in the region.

The primary's own backups, from which any second of the last days can be restored, stay RDS's. What is here outlives
the primary. docs/runbooks/restore-aws.md says how to come back from either.
"""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.aws.alarms import Watched, create_alarm
from components.aws.documents import document, trusting
from components.aws.key_policy import ADMINISTRATION, USE
from components.backup.contract import Backup
from components.infrastructure import Refused

DAILY = "cron(0 3 ? * * *)"
"""At three in the morning, UTC."""
_ROTATION_DAYS = 365
_RECOVERY_DAYS = 30
_POLICIES: Mapping[str, Mapping[str, str]] = {
    "backup": {
        "databases": "service-role/AWSBackupServiceRolePolicyForBackup",
        "buckets": "AWSBackupServiceRolePolicyForS3Backup",
    },
    "restore": {
        "databases": "service-role/AWSBackupServiceRolePolicyForRestores",
        "buckets": "AWSBackupServiceRolePolicyForS3Restore",
    },
}
"""AWS's own policies (AWS Backup developer guide, managed policies), by role."""


_FAILURES = (
    ("failed", "A backup", "failed", "NumberOfBackupJobsFailed"),
    ("expired", "A backup", "did not start in time", "NumberOfBackupJobsExpired"),
    ("aborted", "A backup", "was not done in time", "NumberOfBackupJobsAborted"),
    ("copy-failed", "A copy of a backup", "failed", "NumberOfCopyJobsFailed"),
)
"""What CloudWatch counts (AWS Backup, Monitoring with CloudWatch)."""


class AwsBackupArgs(TypedDict):
    """``kept``: ARNs of what is backed up: the primary, and buckets that keep versions. ``days``: how long a point is
    kept. ``key``: ARN of what encrypts the vault. ``topic``: ARN, told of what failed. ``boundary``: ARN of the policy
    that bounds the roles.

    ``copy``: another region, inside the Boundary, where each point is copied to, under a key of its own there.
    """

    stack: str
    region: str
    kept: Sequence[Input[str]]
    days: int
    key: Input[str]
    topic: Input[str]
    copy: NotRequired[str]
    boundary: NotRequired[Input[str]]


class AwsBackup(Backup):
    """``store``: name of the vault. ``restorer``: ARN of the role that restores are asked for with."""

    restorer: Output[str]

    def __init__(self, name: str, args: AwsBackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args = name, _checked(args)
        self._child = pulumi.ResourceOptions(parent=self)
        self._data = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        self._asked = pulumi.InvokeOutputOptions(parent=self)
        self._account = aws.get_caller_identity_output(opts=self._asked).account_id
        self._partition = aws.get_partition_output(opts=self._asked)
        vault = self._create_vault("vault", args["key"])
        plan = self._create_plan(vault, self._create_copy(args["copy"]) if "copy" in args else None)
        aws.backup.Selection(
            f"{name}-selection",
            plan_id=plan.id,
            iam_role_arn=self._create_role("backup"),
            resources=args["kept"],
            opts=self._child,
        )
        self._create_alarm(vault)
        self.restorer = self._create_role("restore")
        self.store = vault.name
        self.register_outputs({"store": self.store, "restorer": self.restorer})

    def _create_vault(self, role: str, key: Input[str], region: str | None = None) -> aws.backup.Vault:
        """Locked in governance: whoever may lift the lock is named by the account's policies, and no one else deletes
        a point before its time."""
        vault = aws.backup.Vault(f"{self._name}-{role}", kms_key_arn=key, region=region, opts=self._data)
        aws.backup.VaultLockConfiguration(
            f"{self._name}-{role}-lock",
            backup_vault_name=vault.name,
            min_retention_days=self._args["days"],
            region=region,
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        return vault

    def _create_copy(self, region: str) -> aws.backup.Vault:
        root = Output.format("arn:{0}:iam::{1}:root", self._partition.partition, self._account)
        through = {
            "StringEquals": {
                # RDS copies its snapshots itself, by the role that AWS Backup brings
                "kms:ViaService": [
                    Output.format("{0}.{1}.{2}", service, region, self._partition.dns_suffix)
                    for service in ("backup", "rds")
                ],
                "kms:CallerAccount": self._account,
            }
        }
        allowed = {"Effect": "Allow", "Principal": {"AWS": root}, "Resource": "*"}
        key = aws.kms.Key(
            f"{self._name}-copy-key",
            description=f"Copies of the backups of {self._args['stack']}",
            region=region,
            multi_region=False,
            enable_key_rotation=True,
            rotation_period_in_days=_ROTATION_DAYS,
            deletion_window_in_days=_RECOVERY_DAYS,
            policy=document(
                {"Sid": "Administration", **allowed, "Action": ADMINISTRATION},
                {"Sid": "Backups", **allowed, "Action": [*USE, "kms:CreateGrant"], "Condition": through},
            ),
            opts=self._data,
        )
        return self._create_vault("copy", key.arn, region)

    def _create_plan(self, vault: aws.backup.Vault, copy: aws.backup.Vault | None) -> aws.backup.Plan:
        lifecycle: aws.backup.PlanRuleLifecycleArgsDict = {"delete_after": self._args["days"]}
        rule: aws.backup.PlanRuleArgsDict = {
            "rule_name": "daily",
            "target_vault_name": vault.name,
            "schedule": DAILY,
            "start_window": 60,
            "completion_window": 360,
            "enable_continuous_backup": False,  # it would take the primary's own backups over from RDS
            "lifecycle": lifecycle,
        }
        if copy is not None:
            rule["copy_actions"] = [
                {"destination_vault_arn": copy.arn, "lifecycle": {"delete_after": self._args["days"]}}
            ]
        return aws.backup.Plan(f"{self._name}-plan", rules=[rule], opts=self._child)

    def _create_role(self, kind: str) -> Output[str]:
        service = aws.get_service_principal_output(service_name="backup", opts=self._asked).name
        role = aws.iam.Role(
            f"{self._name}-{kind}",
            assume_role_policy=trusting(service, self._account),
            permissions_boundary=self._args.get("boundary"),
            opts=self._child,
        )
        for what, policy in _POLICIES[kind].items():
            aws.iam.RolePolicyAttachment(
                f"{self._name}-{kind}-{what}",
                role=role.name,
                policy_arn=Output.format("arn:{0}:iam::aws:policy/{1}", self._partition.partition, policy),
                opts=self._child,
            )
        return role.arn

    def _create_alarm(self, vault: aws.backup.Vault) -> None:
        whose = {"BackupVaultName": vault.name}
        for role, what, how, metric in _FAILURES:
            told = f"{what} of {self._args['stack']} {how}"
            watched = Watched(told, "AWS/Backup", metric, "Sum", 0, whose)
            create_alarm(self, f"{self._name}-{role}", watched, self._args["topic"])


def _checked(args: AwsBackupArgs) -> AwsBackupArgs:
    if not args["kept"]:
        raise Refused("backup: nothing is named that would be backed up; name the primary at least")
    if args["days"] < 1:
        raise Refused(f"backup: days {args['days']}: expected 1 at least")
    if args.get("copy") == args["region"]:
        raise Refused(f"backup.region: {args['region']} is the stack's own; leave it out, or name another one")
    return args
