"""`loomstead regions diff`, as a person types it."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from regions.catalogue import SCHEMA_PATH, CatalogueError
from scripts.cli.regions import regions
from tests.fixtures.reviews import stack_file


def diff(*arguments: str | Path) -> Result:
    return CliRunner().invoke(regions, ["diff", *map(str, arguments), "--on", "2026-11-23"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(SCHEMA_PATH.parent, tmp_path / "catalogue", ignore=shutil.ignore_patterns("*.py"))


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return stack_file(tmp_path)


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_nothing_changed_ends_with_0(folder: Path, stack: Path) -> None:
    done = diff(folder, stack)
    assert done.exit_code == 0
    assert done.stdout == "Facts that change: 0\n\nmixed: no change\n"


def test_a_change_that_no_stack_feels_ends_with_0(folder: Path, stack: Path) -> None:
    change(
        folder / "regions" / "aws.yaml",
        "sa-east-1: {platform: aws, country: BR",
        "sa-east-1: {platform: aws, country: CL",
    )
    done = diff(folder, stack)
    assert done.exit_code == 0
    assert "  ~ regions.sa-east-1.country: BR → CL\n" in done.stdout
    assert "mixed: no change" in done.stdout


def test_what_a_stack_feels_is_told_and_ends_with_2(folder: Path, stack: Path) -> None:
    change(folder / "regimes.yaml", "    logs: [eea]", "    logs: [eea, GB]")
    done = diff(folder, stack)
    assert done.exit_code == 2
    assert "  ~ regimes.eu-gdpr.logs: +GB\n" in done.stdout
    assert "mixed: changes\n  Boundary sha256:" in done.stdout
    assert "  rule eu-gdpr/logs: +GB\n" in done.stdout


def test_as_json_it_is_whole(folder: Path, stack: Path) -> None:
    change(folder / "regimes.yaml", "    logs: [eea]", "    logs: [eea, GB]")
    done = diff(folder, stack, "--json")
    assert done.exit_code == 2
    told = json.loads(done.stdout)
    assert told["facts"] == [{"fact": "regimes.eu-gdpr.logs", "old": ["eea"], "new": ["eea", "GB"]}]
    assert told["stacks"][0]["rules"] == [{"what": "eu-gdpr/logs", "gained": ["GB"], "lost": []}]


def test_without_a_name_every_stack_of_the_repository_is_asked(folder: Path) -> None:
    assert "\nlocal: no change\n" in diff(folder).stdout


def test_a_broken_catalogue_is_told_with_file_line_and_key(folder: Path, stack: Path) -> None:
    change(folder / "telemetry.yaml", "countries: [US]", "countries: [Mars]")
    (folder / "gpus.yaml").unlink()
    wrong = diff(folder, stack).exception
    assert isinstance(wrong, CatalogueError)
    assert f"{folder / 'gpus.yaml'}: expected a readable file: No such file or directory" in wrong.mistakes
    assert any(line.startswith(f"{folder / 'telemetry.yaml'}:") and "Mars" in line for line in wrong.mistakes)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = diff(tmp_path / "nowhere")
    assert done.exit_code == 2
    assert "does not exist" in done.stderr
