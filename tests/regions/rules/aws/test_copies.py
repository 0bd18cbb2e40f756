"""A08, A09, A11 to A17: copies of objects, keys, secrets, images, files and backups."""

import pytest

from regions.residency import Purpose
from regions.rules.aws import copies
from regions.rules.rule import UNKNOWN
from tests.fixtures.resources import resource
from tests.fixtures.rule_cases import Case, breaches, purposes, survivors

BUCKET, REPLICATION = "aws:s3/bucket:Bucket", "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
KEY, EXTERNAL, REPLICA = "aws:kms/key:Key", "aws:kms/externalKey:ExternalKey", "aws:kms/replicaKey:ReplicaKey"
EXTERNAL_REPLICA = "aws:kms/replicaExternalKey:ReplicaExternalKey"
SECRET, IMAGES = "aws:secretsmanager/secret:Secret", "aws:ecr/replicationConfiguration:ReplicationConfiguration"
PLAN, FILES = "aws:backup/plan:Plan", "aws:efs/replicationConfiguration:ReplicationConfiguration"
SNAPSHOT, IMAGE = "aws:ebs/snapshotCopy:SnapshotCopy", "aws:ec2/amiCopy:AmiCopy"
SCHEDULE = "aws:dlm/lifecyclePolicy:LifecyclePolicy"
HOME = "eu-central-1"
STOCKHOLM = resource(BUCKET, "stockholm", {"bucket": "acme-stockholm"}, region="eu-north-1")
LONDON = resource(BUCKET, "london", {"bucket": "acme-london", "region": "eu-west-2"}, region=HOME)
UNNAMED = resource(BUCKET, "acme-other", {"bucket": "acme-elsewhere"}, region=HOME)


def to(bucket: object) -> dict[str, object]:
    return {"rules": [{"destination": {"bucket": bucket}}]}


def key(region: str) -> str:
    return f"arn:aws:kms:{region}:123456789012:key/mrk-1"


def vault(region: str) -> str:
    return f"arn:aws:backup:{region}:123456789012:backup-vault:orders"


