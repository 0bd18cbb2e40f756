"""G04 to G10, G13, G14, G17 and G24 to G26: storage and databases of Google Cloud."""

from typing import Any

import pytest

from regions.rules import review_plan
from regions.rules.gcp import data
from regions.rules.rule import UNKNOWN, Resource
from tests.fixtures.resources import plan, resource
from tests.fixtures.rule_cases import Case, breaches, survivors
from tests.fixtures.rule_tables import Stack

BUCKET, SQL, ALLOYDB = (
    "gcp:storage/bucket:Bucket",
    "gcp:sql/databaseInstance:DatabaseInstance",
    "gcp:alloydb/cluster:Cluster",
)
SNAPSHOT, IMAGE = "gcp:compute/snapshot:Snapshot", "gcp:compute/image:Image"
SCHEDULE, SETTINGS = "gcp:compute/resourcePolicy:ResourcePolicy", "gcp:compute/snapshotSettings:SnapshotSettings"
DATASET, TOPIC = "gcp:bigquery/dataset:Dataset", "gcp:pubsub/topic:Topic"
FIRESTORE, SPANNER = "gcp:firestore/database:Database", "gcp:spanner/instance:Instance"
PLAN, VAULT = "gcp:gkebackup/backupPlan:BackupPlan", "gcp:backupdisasterrecovery/backupVault:BackupVault"
REDIS, MEMORYSTORE = "gcp:redis/cluster:Cluster", "gcp:memorystore/instance:Instance"
FILESTORE, RUN = "gcp:filestore/instance:Instance", "gcp:cloudrunv2/service:Service"
DISK, ASYNC = "gcp:compute/disk:Disk", "gcp:compute/diskAsyncReplication:DiskAsyncReplication"
FRANKFURT, LONDON = Stack("europe-west3"), Stack("europe-west2", "uk-gdpr")
BACKUPS, STORED = "settings.backupConfiguration.location", "snapshotSchedulePolicy.snapshotProperties.storageLocations"
PERSISTED, IN_TRANSIT = "messageStoragePolicy.allowedPersistenceRegions", "messageStoragePolicy.enforceInTransit"


def sql(name: str, region: str) -> Resource:
    return resource(SQL, "db", {"name": name, "region": region})


def alloydb(location: str) -> Resource:
    return resource(ALLOYDB, "primary", {"clusterId": "orders", "location": location})


def backups(**configuration: Any) -> dict[str, Any]:
    return {"region": "europe-west3", "settings": {"tier": "db-f1-micro", "backupConfiguration": configuration}}


def scheduled(**properties: Any) -> dict[str, Any]:
    return {"snapshotSchedulePolicy": {"snapshotProperties": properties}}


def topic(*regions: str, **more: Any) -> dict[str, Any]:
    return {"messageStoragePolicy": {"allowedPersistenceRegions": list(regions), **more}}


def secondary(location: str) -> dict[str, Any]:
    name = "projects/p/locations/europe-west3/clusters/orders"
    return {"location": location, "clusterType": "SECONDARY", "secondaryConfig": {"primaryClusterName": name}}


def settled(policy: str, *names: str) -> dict[str, Any]:
    return {"storageLocation": {"policy": policy, "locations": [{"name": name, "location": name} for name in names]}}


