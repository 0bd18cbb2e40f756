"""Backups on AWS: each day, under the stack's key, and nobody deletes one before its time."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.backup.aws import AwsBackup, AwsBackupArgs
from components.infrastructure import Refused
from tests.fixtures.recording import Graph, aws_calls, conforms, record, reviewed
from tests.fixtures.workloads import unmet

HOMES = (("eu-central-1", "eu-gdpr"), ("eusc-de-east-1", "eu-gdpr"), ("us-east-1", "us-hipaa"))
PRIMARY = "arn:aws:rds:eu-central-1:123456789012:db:s-primary"
ARGS: AwsBackupArgs = {
    "stack": "s",
    "region": "eu-central-1",
    "kept": [PRIMARY, "arn:aws:s3:::weights"],
    "days": 35,
    "key": "arn:aws:kms:eu-central-1:123456789012:key/1",
    "topic": "arn:aws:sns:eu-central-1:123456789012:alarms",
}
CELL_BACKUP: list[tuple[str, str, dict[str, Any]]] = [
    ("aws:backup/vault:Vault", "-vault", {"kmsKeyArn": ...}),
    (
        "aws:backup/vaultLockConfiguration:VaultLockConfiguration",
        "-vault-lock",
        {"backupVaultName": ..., "minRetentionDays": 35},
    ),
    (
        "aws:backup/plan:Plan",
        "-plan",
        {
            "rules.0.schedule": "cron(0 3 ? * * *)",
            "rules.0.targetVaultName": ...,
            "rules.0.lifecycle.deleteAfter": 35,
            "rules.0.enableContinuousBackup": False,
        },
    ),
    ("aws:backup/selection:Selection", "-selection", {"resources": ..., "iamRoleArn": ..., "planId": ...}),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", "backup-failed", {"alarmActions": ...}),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", "-expired", {"metricName": "NumberOfBackupJobsExpired"}),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", "-aborted", {"metricName": "NumberOfBackupJobsAborted"}),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", "-copy-failed", {"metricName": "NumberOfCopyJobsFailed"}),
]


def backup(region: str = "eu-central-1", preview: bool = False, **more: Any) -> Graph:
    def program() -> None:
        args: AwsBackupArgs = {**ARGS, "region": region, **more}
        AwsBackup("backup", args, pulumi.ResourceOptions(providers=[aws.Provider("aws", region=region)]))

    return record(program, calls=aws_calls(region), preview=preview)


@pytest.mark.parametrize("preview", [False, True])
def test_parents_providers_and_names_are_as_decided(preview: bool) -> None:
    conforms(backup(preview=preview, copy="eu-west-1"), "loomstead:backup:Backup")


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(backup(), CELL_BACKUP) == []


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_no_rule_has_anything_against_it(region: str, regime: str) -> None:
    assert reviewed(backup(region), regime, region) == []


def test_nothing_is_copied_to_another_region_unless_it_is_named() -> None:
    here, copied = backup(), backup(copy="eu-west-1")

    assert not any("region" in each.properties for each in here.resources if each.name != "aws")
    assert [each.name for each in copied.resources if each.properties.get("region") == "eu-west-1"] == [
        "backup-copy-key",
        "backup-copy",
        "backup-copy-lock",
    ]
    (rule,) = copied.named("backup-plan").properties["rules"]
    assert rule["copyActions"][0]["destinationVaultArn"] == copied.named("backup-copy").state["arn"]


@pytest.mark.parametrize(("region", "allowed"), [("eu-west-1", True), ("us-east-1", False)])
def test_a_copy_outside_the_boundary_is_a_finding(region: str, allowed: bool) -> None:
    assert (reviewed(backup(copy=region), "eu-gdpr", "eu-central-1") == []) is allowed


def test_points_and_their_keys_outlive_the_stack_and_stay_locked() -> None:
    graph = backup(copy="eu-west-1")

    for name in ("backup-vault", "backup-copy", "backup-copy-key"):
        assert graph.named(name).protect
        assert graph.named(name).retain_on_delete
    assert all(graph.named(f"backup-{role}-lock").retain_on_delete for role in ("vault", "copy"))
    assert "name" not in graph.named("backup-vault").properties  # a retained vault is no obstacle to the next stack


@pytest.mark.parametrize("role", ["backup", "restore"])
def test_only_aws_backup_for_this_account_assumes_the_roles(role: str) -> None:
    (statement,) = json.loads(backup().named(f"backup-{role}").properties["assumeRolePolicy"])["Statement"]

    assert statement["Principal"] == {"Service": "backup.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"kept": []}, "name the primary at least"),
        ({"days": 0}, "expected 1 at least"),
        ({"copy": "eu-central-1"}, "is the stack's own"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told):
        backup(**wrong)
