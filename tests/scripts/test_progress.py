"""What a long step shows."""

import io

from rich.console import Console

from scripts import progress as module
from scripts.progress import progress


def test_a_log_gets_one_line_a_step_and_one_now_and_then(monkeypatch) -> None:
    clock = iter([0.0, 1.0, 11.0, 11.0, 12.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    text = io.StringIO()
    with progress(Console(file=text, width=80)) as report:
        report("Engine", "1 of 3", 1 / 3)
        report("Engine", "2 of 3", 2 / 3)
        report("Engine", "3 of 3", 1.0)
        report("Model")
    assert text.getvalue() == "Engine: 33% 1 of 3\nEngine: 100% 3 of 3\nModel\n"


def test_a_terminal_gets_a_bar_for_each_step() -> None:
    text = io.StringIO()
    with progress(Console(file=text, width=100, force_terminal=True)) as report:
        report("Engine", "1 of 2", 0.5)
        report("Model", "half", 0.5)
    shown = text.getvalue()
    assert "Engine" in shown
    assert "Model" in shown
    assert "half" in shown
