"""A03 to A07, A34, A35: databases and stores that copy themselves to other regions."""

import pytest

from regions.residency import Purpose
from regions.rules.aws import databases
from regions.rules.rule import UNKNOWN
from tests.fixtures.resources import resource
from tests.fixtures.rule_cases import Case, breaches, purposes, survivors

INSTANCE = "aws:rds/instance:Instance"
BACKUPS = "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication"
SNAPSHOT, CLUSTER_SNAPSHOT = "aws:rds/snapshotCopy:SnapshotCopy", "aws:rds/clusterSnapshotCopy:ClusterSnapshotCopy"
CLUSTER = "aws:rds/cluster:Cluster"
TABLE, REPLICA = "aws:dynamodb/table:Table", "aws:dynamodb/tableReplica:TableReplica"
OLD_TABLE = "aws:dynamodb/globalTable:GlobalTable"
MSK, INCIDENTS = "aws:msk/replicator:Replicator", "aws:ssmincidents/replicationSet:ReplicationSet"
DSQL, PEERING, BROKER = "aws:dsql/cluster:Cluster", "aws:dsql/clusterPeering:ClusterPeering", "aws:mq/broker:Broker"
KEYSPACE = "aws:keyspaces/keyspace:Keyspace"
HOME = "eu-central-1"


def db(region: str) -> str:
    return f"arn:aws:rds:{region}:123456789012:db:orders"


def kafka(region: str) -> str:
    return f"arn:aws:kafka:{region}:123456789012:cluster/events/0f"


