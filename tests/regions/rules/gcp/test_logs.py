"""G11, G12, G16 and G23: logs, packages and consumers' data of Google Cloud."""

import pytest

from regions.rules.gcp import logs
from regions.rules.rule import UNKNOWN, Resource
from tests.fixtures.resources import resource
from tests.fixtures.rule_cases import Case, breaches, survivors
from tests.fixtures.rule_tables import Stack

ORGANIZATION = "gcp:logging/organizationSettings:OrganizationSettings"
FOLDER = "gcp:logging/folderSettings:FolderSettings"
BUCKET, SINK = "gcp:logging/projectBucketConfig:ProjectBucketConfig", "gcp:logging/projectSink:ProjectSink"
PACKAGES, APIGEE = "gcp:artifactregistry/repository:Repository", "gcp:apigee/organization:Organization"
FRANKFURT, LONDON = Stack("europe-west3"), Stack("europe-west2", "uk-gdpr")
OBJECTS, TABLES = "storage.googleapis.com/acme-logs", "bigquery.googleapis.com/projects/p/datasets/acme_logs"
MESSAGES = "pubsub.googleapis.com/projects/p/topics/acme-logs"


def log_bucket(location: str) -> str:
    return f"logging.googleapis.com/projects/p/locations/{location}/buckets/audit"


def objects(location: str) -> Resource:
    return resource("gcp:storage/bucket:Bucket", "objects", {"name": "acme-logs", "location": location})


def tables(location: str) -> Resource:
    return resource("gcp:bigquery/dataset:Dataset", "tables", {"datasetId": "acme_logs", "location": location})


def messages(*regions: str) -> Resource:
    policy = {"messageStoragePolicy": {"allowedPersistenceRegions": list(regions)}} if regions else {}
    return resource("gcp:pubsub/topic:Topic", "messages", {"name": "acme-logs", **policy})


CASES = [
    *(
        FRANKFURT.case("G11", f"{type_} {why}", type_, properties, *found)
        for type_ in (ORGANIZATION, FOLDER)
        for why, properties, found in (
            ("inside", {"storageLocation": "europe-west3"}, ()),
            ("global", {"storageLocation": "global"}, ("storageLocation",)),
            ("global, by default", {}, ("storageLocation",)),
        )
    ),
    FRANKFURT.case("G12", "kept inside", BUCKET, {"location": "europe-west3"}),
    FRANKFURT.case("G12", "kept globally", BUCKET, {"location": "global"}, "location"),
    FRANKFURT.case("G12", "kept nobody knows where", BUCKET, {}, "location"),
    FRANKFURT.case(
        "G12", "a folder's", "gcp:logging/folderBucketConfig:FolderBucketConfig", {"location": "global"}, "location"
    ),
    FRANKFURT.case("G12", "sent to a log bucket inside", SINK, {"destination": log_bucket("europe-west4")}),
    FRANKFURT.case("G12", "sent to a log bucket outside", SINK, {"destination": log_bucket("global")}, "destination"),
    FRANKFURT.case(
        "G12", "sent to another project", SINK, {"destination": "logging.googleapis.com/projects/q"}, "destination"
    ),
    FRANKFURT.case("G12", "sent nobody knows where", SINK, {}, "destination"),
    FRANKFURT.case("G12", "sent to objects inside", SINK, {"destination": OBJECTS}, others=(objects("europe-west3"),)),
    FRANKFURT.case(
        "G12", "sent to objects outside", SINK, {"destination": OBJECTS}, "destination", others=(objects("US"),)
    ),
    FRANKFURT.case("G12", "sent to another plan's objects", SINK, {"destination": OBJECTS}, "destination"),
    FRANKFURT.case("G12", "sent to tables inside", SINK, {"destination": TABLES}, others=(tables("europe-west3"),)),
    FRANKFURT.case(
        "G12", "sent to tables outside", SINK, {"destination": TABLES}, "destination", others=(tables("US"),)
    ),
    FRANKFURT.case(
        "G12", "sent to messages inside", SINK, {"destination": MESSAGES}, others=(messages("europe-west3"),)
    ),
    FRANKFURT.case(
        "G12",
        "sent to messages outside",
        SINK,
        {"destination": MESSAGES},
        "destination",
        others=(messages("us-east1"),),
    ),
    FRANKFURT.case(
        "G12", "sent to messages anywhere", SINK, {"destination": MESSAGES}, "destination", others=(messages(),)
    ),
    FRANKFURT.case("G12", "sent to what is not known yet", SINK, {"destination": UNKNOWN}, "destination"),
    LONDON.case(
        "G12", "sent to Frankfurt under UK law", SINK, {"destination": log_bucket("europe-west3")}, "destination"
    ),
    FRANKFURT.case("G16", "inside", PACKAGES, {"location": "europe-west3"}),
    FRANKFURT.case("G16", "multi-region", PACKAGES, {"location": "europe"}, "location"),
    FRANKFURT.case("G16", "nobody says where", PACKAGES, {}, "location"),
    FRANKFURT.case(
        "G16",
        "pulls from elsewhere",
        PACKAGES,
        {"location": "europe-west3", "remoteRepositoryConfig": {"description": "hub"}},
        "remoteRepositoryConfig",
    ),
    FRANKFURT.case(
        "G23", "inside", APIGEE, {"analyticsRegion": "europe-west3", "apiConsumerDataLocation": "europe-west3"}
    ),
    FRANKFURT.case("G23", "consumers anywhere, by default", APIGEE, {}, "apiConsumerDataLocation"),
    FRANKFURT.case(
        "G23",
        "outside",
        APIGEE,
        {"analyticsRegion": "us-east1", "apiConsumerDataLocation": "us-east1"},
        "analyticsRegion",
        "apiConsumerDataLocation",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in logs.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(logs.RULES, CASES) == []