CASES = [
    FRANKFURT.case("G04", "in one region", BUCKET, {"location": "EUROPE-WEST3"}),
    FRANKFURT.case("G04", "in many", BUCKET, {"location": "EU"}, "location"),
    FRANKFURT.case("G04", "in the US, by default", BUCKET, {}, "location"),
    FRANKFURT.case(
        "G04",
        "in two, one of them outside",
        BUCKET,
        {"location": "EU", "customPlacementConfig": {"dataLocations": ["EUROPE-WEST3", "EUROPE-WEST2"]}},
        "customPlacementConfig.dataLocations[1]",
        "location",
    ),
    FRANKFURT.case("G04", "turbo", BUCKET, {"location": "europe-west3", "rpo": "ASYNC_TURBO"}, "rpo"),
    FRANKFURT.case("G05", "inside", SQL, backups(location="europe-west4")),
    FRANKFURT.case("G05", "in the closest multi-region, by default", SQL, backups(enabled=True), BACKUPS),
    FRANKFURT.case("G05", "in a multi-region", SQL, backups(location="eu"), BACKUPS),
    FRANKFURT.case("G05", "nothing said", SQL, {"region": "europe-west3"}, BACKUPS),
    FRANKFURT.case("G05", "a replica has none", SQL, {"region": "europe-west3", "masterInstanceName": "orders"}),
    FRANKFURT.case("G06", "no replica", SQL, {"region": "europe-west3"}),
    FRANKFURT.case(
        "G06",
        "beside its primary",
        SQL,
        {"region": "europe-west3", "masterInstanceName": "p:orders"},
        others=(sql("orders", "europe-west3"),),
    ),
    FRANKFURT.case(
        "G06",
        "in another region inside, its provider's",
        SQL,
        {"masterInstanceName": "orders"},
        others=(sql("orders", "europe-west3"),),
        provider="europe-west4",
    ),
    LONDON.case(
        "G06",
        "in another country",
        SQL,
        {"region": "europe-west3", "masterInstanceName": "orders"},
        "masterInstanceName",
        others=(sql("orders", "europe-west2"),),
    ),
    FRANKFURT.case(
        "G06",
        "of another plan's",
        SQL,
        {"region": "europe-west3", "masterInstanceName": "orders"},
        "masterInstanceName",
    ),
    FRANKFURT.case(
        "G06",
        "of one not known yet",
        SQL,
        {"region": "europe-west3", "masterInstanceName": UNKNOWN},
        "masterInstanceName",
    ),
    *(
        FRANKFURT.case(
            "G06",
            f"fails over to {region}",
            SQL,
            {"region": "europe-west3", "replicationCluster": {"failoverDrReplicaName": "p:spare"}},
            *found,
            others=(sql("spare", region),),
        )
        for region, found in (
            ("europe-west4", ()),
            ("europe-west2", ("replicationCluster.failoverDrReplicaName",)),
        )
    ),
    FRANKFURT.case(
        "G06",
        "fails over to another plan's",
        SQL,
        {"region": "europe-west3", "replicationCluster": {"failoverDrReplicaName": "spare"}},
        "replicationCluster.failoverDrReplicaName",
    ),
    FRANKFURT.case("G07", "alone", ALLOYDB, {"location": "europe-west3"}),
    FRANKFURT.case(
        "G07", "in another region inside", ALLOYDB, secondary("europe-west4"), others=(alloydb("europe-west3"),)
    ),
    FRANKFURT.case(
        "G07",
        "in another country",
        ALLOYDB,
        secondary("europe-west2"),
        "secondaryConfig.primaryClusterName",
        others=(alloydb("europe-west3"),),
    ),
    FRANKFURT.case(
        "G07", "of another plan's", ALLOYDB, secondary("europe-west3"), "secondaryConfig.primaryClusterName"
    ),
    FRANKFURT.case(
        "G07",
        "backups outside",
        ALLOYDB,
        {"automatedBackupPolicy": {"location": "us-east1"}},
        "automatedBackupPolicy.location",
    ),
    *(
        FRANKFURT.case("G08", f"{type_} {why}", type_, properties, *found)
        for type_ in (SNAPSHOT, IMAGE)
        for why, properties, found in (
            ("inside", {"storageLocations": ["europe-west3"]}, ()),
            ("in a multi-region", {"storageLocations": ["eu"]}, ("storageLocations[0]",)),
            ("in the nearest multi-region, by default", {}, ("storageLocations",)),
            ("in no place said", {"storageLocations": []}, ("storageLocations",)),
        )
    ),
    FRANKFURT.case("G09", "inside", SCHEDULE, scheduled(storageLocations="europe-west3")),
    FRANKFURT.case("G09", "in a multi-region", SCHEDULE, scheduled(storageLocations="eu"), STORED),
    FRANKFURT.case("G09", "in the nearest multi-region, by default", SCHEDULE, scheduled(guestFlush=True), STORED),
    FRANKFURT.case("G09", "no snapshots", SCHEDULE, {"region": "europe-west3"}),
    FRANKFURT.case("G10", "beside the disk", SETTINGS, settled("LOCAL_REGION")),
    FRANKFURT.case("G10", "inside", SETTINGS, settled("SPECIFIC_LOCATIONS", "europe-west3")),
    FRANKFURT.case(
        "G10", "outside", SETTINGS, settled("SPECIFIC_LOCATIONS", "us"), "storageLocation.locations[0].name"
    ),
    FRANKFURT.case(
        "G10", "in the nearest multi-region", SETTINGS, settled("NEAREST_MULTI_REGION"), "storageLocation.policy"
    ),
    FRANKFURT.case(
        "G10", "in places not said", SETTINGS, settled("SPECIFIC_LOCATIONS"), "storageLocation.locations.name"
    ),
    FRANKFURT.case("G10", "nothing said", SETTINGS, {}, "storageLocation.policy"),
    FRANKFURT.case("G13", "inside", DATASET, {"datasetId": "d", "location": "europe-west3"}),
    FRANKFURT.case("G13", "in the US, by default", DATASET, {"datasetId": "d"}, "location"),
    FRANKFURT.case("G13", "in the EU", DATASET, {"datasetId": "d", "location": "EU"}, "location"),
    FRANKFURT.case("G14", "inside", TOPIC, topic("europe-west3", enforceInTransit=True)),
    FRANKFURT.case("G14", "by publisher", TOPIC, {}, f"{PERSISTED}[]", IN_TRANSIT),
    FRANKFURT.case("G14", "in no region said", TOPIC, topic(enforceInTransit=True), PERSISTED),
    FRANKFURT.case("G14", "outside", TOPIC, topic("us-east1", enforceInTransit=True), f"{PERSISTED}[0]"),
    FRANKFURT.case("G14", "passing others", TOPIC, topic("europe-west3", enforceInTransit=False), IN_TRANSIT),
    FRANKFURT.case("G17", "documents inside", FIRESTORE, {"locationId": "europe-west3"}),
    FRANKFURT.case("G17", "documents in several", FIRESTORE, {"locationId": "eur3"}, "locationId"),
    FRANKFURT.case("G17", "documents nobody knows where", FIRESTORE, {}, "locationId"),
    FRANKFURT.case("G17", "tables inside", SPANNER, {"config": "projects/p/instanceConfigs/regional-europe-west3"}),
    FRANKFURT.case("G17", "tables outside", SPANNER, {"config": "regional-us-east1"}, "config"),
    FRANKFURT.case("G17", "tables in several", SPANNER, {"config": "eur3"}, "config"),
    *(
        FRANKFURT.case("G24", f"{type_} {why}", type_, properties, *found)
        for type_ in (PLAN, VAULT)
        for why, properties, found in (
            ("inside", {"location": "europe-west3"}, ()),
            ("outside", {"location": "us-east1"}, ("location",)),
            ("nobody says where", {}, ("location",)),
        )
    ),
    FRANKFURT.case("G25", "cluster alone", REDIS, {"region": "europe-west3"}),
    FRANKFURT.case(
        "G25",
        "cluster replicated",
        REDIS,
        {"crossClusterReplicationConfig": {"clusterRole": "PRIMARY"}},
        "crossClusterReplicationConfig",
    ),
    FRANKFURT.case("G25", "instance alone", MEMORYSTORE, {"location": "europe-west3"}),
    FRANKFURT.case(
        "G25",
        "instance replicated",
        MEMORYSTORE,
        {"crossInstanceReplicationConfig": {"instanceRole": "PRIMARY"}},
        "crossInstanceReplicationConfig",
    ),
    FRANKFURT.case("G25", "files alone", FILESTORE, {"location": "europe-west3"}),
    FRANKFURT.case(
        "G25", "files replicated", FILESTORE, {"initialReplication": {"role": "ACTIVE"}}, "initialReplication"
    ),
    FRANKFURT.case("G26", "service in one region", RUN, {"location": "europe-west3"}),
    FRANKFURT.case(
        "G26",
        "service in two",
        RUN,
        {"multiRegionSettings": {"regions": ["europe-west3", "europe-west2"]}},
        "multiRegionSettings.regions[1]",
    ),
    FRANKFURT.case("G26", "disk copied", ASYNC, {"primaryDisk": "d"}, ""),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in data.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(data.RULES, CASES) == []


def unsettled(*resources: Resource) -> list[str]:
    found = review_plan(plan("eu-gdpr", "europe-west3", *resources))
    return [finding.value for finding in found if (finding.rule, finding.property) == ("G10", "project")]


def test_each_project_with_disks_needs_its_own_snapshot_settings() -> None:
    here = resource(DISK, "here", {"zone": "europe-west3-a"})
    there = resource(DISK, "there", {"zone": "europe-west3-a", "project": "theirs"})
    assert unsettled(here, there, resource(SETTINGS, "s", settled("LOCAL_REGION"))) == ["theirs"]
    assert unsettled(here) == ["unset"]
    theirs = resource(SETTINGS, "t", settled("LOCAL_REGION") | {"project": "theirs"})
    assert unsettled(there, theirs) == []
