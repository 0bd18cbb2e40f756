"""What a long step shows: a bar on a terminal, a line now and then in a log."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

LOG_EVERY = 10.0
"""Seconds between two lines of one step in a log."""


class Report(Protocol):
    """Tells how far ``step`` is. A new step ends the one before; ``fraction`` (0..1) is None where no end is known."""

    def __call__(self, step: str, detail: str = "", fraction: float | None = None) -> None: ...


@contextmanager
def progress(console: Console | None = None) -> Generator[Report]:
    """A ``Report`` that writes to ``console`` (standard error unless told)."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[detail]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as display:
        bars = _Bars(display)
        yield bars
        bars.end()


class _Bars:
    def __init__(self, display: Progress) -> None:
        self._display, self._step, self._task = display, "", TaskID(-1)

    def __call__(self, step: str, detail: str = "", fraction: float | None = None) -> None:
        if step != self._step:
            self.end()
            self._step, self._task = step, self._display.add_task(step, total=None, detail="")
        self._display.update(
            self._task, detail=detail, total=None if fraction is None else 1.0, completed=fraction or 0.0
        )

    def end(self) -> None:
        if self._step:
            self._display.update(self._task, total=1.0, completed=1.0)


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console, self._step, self._at = console, "", 0.0

    def __call__(self, step: str, detail: str = "", fraction: float | None = None) -> None:
        if step == self._step and time.monotonic() - self._at < LOG_EVERY:
            return
        self._step, self._at = step, time.monotonic()
        percent = "" if fraction is None else f" {fraction:.0%}"
        self._console.print(f"{step}:{percent} {detail}".rstrip(": "), highlight=False, markup=False)
