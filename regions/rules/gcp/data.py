"""Google Cloud's storage and databases: multi-regions, replicas, snapshots and backups."""

from collections.abc import Iterator
from typing import Any

from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.clauses import absent, exists, one_of, outside, says, within
from regions.rules.gcp.places import copied_within, named, place
from regions.rules.rule import UNSET, Breach, Clause, Plan, Resource, ResourceRule

_SQL = "gcp:sql/databaseInstance:DatabaseInstance"
_ALLOYDB = "gcp:alloydb/cluster:Cluster"
_SETTINGS = "gcp:compute/snapshotSettings:SnapshotSettings"
_FIRESTORE = "gcp:firestore/database:Database"
_SPANNER = "gcp:spanner/instance:Instance"
_REDIS = "gcp:redis/cluster:Cluster"
_MEMORYSTORE = "gcp:memorystore/instance:Instance"
_FILESTORE = "gcp:filestore/instance:Instance"
_NEAREST = "unset, it goes to the nearest multi-region"


def _regional(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    """Spanner's configurations are ``regional-<region>``, or multi-regions by name."""
    name = str(value).rpartition("/")[2]
    if not name.startswith("regional-"):
        yield "it is no regional configuration"
    elif breach := outside(plan, resource, Purpose.REST, name.removeprefix("regional-")):
        yield breach


def _fails_over_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    """The replica that becomes primary: one of this plan, where data may rest."""
    if value is UNSET:
        return
    replica = named(plan, str(value), _SQL)
    where = None if replica is None else place(replica)
    if where is None:
        yield f"{value} is not one instance of this plan, so where it fails over to is not known"
    elif breach := outside(plan, resource, Purpose.BACKUP, where):
        yield breach


def _without_settings(plan: Plan) -> Iterator[Breach]:
    """Projects of this plan with machines or disks, whose snapshots go by default to the nearest multi-region."""
    computing = {
        resource.properties.get("project") for resource in plan.resources if resource.type.startswith("gcp:compute/")
    }
    settled = {resource.properties.get("project") for resource in plan.resources if resource.type == _SETTINGS}
    for project in sorted(computing - settled, key=str):
        yield Breach("project", UNSET if project is None else project, "it has no SnapshotSettings in this plan")


def _is_read_replica(resource: Resource) -> bool:
    return resource.properties.get("masterInstanceName") is not None


def _has_no_schedule(resource: Resource) -> bool:
    return resource.properties.get("snapshotSchedulePolicy") is None


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="G04",
        title="Bucket in several regions",
        severity=Severity.DENY,
        types=("gcp:storage/bucket:Bucket",),
        trap="multi-regions and dual-regions keep objects in several countries",
        remedy="set location to a single region inside the Boundary, no customPlacementConfig, rpo DEFAULT",
        source="pulumi-gcp 10.2.0",
        clauses=(
            Clause("location", within(Purpose.REST, unset="unset, it is the multi-region US")),
            Clause("customPlacementConfig.dataLocations[]", within(Purpose.REST)),
            Clause("rpo", one_of(("DEFAULT",), "objects are replicated between regions")),
        ),
    ),
    ResourceRule(
        id="G05",
        title="Cloud SQL backups outside the Boundary",
        severity=Severity.DENY,
        types=(_SQL,),
        trap="without a location backups go to the closest multi-region, which leaves the country",
        remedy="set settings.backupConfiguration.location to a region inside the Boundary",
        source="docs.cloud.google.com, Cloud SQL backup options",
        clauses=(
            Clause(
                "settings.backupConfiguration.location",
                within(Purpose.BACKUP, unset="unset, backups go to the closest multi-region"),
                unless=_is_read_replica,
            ),
        ),
    ),
    ResourceRule(
        id="G06",
        title="Cloud SQL replica in another region",
        severity=Severity.DENY,
        types=(_SQL,),
        trap="a replica, or the one to fail over to, may stand in another region than its primary",
        remedy="put the replica in its primary's region, both in this plan",
        source="pulumi-gcp 10.2.0",
        clauses=(
            Clause("masterInstanceName", copied_within(_SQL)),
            Clause("replicationCluster.failoverDrReplicaName", _fails_over_within),
        ),
    ),
    ResourceRule(
        id="G07",
        title="AlloyDB cluster copied to another region",
        severity=Severity.DENY,
        types=(_ALLOYDB,),
        trap="a secondary cluster follows a primary of another region; backups may name a location of their own",
        remedy="clusters of type PRIMARY only, and backups in the cluster's region",
        source="pulumi-gcp 10.2.0",
        clauses=(
            Clause("secondaryConfig.primaryClusterName", copied_within(_ALLOYDB)),
            Clause("automatedBackupPolicy.location", within(Purpose.BACKUP)),
        ),
    ),
    ResourceRule(
        id="G08",
        title="Snapshot or image outside the Boundary",
        severity=Severity.DENY,
        types=("gcp:compute/snapshot:Snapshot", "gcp:compute/image:Image"),
        trap="without storageLocations it is stored in the nearest multi-region",
        remedy="set storageLocations to a region inside the Boundary",
        source="hashicorp/terraform-provider-google#6941 (secondary)",
        clauses=(Clause("storageLocations[]", within(Purpose.BACKUP, unset=_NEAREST)),),
    ),
    ResourceRule(
        id="G09",
        title="Scheduled snapshots outside the Boundary",
        severity=Severity.DENY,
        types=("gcp:compute/resourcePolicy:ResourcePolicy",),
        trap="without storageLocations each snapshot is stored in the nearest multi-region",
        remedy="set snapshotProperties.storageLocations to a region inside the Boundary",
        source="pulumi-gcp 10.2.0; hashicorp/terraform-provider-google#6941 (secondary)",
        clauses=(
            Clause(
                "snapshotSchedulePolicy.snapshotProperties.storageLocations",
                within(Purpose.BACKUP, unset=_NEAREST),
                unless=_has_no_schedule,
            ),
        ),
    ),
    ResourceRule(
        id="G10",
        title="Project whose snapshots go to a multi-region",
        severity=Severity.DENY,
        types=(_SETTINGS,),
        trap="a project's default for snapshots is NEAREST_MULTI_REGION",
        remedy="one SnapshotSettings a project, with storageLocation.policy LOCAL_REGION",
        source="pulumi-gcp 10.2.0",
        clauses=(
            Clause(
                "storageLocation.policy",
                one_of(("LOCAL_REGION", "SPECIFIC_LOCATIONS"), "it goes to the nearest multi-region", unset=_NEAREST),
            ),
            Clause(
                "storageLocation.locations[].name",
                within(Purpose.BACKUP, unset="it names no location"),
                unless=says("storageLocation.policy", "LOCAL_REGION", "NEAREST_MULTI_REGION", UNSET),
            ),
        ),
        whole=_without_settings,
    ),
    ResourceRule(
        id="G13",
        title="Dataset outside the Boundary",
        severity=Severity.DENY,
        types=("gcp:bigquery/dataset:Dataset",),
        trap="without a location a dataset is in the United States",
        remedy="set location to a single region inside the Boundary",
        source="pulumi-gcp 10.2.0",
        clauses=(Clause("location", within(Purpose.REST, unset="unset, it is the multi-region US")),),
    ),
    ResourceRule(
        id="G14",
        title="Messages stored outside the Boundary",
        severity=Severity.DENY,
        types=("gcp:pubsub/topic:Topic",),
        trap="messages are stored in the region nearest to the publisher",
        remedy="allowedPersistenceRegions inside the Boundary, enforceInTransit true",
        source="pulumi-gcp 10.2.0",
        clauses=(
            Clause(
                "messageStoragePolicy.allowedPersistenceRegions[]",
                within(Purpose.REST, unset="unset, messages rest where their publisher is"),
            ),
            Clause(
                "messageStoragePolicy.enforceInTransit",
                one_of((True,), "messages pass other regions", unset="messages pass other regions"),
            ),
        ),
    ),
    ResourceRule(
        id="G17",
        title="Database in several regions",
        severity=Severity.DENY,
        types=(_FIRESTORE, _SPANNER),
        trap="nam5, eur3 and Spanner's multi-region configurations keep data in several countries",
        remedy="a single region inside the Boundary, for Spanner as config regional-<region>",
        source="pulumi-gcp 10.2.0",
        clauses=(
            Clause("locationId", within(Purpose.REST, unset="its location is not said"), types=(_FIRESTORE,)),
            Clause("config", _regional, types=(_SPANNER,)),
        ),
    ),
    ResourceRule(
        id="G24",
        title="Backups outside the Boundary",
        severity=Severity.DENY,
        types=("gcp:gkebackup/backupPlan:BackupPlan", "gcp:backupdisasterrecovery/backupVault:BackupVault"),
        trap="a plan or vault keeps the backups in its own location, whatever the cluster's",
        remedy="set location to the region of what is backed up",
        source="pulumi-gcp 10.2.0",
        clauses=(Clause("location", within(Purpose.BACKUP, unset="its location is not said")),),
    ),
    ResourceRule(
        id="G25",
        title="Cache or file share replicated to another region",
        severity=Severity.DENY,
        types=(_REDIS, _MEMORYSTORE, _FILESTORE),
        trap="replication keeps the data in the regions of all members",
        remedy="leave the replication out",
        source="pulumi-gcp 10.2.0",
        clauses=(
            Clause("crossClusterReplicationConfig", absent("it is replicated between regions"), types=(_REDIS,)),
            Clause("crossInstanceReplicationConfig", absent("it is replicated between regions"), types=(_MEMORYSTORE,)),
            Clause("initialReplication", absent("it is replicated between regions"), types=(_FILESTORE,)),
        ),
    ),
    ResourceRule(
        id="G26",
        title="Service or disk in several regions",
        severity=Severity.DENY,
        types=("gcp:cloudrunv2/service:Service", "gcp:compute/diskAsyncReplication:DiskAsyncReplication"),
        trap="a multi-region service runs in each of its regions; asynchronous replication copies disks to another",
        remedy="multiRegionSettings.regions inside the Boundary, no asynchronous replication",
        source="pulumi-gcp 10.2.0",
        clauses=(
            Clause(
                "multiRegionSettings.regions[]",
                within(Purpose.PROCESS),
                types=("gcp:cloudrunv2/service:Service",),
            ),
            Clause(
                "",
                exists("the disk is copied to another region"),
                types=("gcp:compute/diskAsyncReplication:DiskAsyncReplication",),
            ),
        ),
    ),
)
