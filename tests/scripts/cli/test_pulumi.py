"""Locks that a killed engine leaves, and the engine that runs; `tests/live/test_cli.py` has the real one's."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.cli.failure import CommandError
from scripts.cli.place import Place
from scripts.cli.pulumi import Pulumi
from scripts.engine import Engine
from tests.fixtures.processes import ended

SCRIPT = """#!/bin/sh
echo "$@" >> "$LOOMSTEAD_HOME/asked"
exit 0
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Of a stack whose engine notes what it is asked and succeeds."""
    home = tmp_path / "a home"
    engine = home / "engine" / "pulumi"
    engine.parent.mkdir(parents=True)
    engine.write_text(SCRIPT)
    engine.chmod(0o755)
    return Place("local", home / "local", tmp_path / "Pulumi.local.yaml")


NO_STACK = """#!/bin/sh
echo "$@" >> "$LOOMSTEAD_HOME/asked"
echo "error: no stack named 'local' found" >&2
exit 1
"""
PHRASE = """#!/bin/sh
echo "${PULUMI_CONFIG_PASSPHRASE-none}" >> "$LOOMSTEAD_HOME/asked"
"""


def asked(place: Place) -> list[str]:
    Pulumi(Engine(place.home / "engine", "3"), place).up()
    return (place.home / "asked").read_text().splitlines()


def leave_lock(place: Place, content: str) -> Path:
    lock = place.home / "pulumi" / ".pulumi" / "locks" / "organization" / "loomstead" / place.stack / "ab-cd.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(content)
    return lock


def held_by(pid: int, host: str | None = None) -> str:
    holder = {"pid": pid, "username": "root", "hostname": host or socket.gethostname(), "timestamp": "2026-11-23T14:00"}
    return json.dumps(holder)


@pytest.fixture
def engine_pid(tmp_path: Path) -> Iterator[int]:
    """A process that runs under the engine's name."""
    program = tmp_path / "pulumi"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "600"]) as process:
        yield process.pid
        process.kill()


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    assert ended(process.pid)
    return process.pid


def test_the_engine_is_asked_for_the_stack_with_its_own_file(place: Place) -> None:
    selected, up = asked(place)
    assert selected.startswith("stack select --create local ")
    assert up.startswith(f"up --stack local --config-file {place.stack_file} --yes --skip-preview ")


def test_the_lock_of_an_engine_that_was_killed_is_removed(place: Place) -> None:
    lock = leave_lock(place, held_by(dead_pid()))
    assert asked(place)
    assert not lock.exists()


def test_a_number_that_another_program_has_by_now_holds_nothing(place: Place) -> None:
    lock = leave_lock(place, held_by(os.getpid()))
    assert asked(place)
    assert not lock.exists()


def test_the_lock_of_an_engine_that_runs_is_left_alone(place: Place, engine_pid: int) -> None:
    lock = leave_lock(place, held_by(engine_pid))
    with pytest.raises(CommandError, match=rf"A `pulumi` \(process {engine_pid}, since 2026.* works on stack 'local'"):
        asked(place)
    assert lock.exists()


def test_the_lock_of_another_machine_is_left_alone(place: Place) -> None:
    lock = leave_lock(place, held_by(dead_pid(), host="elsewhere"))
    with pytest.raises(CommandError, match=r"on elsewhere .* holds stack 'local'.*remove"):
        asked(place)
    assert lock.exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": "x", "hostname": "h", "timestamp": "t"}'])
def test_a_lock_that_cannot_be_read_is_left_alone(place: Place, content: str) -> None:
    lock = leave_lock(place, content)
    with pytest.raises(CommandError, match=r"ab-cd\.json is no lock of the engine"):
        asked(place)
    assert lock.exists()


def test_another_stacks_lock_is_no_matter(place: Place, engine_pid: int) -> None:
    lock = leave_lock(Place("other", place.home / "other", place.stack_file), held_by(engine_pid))
    assert asked(place)
    assert lock.exists()


def test_an_engine_that_fails_is_told_with_its_code(place: Place) -> None:
    engine = place.home / "engine" / "pulumi"
    engine.write_text("#!/bin/sh\necho no such stack >&2\nexit 6\n")
    with pytest.raises(CommandError, match=r"`pulumi stack` of stack 'local' ended with 6. no such stack"):
        asked(place)


def test_a_stack_that_never_was_is_neither_made_nor_removed(place: Place) -> None:
    (place.home / "engine" / "pulumi").write_text(NO_STACK)
    Pulumi(Engine(place.home / "engine", "3"), place).destroy()
    (only,) = (place.home / "asked").read_text().splitlines()
    assert only.startswith("stack output ")


@pytest.mark.parametrize(("stack", "given", "told"), [("local", "mine", ""), ("x", "mine", "mine"), ("x", "", "none")])
def test_secrets_of_a_cloud_s_stack_are_never_encrypted_by_the_empty_phrase(
    place: Place, monkeypatch: pytest.MonkeyPatch, stack: str, given: str, told: str
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", given)
    (place.home / "engine" / "pulumi").write_text(PHRASE)
    assert {*asked(replace(place, stack=stack))} == {told}
