"""``scripts/bench residency``: how long one decision takes, reading the catalogue, and `loomstead review` as a whole.

Nothing is asserted of the figures: they belong to a machine and its load. What is asserted is that the decisions are
the expected ones and that the reviewed stacks are clean. The table goes to standard error, the same as JSON to standard
output.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from components.naming import REPOSITORY
from regions.boundary import Boundary, Flow, compile_boundary
from regions.catalogue import SCHEMA_PATH, load_catalogue, read_catalogue
from regions.residency import Basis, DataClass, DataClassRules, Purpose, Relaxation, Residency
from scripts.benchmarks.up import described

ON = date(2026, 11, 23)
REGIMES = ("eu-gdpr", "eu-strict", "host-country")
RELAXED_TO = ("AR", "CA", "CH", "GB", "IL", "JP", "KR", "NZ", "US", "UY")
DECISIONS = 20_000
"""Decisions that one figure is the mean of."""
MOST_MEMORY = """
import atexit, pathlib, re, sys
from scripts.cli import main
peak = lambda: re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]
atexit.register(lambda: sys.stderr.write(peak()))
sys.argv[0] = "loomstead"
main()
"""
"""`loomstead`, with its largest resident size in KB on standard error; the kernel's own figure for a child begins with
its parent's."""
RIGHT = REPOSITORY / "tests" / "stacks" / "right"


@dataclass(frozen=True)
class Figure:
    """Over all rounds, in ``unit``. ``wanted``: the most that is wanted; None where nothing was promised."""

    what: str
    unit: str
    least: float
    median: float
    most: float
    wanted: float | None = None


def figure(what: str, unit: str, seen: Sequence[float], wanted: float | None = None) -> Figure:
    return Figure(what, unit, *(round(f(seen), 2) for f in (min, statistics.median, max)), wanted)


def boundary() -> Boundary:
    """Three regimes, a relaxation for each of ten countries, and a data class with places of its own."""
    relaxations = tuple(
        Relaxation(
            regime="eu-gdpr",
            purposes=(Purpose.PROCESS, Purpose.LOGS),
            data_classes=(DataClass.PUBLIC, DataClass.INTERNAL),
            countries=(country,),
            basis=Basis.DOCUMENTED,
            reference="none: this is a benchmark",
            reason="none: this is a benchmark",
            approver="nobody",
            expires=date(2027, 6, 30),
        )
        for country in RELAXED_TO
    )
    classes = {name: DataClassRules() for name in (DataClass.PUBLIC, DataClass.INTERNAL, DataClass.PERSONAL)}
    classes[DataClass.HEALTH] = DataClassRules(process=("DE",), rest=("DE",))
    residency = Residency(regimes=REGIMES, data_classes=classes, relaxations=relaxations)
    return compile_boundary(residency, load_catalogue(), host="DE")


def decisions(rounds: int) -> list[Figure]:
    """Microseconds a decision."""
    decide = boundary()
    cases = [
        ("allowed, one country", Flow("model a", "process", ("DE",), "personal"), True),
        ("allowed, class with its own rule", Flow("model a", "process", ("DE",), "health"), True),
        ("refused, one country", Flow("model b", "process", ("US",), "personal"), False),
        ("refused, thirty countries", Flow("model c", "process", tuple(sorted(_eea())), "personal"), False),
    ]
    figures = []
    for what, flow, allowed in cases:
        if decide.decide(flow, ON).allowed is not allowed:
            raise RuntimeError(f"{what}: {decide.decide(flow, ON)}")
        seen = [_seconds(lambda flow=flow: decide.decide(flow, ON), DECISIONS) * 1e6 for _ in range(rounds)]
        figures.append(figure(f"decision: {what}", "µs", seen, 20))
        figures.append(figure("in a second", "/s", [1e6 / one for one in seen]))
    return figures


def _eea() -> frozenset[str]:
    return load_catalogue().expand(("eea",), "DE")


def _seconds(call: Callable[[], object], times: int) -> float:
    """Of one call, as the mean of many."""
    started = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - started) / times


def catalogue(rounds: int) -> Figure:
    seen = [_seconds(lambda: read_catalogue(SCHEMA_PATH.parent), 1) * 1e3 for _ in range(rounds)]
    return figure("catalogue read and checked", "ms", seen)


def review(what: str, files: Sequence[Path], rounds: int) -> list[Figure]:
    """`loomstead review` as a process of its own, from its start to its end; raises where it found anything."""
    arguments = ["review", *map(str, files)]
    loomstead = [str(Path(sys.executable).with_name("loomstead")), *arguments]
    _run(loomstead)  # the first one reads its files from the disk
    seen = [_seconds(lambda: _run(loomstead), 1) for _ in range(rounds)]
    kilobytes = [int(_run([sys.executable, "-P", "-c", MOST_MEMORY, *arguments])) for _ in range(rounds)]
    return [
        figure(f"loomstead review, {what}", "s", seen, 1),
        figure("its most memory", "MB", [one / 1024 for one in kilobytes]),
    ]


def _run(argv: Sequence[str]) -> str:
    """What a command says on standard error; raises ``CalledProcessError``."""
    done = subprocess.run(
        argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY, check=True
    )
    return done.stderr


def show(figures: Sequence[Figure]) -> None:
    table = Table("what", "least", "median", "most", "wanted ≤")
    for one in figures:
        digits = 2 if one.least < 1000 else 0
        seen = (f"{value:,.{digits}f} {one.unit}" for value in (one.least, one.median, one.most))
        table.add_row(one.what, *seen, "" if one.wanted is None else f"{one.wanted:.0f} {one.unit}")
    Console(stderr=True, soft_wrap=True).print(table)


def main(rounds: Annotated[int, typer.Option(min=1, help="Rounds of each figure.")] = 7) -> None:
    """Measure decisions, the catalogue and reviews on this machine."""
    machine = described()
    right = sorted(RIGHT.glob("*.yaml"))
    figures = [
        *decisions(rounds),
        catalogue(rounds),
        *review("every shipped stack", [], rounds),
        *review(f"{len(right)} files of tests/stacks/right", right, rounds),
    ]
    show(figures)
    print(json.dumps({"machine": machine, "figures": [asdict(one) for one in figures]}, indent=2))


if __name__ == "__main__":
    typer.run(main)
