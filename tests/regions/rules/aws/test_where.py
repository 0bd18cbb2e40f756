"""A01 and A02: where AWS resources and their providers stand."""

import json

import pytest

from regions.residency import Purpose
from regions.rules.aws import where
from regions.rules.rule import UNKNOWN
from tests.fixtures.resources import resource
from tests.fixtures.rule_cases import Case, breaches, purposes, survivors

TABLE, KEY, VAULT = "aws:dynamodb/table:Table", "aws:kms/key:Key", "aws:backup/vault:Vault"
GROUP, PROVIDER = "aws:cloudwatch/logGroup:LogGroup", "pulumi:providers:aws"
HOME, LONDON = "eu-central-1", "eu-west-2"
STOCKHOLM_S3 = {"s3": "https://s3.eu-north-1.amazonaws.com"}
VIRGINIA_S3 = {"s3": "https://s3.us-east-1.amazonaws.com"}

CASES = [
    Case("A01", "takes its provider's region", resource(TABLE, "t", {}, region=HOME)),
    Case("A01", "names a region inside", resource(TABLE, "t", {"region": "eu-north-1"}, region=HOME)),
    Case("A01", "names a region outside", resource(TABLE, "t", {"region": LONDON}, region=HOME), ("region",)),
    Case("A01", "has a provider outside", resource(TABLE, "t", {}, region=LONDON), ("region",)),
    Case("A01", "has no region at all", resource(TABLE, "t", {}), ("region",)),
    Case("A01", "names a region that only the cloud knows", resource(TABLE, "t", {"region": UNKNOWN}), ("region",)),
    Case("A01", "names no region of the catalogue", resource(TABLE, "t", {"region": "eu-west-9"}), ("region",)),
    Case("A01", "is adopted by a provider inside", resource(TABLE, "t", {}, region=HOME, adopted=True)),
    Case("A01", "of the sovereign cloud", resource(TABLE, "t", {"region": "eusc-de-east-1"}, region=HOME), ("region",)),
    Case("A01", "key outside", resource(KEY, "k", {"region": LONDON}, region=HOME), ("region",)),
    Case("A01", "key inside", resource(KEY, "k", {}, region="eu-west-1")),
    Case("A01", "backup vault outside", resource(VAULT, "v", {"region": LONDON}, region=HOME), ("region",)),
    Case("A01", "backup vault inside", resource(VAULT, "v", {}, region="eu-west-1")),
    Case("A01", "log group outside", resource(GROUP, "g", {"region": LONDON}, region=HOME), ("region",)),
    Case("A01", "log group inside", resource(GROUP, "g", {}, region="eu-west-1")),
    Case(
        "A01",
        "a replication set's region is a list of others",
        resource("aws:ssmincidents/replicationSet:ReplicationSet", "r", {"region": [{"name": LONDON}]}, region=HOME),
    ),
    Case("A01", "London under UK law", resource(TABLE, "t", {}, region=LONDON), regime="uk-gdpr", region=LONDON),
    Case("A02", "stands inside", resource(PROVIDER, "aws", {"region": "eu-west-1"})),
    Case("A02", "stands outside", resource(PROVIDER, "aws", {"region": "us-east-1"}), ("region",)),
    Case("A02", "says no region", resource(PROVIDER, "aws", {}), ("region",)),
    Case("A02", "of the sovereign cloud", resource(PROVIDER, "aws", {"region": "eusc-de-east-1"}), ("region",)),
    Case(
        "A02",
        "of the sovereign cloud, as its stack",
        resource(PROVIDER, "aws", {"region": "eusc-de-east-1"}),
        regime="eu-strict",
        region="eusc-de-east-1",
    ),
    Case("A02", "endpoint inside", resource(PROVIDER, "aws", {"region": HOME, "endpoints": [STOCKHOLM_S3]})),
    Case(
        "A02",
        "endpoint outside",
        resource(PROVIDER, "aws", {"region": HOME, "endpoints": [STOCKHOLM_S3, VIRGINIA_S3]}),
        ("endpoints[1]",),
    ),
    Case(
        "A02",
        "endpoint of nobody knows whom",
        resource(PROVIDER, "aws", {"region": HOME, "endpoints": [{"s3": "https://s3.example.org"}]}),
        ("endpoints[0]",),
    ),
    Case(
        "A02",
        "endpoint of AWS without a region",
        resource(PROVIDER, "aws", {"region": HOME, "endpoints": [{"sts": "https://sts.amazonaws.com"}]}),
        ("endpoints[0]",),
    ),
    Case(
        "A02",
        "endpoint that the stack declares",
        resource(PROVIDER, "aws", {"region": HOME, "endpoints": [{"s3": "https://s3.example.org"}]}),
        hosts=("s3.example.org",),
    ),
    Case(
        "A02",
        "endpoint that only the cloud knows",
        resource(PROVIDER, "aws", {"region": HOME, "endpoints": [{"s3": UNKNOWN}]}),
        ("endpoints[0]",),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in where.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(where.RULES, CASES) == []


def test_asks_for_the_purposes_that_it_is_about() -> None:
    assert purposes(where.RULES, CASES) == {
        "A01": {Purpose.REST, Purpose.PROCESS, Purpose.LOGS, Purpose.BACKUP, Purpose.KEYS},
        "A02": {Purpose.REST, Purpose.PROCESS},
    }


@pytest.mark.parametrize(
    ("endpoints", "found"),
    [
        (json.dumps([VIRGINIA_S3]), ("endpoints[0]",)),
        (json.dumps([STOCKHOLM_S3]), ()),
        ("no json", ("endpoints[0]",)),
        ('["a"]', ("endpoints[0]",)),
    ],
)
def test_reads_endpoints_as_the_engine_has_them(endpoints: str, found: tuple[str, ...]) -> None:
    rule = next(rule for rule in where.RULES if rule.id == "A02")
    provider = resource(PROVIDER, "aws", {"region": HOME})
    engines = type(provider)(PROVIDER, "aws", {"region": HOME, "endpoints": endpoints})
    assert breaches(rule, Case("A02", "from the engine", engines)) == found
