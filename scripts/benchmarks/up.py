"""``scripts/bench up``: how long the local fabric takes to rise and fall here, and what it weighs.

Works in a home of its own beside whatever is up. The table goes to standard error, the same as JSON to standard
output. Nothing is asserted: figures belong to a machine and its load.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from components.local.orphans import marked
from components.naming import REPOSITORY
from scripts.engine import ensure_engine, environment
from scripts.progress import progress

STACK = "local"
MODEL = "model"
_MB = 1e6


@dataclass(frozen=True)
class Measure:
    """``wanted`` is the most that is wanted, in ``unit``; None where nothing was promised."""

    what: str
    seen: float
    unit: str
    wanted: float | None = None


class Fabric:
    """The commands that a user gives, timed, on a stack whose state lies under ``home``."""

    def __init__(self, home: Path, variables: Mapping[str, str], options: Sequence[str] = ()) -> None:
        self.home = home
        self._environment = {**os.environ, **variables, "LOOMSTEAD_HOME": str(home)}
        self._options = list(options)

    def loomstead(self, command: str) -> float:
        return timed([str(Path(sys.executable).with_name("loomstead")), command, *self._given()], self._environment)

    def pulumi(self, command: str, *arguments: str) -> float:
        argv = ["pulumi", command, *arguments, *self._given(), "--non-interactive", "--cwd", str(REPOSITORY)]
        return timed(argv, self._environment)

    def _given(self) -> list[str]:
        return ["--stack", STACK, *self._options]

    def processes(self) -> dict[psutil.Process, str]:
        """Every process of the fabric, and the name of the part it belongs to.

        The youngest come first: what the supervisor started is not its own.
        """
        found: dict[psutil.Process, str] = {}
        for process in reversed(marked(self.home / STACK)):
            name = process.environ()["LOOMSTEAD_PROCESS"]
            for one in [process, *process.children(recursive=True)]:
                found.setdefault(one, name)
        return found


def timed(argv: Sequence[str], variables: Mapping[str, str], folder: Path = REPOSITORY) -> float:
    """Seconds that a command takes; what it says goes to standard error. Raises ``CalledProcessError``."""
    print("$", " ".join(argv), file=sys.stderr, flush=True)
    started = time.monotonic()
    subprocess.run(argv, env=variables, cwd=folder, stdout=sys.stderr, stdin=subprocess.DEVNULL, check=True)
    return time.monotonic() - started


def memory(processes: Mapping[psutil.Process, str]) -> dict[str, float]:
    """MB of resident memory by part, shared pages divided among those who share them (PSS)."""
    parts: dict[str, float] = {}
    for process, name in processes.items():
        used = process.memory_full_info()
        parts[name] = parts.get(name, 0.0) + getattr(used, "pss", used.uss) / _MB
    return parts


def listened(processes: Mapping[psutil.Process, str]) -> set[int]:
    """TCP ports that these processes listen on."""
    return {
        connection.laddr.port
        for process in processes
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def still_listening(ports: set[int]) -> set[int]:
    """Those of ``ports`` on which anything on this machine listens."""
    everything = psutil.net_connections(kind="tcp")
    return ports & {one.laddr.port for one in everything if one.status == psutil.CONN_LISTEN}


def measure_warm(fabric: Fabric) -> list[Measure]:
    """Up, unchanged, down, and up again by the engine alone, everything cached. Ends with nothing running."""
    measures = [Measure("loomstead up, cached, with the demo task", fabric.loomstead("up"), "s", 120)]
    processes = fabric.processes()
    ports, parts = listened(processes), memory(processes)
    measures += [
        Measure("pulumi up, no change", fabric.pulumi("up", "--yes", "--skip-preview"), "s", 6),
        Measure("pulumi up, no change, with preview", fabric.pulumi("up", "--yes"), "s"),
        Measure("pulumi destroy", fabric.pulumi("destroy", "--yes", "--skip-preview"), "s", 15),
        Measure("processes left", len(fabric.processes()), "", 0),
        Measure(f"ports left, of {len(ports)}", len(still_listening(ports)), "", 0),
        Measure("pulumi up, from nothing", fabric.pulumi("up", "--yes", "--skip-preview"), "s", 30),
    ]
    fabric.pulumi("destroy", "--yes", "--skip-preview")
    measures += [Measure(f"memory of {name}", used, "MB") for name, used in sorted(parts.items())]
    rest = sum(used for name, used in parts.items() if name != MODEL)
    return [
        *measures,
        Measure("memory, the model apart", rest, "MB", 1000),
        Measure("memory", sum(parts.values()), "MB", 3000),
    ]


def measure_cold(folder: Path) -> list[Measure]:
    """A clone of the last commit and ``./scripts/up`` in it, with every cache empty and the engine built here."""
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("LOOMSTEAD_", "VIRTUAL_ENV"))
    }
    variables |= {
        "LOOMSTEAD_CACHE": str(folder / "cache"),
        "LOOMSTEAD_ENGINE": "build",
        "PIP_NO_CACHE_DIR": "1",
        "UV_CACHE_DIR": str(folder / "uv"),
    }
    try:
        return [Measure("scripts/up, from nothing", timed([str(clone / "scripts" / "up")], variables, clone), "s", 720)]
    finally:
        if (loomstead := clone / ".venv" / "bin" / "loomstead").exists():
            timed([str(loomstead), "down"], variables, clone)


def show(measures: Sequence[Measure]) -> None:
    table = Table("what", "seen", "wanted ≤")
    for one in measures:
        digits = 1 if one.unit == "s" else 0
        wanted = "" if one.wanted is None else f"{one.wanted:.0f} {one.unit}"
        table.add_row(one.what, f"{one.seen:.{digits}f} {one.unit}", wanted)
    Console(stderr=True).print(table)


def described() -> dict[str, str | float]:
    """The machine and the code that the figures belong to."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=REPOSITORY, capture_output=True, text=True)
    return {
        "commit": commit.stdout.strip(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "cores": os.cpu_count() or 0,
        "memory_mb": round(psutil.virtual_memory().total / _MB),
        "load_before": round(os.getloadavg()[0], 1),
    }


def main(
    cold: Annotated[bool, typer.Option(help="Also from nothing: a clone, empty caches, the engine built.")] = False,
    config_file: Annotated[Path | None, typer.Option(help="Another stack file.", exists=True)] = None,
) -> None:
    """Measure how the local fabric rises and falls on this machine."""
    machine = described()
    options = ["--config-file", str(config_file.absolute())] if config_file else []
    with progress() as report:
        engine = ensure_engine(report)
    with tempfile.TemporaryDirectory(prefix="loomstead-bench-") as folder:
        measures = measure_cold(Path(folder)) if cold else []
        home = Path(folder, "home")
        fabric = Fabric(home, environment(engine, home), options)
        try:
            measures += measure_warm(fabric)
        finally:
            if fabric.processes():
                fabric.pulumi("destroy", "--yes", "--skip-preview")
    show(measures)
    rounded = [asdict(replace(one, seen=round(one.seen, 1))) for one in measures]
    print(json.dumps({"machine": machine, "measures": rounded}, indent=2))


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except subprocess.CalledProcessError as failed:
        sys.exit(f"Nothing was measured: `{' '.join(failed.cmd)}` ended with {failed.returncode}, as it says above.")
