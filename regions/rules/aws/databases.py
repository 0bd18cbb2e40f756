"""AWS databases and stores that copy themselves to other regions: A03 to A07, A34, A35."""

from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.clauses import absent, arn_within, exists, one_of, stands_within, within
from regions.rules.rule import Clause, ResourceRule

_MSK = "aws:msk/replicator:Replicator"
_INCIDENTS = "aws:ssmincidents/replicationSet:ReplicationSet"
_KEYSPACE = "aws:keyspaces/keyspace:Keyspace"
_STORES_OF_SEVERAL_REGIONS = (
    "aws:elasticache/globalReplicationGroup:GlobalReplicationGroup",
    "aws:memorydb/multiRegionCluster:MultiRegionCluster",
    "aws:docdb/globalCluster:GlobalCluster",
    "aws:neptune/globalCluster:GlobalCluster",
)

RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="A03",
        title="RDS replica of another region",
        severity=Severity.DENY,
        types=("aws:rds/instance:Instance",),
        trap="a source named by the ARN of another region makes the replica cross regions; data then rests in both",
        remedy="name a source inside the Boundary: its identifier, or an ARN of such a region",
        source="residency-facts.md §7 A03 and §8.1, pulumi_aws 7.51.1",
        clauses=(Clause("replicateSourceDb", arn_within(Purpose.REST)),),
    ),
    ResourceRule(
        id="A04",
        title="RDS backups copied to another region",
        severity=Severity.DENY,
        types=("aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication",),
        trap="automated backups are copied from the source's region to the region where this resource stands",
        remedy="remove it, or keep source and copy in regions inside the Boundary",
        source="residency-facts.md §7 A04, pulumi_aws 7.51.1",
        clauses=(
            Clause("region", stands_within(Purpose.BACKUP), own=True),
            Clause("sourceDbInstanceArn", arn_within(Purpose.REST, bare="no ARN, so where the source is is not known")),
        ),
    ),
    ResourceRule(
        id="A05",
        title="Database snapshot copied to another region",
        severity=Severity.DENY,
        types=(
            "aws:rds/snapshotCopy:SnapshotCopy",
            "aws:rds/clusterSnapshotCopy:ClusterSnapshotCopy",
            "aws:redshift/snapshotCopy:SnapshotCopy",
        ),
        trap="the copy rests in the destination region",
        remedy="leave destinationRegion out, or name a region inside the Boundary",
        source="residency-facts.md §7 A05, pulumi_aws 7.51.1",
        clauses=(Clause("destinationRegion", within(Purpose.BACKUP)),),
    ),
    ResourceRule(
        id="A06",
        title="Aurora across regions",
        severity=Severity.DENY,
        types=("aws:rds/globalCluster:GlobalCluster", "aws:rds/cluster:Cluster"),
        trap="a global cluster's members, or a cluster's source, stand in other regions and hold the same data",
        remedy="use one regional cluster with readers in it; a source only from a region inside the Boundary",
        source="residency-facts.md §7 A06, pulumi_aws 7.51.1",
        clauses=(
            Clause(
                "",
                exists("a global cluster's members may stand in any region"),
                types=("aws:rds/globalCluster:GlobalCluster",),
            ),
            Clause(
                "globalClusterIdentifier",
                absent("the global cluster's other members may stand in any region"),
                types=("aws:rds/cluster:Cluster",),
            ),
            Clause("sourceRegion", within(Purpose.REST), types=("aws:rds/cluster:Cluster",)),
            Clause("replicationSourceIdentifier", arn_within(Purpose.REST), types=("aws:rds/cluster:Cluster",)),
        ),
    ),
    ResourceRule(
        id="A07",
        title="DynamoDB table in several regions",
        severity=Severity.DENY,
        types=(
            "aws:dynamodb/table:Table",
            "aws:dynamodb/tableReplica:TableReplica",
            "aws:dynamodb/globalTable:GlobalTable",
        ),
        trap="each replica holds the whole table; the witness holds what is being written",
        remedy="no replica and no witness outside the Boundary",
        source="residency-facts.md §7 A07, pulumi_aws 7.51.1",
        clauses=(
            Clause(
                "replicas[].regionName",
                within(Purpose.REST),
                types=("aws:dynamodb/table:Table", "aws:dynamodb/globalTable:GlobalTable"),
            ),
            Clause("globalTableWitness.regionName", within(Purpose.REST), types=("aws:dynamodb/table:Table",)),
            Clause("region", stands_within(Purpose.REST), types=("aws:dynamodb/tableReplica:TableReplica",), own=True),
            Clause(
                "globalTableArn",
                arn_within(Purpose.REST, bare="no ARN, so where the table is is not known"),
                types=("aws:dynamodb/tableReplica:TableReplica",),
            ),
        ),
    ),
    ResourceRule(
        id="A34",
        title="Store of several regions",
        severity=Severity.DENY,
        types=(*_STORES_OF_SEVERAL_REGIONS, _MSK, _INCIDENTS, _KEYSPACE),
        trap="such a store exists to hold the same data in more than one region",
        remedy="use the regional store; a replicator or replication set only between regions inside the Boundary",
        source="residency-facts.md §7 A34, pulumi_aws 7.51.1",
        clauses=(
            Clause("", exists("its members may stand in any region"), types=_STORES_OF_SEVERAL_REGIONS),
            Clause("replicationInfoList.targetKafkaClusterArn", arn_within(Purpose.REST), types=(_MSK,)),
            Clause("replicationInfoList.sourceKafkaClusterArn", arn_within(Purpose.REST), types=(_MSK,)),
            Clause(
                "replicationInfoList.targetKafkaClusterId",
                absent("a cluster that is not of MSK may stand anywhere"),
                types=(_MSK,),
            ),
            Clause("replicationSpecification.regionLists[]", within(Purpose.REST), types=(_KEYSPACE,)),
            Clause("regions[].name", within(Purpose.REST), types=(_INCIDENTS,)),
            Clause("region[].name", within(Purpose.REST), types=(_INCIDENTS,)),
        ),
    ),
    ResourceRule(
        id="A35",
        title="Cluster or broker that replicates to another region",
        severity=Severity.DENY,
        types=("aws:dsql/cluster:Cluster", "aws:dsql/clusterPeering:ClusterPeering", "aws:mq/broker:Broker"),
        trap="Aurora DSQL's peers and witness, and a broker's cross-region recovery, hold the same data elsewhere",
        remedy="leave multiRegionProperties and peerings out; dataReplicationMode NONE",
        source="residency-facts.md §7 A35, pulumi_aws 7.51.1",
        clauses=(
            Clause(
                "multiRegionProperties",
                absent("peers and witness stand in other regions"),
                types=("aws:dsql/cluster:Cluster",),
            ),
            Clause(
                "",
                exists("peers and witness stand in other regions"),
                types=("aws:dsql/clusterPeering:ClusterPeering",),
            ),
            Clause(
                "dataReplicationMode",
                one_of({"NONE"}, "its messages are copied to a broker in another region"),
                types=("aws:mq/broker:Broker",),
            ),
        ),
    ),
)
