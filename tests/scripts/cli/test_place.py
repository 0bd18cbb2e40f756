"""Which fabric a command is about."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from scripts.cli import app
from scripts.cli.failure import CommandError
from scripts.cli.place import Place


def test_a_stack_of_this_machine_is_found_by_its_name() -> None:
    assert Place.local("local") == Place.of("local")


@pytest.mark.parametrize(
    "command",
    [["status"], ["psql"], ["ledger", "verify"], ["ledger", "export", "ledger.sqlite"]],
    ids=" ".join,
)
def test_what_reaches_this_machine_alone_says_so_of_a_stack_elsewhere(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOMSTEAD_HOME", str(tmp_path))
    refused = CliRunner().invoke(app, [*command, "-s", "aws-eu-central-1"]).exception
    assert isinstance(refused, CommandError)
    assert "Stack 'aws-eu-central-1' is on aws, and this command reaches" in str(refused)


def test_a_name_without_a_file_is_told_with_those_there_are() -> None:
    with pytest.raises(CommandError, match=r"There is no stack 'nowhere': .*Stacks here: aws-eu-central-1, "):
        Place.of("nowhere")
