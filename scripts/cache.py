"""Writing to the per-user cache, which every checkout and every command of the user shares."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from scripts.progress import Report


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
