"""Cloud SQL: private, in its region with its backups, and a replica that is all the tools can sign in to."""

from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.infrastructure import Refused
from components.postgres.gcp import SIZES, GcpPostgres, GcpPostgresArgs, _tier_fault
from components.providers import gcp_provider
from regions.catalogue import load_catalogue
from regions.findings import Finding
from regions.rules import review_plan
from regions.rules.rule import Resource
from tests.fixtures.recording import Graph, Recorded, conforms, record, reviewed
from tests.fixtures.resources import plan
from tests.fixtures.resources import resource as planned

PROJECT = "loomstead-test"
WHOLE_PLAN = {"G27": "organisation policies are the guardrails' part"}
INSTANCE = "gcp:sql/databaseInstance:DatabaseInstance"
USER = "gcp:sql/user:User"
MEMBER = "gcp:projects/iAMMember:IAMMember"
FLAGS = [
    {"name": "cloudsql.iam_authentication", "value": "on"},
    {"name": "log_connections", "value": "on"},
    {"name": "log_disconnections", "value": "on"},
    {"name": "max_connections", "value": "200"},
]
BOTH = [
    ("region", "europe-west3"),
    ("databaseVersion", "POSTGRES_18"),
    ("encryptionKeyName", "projects/p/locations/europe-west3/keyRings/r/cryptoKeys/k"),
    ("deletionProtection", True),
    ("settings.deletionProtectionEnabled", True),
    ("settings.edition", "ENTERPRISE"),
    ("settings.tier", "db-custom-2-8192"),
    ("settings.diskSize", 50),
    ("settings.diskType", "PD_SSD"),
    ("settings.diskAutoresize", True),
    ("settings.diskAutoresizeLimit", 200),
    ("settings.maintenanceWindow", {"day": 7, "hour": 3, "updateTrack": "stable"}),
    ("settings.dataApiAccess", "DISALLOW_DATA_API"),
    ("settings.ipConfiguration.ipv4Enabled", False),
    ("settings.ipConfiguration.privateNetwork", "net-id"),
    ("settings.ipConfiguration.sslMode", "ENCRYPTED_ONLY"),
]
MAKES_IT = [
    *((role, INSTANCE, path, value) for role in ("primary", "replica") for path, value in BOTH),
    ("primary", INSTANCE, "settings.availabilityType", "REGIONAL"),
    ("primary", INSTANCE, "settings.retainBackupsOnDelete", True),
    ("primary", INSTANCE, "settings.ipConfiguration.allocatedIpRange", "primary-range"),
    ("primary", INSTANCE, "settings.databaseFlags", FLAGS),
    (
        "primary",
        INSTANCE,
        "settings.backupConfiguration",
        {
            "enabled": True,
            "location": "europe-west3",
            "startTime": "02:00",
            "pointInTimeRecoveryEnabled": True,
            "transactionLogRetentionDays": 7,
            "backupRetentionSettings": {"retainedBackups": 14, "retentionUnit": "COUNT"},
        },
    ),
    ("replica", INSTANCE, "instanceType", "READ_REPLICA_INSTANCE"),
    ("replica", INSTANCE, "masterInstanceName", "pg-primary-name"),
    ("replica", INSTANCE, "settings.ipConfiguration.allocatedIpRange", "replica-range"),
    (
        "replica",
        INSTANCE,
        "settings.databaseFlags",
        [
            FLAGS[0],
            {"name": "idle_in_transaction_session_timeout", "value": "5000"},
            *FLAGS[1:],
            {"name": "statement_timeout", "value": "5000"},
        ],
    ),
    ("database", "gcp:sql/database:Database", "name", "loomstead"),
    ("database", "gcp:sql/database:Database", "instance", "pg-primary-name"),
    *(
        (role, USER, path, value)
        for role in ("runtime", "tools")
        for path, value in (
            ("name", f"{role}@loomstead-test.iam"),
            ("instance", "pg-primary-name"),
            ("type", "CLOUD_IAM_SERVICE_ACCOUNT"),
            ("deletionPolicy", "ABANDON"),
        )
    ),
    ("database", "gcp:sql/database:Database", "charset", "UTF8"),
    ("replica", INSTANCE, "settings.availabilityType", "ZONAL"),
    *((f"{role}-sign-in", MEMBER, "project", PROJECT) for role in ("runtime", "tools")),
    *((f"{role}-sign-in", MEMBER, "role", "roles/cloudsql.instanceUser") for role in ("runtime", "tools")),
]
CELL_POSTGRES = [(type_, f"-{role}", {path: value}) for role, type_, path, value in MAKES_IT]


