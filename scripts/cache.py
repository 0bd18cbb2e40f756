"""The per-user cache: what is fetched or built once and shared by every checkout (engine, Go, model weights)."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from scripts.progress import Report


def cache_folder() -> Path:
    """``$LOOMSTEAD_CACHE``, else ``$XDG_CACHE_HOME/loomstead``, else ``~/.cache/loomstead``."""
    if own := os.environ.get("LOOMSTEAD_CACHE"):
        return Path(own).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loomstead"


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
