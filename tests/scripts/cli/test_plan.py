"""`loomstead plan` as people run it; the graph and its inventory have their own tests (tests/scripts/plan)."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from components.infrastructure import Refused
from components.naming import REPOSITORY
from scripts.cli import app

FILE = REPOSITORY / "stacks" / "Pulumi.azure-swedencentral.yaml"


def plan(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["plan", *map(str, arguments)])


def test_a_file_of_ones_own_is_planned_and_where_the_state_lies_is_not_held_against_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///srv/state")
    file = tmp_path / "mine.yaml"
    shutil.copy(FILE, file)

    done = plan("acme", "--config-file", file, "--json")

    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["stack"] == "acme"
    assert told["findings"] == []
    assert "azure-native:network:VirtualNetwork" in {each["type"] for each in told["resources"]}


def test_what_review_has_against_a_stack_ends_it_with_2(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(FILE.read_text().replace("region: swedencentral #", "region: eastus #"))

    done = plan("acme", "--config-file", file)

    assert done.exit_code == 2


def test_what_azure_has_against_a_stack_is_told_by_line_and_by_the_key_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    text = (
        FILE.read_text().replace("cidr: 10.", "cidr: 8.").replace("      # machine: ", "      machine: Standard_B2s #")
    )
    file.write_text(text)

    done = plan("acme", "--config-file", file)

    assert done.exit_code == 1
    told = str(done.exception).splitlines()
    for key, name, line in zip(
        ("network.cidr", "postgres.machine"), ("cidr: 8.", "machine: Standard_B2s"), told[1:], strict=True
    ):
        number = next(at for at, found in enumerate(text.splitlines(), 1) if name in found)
        assert line.startswith(f"{file}:{number}: {key}: ")


@pytest.mark.parametrize(
    ("stack", "package", "extra"),
    [
        ("aws-eu-central-1", "pulumi_aws", "aws"),
        ("azure-swedencentral", "pulumi_azure_native", "azure"),
        ("gcp-europe-west3", "pulumi_gcp", "gcp"),
        ("kubernetes-onprem", "pulumi_kubernetes", "kubernetes"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "rehearse", "up"])
def test_an_sdk_that_is_not_installed_is_told_with_the_command_that_brings_it(
    command: str, stack: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    done = CliRunner().invoke(app, [command, *(["-s"] if command == "up" else []), stack])

    assert done.exit_code == 1
    assert isinstance(done.exception, Refused)
    assert f"{package} is not installed: run `scripts/bootstrap.sh --extra {extra}` once" in str(done.exception)


def test_this_machine_has_nothing_to_plan() -> None:
    done = plan("local")

    assert done.exit_code == 1
    assert "pulumi preview -s local" in str(done.exception)
