"""Logs, images and consumer data on Google Cloud."""

import re
from collections.abc import Iterator
from typing import Any

from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.clauses import absent, outside, within
from regions.rules.gcp.places import named, stored_within
from regions.rules.rule import UNSET, Breach, Clause, Plan, Resource, ResourceRule

_BUCKETS = tuple(
    f"gcp:logging/{owner}BucketConfig:{owner[0].upper()}{owner[1:]}BucketConfig"
    for owner in ("project", "folder", "organization", "billingAccount")
)
_SINKS = tuple(
    f"gcp:logging/{owner}Sink:{owner[0].upper()}{owner[1:]}Sink"
    for owner in ("project", "folder", "organization", "billingAccount")
)
_STORES = {
    "storage.googleapis.com": "gcp:storage/bucket:Bucket",
    "bigquery.googleapis.com": "gcp:bigquery/dataset:Dataset",
    "pubsub.googleapis.com": "gcp:pubsub/topic:Topic",
}
"""What a sink may write to by the host of its destination; a log bucket has its location in its path."""


def _sent_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    if value is UNSET:
        yield "its destination is not said"
        return
    location = re.search(r"/locations/([^/]+)/buckets/", str(value))
    if location is None:
        store = _STORES.get(str(value).partition("/")[0], "")
        yield from stored_within(resource, plan, Purpose.LOGS, named(plan, str(value), store))
    elif breach := outside(plan, resource, Purpose.LOGS, location[1]):
        yield breach


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="G11",
        title="Logs of new projects outside the Boundary",
        severity=Severity.DENY,
        types=("gcp:logging/organizationSettings:OrganizationSettings", "gcp:logging/folderSettings:FolderSettings"),
        trap="without storageLocation the buckets _Default and _Required of each new project are global",
        remedy="set storageLocation to a region inside the Boundary, before projects are made",
        source="pulumi-gcp 10.2.0",
        clauses=(Clause("storageLocation", within(Purpose.LOGS, unset="unset, the buckets are global")),),
    ),
    ResourceRule(
        id="G12",
        title="Logs kept or sent outside the Boundary",
        severity=Severity.DENY,
        types=(*_BUCKETS, *_SINKS),
        trap="log buckets are global unless told otherwise, and sinks write to any bucket, dataset or topic",
        remedy="log buckets in a region inside the Boundary; sinks to them, or to stores of this plan inside it",
        source="pulumi-gcp 10.2.0",
        clauses=(
            Clause("location", within(Purpose.LOGS, unset="its location is not said"), types=_BUCKETS),
            Clause("destination", _sent_within, types=_SINKS),
        ),
    ),
    ResourceRule(
        id="G16",
        title="Packages outside the Boundary",
        severity=Severity.WARN,
        types=("gcp:artifactregistry/repository:Repository",),
        trap="multi-regions keep images in several countries; a remote repository tells the public one what is pulled",
        remedy="set location to a single region inside the Boundary, no remoteRepositoryConfig",
        source="pulumi-gcp 10.2.0",
        clauses=(
            Clause("location", within(Purpose.REST, unset="its location is not said")),
            Clause("remoteRepositoryConfig", absent("it pulls from a repository elsewhere")),
        ),
    ),
    ResourceRule(
        id="G23",
        title="Apigee's data outside the Boundary",
        severity=Severity.DENY,
        types=("gcp:apigee/organization:Organization",),
        trap="analytics and API consumers' data rest where the organization says, not where its gateways run",
        remedy="analyticsRegion and apiConsumerDataLocation inside the Boundary",
        source="pulumi-gcp 10.2.0",
        clauses=(
            Clause("analyticsRegion", within(Purpose.LOGS)),
            Clause(
                "apiConsumerDataLocation",
                within(Purpose.REST, unset="unset, the data of API consumers rests in the global control plane"),
            ),
        ),
    ),
)
