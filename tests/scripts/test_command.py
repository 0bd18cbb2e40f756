"""Programs that the set-up runs."""

from pathlib import Path

import pytest

from scripts.command import StepFailed, run, stream
from tests.fixtures.processes import ended


def test_standard_output_is_given_back_stripped() -> None:
    assert run(["echo", " said "], timeout=10) == "said"


def test_a_failure_says_the_last_lines_of_the_program() -> None:
    with pytest.raises(StepFailed, match=r"`sh -c .*` ended with 3:\n +because"):
        run(["sh", "-c", "echo because >&2; exit 3"], timeout=10)


def test_a_program_that_is_not_there_is_a_failure() -> None:
    with pytest.raises(StepFailed, match="`/no/such` cannot be run: No such file or directory"):
        run(["/no/such"], timeout=10)


def test_lines_come_one_by_one_from_both_outputs() -> None:
    lines: list[str] = []
    stream(["sh", "-c", "echo one; echo two >&2"], lines.append)
    assert sorted(lines) == ["one", "two"]


def test_a_program_that_takes_too_long_dies_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(StepFailed, match="did not end in 1 s"):
        run(["sh", "-c", f"sleep 60 & echo $! > '{pid}'; wait"], timeout=1)
    assert ended(int(pid.read_text()))


def test_a_program_dies_with_its_children_when_its_caller_fails(tmp_path: Path) -> None:
    def fail(line: str) -> None:
        raise KeyboardInterrupt(line)

    with pytest.raises(KeyboardInterrupt) as caught:
        stream(["sh", "-c", "sleep 60 & echo $!; wait"], fail)
    assert ended(int(str(caught.value)))
