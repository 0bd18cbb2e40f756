"""Each file under ``wrong`` is refused by `loomstead review` with the one rule that its name says; each under ``right``
is clean. In a name, ``+`` stands for the ``/`` of a rule."""

import json
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
import yaml
from typer.testing import CliRunner

from components.naming import REPOSITORY
from components.spec import Platform
from regions.catalogue import load_catalogue
from scripts.cli import app
from tests.fixtures.stacks import RIGHT, WRONG, rule_of

ON = "2026-12-01"


def reviewed(*files: Path) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of `loomstead review`."""
    done = CliRunner().invoke(app, ["review", *map(str, files), "--format", "json", "--on", ON])
    return done.exit_code, json.loads(done.stdout)


def fabric(file: Path) -> dict[str, Any]:
    return yaml.safe_load(file.read_text())["config"]["loomstead:fabric"]


@pytest.mark.parametrize("file", WRONG, ids=lambda file: file.stem)
def test_a_wrong_stack_file_is_refused_by_the_rule_of_its_name(file: Path) -> None:
    code, said = reviewed(file)
    findings = said["stacks"][0]["findings"]
    assert code == 2
    assert {finding["rule"] for finding in findings} == {rule_of(file)}
    for finding in findings:
        assert Path(finding["location"]["file"]).absolute() == file
        assert 1 <= finding["location"]["line"] <= file.read_text().count("\n")
        assert finding["message"]
        assert finding["remedy"]


@pytest.mark.parametrize("file", RIGHT, ids=lambda file: file.stem)
def test_a_right_stack_file_is_clean(file: Path) -> None:
    code, said = reviewed(file)
    assert [finding for finding in said["stacks"][0]["findings"] if finding["waiver"] is None] == []
    assert code == 0


def test_the_stack_file_of_the_documentation_is_clean(tmp_path: Path) -> None:
    shown = (REPOSITORY / "docs" / "residency.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    file = tmp_path / "Pulumi.shown.yaml"
    file.write_text(shown)
    assert reviewed(file) == (0, {"stacks": [ANY], "summary": ANY})


def test_there_are_wrong_files_for_every_regime_and_right_ones_for_every_cloud() -> None:
    regimes = set(load_catalogue().regimes)
    assert {rule_of(file).partition("/")[0] for file in WRONG} >= regimes
    assert {regime for file in RIGHT for regime in fabric(file)["residency"]["regimes"]} == regimes
    assert {fabric(file)["platform"] for file in RIGHT} == set(Platform)
    assert len(WRONG) >= 45


def test_all_at_once_are_refused_too() -> None:
    code, said = reviewed(*RIGHT, *WRONG)
    assert code == 2
    assert said["summary"]["stacks"] == len(RIGHT) + len(WRONG)
    assert set(said["summary"]["rules"]) == {rule_of(file) for file in WRONG}