CASES = [
    Case(
        "A08", "to a bucket inside", resource(REPLICATION, "r", to("arn:aws:s3:::acme-stockholm")), others=(STOCKHOLM,)
    ),
    Case(
        "A08",
        "to a bucket outside",
        resource(REPLICATION, "r", to("arn:aws:s3:::acme-london")),
        ("rules[0].destination.bucket",),
        others=(STOCKHOLM, LONDON),
    ),
    Case(
        "A08",
        "to a bucket of another plan",
        resource(REPLICATION, "r", to("arn:aws:s3:::acme-elsewhere-2")),
        ("rules[0].destination.bucket",),
        others=(STOCKHOLM,),
    ),
    Case(
        "A08",
        "to a bucket that goes by another's name in the program",
        resource(REPLICATION, "r", to("arn:aws:s3:::acme-other")),
        ("rules[0].destination.bucket",),
        others=(UNNAMED,),
    ),
    Case("A08", "to a bucket not known yet", resource(REPLICATION, "r", to(UNKNOWN)), ("rules[0].destination.bucket",)),
    Case(
        "A08",
        "to a bucket whose region is not known yet",
        resource(REPLICATION, "r", to("arn:aws:s3:::acme-later")),
        ("rules[0].destination.bucket",),
        others=(resource(BUCKET, "b", {"bucket": "acme-later", "region": UNKNOWN}, region=HOME),),
    ),
    Case(
        "A08",
        "a bucket's own replication outside",
        resource(BUCKET, "b", {"replicationConfiguration": to("arn:aws:s3:::acme-london")}),
        ("replicationConfiguration.rules[0].destination.bucket",),
        others=(LONDON,),
    ),
    Case("A08", "a bucket without replication", resource(BUCKET, "b", {})),
    Case(
        "A09",
        "of several regions",
        resource("aws:s3control/multiRegionAccessPoint:MultiRegionAccessPoint", "p", {}),
        ("",),
    ),
    Case("A09", "of one region", resource("aws:s3/accessPoint:AccessPoint", "p", {"bucket": "acme-stockholm"})),
    *(
        case
        for type_ in (KEY, EXTERNAL)
        for case in (
            Case("A11", f"{type_} says nothing", resource(type_, "k", {})),
            Case("A11", f"{type_} of one region", resource(type_, "k", {"multiRegion": False})),
            Case("A11", f"{type_} of several", resource(type_, "k", {"multiRegion": True}), ("multiRegion",)),
            Case("A11", f"{type_} adopted", resource(type_, "k", {}, adopted=True), ("multiRegion",)),
        )
    ),
    *(
        case
        for type_ in (REPLICA, EXTERNAL_REPLICA)
        for case in (
            Case("A11", f"{type_} inside", resource(type_, "k", {"primaryKeyArn": key(HOME)}, region="eu-west-1")),
            Case(
                "A11",
                f"{type_} outside",
                resource(type_, "k", {"primaryKeyArn": key(HOME)}, region="eu-west-2"),
                ("region",),
            ),
            Case(
                "A11",
                f"{type_} of a key outside",
                resource(type_, "k", {"primaryKeyArn": key("us-east-1")}, region=HOME),
                ("primaryKeyArn",),
            ),
        )
    ),
    Case("A12", "in one region", resource(SECRET, "s", {})),
    Case("A12", "with no replica in its list", resource(SECRET, "s", {"replicas": []})),
    Case("A12", "copied inside", resource(SECRET, "s", {"replicas": [{"region": "eu-west-1"}]})),
    Case(
        "A12",
        "copied outside",
        resource(SECRET, "s", {"replicas": [{"region": "me-central-1"}]}),
        ("replicas[0].region",),
    ),
    Case("A12", "copied nobody knows where", resource(SECRET, "s", {"replicas": UNKNOWN}), ("replicas",)),
    *(
        Case(
            "A13",
            f"images to {region}",
            resource(IMAGES, "i", {"replicationConfiguration": {"rules": [{"destinations": [{"region": region}]}]}}),
            found,
        )
        for region, found in (
            ("eu-west-1", ()),
            ("us-east-1", ("replicationConfiguration.rules[0].destinations[0].region",)),
        )
    ),
    *(
        Case(
            "A14",
            f"copies to {arn}",
            resource(PLAN, "p", {"rules": [{"copyActions": [{"destinationVaultArn": arn}]}]}),
            found,
        )
        for arn, found in (
            (vault("eu-west-1"), ()),
            (vault("ap-southeast-1"), ("rules[0].copyActions[0].destinationVaultArn",)),
            ("orders", ("rules[0].copyActions[0].destinationVaultArn",)),
        )
    ),
    Case("A14", "copies nothing", resource(PLAN, "p", {"rules": [{"ruleName": "daily"}]})),
    Case(
        "A14",
        "air-gapped vault outside",
        resource(PLAN, "p", {"rules": [{"targetLogicallyAirGappedBackupVaultArn": vault("us-east-1")}]}),
        ("rules[0].targetLogicallyAirGappedBackupVaultArn",),
    ),
    Case("A15", "to a region inside", resource(FILES, "f", {"destination": {"region": "eu-west-1"}})),
    Case(
        "A15",
        "to a region outside",
        resource(FILES, "f", {"destination": {"region": "eu-west-2"}}),
        ("destination.region",),
    ),
    Case("A15", "to a zone inside", resource(FILES, "f", {"destination": {"availabilityZoneName": "eu-west-1a"}})),
    Case(
        "A15",
        "to a zone outside",
        resource(FILES, "f", {"destination": {"availabilityZoneName": "eu-west-2a"}}),
        ("destination.availabilityZoneName",),
    ),
    Case(
        "A15",
        "to nobody knows where",
        resource(FILES, "f", {"destination": {"kmsKeyId": "k"}}),
        ("destination.region",),
    ),
    Case("A16", "snapshot from inside", resource(SNAPSHOT, "s", {"sourceRegion": "eu-west-1"}, region=HOME)),
    Case(
        "A16",
        "snapshot from outside",
        resource(SNAPSHOT, "s", {"sourceRegion": "eu-west-2"}, region=HOME),
        ("sourceRegion",),
    ),
    Case(
        "A16", "snapshot to outside", resource(SNAPSHOT, "s", {"sourceRegion": HOME}, region="eu-west-2"), ("region",)
    ),
    Case("A16", "image from inside", resource(IMAGE, "i", {"sourceAmiRegion": "eu-west-1"}, region=HOME)),
    Case(
        "A16",
        "image from outside",
        resource(IMAGE, "i", {"sourceAmiRegion": "us-east-1"}, region=HOME),
        ("sourceAmiRegion",),
    ),
    Case("A17", "copies nothing", resource(SCHEDULE, "s", {"policyDetails": {"schedules": [{"name": "daily"}]}})),
    *(
        Case(
            "A17",
            f"{member} {target}",
            resource(SCHEDULE, "s", {"policyDetails": {"schedules": [{"crossRegionCopyRules": [{member: target}]}]}}),
            (f"policyDetails.schedules[0].crossRegionCopyRules[0].{member}",) if outside else (),
        )
        for member, target, outside in (
            ("target", "eu-west-1", False),
            ("target", "eu-west-2", True),
            ("targetRegion", "eu-west-2", True),
            ("target", "arn:aws:outposts:eu-north-1:123456789012:outpost/op-1", False),
            ("target", "arn:aws:outposts:us-east-1:123456789012:outpost/op-1", True),
        )
    ),
    Case(
        "A17",
        "copies on an event",
        resource(SCHEDULE, "s", {"policyDetails": {"action": {"crossRegionCopies": [{"target": "us-east-1"}]}}}),
        ("policyDetails.action.crossRegionCopies[0].target",),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in copies.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(copies.RULES, CASES) == []


def test_asks_for_the_purposes_that_it_is_about() -> None:
    assert purposes(copies.RULES, CASES) == {
        "A08": {Purpose.REST},
        "A09": set(),
        "A11": {Purpose.KEYS},
        "A12": {Purpose.REST},
        "A13": {Purpose.REST},
        "A14": {Purpose.BACKUP},
        "A15": {Purpose.REST},
        "A16": {Purpose.BACKUP},
        "A17": {Purpose.BACKUP},
    }
