"""Copies of objects, keys, secrets, images, files and backups on AWS: A08, A09, A11 to A17."""

from collections.abc import Mapping

from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.clauses import arn_within, exists, one_of, points_within, present, stands_within, within
from regions.rules.rule import Clause, Resource, ResourceRule

BUCKET = "aws:s3/bucket:Bucket"
_REPLICA_KEYS = ("aws:kms/replicaKey:ReplicaKey", "aws:kms/replicaExternalKey:ReplicaExternalKey")


def _in_one_zone(resource: Resource) -> bool:
    destination = resource.properties.get("destination")
    return isinstance(destination, Mapping) and destination.get("availabilityZoneName") is not None


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="A08",
        title="S3 replication to a bucket elsewhere",
        severity=Severity.DENY,
        types=("aws:s3/bucketReplicationConfig:BucketReplicationConfig", BUCKET),
        trap="a bucket's ARN has no region: the destination may be anywhere",
        remedy="replicate only to a bucket of this plan that stands inside the Boundary",
        source="residency-facts.md §7 A08, pulumi_aws 7.51.1",
        clauses=(
            Clause(
                "rules[].destination.bucket",
                points_within(Purpose.REST, BUCKET),
                types=("aws:s3/bucketReplicationConfig:BucketReplicationConfig",),
            ),
            Clause(
                "replicationConfiguration.rules[].destination.bucket",
                points_within(Purpose.REST, BUCKET),
                types=(BUCKET,),
            ),
        ),
    ),
    ResourceRule(
        id="A09",
        title="S3 access point of several regions",
        severity=Severity.DENY,
        types=("aws:s3control/multiRegionAccessPoint:MultiRegionAccessPoint",),
        trap="requests go to whichever of its buckets is near, and its control plane is in the United States",
        remedy="use the bucket, or an access point in its region",
        source="residency-facts.md §7 A09, pulumi_aws 7.51.1",
        clauses=(Clause("", exists("it routes requests to buckets of several regions")),),
    ),
    ResourceRule(
        id="A11",
        title="Key whose material leaves its region",
        severity=Severity.DENY,
        types=("aws:kms/key:Key", "aws:kms/externalKey:ExternalKey", *_REPLICA_KEYS),
        trap="a multi-region key's material can be replicated to any region of the partition",
        remedy="leave multiRegion false; a replica key only of and in regions inside the Boundary",
        source="residency-facts.md §7 A11, pulumi_aws 7.51.1",
        clauses=(
            Clause(
                "multiRegion",
                one_of({False}, "its material can be replicated to any region"),
                types=("aws:kms/key:Key", "aws:kms/externalKey:ExternalKey"),
            ),
            Clause("region", stands_within(Purpose.KEYS), types=_REPLICA_KEYS, own=True),
            Clause(
                "primaryKeyArn",
                arn_within(Purpose.KEYS, bare="no ARN, so where its primary is is not known"),
                types=_REPLICA_KEYS,
            ),
        ),
    ),
    ResourceRule(
        id="A12",
        title="Secret copied to another region",
        severity=Severity.DENY,
        types=("aws:secretsmanager/secret:Secret",),
        trap="each replica holds the secret's value",
        remedy="leave replicas out, or name regions inside the Boundary",
        source="residency-facts.md §7 A12, pulumi_aws 7.51.1",
        clauses=(Clause("replicas[].region", within(Purpose.REST)),),
    ),
    ResourceRule(
        id="A13",
        title="Container images copied to another region",
        severity=Severity.WARN,
        types=("aws:ecr/replicationConfiguration:ReplicationConfiguration",),
        trap="every image pushed is copied to the destinations",
        remedy="name destinations inside the Boundary",
        source="residency-facts.md §7 A13, pulumi_aws 7.51.1",
        clauses=(Clause("replicationConfiguration.rules[].destinations[].region", within(Purpose.REST)),),
    ),
    ResourceRule(
        id="A14",
        title="Backups copied to a vault elsewhere",
        severity=Severity.DENY,
        types=("aws:backup/plan:Plan",),
        trap="a copy action or an air-gapped vault takes each recovery point to the vault's region",
        remedy="name vaults inside the Boundary, by their ARN",
        source="residency-facts.md §7 A14, pulumi_aws 7.51.1",
        clauses=(
            Clause(
                "rules[].copyActions[].destinationVaultArn",
                arn_within(Purpose.BACKUP, bare="no ARN, so where the vault is is not known"),
            ),
            Clause("rules[].targetLogicallyAirGappedBackupVaultArn", arn_within(Purpose.BACKUP)),
        ),
    ),
    ResourceRule(
        id="A15",
        title="File system copied to another region",
        severity=Severity.DENY,
        types=("aws:efs/replicationConfiguration:ReplicationConfiguration",),
        trap="the destination holds the whole file system",
        remedy="name a destination region or zone inside the Boundary",
        source="residency-facts.md §7 A15, pulumi_aws 7.51.1",
        clauses=(
            Clause(
                "destination.region",
                present("it says neither region nor zone of the destination"),
                unless=_in_one_zone,
            ),
            Clause("destination.region", within(Purpose.REST)),
            Clause("destination.availabilityZoneName", within(Purpose.REST)),
        ),
    ),
    ResourceRule(
        id="A16",
        title="Snapshot or machine image copied between regions",
        severity=Severity.DENY,
        types=("aws:ebs/snapshotCopy:SnapshotCopy", "aws:ec2/amiCopy:AmiCopy"),
        trap="the copy stands in this resource's region, its source in another; the data is in both",
        remedy="copy only from and to regions inside the Boundary",
        source="residency-facts.md §7 A16, pulumi_aws 7.51.1",
        clauses=(
            Clause("sourceRegion", within(Purpose.BACKUP), types=("aws:ebs/snapshotCopy:SnapshotCopy",)),
            Clause("sourceAmiRegion", within(Purpose.BACKUP), types=("aws:ec2/amiCopy:AmiCopy",)),
            Clause("region", stands_within(Purpose.BACKUP), own=True),
        ),
    ),
    ResourceRule(
        id="A17",
        title="Scheduled copies to another region",
        severity=Severity.DENY,
        types=("aws:dlm/lifecyclePolicy:LifecyclePolicy",),
        trap="each snapshot of the schedule, or of the event, is copied to the target",
        remedy="leave the cross-region copies out, or name targets inside the Boundary",
        source="residency-facts.md §7 A17, pulumi_aws 7.51.1",
        clauses=(
            Clause("policyDetails.schedules[].crossRegionCopyRules[].target", within(Purpose.BACKUP)),
            Clause("policyDetails.schedules[].crossRegionCopyRules[].targetRegion", within(Purpose.BACKUP)),
            Clause("policyDetails.action.crossRegionCopies[].target", within(Purpose.BACKUP)),
        ),
    ),
)
