"""`loomstead guardrails`, as a person types it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import scripts.cli
from components.infrastructure import Refused
from scripts.cli.failure import CommandError

DAY = ("--on", "2026-11-23")


def guardrails(*arguments: str) -> Result:
    return CliRunner().invoke(scripts.cli.app, ["guardrails", *arguments])


@pytest.mark.parametrize(
    ("stack", "golden"),
    [
        ("aws-eu-central-1", "aws-eu-central-1-eu-gdpr"),
        ("aws-us-east-1", "aws-us-east-1-us-hipaa"),
        ("aws-eusc-de-east-1", "aws-eusc-de-east-1-eu-strict"),
    ],
)
def test_the_shipped_stacks_have_the_documents_of_their_regime(stack: str, golden: str) -> None:
    done = guardrails(stack, *DAY)
    kept = Path(__file__).parents[2] / "golden" / "guardrails" / f"{golden}.service-control-policy.json"

    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"service-control-policy": json.loads(kept.read_text(encoding="utf-8"))}


@pytest.mark.parametrize(
    ("stack", "golden"),
    [
        ("azure-swedencentral", "azure-swedencentral-eu-gdpr"),
        ("gcp-europe-west3", "gcp-europe-west3-eu-strict"),
        ("gcp-europe-west9", "gcp-europe-west9-host-country"),
    ],
)
def test_policies_above_a_stack_say_what_its_own_say(stack: str, golden: str) -> None:
    done = guardrails(stack, *DAY)
    kept = Path(__file__).parents[2] / "golden" / "guardrails" / f"{golden}.json"
    looked_at = list(json.loads(kept.read_text(encoding="utf-8")).values())
    told = [each.get("spec", each) for each in json.loads(done.stdout).values()]

    assert done.exit_code == 0
    assert len(told) >= 5
    assert [each for each in told if each not in looked_at] == []


def test_a_named_role_may_take_the_guards_of_aws_away() -> None:
    done = guardrails("aws-eu-central-1", *DAY, "--administrator", "landing-zone/operators")
    (shut,) = [
        each for each in json.loads(done.stdout)["service-control-policy"]["Statement"] if each["Sid"] == "Guards"
    ]

    assert shut["Condition"] == {"ArnNotLike": {"aws:PrincipalArn": ["arn:*:iam::*:role/landing-zone/operators"]}}


@pytest.mark.parametrize("name", ["*", "arn:aws:iam::123456789012:role/ops", ""])
def test_what_is_no_role_is_not_let_through(name: str) -> None:
    failed = guardrails("aws-eu-central-1", *DAY, "--administrator", name)

    assert isinstance(failed.exception, Refused)
    assert "is no role's name" in str(failed.exception)


def test_who_names_a_role_where_documents_have_none_is_told() -> None:
    failed = guardrails("azure-swedencentral", *DAY, "--administrator", "ops")

    assert isinstance(failed.exception, CommandError)
    assert "documents of azure name no roles" in str(failed.exception)


def test_a_platform_whose_guardrails_are_resources_has_no_documents() -> None:
    failed = guardrails("kubernetes-onprem", *DAY)

    assert isinstance(failed.exception, CommandError)
    assert "all made by `pulumi up`" in str(failed.exception)


def test_a_stack_without_a_boundary_is_sent_to_review(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.wrong.yaml"
    path.write_text("config: {}\n", encoding="utf-8")
    failed = guardrails(str(path), *DAY)

    assert isinstance(failed.exception, CommandError)
    assert "loomstead review" in str(failed.exception)
