"""What runs of a stack on this machine, where, and what of it does not."""

import os
from contextlib import suppress
from dataclasses import dataclass

import psutil
import typer

from components.local.orphans import alive, marked
from components.local.supervisor import SUPERVISOR, State, Status, Supervisor
from regions.manifest import Manifest, StepFunctions, Temporal
from scripts.cli.endpoints import print_quarantined
from scripts.cli.options import Stack
from scripts.cli.output import console, print_table
from scripts.cli.place import DEFAULT_STACK, Place

NOT_RUNNING = 3
ALWAYS = ("primary", "replica", "temporal", "gateway", "worker")
"""Processes of every stack on this machine (docs/contract.md §13): one that the supervisor never heard of is missed."""
ORPHANED = "orphaned"
"""It runs, and nobody would restart it."""
_STYLES = {State.RUNNING: "green", State.RESTARTING: "yellow", ORPHANED: "yellow"}


@dataclass(frozen=True)
class Row:
    """``pid`` is 0 where nothing runs. ``memory``: bytes, with its children, shared pages counted once."""

    name: str
    state: str
    pid: int
    memory: int
    address: str = ""


def status(stack: Stack = DEFAULT_STACK) -> None:
    """What is running and where. Exit code 3 when something is not running."""
    place = Place.local(stack)
    whole = show_status(place)
    print_quarantined(place)
    if not whole:
        raise typer.Exit(NOT_RUNNING)


def show_status(place: Place) -> bool:
    """Print it; whether everything runs."""
    manifest, supervisor = place.manifest(), Supervisor(place.folder)
    rows = _rows(supervisor, manifest)
    cells = [(row.name, row.state, row.pid or "-", _megabytes(row.memory), row.address) for row in rows]
    total = ("", "", "", _megabytes(sum(row.memory for row in rows)), f"logs: {os.path.relpath(supervisor.logs)}")
    down = [row.name for row in rows if row.state != State.RUNNING]
    styles = dict.fromkeys(State, "bold red") | _STYLES
    print_table(("process", "state", "pid", "memory", "where"), [*cells, total], styles)
    if down:
        console.print(
            f"\nnot as it should be: {', '.join(down)}. Their logs say why; `loomstead up{place.option}` heals it.",
            style="red",
            soft_wrap=True,
        )
    return not down


def _rows(supervisor: Supervisor, manifest: Manifest) -> list[Row]:
    addresses, running = _addresses(manifest), _running(supervisor)
    daemon = supervisor.pid()
    known = {path.stem for path in (supervisor.folder / "programs").glob("*.conf")}
    rows = [_row(SUPERVISOR, Status(State.RUNNING, daemon) if daemon else Status(State.ABSENT), None)]
    names = sorted(known.union(ALWAYS))
    return rows + [_row(name, supervisor.status(name), running.get(name), addresses.get(name, "")) for name in names]


def _row(name: str, found: Status, process: psutil.Process | None, address: str = "") -> Row:
    if found.state is State.ABSENT and process:
        return Row(name, ORPHANED, process.pid, _memory(process.pid), address)
    return Row(name, found.state, found.pid, _memory(found.pid, alone=name == SUPERVISOR), address)


def _running(supervisor: Supervisor) -> dict[str, psutil.Process]:
    """The oldest process of each name: the others are its children."""
    found: dict[str, psutil.Process] = {}
    for process in alive(marked(supervisor.home)):
        with suppress(psutil.Error):
            found.setdefault(process.environ()["LOOMSTEAD_PROCESS"], process)
    return found


def _memory(pid: int, *, alone: bool = False) -> int:
    """Proportional set size where the system tells it, else the unique one; 0 where nothing runs."""
    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid) if pid else None
        for one in [process, *([] if alone else process.children(recursive=True))] if process else []:
            used = one.memory_full_info()
            total += getattr(used, "pss", used.uss)
    return total


def _orchestrator(found: Temporal | StepFunctions) -> str:
    where = found.address if isinstance(found, Temporal) else found.state_machine
    return f"{where}, console {found.ui}"


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.0f} MB" if size else "-"


def _addresses(manifest: Manifest) -> dict[str, str]:
    endpoints = manifest.endpoints
    return {
        "gateway": endpoints.gateway,
        "primary": f"postgresql://{endpoints.primary_host}:{endpoints.primary_port}",
        "replica": f"postgresql://{endpoints.replica_host}:{endpoints.replica_port} (agent_reader only)",
        "temporal": _orchestrator(endpoints.orchestrator),
        "model": next((model.url or "" for model in manifest.models if model.region and not model.provider), ""),
        "orders": next((core.url for core in manifest.core_systems if core.name == "orders"), ""),
    }
