"""Processes of a stack, found by the marks in their environment, whoever started them. No Pulumi in here."""

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from components.local.program import STOP_SECONDS


def marked(home: Path, name: str | None = None) -> list[psutil.Process]:
    """Processes that carry the marks of ``home`` (and of process ``name``), oldest first."""
    want = {"LOOMSTEAD_HOME": str(home.parent), "LOOMSTEAD_STACK": home.name}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            environment = process.environ()
            mine = want.items() <= environment.items() and "LOOMSTEAD_PROCESS" in environment
            if mine and name in (None, environment["LOOMSTEAD_PROCESS"]):
                found.append(process)
    return sorted(found, key=psutil.Process.create_time)


def end(processes: list[psutil.Process]) -> None:
    """Terminate ``processes`` and their children, in that order; kill what has not gone after ``STOP_SECONDS``."""
    everyone = dict.fromkeys(processes)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            everyone |= dict.fromkeys(process.children(recursive=True))
    for tell in (psutil.Process.terminate, psutil.Process.kill):
        for process in alive(everyone):
            with contextlib.suppress(psutil.NoSuchProcess):
                tell(process)
        deadline = time.monotonic() + STOP_SECONDS
        while alive(everyone) and time.monotonic() < deadline:
            time.sleep(0.02)


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that still run. A zombie does not: in a container often nobody collects it."""
    return [process for process in processes if process.is_running() and _status(process) != psutil.STATUS_ZOMBIE]


def _status(process: psutil.Process) -> str:
    try:
        return process.status()
    except psutil.NoSuchProcess:
        return psutil.STATUS_ZOMBIE
