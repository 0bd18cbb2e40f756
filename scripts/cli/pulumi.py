"""The real engine as a subprocess, with the environment that a sourced ``scripts/env`` gives a person too."""

import fcntl
import json
import os
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psutil

from scripts.cli.place import REPOSITORY, CommandError, Place
from scripts.engine import Engine, environment


@contextmanager
def alone(place: Place, command: str) -> Generator[None]:
    """Keep a second ``up`` or ``down`` of this stack out; the kernel drops the lock with its holder."""
    place.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (place.home / f"{place.stack}.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CommandError(
                f"Another command works on stack {place.stack!r} ({lock.read().strip() or 'just started'}). "
                "Wait for its end, then run this again."
            ) from None
        lock.truncate(0)
        lock.write(f"`loomstead {command}`, process {os.getpid()}")
        lock.flush()
        yield


class Pulumi:
    """``config_file``: the stack file to use instead of ``stacks/Pulumi.<stack>.yaml``."""

    def __init__(self, engine: Engine, place: Place, config_file: Path | None = None) -> None:
        self._place = place
        self._environment = {**os.environ, **environment(engine, place.home)}
        self._config = ["--config-file", str(config_file.absolute())] if config_file else []

    def up(self) -> None:
        """Raises ``CommandError`` when the engine does not succeed; what it did stays and the next run goes on."""
        self._clear_stale_lock()
        self._run(["stack", "select", "--create", self._place.stack], quiet=True)
        self._run(["up", "--stack", self._place.stack, "--yes", "--skip-preview", *self._config])

    def destroy(self) -> None:
        self._clear_stale_lock()
        self._run(["destroy", "--stack", self._place.stack, "--yes", "--skip-preview", *self._config])

    def _run(self, arguments: Sequence[str], *, quiet: bool = False) -> None:
        command = ["pulumi", *arguments, "--non-interactive", "--cwd", str(REPOSITORY)]
        done = subprocess.run(command, env=self._environment, capture_output=quiet, text=True)
        if done.returncode:
            said = f"\n{done.stdout}{done.stderr}" if quiet else ""
            raise CommandError(
                f"`pulumi {arguments[0]}` of stack {self._place.stack!r} ended with {done.returncode}.{said} "
                "What it did is kept: put right what it names above, and run this again."
            )

    def _clear_stale_lock(self) -> None:
        """An engine that was killed leaves its lock behind; one that runs is left alone."""
        backend = Path(unquote(urlsplit(self._environment["PULUMI_BACKEND_URL"]).path))
        for lock in backend.glob(f".pulumi/locks/organization/*/{self._place.stack}/*.json"):
            holder = json.loads(lock.read_bytes())
            if _is_engine(holder.get("pid", 0)):
                raise CommandError(
                    f"A `pulumi` (process {holder['pid']}, since {holder.get('timestamp')}) works on stack "
                    f"{self._place.stack!r}. Wait for its end, then run this again."
                )
            lock.unlink()


def _is_engine(pid: int) -> bool:
    try:
        return "pulumi" in psutil.Process(pid).name()
    except psutil.NoSuchProcess:
        return False
