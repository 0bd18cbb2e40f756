"""PostgreSQL on AWS: what it claims is in the graph, and what RDS would refuse is not."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.infrastructure import Refused
from components.postgres import access
from components.postgres.aws import DATABASE, AwsPostgres, AwsPostgresArgs
from components.postgres.aws_sizes import SIZES
from tests.fixtures.recording import Graph, aws_calls, conforms, record, reviewed
from tests.fixtures.workloads import unmet

HOMES = (("eu-central-1", "eu-gdpr"), ("eusc-de-east-1", "eu-gdpr"), ("us-east-1", "us-hipaa"))
ARGS: AwsPostgresArgs = {
    "stack": "s",
    "vpc": "vpc-1",
    "primary": ["subnet-p1", "subnet-p2"],
    "replica": ["subnet-r1", "subnet-r2"],
    "runtime_group": "sg-runtime",
    "tools_group": "sg-tools",
    "key": "arn:aws:kms:eu-central-1:123456789012:key/1",
    "size": "small",
    "statement_timeout_ms": 5000,
    "backup_days": 14,
    "log_days": 90,
}
SAFE = {
    "iamDatabaseAuthenticationEnabled": True,
    "publiclyAccessible": False,
    "deletionProtection": True,
    "performanceInsightsEnabled": True,
    "performanceInsightsKmsKeyId": ARGS["key"],
    "monitoringInterval": 30,
    "enabledCloudwatchLogsExports": ["postgresql", "upgrade"],
    "storageType": "gp3",
    "port": 5432,
}
CLAIMS: Mapping[str, Mapping[str, Any]] = {
    "db-primary": {
        **SAFE,
        "engine": "postgres",
        "engineVersion": "18",
        "multiAz": True,
        "storageEncrypted": True,
        "kmsKeyId": ARGS["key"],
        "backupRetentionPeriod": 14,
        "backupTarget": "region",
        "deleteAutomatedBackups": False,
        "skipFinalSnapshot": False,
        "dbSubnetGroupName": "s-primary",
        "vpcSecurityGroupIds": ["db-primary-group-id"],
    },
    "db-replica": {
        **SAFE,
        "storageEncrypted": True,  # unsaid, the provider would replace it at every update
        "skipFinalSnapshot": True,
        "backupRetentionPeriod": 0,
        "dbSubnetGroupName": "s-replica",
        "vpcSecurityGroupIds": ["db-replica-group-id"],
    },
    "db-primary-subnets": {"subnetIds": ARGS["primary"]},
    "db-replica-subnets": {"subnetIds": ARGS["replica"]},
    **{
        f"db-{role}-{kind}-log": {
            "name": f"/aws/rds/instance/s-{role}/{kind}",
            "retentionInDays": 90,
            "kmsKeyId": ARGS["key"],
        }
        for role in ("primary", "replica")
        for kind in ("postgresql", "upgrade")
    },
}
DATABASE_CELL = {key: value if key != "performanceInsightsKmsKeyId" else ... for key, value in SAFE.items()}
CELL_POSTGRES: list[tuple[str, str, dict[str, Any]]] = [
    (
        "aws:rds/instance:Instance",
        "-primary",
        {
            **DATABASE_CELL,
            "engine": "postgres",
            "multiAz": True,
            "storageEncrypted": True,
            "kmsKeyId": ...,
            "backupRetentionPeriod": ...,
            "backupTarget": "region",
            "deleteAutomatedBackups": False,
            "skipFinalSnapshot": False,
            "dbSubnetGroupName": ...,
            "vpcSecurityGroupIds": ...,
            "parameterGroupName": ...,
        },
    ),
    (
        "aws:rds/instance:Instance",
        "-replica",
        {
            **DATABASE_CELL,
            "replicateSourceDb": ...,
            "storageEncrypted": True,
            "skipFinalSnapshot": True,
            "dbSubnetGroupName": ...,
            "vpcSecurityGroupIds": ...,
            "parameterGroupName": ...,
        },
    ),
    ("aws:rds/subnetGroup:SubnetGroup", "-primary-subnets", {"subnetIds": ...}),
    ("aws:rds/subnetGroup:SubnetGroup", "-replica-subnets", {"subnetIds": ...}),
    *(
        (
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            f"-{role}-from",
            {"referencedSecurityGroupId": ..., "fromPort": 5432, "toPort": 5432, "ipProtocol": "tcp"},
        )
        for role in ("primary", "replica")
    ),
    *(
        ("aws:cloudwatch/logGroup:LogGroup", f"-{role}-{kind}-log", {"retentionInDays": ..., "kmsKeyId": ...})
        for role in ("primary", "replica")
        for kind in ("postgresql", "upgrade")
    ),
]
OF_THE_SOURCE = {"engine", "engineVersion", "username", "passwordWo", "dbName", "allocatedStorage", "kmsKeyId"}
"""What RDS takes from a replica's source, and refuses to be told again."""


