"""The checks that clauses are made of."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.boundary import Flow
from regions.catalogue import load_catalogue
from regions.residency import Purpose
from regions.rules import clauses
from regions.rules.rule import UNKNOWN, UNSET, Breach, Check, Clause, Plan, Resource
from tests.fixtures.resources import ON, plan

HOME = "eu-central-1"
TABLE = Resource("aws:dynamodb/table:Table", "orders", {}, HOME)
CATALOGUE = load_catalogue()


def messages(check: Check, value: object, asked: Plan, resource: Resource = TABLE) -> list[str]:
    return [found.message if isinstance(found, Breach) else found for found in check(value, resource, asked)]


@given(
    regime=st.sampled_from(sorted(CATALOGUE.regimes)),
    place=st.sampled_from(sorted(CATALOGUE.regions)),
    home=st.sampled_from(sorted(CATALOGUE.regions)),
    purpose=st.sampled_from(list(Purpose)),
)
def test_a_region_is_allowed_where_the_boundary_allows_its_country(
    regime: str, place: str, home: str, purpose: Purpose
) -> None:
    asked = plan(regime, home)
    country = asked.country(place)
    flow = Flow("it", purpose, () if country is None else (country,), "personal")
    same = CATALOGUE.regions[place].partition == CATALOGUE.regions[home].partition
    allowed = same and asked.boundary.decide(flow, ON).allowed
    assert (clauses.outside(asked, TABLE, purpose, place) is None) is allowed


@given(place=st.text(max_size=30))
def test_a_place_that_is_no_region_is_outside(place: str) -> None:
    if clauses.region_name(place) not in CATALOGUE.regions:
        assert clauses.outside(plan("eu-gdpr", HOME), TABLE, Purpose.REST, place) is not None


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("eu-central-1", "eu-central-1"),
        ("eu-central-1a", "eu-central-1"),
        ("us-gov-west-1b", "us-gov-west-1"),
        ("West Europe", "westeurope"),
        ("westeurope", "westeurope"),
        ("europe-west3-c", "europe-west3"),
        ("projects/acme/locations/europe-west3", "europe-west3"),
        ("us-east-1-bos-1a", "us-east-1-bos-1a"),
    ],
)
def test_a_place_has_one_region_however_it_is_spelt(text: str, region: str) -> None:
    assert clauses.region_name(text) == region


@pytest.mark.parametrize(
    ("arn", "allowed"),
    [
        ("arn:aws:sqs:eu-west-1:123456789012:orders", True),
        ("arn:aws:bedrock:eu-west-1::foundation-model/m", True),
        ("arn:aws:sqs:us-east-1:123456789012:orders", False),
        ("arn:aws:s3:::acme", False),
        ("arn:aws:sqs:*:123456789012:orders", False),
        ("arn:aws:sqs:eu-west-1", False),
        ("arn:aws-cn:sqs:cn-north-1:123456789012:orders", False),
        ("arn:", False),
    ],
)
@pytest.mark.parametrize("check", [clauses.arn_within(Purpose.REST), clauses.within(Purpose.REST)])
def test_an_arn_is_where_its_region_is(check: Check, arn: str, allowed: bool) -> None:
    assert (messages(check, arn, plan("eu-gdpr", HOME)) == []) is allowed


def test_what_is_no_arn_is_local_unless_said_otherwise() -> None:
    asked = plan("eu-gdpr", HOME)
    assert messages(clauses.arn_within(Purpose.REST), "orders", asked) == []
    assert messages(clauses.arn_within(Purpose.REST, bare="no ARN"), "orders", asked) == ["no ARN"]


CHECKS: Sequence[Check] = (
    clauses.within(Purpose.REST, unset="unset"),
    clauses.arn_within(Purpose.REST, unset="unset"),
    clauses.points_within(Purpose.REST, "aws:s3/bucket:Bucket", unset="unset"),
    clauses.one_of({1}, "not one", unset="unset"),
    clauses.host_declared(Purpose.LOGS, unset="unset"),
    clauses.present("unset"),
)
QUIET: Sequence[Check] = (
    clauses.within(Purpose.REST),
    clauses.arn_within(Purpose.REST),
    clauses.points_within(Purpose.REST, "aws:s3/bucket:Bucket"),
    clauses.one_of({1}, "not one"),
    clauses.host_declared(Purpose.LOGS),
    clauses.absent("there"),
    clauses.runs_within("bedrock"),
    clauses.guarded_within(),
)


@pytest.mark.parametrize("check", CHECKS)
def test_says_what_is_wrong_with_what_is_unset(check: Check) -> None:
    assert messages(check, UNSET, plan("eu-gdpr", HOME)) == ["unset"]


@pytest.mark.parametrize("check", QUIET)
def test_nothing_is_wrong_with_what_need_not_be_said(check: Check) -> None:
    assert messages(check, UNSET, plan("eu-gdpr", HOME)) == []


@pytest.mark.parametrize("value", [[], {}, ""])
def test_what_says_nothing_is_absent_and_not_present(value: object) -> None:
    asked = plan("eu-gdpr", HOME)
    assert messages(clauses.absent("there"), value, asked) == []
    assert messages(clauses.present("not there"), value, asked) == ["not there"]
    assert messages(clauses.absent("there"), "x", asked) == ["there"]
    assert messages(clauses.present("not there"), "x", asked) == []


@pytest.mark.parametrize("value", [["NONE"], {"mode": "NONE"}, 0, "none"])
def test_what_is_not_one_of_the_choices_is_told_whatever_it_is(value: object) -> None:
    assert messages(clauses.one_of({"NONE"}, "not none"), value, plan("eu-gdpr", HOME)) == ["not none"]


def test_a_model_is_called_in_the_region_of_the_resource_that_names_it() -> None:
    check = clauses.runs_within("bedrock")
    model = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
    asked = plan("eu-gdpr", HOME)
    assert messages(check, model, asked) == []
    assert messages(check, model, asked, Resource("t", "n", {"region": "eu-west-2"}, HOME)) != []
    assert messages(check, model, asked, Resource("t", "n", {}, "eu-west-2")) != []
    assert messages(check, model, asked, Resource("t", "n", {})) == []


@pytest.mark.parametrize(
    ("host", "hosts", "allowed"),
    [
        ("otel.acme.example", ("otel.acme.example",), True),
        ("https://otel.acme.example:4318/v1/traces", ("otel.acme.example",), True),
        ("otel.acme.example.attacker.example", ("otel.acme.example",), False),
        ("https://otel.acme.example@attacker.example/", ("otel.acme.example",), False),
        ("datadoghq.eu", (), True),
        ("datadoghq.com", (), False),
        ("unheard.example", (), False),
        ("https://[", (), False),
        ("", (), False),
    ],
)
def test_a_host_is_declared_or_known(host: str, hosts: tuple[str, ...], allowed: bool) -> None:
    asked = plan("eu-gdpr", HOME, hosts=hosts)
    assert (messages(clauses.host_declared(Purpose.LOGS), host, asked) == []) is allowed


@pytest.mark.parametrize(
    ("check", "standing", "wrong"),
    [
        (clauses.arn_within(Purpose.REST), ["eu-west-1"], []),
        (clauses.arn_within(Purpose.REST), ["eu-west-1", "us-east-1"], ["rest in US is outside eu-gdpr"]),
        (clauses.arn_within(Purpose.REST), [None], ["neither orders, of which it is an output, nor its provider"]),
        (clauses.points_within(Purpose.REST, "aws:dynamodb/*"), ["eu-west-1"], []),
        (clauses.points_within(Purpose.REST, "aws:dynamodb/*"), ["us-east-1"], ["rest in US is outside eu-gdpr"]),
        (clauses.points_within(Purpose.REST, "aws:s3/*"), ["eu-west-1"], ["an output of no such resource"]),
        (clauses.present("it is not there"), [None], []),
        (clauses.present("it is not there"), [], ["not known before the cloud answers"]),
        (clauses.within(Purpose.REST), ["eu-west-1"], ["not known before the cloud answers"]),
    ],
)
def test_a_value_that_is_not_known_yet_is_followed_to_the_resources_it_comes_from(
    check: Check, standing: list[str | None], wrong: list[str]
) -> None:
    sources = tuple(replace(TABLE, region=region) for region in standing)
    copy = Resource("aws:s3/bucket:Bucket", "copy", {"of": [{"it": UNKNOWN}]}, HOME, sources={"of": sources})
    found = [breach.message for breach in Clause("of[].it", check).breaches(copy, plan("eu-gdpr", HOME))]
    assert len(found) == len(wrong)
    assert all(text in message for text, message in zip(wrong, found, strict=True))
