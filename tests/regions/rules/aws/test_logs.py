"""A18 to A23, A40: where logs, audit trails and telemetry go."""

import pytest

from regions.residency import Purpose
from regions.rules.aws import logs
from regions.rules.rule import UNKNOWN
from tests.fixtures.resources import resource
from tests.fixtures.rule_cases import Case, breaches, purposes, survivors

BUCKET, TRAIL = "aws:s3/bucket:Bucket", "aws:cloudtrail/trail:Trail"
EVENTS, LINK = "aws:cloudtrail/eventDataStore:EventDataStore", "aws:oam/link:Link"
FILTER = "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter"
CENTRAL = "aws:observabilityadmin/centralizationRuleForOrganization:CentralizationRuleForOrganization"
STREAM = "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"
FINDINGS = "aws:securityhub/findingAggregator:FindingAggregator"
CONFIGURATIONS = "aws:cfg/configurationAggregator:ConfigurationAggregator"
BUCKET_LOGS, FLOWS = "aws:s3/bucketLogging:BucketLogging", "aws:ec2/flowLog:FlowLog"
HOME = "eu-central-1"
HERE = resource(BUCKET, "here", {"bucket": "acme-here"}, region="eu-west-1")
LONDON = resource(BUCKET, "london", {"bucket": "acme-london"}, region="eu-west-2")
BUCKETS = (HERE, LONDON)


def group(region: str) -> str:
    return f"arn:aws:logs:{region}:123456789012:log-group:audit:*"


def nested(path: str, value: object) -> dict[str, object]:
    key, _, rest = path.partition(".")
    return {key: nested(rest, value) if rest else value}


