"""`loomstead` as people start it, where no fabric is up: what it says, and that it is no traceback."""

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from components.naming import REPOSITORY, cache_folder
from scripts.cli import COMMANDS, app
from scripts.engine import SDK_VERSION

LOOMSTEAD = str(Path(sys.executable).with_name("loomstead"))
NOWHERE = "http://127.0.0.1:9"
"""Nothing listens there."""


def loomstead(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LOOMSTEAD, *arguments],
        env={**os.environ, "COLUMNS": "120", "LOOMSTEAD_HOME": str(home), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )


def refusal(home: Path, *arguments: str, **environment: str) -> str:
    """What a command that fails says, which is never a traceback."""
    done = loomstead(home, *arguments, **environment)
    assert done.returncode == 1, done.stdout
    assert re.search("^error: ", done.stderr, re.M)
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "a home with [red] spaces"


@pytest.fixture
def stack_file(tmp_path: Path) -> Path:
    path = tmp_path / "Pulumi.local.yaml"
    path.write_text((REPOSITORY / "stacks" / "Pulumi.local.yaml").read_text())
    return path


def change(path: Path, section: str, value: object) -> None:
    document = yaml.safe_load(path.read_text())
    document["config"]["loomstead:fabric"][section] = value
    path.write_text(yaml.safe_dump(document))


def commands(group: Any, *names: str) -> Iterator[tuple[str, Any]]:
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield " ".join([*names, name]), command
        if hasattr(command, "commands"):
            yield from commands(command, *names, name)


def test_every_command_and_every_option_says_what_it_is_for() -> None:
    found = dict(commands(typer.main.get_command(app)))
    assert {name for name in found if " " not in name} == set(COMMANDS)
    assert [name for name, command in found.items() if not command.help] == []
    silent = [(name, one.name) for name, command in found.items() for one in command.params if not one.help]
    assert silent == []


def test_the_help_is_what_no_arguments_give(home: Path) -> None:
    assert "Governed agents in any region." in loomstead(home, "--help").stdout
    assert loomstead(home).stdout.strip() == loomstead(home, "--help").stdout.strip()


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["task", "list"],
        ["task", "send", "a mail"],
        ["trace", "01J"],
        ["approvals", "list"],
        ["agent", "list"],
        ["psql"],
        ["ledger", "export", "/tmp/export"],
    ],
    ids=" ".join,
)
def test_a_stack_that_is_not_up_is_named_with_the_command_that_raises_it(home: Path, command: list[str]) -> None:
    said = refusal(home, *command)
    assert "Stack 'local' is not up" in said
    assert str(home / "local") in said
    assert "`loomstead up` raises it" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("command", [["status"], ["up"], ["down"], ["task", "list"]], ids=" ".join)
def test_an_unknown_stack_is_answered_with_those_that_there_are(home: Path, command: list[str]) -> None:
    said = refusal(home, *command, "-s", "nowhere")
    assert said.startswith("error: There is no stack 'nowhere': ")
    assert re.search(r"Stacks here: .*\blocal\.", said)
    assert not home.exists()


def test_a_stacks_name_leads_nowhere_else(home: Path) -> None:
    assert "There is no stack '../local'" in refusal(home, "down", "-s", "../local")


def test_a_broken_stack_file_is_told_with_file_line_and_key(home: Path, stack_file: Path) -> None:
    text = stack_file.read_text().replace("connection_limit: 20", "connection_limit: many")
    stack_file.write_text(text)
    line = text[: text.index("connection_limit")].count("\n") + 1
    said = refusal(home, "up", "--config-file", str(stack_file))
    assert f"{stack_file}:{line}: postgres.replica.connection_limit: spec/value: expected an integer" in said
    assert not home.exists()


def test_what_residency_refuses_is_refused_before_anything_is_fetched(home: Path, stack_file: Path) -> None:
    change(stack_file, "country", "US")
    said = refusal(
        home, "up", "--config-file", str(stack_file), LOOMSTEAD_CACHE=str(home), LOOMSTEAD_ENGINE="build", GOPROXY="off"
    )
    assert ": country: eu-gdpr/rest: " in said
    assert "Remedy: " in said
    assert not home.exists()


def test_without_an_engine_the_ways_to_one_are_told(home: Path) -> None:
    bare = {"PATH": str(Path(LOOMSTEAD).parent), "LOOMSTEAD_ENGINE": "path"}
    for command in ("up", "down"):
        said = refusal(home, command, **bare)
        assert "No Pulumi engine" in said
        assert "no `pulumi` on PATH" in said


def test_without_the_weights_the_ways_out_are_told(home: Path, tmp_path: Path) -> None:
    engine = cache_folder() / "engine" / SDK_VERSION
    unreachable = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "PIP_INDEX_URL"), NOWHERE)
    said = refusal(
        home,
        "up",
        PATH=f"{Path(LOOMSTEAD).parent}:{engine}:{os.environ['PATH']}",
        LOOMSTEAD_CACHE=str(tmp_path / "cache"),
        PIP_RETRIES="0",
        **unreachable,
    )
    assert "endpoint: {url: …" in said
    assert "gguf: /path/to/model.gguf" in said


@pytest.mark.parametrize("command", ["up", "down"])
def test_two_commands_at_once_on_one_stack_are_refused(home: Path, command: str) -> None:
    home.mkdir()
    with (home / "local.lock").open("w") as held:
        held.write("`loomstead up`, process 4711")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        said = refusal(home, command)
    assert "Another command works on stack 'local' (`loomstead up`, process 4711)" in said


def test_a_choice_is_taken_in_both_spellings_and_others_are_answered_with_the_list(home: Path) -> None:
    for spelling in ("take-over", "take_over"):
        assert "is not up" in refusal(home, "task", "choose", "01J", spelling)
    done = loomstead(home, "task", "choose", "01J", "approve")
    assert done.returncode == 2
    assert "expected continue, take-over, stop, got 'approve'" in done.stderr


def test_the_schemas_in_the_repository_are_those_of_the_code(home: Path) -> None:
    files = [
        REPOSITORY / "components" / "fabric.schema.json",
        REPOSITORY / "runtime" / "agents" / "agent.schema.json",
        REPOSITORY / "regions" / "catalogue" / "catalogue.schema.json",
    ]
    before = [file.read_text() for file in files]
    assert loomstead(home, "schema").returncode == 0
    assert [file.read_text() for file in files] == before


@pytest.mark.parametrize("module", ["fastapi", "temporalio", "pulumi", "sqlalchemy"])
def test_what_no_command_needs_is_not_loaded(module: str) -> None:
    code = f"import sys, scripts.cli; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