CASES = [
    Case("A03", "no replica", resource(INSTANCE, "db", {})),
    Case("A03", "source by its identifier", resource(INSTANCE, "db", {"replicateSourceDb": "orders"})),
    Case("A03", "source inside by its ARN", resource(INSTANCE, "db", {"replicateSourceDb": db("eu-north-1")})),
    Case(
        "A03",
        "source outside",
        resource(INSTANCE, "db", {"replicateSourceDb": db("us-east-1")}),
        ("replicateSourceDb",),
    ),
    Case(
        "A03",
        "source in London under EU law",
        resource(INSTANCE, "db", {"replicateSourceDb": db("eu-west-2")}),
        ("replicateSourceDb",),
    ),
    Case(
        "A03",
        "source by a broken ARN",
        resource(INSTANCE, "db", {"replicateSourceDb": "arn:aws:rds:*:db:orders"}),
        ("replicateSourceDb",),
    ),
    Case(
        "A03", "source not known yet", resource(INSTANCE, "db", {"replicateSourceDb": UNKNOWN}), ("replicateSourceDb",)
    ),
    Case(
        "A03",
        "adopted, so whose replica is not known",
        resource(INSTANCE, "db", {}, adopted=True),
        ("replicateSourceDb",),
    ),
    Case(
        "A04", "copy and source inside", resource(BACKUPS, "b", {"sourceDbInstanceArn": db(HOME)}, region="eu-west-1")
    ),
    Case(
        "A04",
        "copy outside",
        resource(BACKUPS, "b", {"sourceDbInstanceArn": db(HOME)}, region="eu-west-2"),
        ("region",),
    ),
    Case("A04", "source inside", resource(BACKUPS, "b", {"sourceDbInstanceArn": db("eu-west-1")}, region=HOME)),
    Case(
        "A04",
        "source outside",
        resource(BACKUPS, "b", {"sourceDbInstanceArn": db("us-east-1")}, region=HOME),
        ("sourceDbInstanceArn",),
    ),
    Case(
        "A04",
        "source that names no region",
        resource(BACKUPS, "b", {"sourceDbInstanceArn": "orders"}, region=HOME),
        ("sourceDbInstanceArn",),
    ),
    *(
        case
        for type_ in (SNAPSHOT, CLUSTER_SNAPSHOT, "aws:redshift/snapshotCopy:SnapshotCopy")
        for case in (
            Case("A05", f"{type_} stays", resource(type_, "s", {})),
            Case("A05", f"{type_} inside", resource(type_, "s", {"destinationRegion": "eu-west-3"})),
            Case(
                "A05",
                f"{type_} outside",
                resource(type_, "s", {"destinationRegion": "us-west-2"}),
                ("destinationRegion",),
            ),
        )
    ),
    Case("A06", "global cluster", resource("aws:rds/globalCluster:GlobalCluster", "g", {}), ("",)),
    Case("A06", "regional cluster", resource(CLUSTER, "c", {})),
    Case(
        "A06",
        "member of a global cluster",
        resource(CLUSTER, "c", {"globalClusterIdentifier": "world"}),
        ("globalClusterIdentifier",),
    ),
    Case("A06", "source region inside", resource(CLUSTER, "c", {"sourceRegion": "eu-west-1"})),
    Case("A06", "source region outside", resource(CLUSTER, "c", {"sourceRegion": "eu-central-2"}), ("sourceRegion",)),
    Case(
        "A06",
        "source outside",
        resource(CLUSTER, "c", {"replicationSourceIdentifier": db("ap-south-1")}),
        ("replicationSourceIdentifier",),
    ),
    Case("A06", "source inside", resource(CLUSTER, "c", {"replicationSourceIdentifier": db("eu-west-1")})),
    Case("A07", "single table", resource(TABLE, "t", {})),
    Case("A07", "replicas inside", resource(TABLE, "t", {"replicas": [{"regionName": "eu-west-1"}]})),
    Case(
        "A07",
        "second replica outside",
        resource(TABLE, "t", {"replicas": [{"regionName": "eu-west-1"}, {"regionName": "eu-west-2"}]}),
        ("replicas[1].regionName",),
    ),
    Case("A07", "witness inside", resource(TABLE, "t", {"globalTableWitness": {"regionName": "eu-west-3"}})),
    Case(
        "A07",
        "witness outside",
        resource(TABLE, "t", {"globalTableWitness": {"regionName": "us-east-2"}}),
        ("globalTableWitness.regionName",),
    ),
    Case(
        "A07",
        "old global table outside",
        resource(OLD_TABLE, "t", {"replicas": [{"regionName": "us-east-1"}]}),
        ("replicas[0].regionName",),
    ),
    Case(
        "A07",
        "replica inside",
        resource(REPLICA, "r", {"globalTableArn": f"arn:aws:dynamodb:{HOME}:1:table/t"}, region="eu-west-1"),
    ),
    Case(
        "A07",
        "replica outside",
        resource(REPLICA, "r", {"globalTableArn": f"arn:aws:dynamodb:{HOME}:1:table/t", "region": "us-east-1"}),
        ("region",),
    ),
    Case(
        "A07",
        "replica of a table outside",
        resource(REPLICA, "r", {"globalTableArn": "arn:aws:dynamodb:us-east-1:1:table/t"}, region=HOME),
        ("globalTableArn",),
    ),
    *(
        Case("A34", f"{type_} exists", resource(type_, "g", {}), ("",))
        for type_ in (
            "aws:elasticache/globalReplicationGroup:GlobalReplicationGroup",
            "aws:memorydb/multiRegionCluster:MultiRegionCluster",
            "aws:docdb/globalCluster:GlobalCluster",
            "aws:neptune/globalCluster:GlobalCluster",
        )
    ),
    *(
        Case(
            "A34",
            f"keyspace in {region}",
            resource(KEYSPACE, "k", {"replicationSpecification": {"regionLists": [HOME, region]}}),
            found,
        )
        for region, found in (("eu-west-1", ()), ("us-east-1", ("replicationSpecification.regionLists[1]",)))
    ),
    Case("A34", "regional cache", resource("aws:elasticache/replicationGroup:ReplicationGroup", "c", {})),
    Case(
        "A34",
        "replicator inside",
        resource(
            MSK,
            "m",
            {
                "replicationInfoList": {
                    "sourceKafkaClusterArn": kafka(HOME),
                    "targetKafkaClusterArn": kafka("eu-west-1"),
                }
            },
        ),
    ),
    Case(
        "A34",
        "replicator to a cluster outside",
        resource(MSK, "m", {"replicationInfoList": {"targetKafkaClusterArn": kafka("us-east-1")}}),
        ("replicationInfoList.targetKafkaClusterArn",),
    ),
    Case(
        "A34",
        "replicator from a cluster outside",
        resource(MSK, "m", {"replicationInfoList": {"sourceKafkaClusterArn": kafka("us-east-1")}}),
        ("replicationInfoList.sourceKafkaClusterArn",),
    ),
    Case(
        "A34",
        "replicator to Kafka anywhere",
        resource(MSK, "m", {"replicationInfoList": {"targetKafkaClusterId": "theirs"}}),
        ("replicationInfoList.targetKafkaClusterId",),
    ),
    Case(
        "A34", "replication set inside", resource(INCIDENTS, "i", {"regions": [{"name": HOME}, {"name": "eu-west-1"}]})
    ),
    Case(
        "A34",
        "replication set outside",
        resource(INCIDENTS, "i", {"regions": [{"name": HOME}, {"name": "ap-southeast-2"}]}),
        ("regions[1].name",),
    ),
    Case(
        "A34",
        "replication set outside by its old property",
        resource(INCIDENTS, "i", {"region": [{"name": "ap-southeast-2"}]}),
        ("region[0].name",),
    ),
    Case("A35", "cluster of one region", resource(DSQL, "d", {})),
    Case(
        "A35",
        "cluster with a witness",
        resource(DSQL, "d", {"multiRegionProperties": {"witnessRegion": "eu-west-2"}}),
        ("multiRegionProperties",),
    ),
    Case("A35", "peering", resource(PEERING, "p", {"witnessRegion": "eu-west-2"}), ("",)),
    Case("A35", "broker of one region", resource(BROKER, "b", {"dataReplicationMode": "NONE"})),
    Case("A35", "broker that says nothing", resource(BROKER, "b", {})),
    Case(
        "A35",
        "broker with recovery elsewhere",
        resource(BROKER, "b", {"dataReplicationMode": "CRDR"}),
        ("dataReplicationMode",),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in databases.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(databases.RULES, CASES) == []


def test_asks_for_the_purposes_that_it_is_about() -> None:
    assert purposes(databases.RULES, CASES) == {
        "A03": {Purpose.REST},
        "A04": {Purpose.REST, Purpose.BACKUP},
        "A05": {Purpose.BACKUP},
        "A06": {Purpose.REST},
        "A07": {Purpose.REST},
        "A34": {Purpose.REST},
        "A35": set(),
    }
