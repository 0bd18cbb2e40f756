"""Where AWS logs, audit trails and telemetry go: A18 to A23, A40."""

from collections.abc import Iterator
from typing import Any

from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.aws.copies import BUCKET
from regions.rules.aws.where import host_within
from regions.rules.clauses import arn_within, one_of, points_within, stands_within, within
from regions.rules.rule import UNSET, Breach, Check, Clause, Plan, Resource, ResourceRule

_TRAIL = "aws:cloudtrail/trail:Trail"
_LINK = "aws:oam/link:Link"
_SUBSCRIPTION = "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter"
_BUCKET_LOGGING = "aws:s3/bucketLogging:BucketLogging"
_FLOW_LOG = "aws:ec2/flowLog:FlowLog"
_NO_ARN = "no ARN, so where it leads is not known"
_BUCKETS_OF_STREAMS = (
    "extendedS3Configuration.bucketArn",
    "extendedS3Configuration.s3BackupConfiguration.bucketArn",
    *(
        f"{destination}Configuration.s3Configuration.bucketArn"
        for destination in (
            *("elasticsearch", "httpEndpoint", "iceberg", "opensearch"),
            *("opensearchserverless", "redshift", "snowflake", "splunk"),
        )
    ),
    "redshiftConfiguration.s3BackupConfiguration.bucketArn",
)
"""Where a Firehose stream writes what it carries, or what it could not deliver."""


def leads_within(purpose: Purpose) -> Check:
    """An ARN whose region allows the purpose, or one of a bucket of this plan that stands where it is allowed."""
    by_region = arn_within(purpose, bare=_NO_ARN)
    by_bucket = points_within(purpose, BUCKET)

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        is_bucket = value is not UNSET and str(value).split(":")[2:3] == ["s3"]
        if is_bucket:
            yield from by_bucket(str(value).partition("/")[0], resource, plan)  # less the folder that may follow
        else:
            yield from by_region(value, resource, plan)

    return check


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="A18",
        title="Audit trail kept elsewhere",
        severity=Severity.WARN,
        types=(_TRAIL,),
        trap="a trail writes to whatever bucket and log group it names; a trail of all regions is good in itself",
        remedy="name a bucket of this plan and a log group, both inside the Boundary",
        source="residency-facts.md §7 A18, pulumi_aws 7.51.1",
        clauses=(
            Clause("s3BucketName", points_within(Purpose.LOGS, BUCKET)),
            Clause("cloudWatchLogsGroupArn", arn_within(Purpose.LOGS, bare=_NO_ARN)),
        ),
    ),
    ResourceRule(
        id="A19",
        title="Event data store that pulls in other regions' events",
        severity=Severity.WARN,
        types=("aws:cloudtrail/eventDataStore:EventDataStore",),
        trap="multiRegionEnabled is true where it is not said",
        remedy="say multiRegionEnabled: false, or justify it",
        source="residency-facts.md §7 A19, pulumi_aws 7.51.1",
        clauses=(
            Clause(
                "multiRegionEnabled",
                one_of({False}, "it collects all regions' events", unset="unset, it collects all regions' events"),
            ),
        ),
    ),
    ResourceRule(
        id="A20",
        title="Logs sent elsewhere",
        severity=Severity.DENY,
        types=(_LINK, _SUBSCRIPTION),
        trap="a sink or destination may stand in another region, and receives whole log events",
        remedy="name a sink or destination inside the Boundary, by its ARN",
        source="residency-facts.md §7 A20, pulumi_aws 7.51.1",
        clauses=(
            Clause("sinkIdentifier", arn_within(Purpose.LOGS, bare=_NO_ARN), (_LINK,)),
            Clause(
                "destinationArn",
                arn_within(Purpose.LOGS, bare=_NO_ARN),
                (_SUBSCRIPTION,),
            ),
        ),
    ),
    ResourceRule(
        id="A21",
        title="Organisation's logs centralised elsewhere",
        severity=Severity.DENY,
        types=("aws:observabilityadmin/centralizationRuleForOrganization:CentralizationRuleForOrganization",),
        trap="logs of all accounts are copied to the destination region and to its backup region",
        remedy="name destination and backup regions inside the Boundary",
        source="residency-facts.md §7 A21, pulumi_aws 7.51.1",
        clauses=(
            Clause("rule.destination.region", within(Purpose.LOGS, unset="it does not say where logs are brought")),
            *(
                Clause(f"rule.destination.{kind}.backupConfiguration.region", within(Purpose.BACKUP))
                for kind in ("destinationLogsConfiguration", "destinationMetricsConfiguration")
            ),
        ),
    ),
    ResourceRule(
        id="A22",
        title="Stream delivers outside the Boundary",
        severity=Severity.DENY,
        types=("aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream",),
        trap="an HTTP, Splunk or Snowflake destination is a vendor's host; a bucket's ARN has no region",
        remedy="deliver to a host that the stack declares, and to buckets of this plan inside the Boundary",
        source="residency-facts.md §7 A22, pulumi_aws 7.51.1",
        clauses=(
            Clause("httpEndpointConfiguration.url", host_within(Purpose.LOGS)),
            Clause("splunkConfiguration.hecEndpoint", host_within(Purpose.LOGS)),
            Clause("snowflakeConfiguration.accountUrl", host_within(Purpose.LOGS)),
            *(Clause(path, leads_within(Purpose.LOGS)) for path in _BUCKETS_OF_STREAMS),
        ),
    ),
    ResourceRule(
        id="A23",
        title="Findings and configurations aggregated elsewhere",
        severity=Severity.WARN,
        types=(
            "aws:securityhub/findingAggregator:FindingAggregator",
            "aws:cfg/configurationAggregator:ConfigurationAggregator",
        ),
        trap="all linked regions' findings or configurations are copied to the region where the aggregator stands",
        remedy="let the aggregator stand in a region inside the Boundary",
        source="residency-facts.md §7 A23, pulumi_aws 7.51.1",
        clauses=(Clause("region", stands_within(Purpose.LOGS), own=True),),
    ),
    ResourceRule(
        id="A40",
        title="Access or flow logs kept elsewhere",
        severity=Severity.WARN,
        types=(_BUCKET_LOGGING, BUCKET, _FLOW_LOG),
        trap="a log bucket's name or ARN has no region: it may stand anywhere",
        remedy="name a bucket of this plan, or a log group, inside the Boundary",
        source="residency-facts.md §7 A40, pulumi_aws 7.51.1",
        clauses=(
            Clause("targetBucket", points_within(Purpose.LOGS, BUCKET), (_BUCKET_LOGGING,)),
            Clause("logging.targetBucket", points_within(Purpose.LOGS, BUCKET), (BUCKET,)),
            Clause("logDestination", leads_within(Purpose.LOGS), (_FLOW_LOG,)),
        ),
    ),
)
