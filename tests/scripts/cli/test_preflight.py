"""`loomstead preflight` as people and pipelines run it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from components.naming import REPOSITORY
from scripts.cli import app
from scripts.cli.failure import CommandError

FACTS = REPOSITORY / "tests" / "fixtures" / "facts"


def preflight(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["preflight", *map(str, arguments)])


@pytest.mark.parametrize(
    ("stack", "facts"), [("aws-eu-central-1", "aws.json"), ("kubernetes-onprem", "kubernetes.json")]
)
def test_recorded_facts_are_graded_and_examples_fail(stack: str, facts: str) -> None:
    done = preflight(stack, "--facts", FACTS / facts)

    assert done.exit_code == 2
    assert "spec/placeholder" in done.output
    assert " pass, " in done.output.splitlines()[-1]


def test_json_has_every_result() -> None:
    done = preflight("aws-eu-central-1", "--facts", FACTS / "aws.json", "--json")

    results = json.loads(done.output)
    assert {"code", "grade", "subject", "message", "remedy"} == set(results[0])
    assert {"pass", "fail"} <= {result["grade"] for result in results}


def test_a_file_of_facts_that_is_none_is_told() -> None:
    done = preflight("aws-eu-central-1", "--facts", REPOSITORY / "README.md")

    assert done.exit_code == 1
    assert "is not JSON" in str(done.exception)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("[1]", "expected a mapping, got a list"),
        ('{"networks": {"vpc-1": "10.0.0.0/33"}}', "networks.vpc-1: expected a block of addresses, got"),
        ('{"permisions": {}}', "permisions: unknown key"),
        ('{"quotas": {"vcpu": {"limit": -1}}}', "quotas.vcpu.limit: expected a number ≥ 0, got -1"),
    ],
)
def test_what_is_wrong_in_a_file_of_facts_is_told_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    file.write_text(text)
    failed = preflight("aws-eu-central-1", "--facts", file)

    assert isinstance(failed.exception, CommandError)
    lines = str(failed.exception).splitlines()
    assert any(said in line for line in lines)
    assert len(lines) == len(set(lines))


def test_every_grade_is_seen_though_much_is_not_allowed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    denied = json.loads((FACTS / "aws.json").read_text())
    denied["permissions"] = dict.fromkeys(denied["permissions"], False)
    file = tmp_path / "facts.json"
    file.write_text(json.dumps(denied))
    monkeypatch.setattr("scripts.cli.output.console.width", 80)
    done = preflight("aws-eu-central-1", "--facts", file)

    (line,) = [line for line in done.output.splitlines() if "permissions" in line]
    assert line.startswith("fail")
    told = json.loads(preflight("aws-eu-central-1", "--facts", file, "--json").output)
    (actions,) = [each["message"] for each in told if each["code"] == "permissions"]
    assert actions.startswith("not allowed: ec2:")
    assert "".join(actions.split()) in "".join(done.output.split())


def test_a_stack_that_is_not_there_is_told_with_those_that_are() -> None:
    done = preflight("aws-mars-1")

    assert done.exit_code == 1
    assert "aws-eu-central-1" in str(done.exception)
