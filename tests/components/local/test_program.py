"""What a process is told arrives as it was said, through supervisord's own parser. No process is started here."""

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from supervisor.options import UnhosedConfigParser, expand

from components.local.program import Program, ProgramError, environment, render

HOME = Path("/somewhere/local")
words = st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=("Cs", "Cc", "Zl", "Zp")))


def told(program: Program) -> list[str]:
    """argv as supervisord would make it of the program's section."""
    parser = UnhosedConfigParser()
    parser.read_string(render(program, HOME))
    return shlex.split(expand(parser.get(f"program:{program.name}", "command"), {}, "command"))


@given(st.lists(words, min_size=1), words)
def test_arguments_and_variables_reach_the_process_unchanged(argv: list[str], value: str) -> None:
    command = told(Program("name", tuple(argv), {"KEY": value}))

    assert command[-len(argv) :] == argv
    assert f"KEY={value}" in command


def test_a_process_gets_no_variable_of_the_terminal_that_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/elsewhere")
    monkeypatch.setenv("SECRET", "canary")

    assert "canary" not in render(Program("name", ("true",)), HOME)
    assert "/elsewhere" not in environment(HOME, "name")["PATH"]


def test_a_line_break_is_refused() -> None:
    with pytest.raises(ProgramError, match="line break"):
        render(Program("name", ("echo", "a\nb")), HOME)