def postgres(region: str = "eu-central-1", preview: bool = False, **more: Any) -> Graph:
    def program() -> None:
        provider = aws.Provider("aws", region=region)
        args: AwsPostgresArgs = {**ARGS, **more}
        AwsPostgres("db", args, pulumi.ResourceOptions(providers=[provider]))

    drawn = {"aws:secretsmanager/getRandomPassword:getRandomPassword": {"id": "r", "randomPassword": "canary-3f9"}}
    return record(program, calls={**aws_calls(region), **drawn}, answers=filled_in, preview=preview)


def filled_in(type_: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"resourceId": f"db-{name.upper()}"} if type_ == "aws:rds/instance:Instance" else {}


@pytest.mark.parametrize("preview", [False, True])
def test_parents_providers_and_names_are_as_decided(preview: bool) -> None:
    conforms(postgres(preview=preview), "loomstead:postgres:Postgres")


@pytest.mark.parametrize(("name", "claimed"), CLAIMS.items())
def test_each_resource_is_what_it_claims(name: str, claimed: Mapping[str, Any]) -> None:
    found = postgres().named(name).properties

    assert {key: found.get(key) for key in claimed} == claimed


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(postgres(), CELL_POSTGRES) == []


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_no_rule_has_anything_against_it(region: str, regime: str) -> None:
    assert reviewed(postgres(region), regime, region) == []


def test_the_data_is_protected_and_outlives_its_stack() -> None:
    instances = postgres().of("aws:rds/instance:Instance")

    assert [(found.protect, found.retain_on_delete) for found in instances] == [(True, True)] * 2


def test_a_replica_names_its_source_by_arn_and_nothing_that_is_its_sources() -> None:
    graph = postgres()
    replica = graph.named("db-replica").properties

    # By its identifier, RDS would put it into the source's own subnets, and refuse others.
    assert replica["replicateSourceDb"] == graph.named("db-primary").state["arn"]
    assert replica["replicateSourceDb"].startswith("arn:aws:rds:eu-central-1:")
    assert OF_THE_SOURCE.isdisjoint(replica)


def test_only_the_runtime_reaches_the_primary_and_only_tool_executors_the_replica() -> None:
    graph = postgres()
    rules = [
        *graph.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"),
        *graph.of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"),
    ]
    paths = {
        (each.properties["securityGroupId"], each.properties["referencedSecurityGroupId"], each.properties["toPort"])
        for each in rules
    }

    assert paths == {
        ("db-primary-group-id", "sg-runtime", 5432),
        ("sg-runtime", "db-primary-group-id", 5432),
        ("db-replica-group-id", "sg-tools", 5432),
        ("sg-tools", "db-replica-group-id", 5432),
    }
    assert all(each.properties["fromPort"] == 5432 and each.properties["ipProtocol"] == "tcp" for each in rules)
    for group in graph.of("aws:ec2/securityGroup:SecurityGroup"):
        assert {"ingress", "egress"}.isdisjoint(group.properties)


def test_every_session_is_encrypted_and_an_agents_reads_are_bounded() -> None:
    graph = postgres(statement_timeout_ms=7000)
    groups = {role: graph.named(f"db-{role}-parameters").properties for role in ("primary", "replica")}
    set_to = {role: {each["name"]: each["value"] for each in group["parameters"]} for role, group in groups.items()}

    assert {group["family"] for group in groups.values()} == {"postgres18"}
    silent = {"log_min_error_statement": "panic", "log_error_verbosity": "terse"}
    assert set_to["primary"] == {"rds.force_ssl": "1", **silent}
    assert set_to["replica"] == {
        "rds.force_ssl": "1",
        **silent,
        "statement_timeout": "7000",
        "idle_in_transaction_session_timeout": "7000",
        "default_transaction_read_only": "1",
        "hot_standby_feedback": "1",
        "max_standby_streaming_delay": "7000",
    }


