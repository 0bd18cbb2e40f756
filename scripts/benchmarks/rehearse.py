"""``scripts/bench rehearse``: how long the rehearsal of each stack takes, step by step, on this machine.

Nothing is asserted of the figures: they belong to a machine and its load. A stack that does not go as it should ends
the bench with 1. The table goes to standard error, the same as JSON to standard output.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from scripts.benchmarks.up import described
from scripts.cli.rehearse import prepared, rehearsed
from scripts.rehearsal.cycle import Rehearsal
from scripts.rehearsal.shipped import shipped

WANTED_SECONDS = 60


@dataclass(frozen=True)
class Took:
    """``seconds``: from the first process to the last, what is real beside the engine included."""

    stack: str
    resources: int
    seconds: float
    steps: dict[str, float]
    problems: tuple[str, ...]


def took(stack: str, went: Rehearsal, seconds: float) -> Took:
    steps = {step.name: round(step.seconds, 1) for step in went.steps}
    return Took(stack, went.resources, round(seconds, 1), steps, went.problems)


def show(seen: list[Took]) -> None:
    table = Table("stack", "resources", "slowest step", "all", "wanted ≤")
    for one in seen:
        slowest = max(one.steps.items(), key=lambda step: step[1], default=("none", 0.0))
        told = (f"{slowest[0]}: {slowest[1]} s", f"{one.seconds} s", f"{WANTED_SECONDS} s")
        table.add_row(one.stack, str(one.resources), *told)
    Console(stderr=True, soft_wrap=True).print(table)


def main(stacks: Annotated[list[str] | None, typer.Argument(help="None named: every stack but local.")] = None) -> None:
    """Rehearse each stack once, one after the other."""
    machine = described()
    names = stacks or list(shipped())
    engine, kubernetes = prepared(names)
    seen = []
    for name in names:
        started = time.monotonic()
        went = rehearsed(name, engine, kubernetes)
        seen.append(took(name, went, time.monotonic() - started))
    show(seen)
    print(json.dumps({"machine": machine, "stacks": [asdict(one) for one in seen]}, indent=2))
    if any(one.problems for one in seen):
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
