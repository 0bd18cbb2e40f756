"""Writing to the per-user cache, which every checkout and every command of the user shares."""

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from scripts.command import StepFailed
from scripts.progress import Report

Checked = TypeVar("Checked")


@contextmanager
def held(lock: Path, step: str, report: Report) -> Generator[None]:
    """Keep other processes out while the cache is written.

    The kernel drops the lock with its holder, so a killed one blocks nobody.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(step, "waiting for another process that is at it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cached(
    place: Path, step: str, report: Report, check: Callable[[Path], Checked], make: Callable[[Path], Path]
) -> Checked:
    """What ``check`` says of the folder ``place`` of the cache, made where there is none that it takes.

    ``make`` gets an empty folder beside the place, and says what of it is moved there whole: whoever is killed on the
    way leaves a folder that the next one sweeps. ``check`` and ``make`` raise ``StepFailed``, the latter for good.
    """
    if found := _taken(place, check):
        return found
    with held(place.with_name(f"{place.name}.lock"), step, report):
        if found := _taken(place, check):
            return found
        for left in [place, *place.parent.glob(f"{place.name}.making-*")]:
            shutil.rmtree(left, ignore_errors=True)
        making = Path(tempfile.mkdtemp(prefix=f"{place.name}.making-", dir=place.parent))
        try:
            made = make(making)
            check(made)
            made.replace(place)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return check(place)


def _taken(place: Path, check: Callable[[Path], Checked]) -> Checked | None:
    try:
        return check(place)
    except StepFailed:
        return None