def made(
    region: str = "europe-west3",
    account: str = "{0}@loomstead-test.iam.gserviceaccount.com",
    preview: bool = False,
    **changed: Any,
) -> Graph:
    args: GcpPostgresArgs = {
        "project": PROJECT,
        "region": region,
        "network": "net-id",
        "primary": ["primary-range"],
        "replica": ["replica-range"],
        "key": f"projects/p/locations/{region}/keyRings/r/cryptoKeys/k",
        "runtime": account.format("runtime"),
        "tools": account.format("tools"),
        "size": "small",
        "statement_timeout_ms": 5000,
        "backups": 14,
        **changed,
    }

    def program() -> None:
        universe = load_catalogue().regions[region].partition
        provider = gcp_provider("gcp", region, universe, PROJECT, [PROJECT], {})
        GcpPostgres("pg", args, pulumi.ResourceOptions(providers=[provider]))

    return record(program, preview=preview)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return made()


def at(recorded: Recorded, path: str) -> Any:
    value: Any = recorded.properties
    for key in path.split("."):
        value = value[key]
    return value


def flags(graph: Graph, role: str) -> dict[str, str]:
    return {flag["name"]: flag["value"] for flag in at(graph.named(f"pg-{role}"), "settings.databaseFlags")}


@pytest.mark.parametrize(("backups", "days"), [(3, 3), (30, 7)])
def test_logs_are_kept_no_longer_than_the_backups_that_they_follow(backups: int, days: int) -> None:
    kept = at(made(backups=backups).named("pg-primary"), "settings.backupConfiguration")
    assert kept["transactionLogRetentionDays"] == days


def test_every_part_is_a_child_of_the_database_and_on_the_explicit_provider(graph: Graph) -> None:
    conforms(graph, "loomstead:postgres:Postgres")


@pytest.mark.parametrize(("role", "type_", "path", "value"), MAKES_IT, ids=lambda case: str(case)[:40])
def test_what_makes_the_database_is_in_the_graph(graph: Graph, role: str, type_: str, path: str, value: Any) -> None:
    found = graph.named(f"pg-{role}")
    assert found.type == type_
    assert at(found, path) == value


@pytest.mark.parametrize(
    ("regime", "region"),
    [
        ("eu-gdpr", "europe-west3"),
        ("eu-strict", "europe-west9"),
        ("eu-strict", "u-france-east1"),
        ("in-dpdp", "asia-south1"),
    ],
)
def test_the_rules_have_nothing_against_it(regime: str, region: str) -> None:
    findings = reviewed(made(region), regime, region)
    assert [finding for finding in findings if finding.rule not in WHOLE_PLAN] == []


def test_a_preview_plans_the_same(graph: Graph) -> None:
    assert {each.name for each in made(preview=True).resources} == {each.name for each in graph.resources}


def test_without_the_location_of_its_backups_the_same_instance_is_a_finding(graph: Graph) -> None:
    properties = graph.named("pg-primary").properties
    settings = properties["settings"]
    backups = {key: value for key, value in settings["backupConfiguration"].items() if key != "location"}
    unsaid = planned(INSTANCE, "pg-primary", {**properties, "settings": {**settings, "backupConfiguration": backups}})
    found = [finding for finding in review("eu-gdpr", unsaid) if finding.rule == "G05"]
    assert [finding.property for finding in found] == ["settings.backupConfiguration.location"]


def review(regime: str, *resources: Resource) -> list[Finding]:
    return review_plan(plan(regime, "europe-west3", *resources))


def test_the_replica_asks_for_no_backups_of_its_own(graph: Graph) -> None:
    settings = graph.named("pg-replica").properties["settings"]
    assert not {"backupConfiguration", "retainBackupsOnDelete", "finalBackupConfig"} & settings.keys()


@pytest.mark.parametrize("size", SIZES)
def test_the_replica_allows_as_many_sessions_as_its_primary_or_it_would_not_start(size: str) -> None:
    graph = made(size=size, replica_tier="db-custom-2-8192")
    assert int(flags(graph, "replica")["max_connections"]) >= int(flags(graph, "primary")["max_connections"])


