"""PostgreSQL on Azure: what makes the replica the agents' boundary, and what Azure would refuse, asked of the graph."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pulumi
import pytest
from pulumi_azure_native import operationalinsights

from components.postgres.azure import AzurePostgres, AzurePostgresArgs
from components.postgres.azure_sizes import AzurePostgresError, asked
from components.providers import azure_provider
from regions.catalogue import load_catalogue
from tests.fixtures.recording import Graph, conforms, record, reviewed
from tests.fixtures.workloads import unmet

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
TENANT = "11111111-1111-1111-1111-111111111111"
SERVER = "azure-native:dbforpostgresql:Server"
SETTING = "azure-native:dbforpostgresql:Configuration"
ADMINISTRATOR = "azure-native:dbforpostgresql:AdministratorsMicrosoftEntra"
LOGS = "azure-native:monitor:DiagnosticSetting"
LOCK = "azure-native:authorization:ManagementLockByScope"
ENTRA_ALONE = {"activeDirectoryAuth": "Enabled", "passwordAuth": "Disabled", "tenantId": TENANT}
KEYED = {
    "type": "AzureKeyVault",
    "primaryKeyURI": "https://keys/encryption",
    "primaryUserAssignedIdentityId": "encryptor-id",
}
IDENTIFIED = {"type": "UserAssigned", "userAssignedIdentities": {"encryptor-id": {}}}
SMALL = {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}
MAKES_IT = [
    *((f"{role}-lock", LOCK, "level", "CanNotDelete") for role in ("primary", "replica")),
    *((f"{role}-lock", LOCK, "scope", f"pg-{role}-id") for role in ("primary", "replica")),
    ("primary", SERVER, "createMode", "Create"),
    ("primary", SERVER, "location", "swedencentral"),
    ("primary", SERVER, "version", "18"),
    ("primary", SERVER, "sku", SMALL),
    ("primary", SERVER, "storage", {"storageSizeGB": 64, "autoGrow": "Enabled"}),
    ("primary", SERVER, "highAvailability.mode", "ZoneRedundant"),
    ("primary", SERVER, "backup.geoRedundantBackup", "Disabled"),
    ("primary", SERVER, "backup.backupRetentionDays", 14),
    ("primary", SERVER, "authConfig", ENTRA_ALONE),
    ("primary", SERVER, "dataEncryption", KEYED),
    ("primary", SERVER, "identity", IDENTIFIED),
    ("primary", SERVER, "network.publicNetworkAccess", "Disabled"),
    ("primary", SERVER, "network.delegatedSubnetResourceId", "primary-subnet"),
    ("primary", SERVER, "network.privateDnsZoneArmResourceId", "zone-id"),
    ("replica", SERVER, "createMode", "Replica"),
    ("replica", SERVER, "sourceServerResourceId", "pg-primary-id"),
    ("replica", SERVER, "location", "swedencentral"),
    ("replica", SERVER, "sku", SMALL),
    ("replica", SERVER, "storage", {"storageSizeGB": 64, "autoGrow": "Enabled"}),
    ("replica", SERVER, "authConfig", ENTRA_ALONE),
    ("replica", SERVER, "dataEncryption", KEYED),
    ("replica", SERVER, "identity", IDENTIFIED),
    ("replica", SERVER, "network.publicNetworkAccess", "Disabled"),
    ("replica", SERVER, "network.delegatedSubnetResourceId", "replica-subnet"),
    ("replica", SERVER, "network.privateDnsZoneArmResourceId", "zone-id"),
    ("administrator", ADMINISTRATOR, "objectId", "group-id"),
    ("administrator", ADMINISTRATOR, "principalType", "group"),
    ("administrator", ADMINISTRATOR, "serverName", "pg-primary-name"),
    ("database", "azure-native:dbforpostgresql:Database", "databaseName", "loomstead"),
    ("primary-logs", LOGS, "resourceUri", "pg-primary-id"),
    ("primary-logs", LOGS, "workspaceId", "logs-id"),
    ("replica-logs", LOGS, "resourceUri", "pg-replica-id"),
    ("replica-logs", LOGS, "workspaceId", "logs-id"),
]
CELL_POSTGRES: list[tuple[str, str, dict[str, Any]]] = [
    *(
        (
            SERVER,
            f"postgres-{role}",
            {
                "createMode": mode,
                "authConfig.activeDirectoryAuth": "Enabled",
                "authConfig.passwordAuth": "Disabled",
                "dataEncryption.type": "AzureKeyVault",
                "dataEncryption.primaryKeyURI": ...,
                "network.publicNetworkAccess": "Disabled",
                "network.delegatedSubnetResourceId": ...,
                "network.privateDnsZoneArmResourceId": ...,
            },
        )
        for role, mode in (("primary", "Create"), ("replica", "Replica"))
    ),
    (
        SERVER,
        "postgres-primary",
        {
            "highAvailability.mode": "ZoneRedundant",
            "backup.geoRedundantBackup": "Disabled",
            "backup.backupRetentionDays": ...,
        },
    ),
    (SERVER, "postgres-replica", {"sourceServerResourceId": ...}),
    (ADMINISTRATOR, "postgres-administrator", {"principalType": "group"}),
    (SETTING, "postgres-primary-require-secure-transport", {"value": "on"}),
    (SETTING, "postgres-primary-azure-extensions", {"value": "VECTOR"}),
    (SETTING, "postgres-replica-statement-timeout", {"value": ...}),
    *((LOGS, f"postgres-{role}-logs", {"workspaceId": ..., "logs.0.enabled": True}) for role in ("primary", "replica")),
    *((LOCK, f"postgres-{role}-lock", {"level": "CanNotDelete"}) for role in ("primary", "replica")),
]
SETTINGS = {
    "primary": {
        "azure.extensions": "VECTOR",
        "require_secure_transport": "on",
        "ssl_min_protocol_version": "TLSv1.3",
        "log_connections": "on",
        "log_disconnections": "on",
    },
    "replica": {
        "require_secure_transport": "on",
        "ssl_min_protocol_version": "TLSv1.3",
        "statement_timeout": "5000",
        "idle_in_transaction_session_timeout": "5000",
    },
}
BURSTABLE = "Standard_B2ms is Burstable, which has neither replica nor standby.*: take Standard_D2ds_v5 or larger"


def answers(type_: str, name: str, _inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"fullyQualifiedDomainName": f"{name}.example"} if type_ == SERVER else {}


def built(region: str = "swedencentral", *, workspace: bool = False, preview: bool = False, **other: Any) -> Graph:
    args: AzurePostgresArgs = {
        "name": "loomstead-test",
        "tenant": TENANT,
        "region": region,
        "group": "stack",
        "primary": "primary-subnet",
        "replica": "replica-subnet",
        "zone": "zone-id",
        "encryption": "https://keys/encryption",
        "encryptor": "encryptor-id",
        "administrator": "group-id",
        "administrator_name": "database-administrators",
        "logs": "logs-id",
        "zones": 3,
        "size": "small",
        "statement_timeout_ms": 5000,
        "backup_days": 14,
        **other,
    }

    def program() -> None:
        partition = load_catalogue().regions[region].partition
        provider = azure_provider("azure", region, partition, SUBSCRIPTION, {SUBSCRIPTION})
        if workspace:
            options = pulumi.ResourceOptions(provider=provider)
            operationalinsights.Workspace("logs", resource_group_name="stack", location=region, opts=options)
        AzurePostgres("pg", args, pulumi.ResourceOptions(providers=[provider]))

    return record(program, answers=answers, preview=preview)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return built()


def at(properties: Any, path: str) -> Any:
    for part in path.split("."):
        properties = properties[part]
    return properties


@pytest.mark.parametrize(("name", "type_", "path", "value"), MAKES_IT)
def test_what_makes_the_replica_a_boundary_is_there(graph: Graph, name: str, type_: str, path: str, value: Any) -> None:
    found = graph.named(f"pg-{name}")

    assert found.type == type_
    assert at(found.properties, path) == value


@pytest.mark.parametrize("role", sorted(SETTINGS))
def test_settings_of_a_server(graph: Graph, role: str) -> None:
    settings = [each for each in graph.of(SETTING) if each.properties["serverName"] == f"pg-{role}-name"]

    assert {each.properties["configurationName"]: each.properties["value"] for each in settings} == SETTINGS[role]
    assert {each.properties["source"] for each in settings} == {"user-override"}


def test_it_is_what_its_cell_claims(graph: Graph) -> None:
    cell = [(token, suffix.replace("postgres-", "pg-"), said) for token, suffix, said in CELL_POSTGRES]

    assert unmet(graph, cell) == []


@pytest.mark.parametrize("preview", [False, True])
def test_it_keeps_what_every_component_keeps(preview: bool) -> None:
    conforms(built(preview=preview), "loomstead:postgres:Postgres")


def test_what_holds_data_is_kept_when_the_stack_goes(graph: Graph) -> None:
    holding = [*graph.of(SERVER), *graph.of("azure-native:dbforpostgresql:Database")]
    holding += [*graph.of(LOCK), *graph.of(ADMINISTRATOR), *graph.of(LOGS)]

    assert len(holding) == 3 + 2 + 1 + 2
    assert all(each.protect and each.retain_on_delete for each in holding)


def test_a_replica_has_neither_backup_nor_standby_of_its_own(graph: Graph) -> None:
    replica = graph.named("pg-replica").properties

    assert {"backup", "highAvailability", "version", "replicationRole"} & replica.keys() == set()


def test_each_change_waits_for_the_one_before_and_the_replica_for_them_all(graph: Graph) -> None:
    order = [
        "pg-primary",
        "pg-administrator",
        "pg-database",
        "pg-primary-azure-extensions",
        "pg-primary-require-secure-transport",
        "pg-primary-ssl-min-protocol-version",
        "pg-primary-log-connections",
        "pg-primary-log-disconnections",
        "pg-replica",
        "pg-replica-require-secure-transport",
        "pg-replica-ssl-min-protocol-version",
        "pg-replica-statement-timeout",
        "pg-replica-idle-in-transaction-session-timeout",
    ]

    for before, after in pairwise(order):
        assert graph.named(before).urn in graph.named(after).dependencies, f"{after} does not wait for {before}"


def test_there_is_no_password_and_no_firewall_rule(graph: Graph) -> None:
    for server in graph.of(SERVER):
        assert {"administratorLogin", "administratorLoginPassword"} & server.properties.keys() == set()
    assert graph.of("azure-native:dbforpostgresql:FirewallRule") == []
    assert [each.name for each in graph.resources if each.secrets] == []


def test_outputs_lead_to_two_servers(graph: Graph) -> None:
    assert graph.outputs[graph.component("loomstead:postgres:Postgres").urn] == {
        "primary_host": "pg-primary.example",
        "primary_port": 5432,
        "replica_host": "pg-replica.example",
        "replica_port": 5432,
        "database": "loomstead",
        "primary_id": "pg-primary-id",
        "replica_id": "pg-replica-id",
    }


@pytest.mark.parametrize(
    ("regime", "region"), [("eu-gdpr", "swedencentral"), ("ch-fadp", "switzerlandnorth"), ("us-itar", "usgovvirginia")]
)
def test_the_rules_have_nothing_against_it(regime: str, region: str) -> None:
    assert reviewed(built(region, workspace=True), regime, region) == []


def test_in_a_region_without_zones_the_standby_is_in_the_same() -> None:
    assert at(built(zones=1).named("pg-primary").properties, "highAvailability.mode") == "SameZone"


@pytest.mark.parametrize(
    ("other", "primary", "replica", "storage"),
    [
        ({"size": "medium"}, ("Standard_D4ds_v5", "GeneralPurpose"), ("Standard_D4ds_v5", "GeneralPurpose"), 256),
        ({"size": "large"}, ("Standard_E8ds_v5", "MemoryOptimized"), ("Standard_E8ds_v5", "MemoryOptimized"), 1024),
        (
            {"sku": "Standard_D8ds_v4", "storage_gib": 512},
            ("Standard_D8ds_v4", "GeneralPurpose"),
            ("Standard_D8ds_v4", "GeneralPurpose"),
            512,
        ),
        (
            {"replica_sku": "Standard_E4ds_v5"},
            ("Standard_D2ds_v5", "GeneralPurpose"),
            ("Standard_E4ds_v5", "MemoryOptimized"),
            64,
        ),
    ],
)
def test_a_size_says_it_all_and_each_part_can_be_said(
    other: dict[str, Any], primary: tuple[str, str], replica: tuple[str, str], storage: int
) -> None:
    graph = built(**other)

    for role, (name, tier) in (("primary", primary), ("replica", replica)):
        found = graph.named(f"pg-{role}").properties
        assert found["sku"] == {"name": name, "tier": tier}
        assert found["storage"]["storageSizeGB"] == storage


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"sku": "Standard_B2ms"}, f"^postgres.machine: {BURSTABLE}"),
        ({"replica_sku": "Standard_B2ms"}, f"^postgres.replica_machine: {BURSTABLE}"),
        (
            {"sku": "db.m7g.large"},
            "postgres.machine: 'db.m7g.large' is no compute of a flexible server: take one such as",
        ),
        ({"size": "large", "replica_sku": "Standard_D4ds_v5"}, "is smaller than the primary's Standard_E8ds_v5"),
        ({"size": "huge"}, "size: 'huge' is none of small, medium, large"),
        ({"storage_gib": 100}, "postgres.storage_gib: 100 is no size of a disk: take one of 32, 64"),
        ({"backup_days": 6}, "postgres.backup_days: Azure keeps backups for 7 to 35 days, got 6"),
        ({"backup_days": 36}, "7 to 35 days, got 36"),
        ({"zones": 0}, "network.zones: 0: say how many"),
        ({"name": "Orders"}, "name: 'Orders': take 2 to 55 lower-case letters"),
        ({"name": "a" * 56}, "take 2 to 55"),
        ({"name": "orders-"}, "none at an end"),
        ({"name": "or--ders"}, "single hyphens"),
    ],
)
def test_what_azure_would_refuse_is_refused_before_anything_is_made(other: dict[str, Any], reason: str) -> None:
    with pytest.raises(AzurePostgresError, match=reason):
        built(**other)


def test_all_that_is_wrong_is_told_together() -> None:
    with pytest.raises(AzurePostgresError) as caught:
        asked("x", "small", "Standard_B1ms", None, 33, 1, 3)
    keys = [line.partition(":")[0] for line in str(caught.value).splitlines()]
    assert keys == ["name", "postgres.machine", "postgres.storage_gib", "postgres.backup_days"]