CASES = [
    Case("A18", "bucket inside", resource(TRAIL, "t", {"s3BucketName": "acme-here"}), others=BUCKETS),
    Case("A18", "all regions' events, kept inside", resource(TRAIL, "t", {"isMultiRegionTrail": True})),
    Case("A18", "bucket outside", resource(TRAIL, "t", {"s3BucketName": "acme-london"}), ("s3BucketName",), BUCKETS),
    Case(
        "A18", "bucket of another account", resource(TRAIL, "t", {"s3BucketName": "theirs"}), ("s3BucketName",), BUCKETS
    ),
    Case("A18", "log group inside", resource(TRAIL, "t", {"cloudWatchLogsGroupArn": group("eu-west-1")})),
    Case(
        "A18",
        "log group outside",
        resource(TRAIL, "t", {"cloudWatchLogsGroupArn": group("us-east-1")}),
        ("cloudWatchLogsGroupArn",),
    ),
    Case("A19", "of one region", resource(EVENTS, "e", {"multiRegionEnabled": False})),
    Case("A19", "of all regions", resource(EVENTS, "e", {"multiRegionEnabled": True}), ("multiRegionEnabled",)),
    Case("A19", "of all regions as it does not say", resource(EVENTS, "e", {}), ("multiRegionEnabled",)),
    *(
        case
        for type_, key in ((LINK, "sinkIdentifier"), (FILTER, "destinationArn"))
        for case in (
            Case("A20", f"{key} inside", resource(type_, "l", {key: group("eu-west-1")})),
            Case("A20", f"{key} outside", resource(type_, "l", {key: group("us-east-1")}), (key,)),
            Case("A20", f"{key} without region", resource(type_, "l", {key: "sink-1"}), (key,)),
            Case("A20", f"{key} not known yet", resource(type_, "l", {key: UNKNOWN}), (key,)),
        )
    ),
    Case("A21", "inside", resource(CENTRAL, "c", {"rule": {"destination": {"region": "eu-west-1"}}})),
    Case(
        "A21",
        "outside",
        resource(CENTRAL, "c", {"rule": {"destination": {"region": "us-east-1"}}}),
        ("rule.destination.region",),
    ),
    Case("A21", "nowhere", resource(CENTRAL, "c", {"rule": {}}), ("rule.destination.region",)),
    *(
        Case(
            "A21",
            f"{kind} backed up in {region}",
            resource(
                CENTRAL,
                "c",
                {"rule": {"destination": {"region": HOME, kind: {"backupConfiguration": {"region": region}}}}},
            ),
            (f"rule.destination.{kind}.backupConfiguration.region",) if outside else (),
        )
        for kind in ("destinationLogsConfiguration", "destinationMetricsConfiguration")
        for region, outside in (("eu-west-1", False), ("eu-west-2", True))
    ),
    *(
        Case(
            "A22",
            f"{path} is {host}",
            resource(STREAM, "s", nested(path, host)),
            (path,) if outside else (),
            hosts=hosts,
        )
        for path in (
            "httpEndpointConfiguration.url",
            "splunkConfiguration.hecEndpoint",
            "snowflakeConfiguration.accountUrl",
        )
        for host, outside, hosts in (
            ("https://datadoghq.eu/v1", False, ()),
            ("https://datadoghq.com/v1", True, ()),
            ("https://http-intake.logs.datadoghq.eu/v1", True, ()),
            ("https://logs.example.org/in", True, ()),
            ("https://logs.example.org/in", False, ("logs.example.org",)),
            ("https://abc.execute-api.eu-north-1.amazonaws.com/in", False, ()),
            ("https://abc.execute-api.us-east-1.amazonaws.com/in", True, ()),
            ("https://logs.amazonaws.com.example.org/eu-north-1", True, ()),
        )
    ),
    *(
        Case("A22", f"{path} is {name}", resource(STREAM, "s", nested(path, f"arn:aws:s3:::{name}")), found, BUCKETS)
        for path in (
            "extendedS3Configuration.bucketArn",
            "extendedS3Configuration.s3BackupConfiguration.bucketArn",
            "elasticsearchConfiguration.s3Configuration.bucketArn",
            "httpEndpointConfiguration.s3Configuration.bucketArn",
            "icebergConfiguration.s3Configuration.bucketArn",
            "opensearchConfiguration.s3Configuration.bucketArn",
            "opensearchserverlessConfiguration.s3Configuration.bucketArn",
            "redshiftConfiguration.s3Configuration.bucketArn",
            "redshiftConfiguration.s3BackupConfiguration.bucketArn",
            "snowflakeConfiguration.s3Configuration.bucketArn",
            "splunkConfiguration.s3Configuration.bucketArn",
        )
        for name, found in (("acme-here", ()), ("acme-london", (path,)))
    ),
    *(
        Case("A23", f"{type_} in {region}", resource(type_, "a", {}, region=region), found)
        for type_ in (FINDINGS, CONFIGURATIONS)
        for region, found in (("eu-west-1", ()), ("us-east-1", ("region",)))
    ),
    *(
        Case("A40", f"bucket's logs in {name}", resource(BUCKET_LOGS, "l", {"targetBucket": name}), found, BUCKETS)
        for name, found in (("acme-here", ()), ("acme-london", ("targetBucket",)), ("theirs", ("targetBucket",)))
    ),
    *(
        Case(
            "A40",
            f"bucket's own logs in {name}",
            resource(BUCKET, "b", {"logging": {"targetBucket": name}}),
            found,
            BUCKETS,
        )
        for name, found in (("acme-here", ()), ("acme-london", ("logging.targetBucket",)))
    ),
    *(
        Case("A40", f"flow log to {arn}", resource(FLOWS, "f", {"logDestination": arn}), found, BUCKETS)
        for arn, found in (
            (group(HOME), ()),
            (group("us-east-1"), ("logDestination",)),
            ("arn:aws:s3:::acme-here/flows/", ()),
            ("arn:aws:s3:::acme-london/flows/", ("logDestination",)),
            ("arn:aws:s3:::theirs", ("logDestination",)),
            ("audit", ("logDestination",)),
        )
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in logs.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(logs.RULES, CASES) == []


def test_asks_for_the_purposes_that_it_is_about() -> None:
    assert purposes(logs.RULES, CASES) == {
        "A18": {Purpose.LOGS},
        "A19": set(),
        "A20": {Purpose.LOGS},
        "A21": {Purpose.LOGS, Purpose.BACKUP},
        "A22": {Purpose.LOGS},
        "A23": {Purpose.LOGS},
        "A40": {Purpose.LOGS},
    }
