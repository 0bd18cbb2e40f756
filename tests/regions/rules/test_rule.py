"""How a rule is asked: paths, what is not known, what is not said, what others are called."""

from dataclasses import replace

import pytest

from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.clauses import absent, exists, one_of, within
from regions.rules.rule import EMPTY, LONGEST_VALUE, UNKNOWN, UNSET, Clause, Resource, ResourceRule, values_at
from tests.fixtures.resources import plan

HOME = "eu-central-1"
TABLE = "aws:dynamodb/table:Table"


def rule(*clauses: Clause, types: tuple[str, ...] = (TABLE,), regimes: tuple[str, ...] = ()) -> ResourceRule:
    return ResourceRule("T01", "Table", Severity.DENY, types, "trap", "remedy", "source", clauses, regimes)


def found(judge: ResourceRule, resource: Resource, regime: str = "eu-gdpr") -> list[tuple[str, str]]:
    """Property and value of each finding."""
    return [(each.property, each.value) for each in judge.findings(resource, plan(regime, HOME, resource))]


def table(**properties: object) -> Resource:
    return Resource(TABLE, "orders", properties, HOME)


@pytest.mark.parametrize(
    ("properties", "path", "values"),
    [
        ({"a": 1}, "a", [("a", 1)]),
        ({}, "a", [("a", UNSET)]),
        ({"a": None}, "a", [("a", UNSET)]),
        ({"a": False}, "a", [("a", False)]),
        ({"a": {"b": 1}}, "a.b", [("a.b", 1)]),
        ({"a": {}}, "a.b", [("a.b", UNSET)]),
        ({}, "a.b", [("a.b", UNSET)]),
        ({"a": [{"b": 1}, {}]}, "a[].b", [("a[0].b", 1), ("a[1].b", UNSET)]),
        ({"a": [1, 2]}, "a[]", [("a[0]", 1), ("a[1]", 2)]),
        ({"a": []}, "a[].b", [("a.b", EMPTY)]),
        ({"a": [{"b": []}, {"b": [1]}]}, "a[].b[]", [("a[0].b", EMPTY), ("a[1].b[0]", 1)]),
        ({}, "a[].b", [("a.b", UNSET)]),
        ({"a": {"b": 1}}, "a[].b", [("a[0].b", 1)]),
        ({"a": UNKNOWN}, "a[].b", [("a", UNKNOWN)]),
        ({"a": [UNKNOWN]}, "a[].b", [("a[0]", UNKNOWN)]),
        ({"a": {"b": UNKNOWN}}, "a.b.c", [("a.b", UNKNOWN)]),
        ({"a": "text"}, "a.b", [("a", UNKNOWN)]),
        ({"a": 1}, "", [("", {"a": 1})]),
    ],
)
def test_finds_each_value_under_a_path(properties: dict[str, object], path: str, values: list[object]) -> None:
    assert list(values_at(properties, path)) == values


def test_a_value_that_only_the_cloud_knows_is_a_finding() -> None:
    assert found(rule(Clause("a", one_of({1}, "not one"))), table(a=UNKNOWN)) == [("a", UNKNOWN.value)]


def test_what_an_adopted_resource_does_not_say_is_a_finding() -> None:
    judge = rule(Clause("a", absent("there")))
    assert found(judge, table()) == []
    assert found(judge, replace(table(), adopted=True)) == [("a", UNSET.value)]
    assert found(judge, replace(table(a=[]), adopted=True)) == []


def test_an_empty_list_is_judged_as_unset_and_says_that_an_adopted_resource_has_none() -> None:
    place = Clause("places[]", within(Purpose.REST, unset="the provider's choice"))
    assert found(rule(place), table(places=[])) == [("places", EMPTY.value)]
    assert found(rule(place), replace(table(places=[]), adopted=True)) == [("places", EMPTY.value)]
    replica = Clause("replicas[].regionName", within(Purpose.REST))
    assert found(rule(replica), table(replicas=[])) == []
    assert found(rule(replica), replace(table(replicas=[]), adopted=True)) == []


