"""`loomstead cost` and `loomstead plan` as people and pipelines run them."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from components.naming import REPOSITORY
from components.spec import CONFIG_KEY
from scripts.cli import app

STACK = REPOSITORY / "stacks" / "Pulumi.aws-us-east-1.yaml"


def cost(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["cost", *map(str, arguments)])


def test_a_table_says_what_is_unpriced_what_is_assumed_and_where_prices_are_from() -> None:
    done = cost("aws-eu-central-1")
    assert done.exit_code == 0, done.output
    for part in ("total", "unpriced, and in no sum:", "assumed:", "prices:", "GPUs left on", "prices of us-east-1"):
        assert part in done.output


def test_json_has_every_line_with_its_price() -> None:
    told = json.loads(cost("aws-us-east-1", "--json").output)
    assert told["currency"] == "USD"
    assert all(line["price"]["as_of"] and line["price"]["amount"] > 0 for line in told["lines"])
    assert sum(line["typical"] for line in told["lines"]) == pytest.approx(told["total"]["typical"])


def test_a_month_above_the_budget_warns(tmp_path: Path) -> None:
    document = yaml.safe_load(STACK.read_text())
    document["config"][CONFIG_KEY]["budget"] = {"monthly": 10, "notify": ["a@b.example"]}
    file = tmp_path / STACK.name
    file.write_text(yaml.safe_dump(document))
    done = cost("aws-us-east-1", "--config-file", file)
    assert "WARN cost/budget" in done.output


def test_a_stack_that_there_is_not_cannot_be_planned() -> None:
    done = CliRunner().invoke(app, ["plan", "aws-nowhere"])
    assert done.exit_code == 1
    assert "Stacks here: aws-eu-central-1" in str(done.exception)


def test_a_sum_that_leaves_something_out_is_the_least_that_it_can_be() -> None:
    assert "total, at least" in cost("aws-eu-central-1").output
