"""What commands print: text as it is, without markup, and without anything that a terminal would obey."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scripts.cli.plain import plain

PIPED_COLUMNS = 200
"""Width of what no terminal shows: ids stay whole there."""


def _console(*, stderr: bool = False) -> Console:
    wide = not (sys.stderr if stderr else sys.stdout).isatty() and "COLUMNS" not in os.environ
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, width=PIPED_COLUMNS if wide else None)


console = _console()
errors = _console(stderr=True)


def print_error(message: str) -> None:
    """One failure on standard error; nothing of it is cut or wrapped."""
    errors.print(Text.assemble(("error: ", "bold red"), plain(message)), soft_wrap=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], styles: dict[str, str] | None = None) -> None:
    """``styles``: by a cell's text. The last column takes the lines that it needs; the others stay whole."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns[:-1]:
        table.add_column(name, no_wrap=True, overflow="ignore")
    table.add_column(columns[-1], overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell), (styles or {}).get(str(cell), "")) for cell in row))
    console.print(table)


def print_json(value: Any) -> None:
    """One JSON document, coloured on a terminal."""
    console.print_json(data=value)
