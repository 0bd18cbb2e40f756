"""Preflight passes on what is known to be right, says what is not known, and fails on each thing that would fail."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.infrastructure import Budget
from components.naming import REPOSITORY
from components.review import review_read
from components.spec import CONFIG_KEY, FabricSpec
from regions.catalogue import load_catalogue
from scripts.preflight.checks import Asked, backend_countries, marked, preflight
from scripts.preflight.facts import Facts, FactsError, read
from scripts.preflight.results import Grade, Result
from scripts.preflight.wanted import actions, brought, constraints, names, quotas, vcpus

FACTS = REPOSITORY / "tests" / "fixtures" / "facts"
TODAY = date(2026, 11, 23)
CATALOGUE = load_catalogue()
OWN = {
    "111122223333.dkr": "480922017431.dkr",
    '"111122223333"': '"480922017431"',
    ":111122223333:": ":480922017431:",
    "0" * 64: "7a" * 32,
    "00000000-0000-0000-0000-000000000000": "5c1f2b9e-0d1f-4c55-8a53-6b2f2f0a9a10",
    ".example": ".internal-corp.com",
}
"""What a person replaces in a shipped stack file."""


@cache
def stack(name: str, *, own: bool = True) -> Asked:
    text = (REPOSITORY / "stacks" / f"Pulumi.{name}.yaml").read_text()
    for example, real in OWN.items() if own else ():
        text = text.replace(example, real)
    file = REPOSITORY / "stacks" / f"Pulumi.{name}.yaml"
    reviewed = review_read(file, yaml.safe_load(text)["config"][CONFIG_KEY], name, CATALOGUE, TODAY)
    spec = said(reviewed.spec)
    return Asked(
        review=reviewed,
        catalogue=CATALOGUE,
        today=TODAY,
        wanted=quotas(spec, CATALOGUE),
        names=names(spec, name),
        actions=actions(spec),
        brought=brought(spec, name),
        constraints=constraints(spec, name),
        backend="s3://state?region=eu-central-1",
        marked={} if own else marked(text),
    )


def said(spec: FabricSpec | None) -> FabricSpec:
    assert spec is not None
    return spec


def known(name: str, **other: Any) -> Facts:
    text = (FACTS / f"{name}.json").read_text().replace(".example", OWN[".example"])
    return Facts.model_validate({**json.loads(text), **other})


def graded(results: list[Result], grade: Grade) -> set[str]:
    return {result.code for result in results if result.grade is grade}


def test_a_place_that_has_everything_fails_nothing() -> None:
    results = preflight(stack("aws-eu-central-1"), known("aws"))

    assert graded(results, Grade.FAIL) <= {"spec/capabilities"}
    assert graded(results, Grade.WARN) == set()


def test_an_own_cluster_that_has_everything_fails_nothing() -> None:
    results = preflight(replace(stack("kubernetes-onprem"), backend="file:///srv/state"), known("kubernetes"))

    assert graded(results, Grade.FAIL) <= {"spec/capabilities"}
    assert {"cluster/apis", "cluster/storage", "cluster/region", "cluster/gpu"} <= graded(results, Grade.PASS)
    assert {"cluster/operator", "cluster/operator-image", "cluster/secret"} <= graded(results, Grade.PASS)
    assert graded(results, Grade.WARN) == set()


def test_a_project_that_has_everything_fails_nothing() -> None:
    results = preflight(stack("gcp-europe-west3"), known("gcp", account="loomstead-frankfurt"))

    assert graded(results, Grade.FAIL) <= {"spec/placeholder"}
    assert {"organisation/there", "organisation/role", "organisation/constraint"} <= graded(results, Grade.PASS)


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"account": "999988887777"}, "credentials/account"),
        ({"region": "eu-west-1"}, "credentials/place"),
        ({"permissions": {"kms:Sign": False}}, "permissions"),
        ({"quotas": {"vcpu": {"limit": 32}}}, "quota/vcpu"),
        ({"quotas": {"gpu": {"limit": 0}}}, "quota/gpu"),
        ({"quotas": {"addresses": {"limit": 5, "used": 4}}}, "quota/addresses"),
        ({"models": {"eu.anthropic.claude-sonnet-4-5-20250929-v1:0": False}}, "models/access"),
        ({"policies": {"p-region": "denies eu-central-1"}}, "policies"),
        ({"names": {"loomstead/aws-eu-central-1/ledger": "deleted"}}, "names/deleted"),
        ({"names": {"loomstead/aws-eu-central-1/ledger": "taken"}}, "names/taken"),
        ({"versions": {"pulumi": "v3.100.0"}}, "tools/pulumi"),
    ],
)
def test_what_would_fail_in_an_account_fails_here(other: Mapping[str, Any], code: str) -> None:
    results = preflight(stack("aws-eu-central-1"), known("aws", **other))

    failed = [result for result in results if result.grade is Grade.FAIL and result.code == code]
    assert failed
    assert all(result.remedy for result in failed)


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"apis": ["apps"]}, "cluster/apis"),
        ({"storage_classes": ["standard"]}, "cluster/storage"),
        ({"regions": {"elsewhere": 3}}, "cluster/region"),
        ({"gpus": {}}, "cluster/gpu"),
        ({"versions": {"kubernetes": "v1.29.2"}}, "tools/kubernetes"),
    ],
)
def test_what_would_fail_on_a_cluster_fails_here(other: Mapping[str, Any], code: str) -> None:
    results = preflight(stack("kubernetes-onprem"), known("kubernetes", **other))

    assert code in graded(results, Grade.FAIL)


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"account": None}, "credentials/account"),
        ({"permissions": None}, "permissions"),
        ({"quotas": None}, "quota/gpu"),
        ({"models": None}, "models/access"),
        ({"policies": None}, "policies"),
        ({"networks": None}, "network/overlap"),
        ({"names": None}, "names/free"),
        ({"versions": None}, "tools/pulumi"),
        ({"permissions": {}}, "permissions"),
    ],
)
def test_what_nobody_asked_is_not_passed(other: Mapping[str, Any], code: str) -> None:
    results = preflight(stack("aws-eu-central-1"), known("aws", **other))

    assert code in graded(results, Grade.INFO)
    assert code not in graded(results, Grade.PASS)


def test_addresses_that_somebody_has_are_warned_of() -> None:
    results = preflight(stack("aws-eu-central-1"), known("aws", networks={"headquarters": "10.20.128.0/20"}))

    assert "network/overlap" in graded(results, Grade.WARN)


def test_a_zone_that_the_region_does_not_offer_fails() -> None:
    asked = stack("aws-eusc-de-east-1")
    there = known("aws", region="eusc-de-east-1", zones=["eusc-de-east-1a"])

    assert "network/zones" in graded(preflight(asked, there), Grade.FAIL)


def test_facts_of_another_week_are_warned_of() -> None:
    results = preflight(stack("aws-eu-central-1"), known("aws", recorded="2026-11-01T00:00:00Z"))

    assert "facts" in graded(results, Grade.WARN)


def test_every_example_of_a_shipped_file_has_to_be_replaced() -> None:
    results = preflight(replace(stack("aws-eu-central-1", own=False), marked={}), None)

    subjects = {result.subject for result in results if result.code == "spec/placeholder"}
    assert {"account", "gateway.image", "gateway.host", "gateway.certificate"} <= subjects
    assert "spec/placeholder" not in {result.code for result in preflight(stack("aws-eu-central-1"), None)}


def test_what_a_file_marks_as_to_be_changed_is_told_once_with_its_line() -> None:
    asked = stack("azure-swedencentral", own=False)

    told = [result for result in preflight(asked, None) if result.code == "spec/placeholder"]

    url = "url: https://loomstead-swedencentral.openai.azure.com/openai/v1"
    lines = Path(asked.review.file).read_text().splitlines()
    at = [f"line {number}" for number, line in enumerate(lines, 1) if line.strip().startswith(url)]
    assert [result.subject for result in told if url in result.message] == at
    assert len(told) == len({result.subject for result in told}) == sum(" # CHANGE" in line for line in lines)


def test_a_comment_about_the_mark_is_no_mark() -> None:
    text = "# Lines that end in CHANGE are yours.\na: b # CHANGE: to yours\n# c: d # CHANGE\ne: f # CHANGES nothing\n"
    assert marked(text) == {2: "a: b"}


@pytest.mark.parametrize(
    ("backend", "grade"),
    [
        ("s3://state?region=eu-central-1", Grade.PASS),
        ("s3://state?region=us-east-1", Grade.FAIL),
        ("https://app.pulumi.com", Grade.FAIL),
        ("https://api.pulumi.com", Grade.FAIL),
        ("s3://state", Grade.WARN),
        ("azblob://state", Grade.WARN),
        ("file:///srv/state", Grade.WARN),
        (None, Grade.INFO),
    ],
)
def test_the_state_has_to_lie_inside_the_boundary(backend: str | None, grade: Grade) -> None:
    results = preflight(replace(stack("aws-eu-central-1"), backend=backend), known("aws"))

    assert "backend/place" in graded(results, grade)


def test_only_of_s3_is_a_region_asked_for_in_the_url() -> None:
    told = {
        scheme: next(
            result.remedy
            for result in preflight(replace(stack("azure-swedencentral"), backend=f"{scheme}://state"), None)
            if result.code == "backend/place"
        )
        for scheme in ("s3", "azblob", "gs")
    }

    assert "region=" in told["s3"]
    assert told["azblob"] == told["gs"]
    assert "inside the Boundary" in told["gs"]


def test_nothing_is_passed_where_nobody_lists_what_is_needed() -> None:
    results = preflight(replace(stack("azure-swedencentral"), actions=()), known("azure"))

    assert "permissions" in graded(results, Grade.INFO)
    assert "permissions" not in graded(results, Grade.PASS)


def test_zones_that_a_stack_names_are_not_passed_where_nobody_asked_for_them() -> None:
    asked = stack("aws-eu-central-1")
    spec = said(asked.review.spec)
    zoned = spec.model_copy(update={"network": spec.network.model_copy(update={"zones": ("eu-central-1a",)})})
    results = preflight(replace(asked, review=replace(asked.review, spec=zoned)), known("aws", zones=None))

    assert "network/zones" in graded(results, Grade.INFO)


def test_facts_of_a_day_that_has_not_come_are_refused() -> None:
    assert "facts" in graded(
        preflight(stack("aws-eu-central-1"), known("aws", recorded="2030-01-01T00:00:00Z")), Grade.FAIL
    )


def test_the_authority_of_a_region_that_nobody_here_knows_has_to_be_brought(tmp_path: Path) -> None:
    asked = stack("aws-eusc-de-east-1")
    assert "spec/file" in graded(preflight(asked, None), Grade.FAIL)

    spec = asked.review.spec
    assert spec is not None
    (tmp_path / "authority.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    brought = spec.model_copy(
        update={"postgres": spec.postgres.model_copy(update={"authority": tmp_path / "authority.pem"})}
    )
    results = preflight(replace(asked, review=replace(asked.review, spec=brought)), None)
    assert "spec/file" not in graded(results, Grade.FAIL)


def test_a_file_is_nowhere_else() -> None:
    assert backend_countries("file:///srv/state", CATALOGUE) == frozenset()


@pytest.mark.parametrize(
    ("machine", "count"), [("m6i.large", 2), ("m6i.xlarge", 4), ("g6.2xlarge", 8), ("p5.48xlarge", 192)]
)
def test_a_machine_s_vcpus_are_in_its_name(machine: str, count: int) -> None:
    assert vcpus(machine) == count


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not JSON"),
        ('{"platform": "aws", "region": "r", "recorded": "2026-11-23T08:00:00Z", "mood": 1}', "mood"),
    ],
)
def test_facts_that_cannot_be_read_say_why(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_text(text)
    with pytest.raises(FactsError, match=problem):
        read(tmp_path / "facts.json")


@pytest.mark.parametrize(
    ("name", "monthly", "grade", "says"),
    [
        ("aws-us-east-1", 10, Grade.WARN, "budget.monthly is $10"),
        ("aws-us-east-1", 1_000_000, Grade.PASS, "of $1,000,000"),
        ("aws-eusc-de-east-1", 1_000_000, Grade.INFO, "no price is known in eusc-de-east-1"),
        ("kubernetes-onprem", 1_000_000, Grade.INFO, "your own"),
    ],
)
def test_a_typical_month_is_held_against_the_budget(name: str, monthly: int, grade: Grade, says: str) -> None:
    asked = stack(name)
    budget = Budget(monthly=monthly, notify=("platform@corp.example",))
    spec = said(asked.review.spec).model_copy(update={"budget": budget})

    results = preflight(replace(asked, review=replace(asked.review, spec=spec)), None)

    (found,) = [each for each in results if each.code == "cost/budget"]
    assert (found.grade, says in found.message) == (grade, True), found.message
    assert bool(found.remedy) is (grade is not Grade.PASS)


def test_without_a_budget_nothing_is_held_against_it() -> None:
    asked = stack("aws-us-east-1")
    spec = said(asked.review.spec).model_copy(update={"budget": None})

    results = preflight(replace(asked, review=replace(asked.review, spec=spec)), None)

    assert "cost/budget" not in {each.code for each in results}
