"""An organisation's policies go before a project's: what they would refuse is told before anything is made."""

import json
from typing import Any

import pytest

from components.loading import load_spec
from components.naming import REPOSITORY
from scripts.preflight.facts import Facts, read
from scripts.preflight.organisation import NEEDED, ROLE, organisation
from scripts.preflight.results import Grade, Result
from scripts.preflight.wanted import GCP_SERVICES, constraints

STACK = "gcp-europe-west3"
FILE = REPOSITORY / "stacks" / f"Pulumi.{STACK}.yaml"
SPEC = load_spec(FILE)
RECORDED = json.loads((REPOSITORY / "tests" / "fixtures" / "facts" / "gcp.json").read_text())
ISSUERS, SERVICES = "iam.workloadIdentityPoolProviders", "gcp.restrictServiceUsage"
PLACES = "gcp.resourceLocations"


def checked(**other: Any) -> list[Result]:
    return [*organisation(Facts.model_validate({**RECORDED, **other}), SPEC, constraints(SPEC, STACK))]


def constrained(constraint: str, *rules: dict[str, Any]) -> Result:
    (found,) = [
        each
        for each in checked(constraints={**RECORDED["constraints"], constraint: list(rules)})
        if each.subject == constraint
    ]
    return found


def allow(*values: str) -> dict[str, Any]:
    return {"values": {"allowedValues": list(values)}}


def deny(*values: str) -> dict[str, Any]:
    return {"values": {"deniedValues": list(values)}}


@pytest.mark.parametrize(
    ("constraint", "rule", "grade"),
    [
        (PLACES, {"allowAll": True}, Grade.PASS),
        (PLACES, allow("europe-west3"), Grade.PASS),
        (PLACES, allow("is:europe-west3"), Grade.PASS),
        (PLACES, allow("in:us-central1-locations", "in:eu-locations"), Grade.INFO),
        (PLACES, allow("us-central1"), Grade.FAIL),
        (PLACES, deny("in:europe-west3-locations"), Grade.FAIL),
        (PLACES, deny("in:asia-locations"), Grade.INFO),
        (SERVICES, deny("bigquery.googleapis.com"), Grade.PASS),
        (SERVICES, deny("sqladmin.googleapis.com"), Grade.FAIL),
        (SERVICES, allow("compute.googleapis.com"), Grade.FAIL),
        (ISSUERS, {"denyAll": True}, Grade.FAIL),
        (ISSUERS, allow("https://token.actions.githubusercontent.com"), Grade.FAIL),
        (ISSUERS, {**deny("https://x"), "condition": {"expression": "resource.matchTag('a/b', 'c')"}}, Grade.INFO),
    ],
)
def test_what_a_constraint_would_refuse_fails_and_what_only_a_group_says_is_asked(
    constraint: str, rule: dict[str, Any], grade: Grade
) -> None:
    found = constrained(constraint, rule)

    assert found.grade is grade
    assert bool(found.remedy) is (grade is not Grade.PASS)


def test_a_constraint_that_nobody_set_refuses_nothing() -> None:
    assert constrained(SERVICES).grade is Grade.PASS


def test_the_one_value_that_is_refused_is_named() -> None:
    assert constrained(SERVICES, deny("sqladmin.googleapis.com")).message == "it refuses sqladmin.googleapis.com"


@pytest.mark.parametrize(("above", "grade"), [("organizations/1", Grade.PASS), ("", Grade.FAIL), (None, Grade.INFO)])
def test_a_project_has_to_be_in_an_organisation(above: str | None, grade: Grade) -> None:
    (found,) = [each for each in checked(organisation=above) if each.code == "organisation/there"]

    assert found.grade is grade


@pytest.mark.parametrize("permission", NEEDED)
def test_who_may_not_set_policies_hears_of_the_role(permission: str) -> None:
    lacks = {**RECORDED["permissions"], permission: False}
    untold = {name: may for name, may in RECORDED["permissions"].items() if name != permission}

    (failed,) = [each for each in checked(permissions=lacks) if each.grade is Grade.FAIL]
    assert (failed.code, ROLE in failed.remedy, permission in failed.message) == ("organisation/role", True, True)
    assert [each.code for each in checked(permissions=untold) if each.grade is Grade.INFO] == ["organisation/role"]


def test_what_nobody_asked_of_an_organisation_is_not_passed() -> None:
    results = checked(organisation=None, permissions=None, constraints=None)

    assert {each.grade for each in results} == {Grade.INFO}
    assert len(results) == len(checked())


def test_services_are_those_that_the_stack_file_names() -> None:
    text = " ".join(line.removeprefix("# ") for line in FILE.read_text().splitlines() if line.startswith("# "))

    assert ", ".join(GCP_SERVICES) in text


def test_facts_are_written_as_they_are_read(tmp_path: Any) -> None:
    facts = Facts.model_validate(RECORDED)
    (tmp_path / "facts.json").write_text(facts.model_dump_json(exclude_none=True))

    assert read(tmp_path / "facts.json") == facts
