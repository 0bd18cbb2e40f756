"""Azure databases and storage: replicas, and backups and copies in the paired region."""

from collections.abc import Iterator
from typing import Any

from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.azure.places import copies_within, named, paired_within, place, refers_within
from regions.rules.clauses import one_of, outside, region_name, says, within
from regions.rules.rule import UNSET, Breach, Clause, Plan, Resource, ResourceRule

_POSTGRES = "azure-native:dbforpostgresql:Server"
_STORAGE = "azure-native:storage:StorageAccount"


def _copied_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    """A copy beside its source, or in a region that may hold its backups."""
    if value is UNSET:
        return
    source = named(plan, str(value), _POSTGRES)
    origin = None if source is None else place(source, plan)
    where = place(resource, plan)
    if origin is None or where is None:
        yield f"{value} is not one server of this plan, so whether the copy changes region is not known"
    elif region_name(origin) != region_name(where) and (breach := outside(plan, resource, Purpose.BACKUP, where)):
        yield breach


def _replicates_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    if value == "GeoAsyncReplica":
        yield from _found(outside(plan, resource, Purpose.BACKUP, place(resource, plan) or ""))


def _keyed_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    if value is not UNSET:
        yield from paired_within(plan, resource, Purpose.KEYS)


def _found(breach: Breach | None) -> Iterator[Breach]:
    if breach is not None:
        yield breach


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="Z08",
        title="PostgreSQL backups in the paired region",
        severity=Severity.DENY,
        types=(_POSTGRES,),
        trap="geoRedundantBackup keeps a copy in the paired region, which may be another country",
        remedy="set backup.geoRedundantBackup to Disabled",
        source="MicrosoftDocs/azure-docs, regions-paired.md; pulumi-azure-native 3.29.0",
        clauses=(
            Clause(
                "backup.geoRedundantBackup",
                copies_within(Purpose.BACKUP, geo=("Enabled",), local=("Disabled",), unset="Disabled"),
                unless=says("createMode", "Replica"),
            ),
        ),
    ),
    ResourceRule(
        id="Z09",
        title="PostgreSQL copy in another region",
        severity=Severity.DENY,
        types=(_POSTGRES,),
        trap="a replica, a restore or the key of a geo backup takes the data or its key out of the source's region",
        remedy="put the copy in its source's region, and leave geoBackupKeyURI out",
        source="MicrosoftDocs/azure-databases-docs, concepts-read-replicas.md",
        clauses=(
            Clause("sourceServerResourceId", _copied_within),
            Clause("replicationRole", _replicates_within),
            Clause("dataEncryption.geoBackupKeyURI", _keyed_within, unless=says("createMode", "Replica")),
        ),
    ),
    ResourceRule(
        id="Z10",
        title="Storage copied to the paired region",
        severity=Severity.DENY,
        types=(_STORAGE,),
        trap="GRS and GZRS, with or without read access, copy everything to the paired region",
        remedy="take an LRS or ZRS SKU",
        source="pulumi-azure-native 3.29.0; MicrosoftDocs/azure-docs, regions-paired.md",
        clauses=(
            Clause(
                "sku.name",
                copies_within(
                    Purpose.BACKUP,
                    geo=(
                        "Standard_GRS",
                        "Standard_RAGRS",
                        "Standard_GZRS",
                        "Standard_RAGZRS",
                        "StandardV2_GRS",
                        "StandardV2_GZRS",
                    ),
                    local=(
                        "Standard_LRS",
                        "Standard_ZRS",
                        "Premium_LRS",
                        "Premium_ZRS",
                        "StandardV2_LRS",
                        "StandardV2_ZRS",
                        "PremiumV2_LRS",
                        "PremiumV2_ZRS",
                    ),
                ),
            ),
        ),
    ),
    ResourceRule(
        id="Z11",
        title="Storage that may be copied elsewhere",
        severity=Severity.DENY,
        types=(_STORAGE, "azure-native:storage:ObjectReplicationPolicy"),
        trap="blobs are replicated to an account of another tenant or region; without a copy scope, to any account",
        remedy="allowCrossTenantReplication false, allowedCopyScope PrivateLink or AAD, destinations inside",
        source="pulumi-azure-native 3.29.0",
        clauses=(
            Clause(
                "allowCrossTenantReplication",
                one_of((False,), "other tenants may replicate it"),
                types=(_STORAGE,),
            ),
            Clause(
                "allowedCopyScope",
                one_of(("AAD", "PrivateLink"), "any account may be copied to", unset="any account may be copied to"),
                types=(_STORAGE,),
            ),
            Clause(
                "destinationAccount",
                refers_within(Purpose.BACKUP, _STORAGE, unset="where it replicates to is not said"),
                types=("azure-native:storage:ObjectReplicationPolicy",),
            ),
        ),
    ),
    ResourceRule(
        id="Z12",
        title="Cosmos DB outside the Boundary",
        severity=Severity.DENY,
        types=("azure-native:cosmosdb:DatabaseAccount",),
        trap="each of locations holds all data, and periodic backups are geo-redundant unless told otherwise",
        remedy="locations inside the Boundary; backupStorageRedundancy Local or Zone, or continuous backup",
        source="pulumi-azure-native 3.29.0; default Geo known",
        clauses=(
            Clause("locations[].locationName", within(Purpose.REST, unset="its location is not said")),
            Clause(
                "backupPolicy.periodicModeProperties.backupStorageRedundancy",
                copies_within(Purpose.BACKUP, geo=("Geo",), local=("Local", "Zone"), unset="Geo"),
                unless=says("backupPolicy.type", "Continuous"),
            ),
        ),
    ),
    ResourceRule(
        id="Z13",
        title="SQL database copied to another region",
        severity=Severity.DENY,
        types=("azure-native:sql:Database", "azure-native:sql:FailoverGroup"),
        trap="backups are geo-redundant unless told otherwise; a failover group keeps a live copy on its partners",
        remedy="requestedBackupStorageRedundancy Local or Zone; partner servers of this plan inside the Boundary",
        source="pulumi-azure-native 3.29.0; default Geo known",
        clauses=(
            Clause(
                "requestedBackupStorageRedundancy",
                copies_within(Purpose.BACKUP, geo=("Geo", "GeoZone"), local=("Local", "Zone"), unset="Geo"),
                types=("azure-native:sql:Database",),
            ),
            Clause(
                "partnerServers[].id",
                refers_within(Purpose.BACKUP, "azure-native:sql:Server", unset="its partners are not said"),
                types=("azure-native:sql:FailoverGroup",),
            ),
        ),
    ),
)
