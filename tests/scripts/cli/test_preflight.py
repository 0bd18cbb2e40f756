"""`loomstead preflight` as people and pipelines run it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from components.naming import REPOSITORY
from scripts.cli import app

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
    assert "Invalid JSON" in str(done.exception)


def test_a_stack_that_is_not_there_is_told_with_those_that_are() -> None:
    done = preflight("aws-mars-1")

    assert done.exit_code == 1
    assert "aws-eu-central-1" in str(done.exception)
