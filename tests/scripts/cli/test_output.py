"""What commands print."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.cli.plain import plain


def printed(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The output of a piped process that imports the module anew."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)


@given(st.text())
def test_nothing_that_a_terminal_obeys_comes_through(text: str) -> None:
    shown = plain(text)
    assert all(char.isprintable() or char == "\n" or char.isspace() for char in shown)
    assert "\x1b" not in shown


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_people_write_comes_through_as_it_is(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("stranger", "shown"),
    [("\x1b[31mred", r"\x1b[31mred"), ("a\u202eb", r"a\u202eb"), ("two\r\nlines", "two\nlines"), ("\udce9", r"\udce9")],
)
def test_control_and_invisible_characters_are_spelled_out(stranger: str, shown: str) -> None:
    assert plain(stranger) == shown


def test_ids_stay_whole_where_no_terminal_is() -> None:
    cells = [["0" * 60, "1" * 60, "2" * 60]]
    said = printed(f"from scripts.cli.output import print_table; print_table(['a', 'b', 'c'], {cells!r})").stdout
    assert all(digit * 60 in said for digit in "012")


def test_ids_stay_whole_on_a_narrow_terminal() -> None:
    code = "from scripts.cli.output import print_table; print_table(['a', 'b'], [['0' * 26, 'many words ' * 9]])"
    assert "0" * 26 in printed(code, COLUMNS="50").stdout


def test_an_error_is_neither_wrapped_nor_read_as_markup() -> None:
    message = "agent.yaml:3: tools[0]: [red]expected[/] a name " + "x" * 300
    done = printed(f"from scripts.cli.output import print_error; print_error({message!r})", COLUMNS="40")
    assert done.stderr == f"error: {message}\n"
    assert done.stdout == ""


def test_json_is_one_document_whatever_the_width() -> None:
    value = {"text": "[bold]ä[/] " * 50, "list": [1, None, True]}
    said = printed(f"from scripts.cli.output import print_json; print_json({value!r})", COLUMNS="20").stdout
    assert json.loads(said) == value
    assert "\x1b" not in said