def test_what_the_sdk_means_by_unset_holds_for_an_adopted_resource_too() -> None:
    assert found(rule(Clause("a", absent("there"), own=True)), replace(table(), adopted=True)) == []


def test_an_adopted_resource_exists_as_any_other() -> None:
    assert found(rule(Clause("", exists("there"))), replace(table(), adopted=True)) != []


def test_a_replica_is_not_asked_for_what_it_takes_from_its_source() -> None:
    judge = rule(Clause("a", one_of({1}, "not one", unset="unset"), unless=lambda each: "source" in each.properties))
    assert found(judge, table()) == [("a", UNSET.value)]
    assert found(judge, table(source="primary")) == []


def test_each_item_of_a_list_is_judged() -> None:
    judge = rule(Clause("replicas[].regionName", within(Purpose.REST)))
    regions = ["eu-west-1", "us-east-1", "eu-west-2"]
    replicas = table(replicas=[{"regionName": region} for region in regions])
    assert found(judge, replicas) == [("replicas[1].regionName", "us-east-1"), ("replicas[2].regionName", "eu-west-2")]


def test_a_clause_is_about_its_own_types_of_the_rules() -> None:
    judge = rule(Clause("", exists("there"), types=("aws:kms/*",)), types=("aws:*",))
    assert found(judge, table()) == []
    assert found(judge, Resource("aws:kms/key:Key", "key", {})) != []


def test_a_rule_says_nothing_about_other_types() -> None:
    assert found(rule(Clause("", exists("there")), types=("gcp:*",)), table()) == []


def test_a_rule_of_a_regime_applies_under_it_only() -> None:
    judge = rule(Clause("", exists("there")), regimes=("ch-fadp", "uk-gdpr"))
    assert found(judge, table(), regime="eu-gdpr") == []
    assert found(judge, table(), regime="ch-fadp") != []


def test_a_finding_tells_rule_resource_countries_and_remedy() -> None:
    judge = rule(Clause("a", within(Purpose.REST)))
    finding = next(iter(judge.findings(table(a="us-east-1"), plan("eu-gdpr", HOME))))
    assert (finding.rule, finding.severity, finding.resource, finding.remedy) == ("T01", "deny", "orders", "remedy")
    assert finding.countries == ("US",)
    assert finding.message.startswith("Table: eu-gdpr/rest: ")


def test_a_long_value_is_cut() -> None:
    ((_, value),) = found(rule(Clause("a", one_of({1}, "not one"))), table(a="x" * 5000))
    assert len(value) == LONGEST_VALUE + 1


BUCKET = "aws:s3/bucket:Bucket"
NAMED = Resource(BUCKET, "logs", {"bucket": "acme-logs", "arn": "arn:aws:s3:::acme-logs"}, HOME)
UNNAMED = Resource(BUCKET, "drafts", {}, HOME)


@pytest.mark.parametrize(
    ("names", "resource"),
    [
        (("acme-logs",), NAMED),
        (("arn:aws:s3:::acme-logs",), NAMED),
        (("arn:aws:s3:::acme-logs", "acme-logs"), NAMED),
        (("drafts",), UNNAMED),
        (("logs",), None),
        (("theirs",), None),
        (("acme-logs", "drafts"), None),
    ],
)
def test_a_resource_goes_by_what_the_cloud_calls_it(names: tuple[str, ...], resource: Resource | None) -> None:
    policy = Resource("aws:s3/bucketPolicy:BucketPolicy", "policy", {"bucket": "acme-logs"})
    assert plan("eu-gdpr", HOME, NAMED, UNNAMED, policy).named(BUCKET, *names) is resource


def test_two_resources_of_one_name_are_none() -> None:
    twin = replace(NAMED, name="twin")
    assert plan("eu-gdpr", HOME, NAMED, twin).named(BUCKET, "acme-logs") is None


def test_a_plan_knows_its_regimes_and_where_regions_stand() -> None:
    asked = plan("ch-fadp", "eu-central-2")
    assert asked.regimes == {"ch-fadp"}
    assert (asked.country("eu-central-2"), asked.country("eu-west-9")) == ("CH", None)
    assert plan("host-country", "local").country("local") == "DE"
