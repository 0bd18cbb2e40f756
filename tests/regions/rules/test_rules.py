"""Every rule of every family: complete, told, and about properties that the real SDKs have."""

import json

import pytest

from regions.findings import Finding, Severity
from regions.rules import RULES, review_plan
from regions.rules.rule import Clause, Resource, ResourceRule
from tests.fixtures.resources import fault, plan, resource

HOME = "eu-central-1"
SAMPLES = {
    "aws:*": ("aws:s3/bucket:Bucket", "aws:rds/instance:Instance", "aws:lambda/function:Function"),
    "aws:kms/*": ("aws:kms/key:Key", "aws:kms/alias:Alias"),
    "aws:cloudhsmv2/*": ("aws:cloudhsmv2/cluster:Cluster",),
    "aws:backup/*": ("aws:backup/vault:Vault", "aws:backup/plan:Plan"),
    "aws:dlm/*": ("aws:dlm/lifecyclePolicy:LifecyclePolicy",),
    "aws:cloudwatch/log*": ("aws:cloudwatch/logGroup:LogGroup",),
    "aws:cloudtrail/*": ("aws:cloudtrail/trail:Trail",),
}
"""Types that stand for a pattern."""


def types_of(rule: ResourceRule, clause: Clause) -> list[str]:
    types = clause.types or rule.types
    return [each for type_ in types for each in (SAMPLES[type_] if "*" in type_ else (type_,))]


def test_has_the_rules_of_the_residency_facts() -> None:
    counts = {"A": 40, "Z": 30, "G": 28, "X": 5}
    assert set(RULES) == {f"{family}{n:02}" for family, last in counts.items() for n in range(1, last + 1)}


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_tells_what_goes_wrong_what_to_change_and_who_says_so(rule: ResourceRule) -> None:
    assert all((rule.title, rule.trap, rule.remedy, rule.source, rule.types, rule.clauses))
    assert rule.severity in Severity


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_names_only_properties_that_the_sdk_has(rule: ResourceRule) -> None:
    faults = [fault(type_, clause.path) for clause in rule.clauses if clause.path for type_ in types_of(rule, clause)]
    assert [found for found in faults if found] == []


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_is_about_types_that_the_sdk_has(rule: ResourceRule) -> None:
    types = [type_ for type_ in rule.types if "*" not in type_]
    for type_ in types:
        resource(type_, "it", {})
    of_clauses = {type_ for clause in rule.clauses for type_ in clause.types}
    assert all(rule.about(type_.replace("*", "x")) for type_ in of_clauses)


def test_reviews_each_resource_by_each_rule_in_one_order() -> None:
    table = resource(
        "aws:dynamodb/table:Table", "orders", {"replicas": [{"regionName": "us-east-1"}], "region": "us-east-1"}
    )
    key = resource("aws:kms/key:Key", "key", {"multiRegion": True}, region=HOME)
    findings = review_plan(plan("eu-gdpr", HOME, table, key))
    assert [(found.resource, found.rule, found.property) for found in findings] == [
        ("key", "A11", "multiRegion"),
        ("orders", "A01", "region"),
        ("orders", "A07", "replicas[0].regionName"),
    ]
    assert findings == review_plan(plan("eu-gdpr", HOME, key, table))


def test_finds_nothing_at_a_plan_that_stays_inside() -> None:
    resources = (
        resource("pulumi:providers:aws", "aws", {"region": HOME}, region=HOME),
        resource("aws:kms/key:Key", "key", {"description": "orders"}, region=HOME),
        resource("aws:rds/instance:Instance", "primary", {"identifier": "orders"}, region=HOME),
        resource("aws:rds/instance:Instance", "replica", {"replicateSourceDb": "orders"}, region=HOME),
        resource("aws:s3/bucket:Bucket", "logs", {"bucket": "acme-logs"}, region=HOME),
        resource("aws:s3/bucketLogging:BucketLogging", "logging", {"targetBucket": "acme-logs"}, region=HOME),
    )
    assert review_plan(plan("eu-gdpr", HOME, *resources)) == []


@pytest.mark.parametrize(
    ("type_", "properties", "fault_"),
    [
        ("aws:dynamodb/table:Table", {"replica": []}, "has no replica"),
        ("aws:dynamodb/table:Table", {"replicas": [{"region": HOME}]}, "replicas takes"),
        ("aws:dynamodb/table:Table", {"replicas": {"regionName": HOME}}, "replicas takes"),
        ("aws:dynamodb/table:Table", {"globalTableWitness": {"region": HOME}}, "globalTableWitness has no region"),
        ("aws:kms/key:Key", {"multiRegion": "yes"}, "multiRegion takes"),
        ("aws:kms/key:Keys", {}, "has no resource"),
    ],
)
def test_no_case_can_name_what_the_sdk_lacks(type_: str, properties: dict[str, object], fault_: str) -> None:
    with pytest.raises(AssertionError, match=fault_):
        resource(type_, "it", properties)


@pytest.mark.parametrize(
    ("path", "fault_"),
    [
        ("replicas[].regionName", None),
        ("replicas.regionName", "has no replicas.regionName"),
        ("replicas[].region", "has no replicas[].region"),
        ("region[]", "region[] is no list"),
    ],
)
def test_no_rule_can_name_what_the_sdk_lacks(path: str, fault_: str | None) -> None:
    found = fault("aws:dynamodb/table:Table", path)
    assert found is None if fault_ is None else fault_ in str(found)


def test_a_finding_can_be_told_as_json() -> None:
    orders = Resource("aws:dynamodb/table:Table", "orders", {"region": "us-east-1"})
    finding: Finding = review_plan(plan("eu-gdpr", HOME, orders))[0]
    assert json.loads(json.dumps([finding.rule, finding.severity, finding.countries])) == ["A01", "deny", ["US"]]