def test_the_masters_password_is_secret_drawn_once_and_not_managed_by_rds() -> None:
    primary = postgres().named("db-primary")

    assert "passwordWo" in primary.secrets
    assert "passwordWo" in primary.ignore_changes
    assert {"password", "manageMasterUserPassword"}.isdisjoint(primary.properties)


def test_a_final_snapshot_is_not_called_as_an_earlier_one_and_its_name_changes_nothing() -> None:
    primary = postgres().named("db-primary")

    assert re.fullmatch(r"s-final-\d{14}", primary.properties["finalSnapshotIdentifier"])
    assert "finalSnapshotIdentifier" in primary.ignore_changes


def test_no_password_is_an_output() -> None:
    graph = postgres()

    assert "canary-3f9" not in json.dumps([*graph.outputs.values()])


def test_logs_are_there_before_what_writes_them() -> None:
    graph = postgres()

    for role in ("primary", "replica"):
        logs = {graph.named(f"db-{role}-{kind}-log").urn for kind in ("postgresql", "upgrade")}
        assert logs <= graph.named(f"db-{role}").dependencies


@pytest.mark.parametrize(("region", "partition"), [("eu-central-1", "aws"), ("eusc-de-east-1", "aws-eusc")])
def test_monitoring_is_trusted_in_the_regions_partition(region: str, partition: str) -> None:
    graph = postgres(region)
    suffix = "amazonaws.eu" if partition == "aws-eusc" else "amazonaws.com"
    (statement,) = json.loads(graph.named("db-monitoring").properties["assumeRolePolicy"])["Statement"]

    assert statement["Principal"] == {"Service": f"monitoring.rds.{suffix}"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    assert graph.named("db-monitoring-policy").properties["policyArn"].startswith(f"arn:{partition}:iam::aws:policy/")


@pytest.mark.parametrize("size", sorted(SIZES))
def test_a_size_says_the_classes_of_both(size: str) -> None:
    graph = postgres(size=size)
    said = (
        graph.named("db-primary").properties["instanceClass"],
        graph.named("db-replica").properties["instanceClass"],
    )

    assert said == (SIZES[size].primary, SIZES[size].replica)


def test_each_part_of_a_size_can_be_said_instead() -> None:
    own: dict[str, Any] = {"primary_class": "db.r7g.large", "replica_class": "db.m7g.xlarge", "version": "17.6"}
    graph = postgres(**own, storage_gib=300, most_storage_gib=600)
    primary, replica = graph.named("db-primary").properties, graph.named("db-replica").properties

    assert (primary["instanceClass"], replica["instanceClass"]) == ("db.r7g.large", "db.m7g.xlarge")
    assert (primary["allocatedStorage"], primary["maxAllocatedStorage"]) == (300, 600)
    assert (primary["engineVersion"], graph.named("db-primary-parameters").properties["family"]) == (
        "17.6",
        "postgres17",
    )


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"size": "huge"}, "no size 'huge'; sizes are small, medium, large"),
        ({"backup_days": 0}, "without backups RDS makes no replica"),
        ({"backup_days": 36}, "none of 1 to 35"),
        ({"statement_timeout_ms": 0}, "expected 1 at least"),
        ({"storage_gib": 200}, "postgres.storage_gib: 200 is not below the 200"),
        ({"most_storage_gib": 40}, "postgres.storage_gib: 50 is not below the 40"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told):
        postgres(**wrong)


def test_outputs_are_the_contracts() -> None:
    graph = postgres()
    told = graph.outputs[graph.component("loomstead:postgres:Postgres").urn]

    assert told == {
        "primary_host": "db-primary-address",
        "primary_port": 5432,
        "primary_resource": "db-DB-PRIMARY",
        "primary_arn": graph.named("db-primary").state["arn"],
        "primary_group": "db-primary-group-id",
        "replica_host": "db-replica-address",
        "replica_port": 5432,
        "replica_resource": "db-DB-REPLICA",
        "database": DATABASE,
    }
    assert access.RUNTIME == DATABASE