def test_only_the_replica_ends_long_statements(graph: Graph) -> None:
    assert "statement_timeout" not in flags(graph, "primary")
    assert flags(graph, "replica")["statement_timeout"] == "5000"


def test_the_tools_may_sign_in_to_the_replica_and_nowhere_else(graph: Graph) -> None:
    rights = {
        (member.properties["member"], member.properties["condition"]["expression"]) for member in graph.of(MEMBER)
    }
    assert rights == {
        (
            "serviceAccount:runtime@loomstead-test.iam.gserviceaccount.com",
            'resource.name.endsWith("/instances/pg-primary-name")',
        ),
        (
            "serviceAccount:tools@loomstead-test.iam.gserviceaccount.com",
            'resource.name.endsWith("/instances/pg-replica-name")',
        ),
    }


def test_nobody_has_a_password(graph: Graph) -> None:
    said = {key for each in graph.resources for key in each.properties}
    assert [key for key in said if "assword" in key] == []


def test_data_outlives_the_stack_and_storage_that_grew_is_not_taken_back(graph: Graph) -> None:
    held = [graph.named(f"pg-{role}") for role in ("primary", "replica", "database")]
    assert [each.name for each in held if not (each.protect and each.retain_on_delete)] == []
    assert [instance.ignore_changes for instance in graph.of(INSTANCE)] == [{"settings.diskSize"}] * 2


def test_a_user_of_another_universe_keeps_its_prefix() -> None:
    graph = made("u-france-east1", account="{0}@loomstead-test.s3ns.iam.gserviceaccount.com")
    assert graph.named("pg-tools").properties["name"] == "tools@loomstead-test.s3ns.iam"


def test_it_says_where_both_are(graph: Graph) -> None:
    assert graph.outputs[graph.component("loomstead:postgres:Postgres").urn] == {
        "primary_host": "pg-primary-privateIpAddress",
        "primary_port": 5432,
        "replica_host": "pg-replica-privateIpAddress",
        "replica_port": 5432,
        "database": "loomstead",
    }


def test_what_is_said_otherwise_than_the_size_counts() -> None:
    graph = made(
        size="large",
        version=17,
        primary_tier="db-custom-8-32768",
        replica_tier="db-custom-4-16384",
        storage_gib=100,
        most_storage_gib=400,
        connections=300,
    )
    primary, replica = graph.named("pg-primary"), graph.named("pg-replica")
    assert (at(primary, "settings.tier"), at(replica, "settings.tier")) == ("db-custom-8-32768", "db-custom-4-16384")
    assert (at(primary, "settings.diskSize"), at(replica, "settings.diskAutoresizeLimit")) == (100, 400)
    assert {at(each, "databaseVersion") for each in (primary, replica)} == {"POSTGRES_17"}
    assert {flags(graph, role)["max_connections"] for role in ("primary", "replica")} == {"300"}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"size": "huge"}, "size: 'huge' is none of small, medium, large"),
        ({"primary_tier": "db-f1-micro"}, "tier db-f1-micro is no db-custom"),
        ({"replica_tier": "db-custom-3-8192"}, "vCPUs are 1, or an even number up to 96"),
        ({"replica_tier": "db-custom-2-3584"}, "memory is a multiple of 256 MiB, 3840 at least"),
        ({"storage_gib": 300}, "postgres.storage_gib: 300 is more than the 200 that it may grow to"),
        ({"backups": 0}, "postgres.backup_days: 0 are kept: a replica needs backups of its primary"),
        ({"statement_timeout_ms": 0}, "0 would let a read of an agent take forever"),
        ({"primary_tier": "x", "backups": 0}, "postgres.machine: tier x is no .*\npostgres.backup_days: 0 are kept"),
    ],
    ids=str,
)
def test_what_cloud_sql_would_refuse_later_is_refused_now(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told):
        made(**changed)


@pytest.mark.parametrize("tier", [tier for size in SIZES.values() for tier in (size.primary, size.replica)])
def test_every_size_is_of_tiers_that_cloud_sql_has(tier: str) -> None:
    assert _tier_fault(tier) is None


@given(st.integers(1, 48), st.integers(1, 3000))
def test_a_tier_passes_where_its_memory_fits_its_cores(half: int, steps: int) -> None:
    cores, memory = half * 2, steps * 256
    fits = memory >= 3840 and 0.9 <= memory / 1024 / cores <= 6.5
    assert (_tier_fault(f"db-custom-{cores}-{memory}") is None) == fits
