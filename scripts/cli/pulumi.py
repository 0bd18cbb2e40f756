"""The real engine as a subprocess, with the environment that a sourced ``scripts/env`` gives a person too."""

import fcntl
import json
import os
import signal
import socket
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psutil

from components.local.orphans import alive
from components.naming import REPOSITORY
from scripts.cli.failure import CommandError
from scripts.cli.output import errors
from scripts.cli.place import DEFAULT_STACK, Place
from scripts.engine import Engine, environment

INTERRUPTED = 130
"""What shells say of a program that Ctrl-C ended."""


@contextmanager
def alone(place: Place, command: str) -> Generator[None]:
    """Keep a second ``up`` or ``down`` of this stack out; the kernel drops the lock with its holder."""
    place.home.mkdir(parents=True, exist_ok=True, mode=0o700)
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
    """One stack in the engine; every method raises ``CommandError`` when the engine does not succeed.

    What it did stays then, and the next run goes on from there.
    """

    def __init__(self, engine: Engine, place: Place) -> None:
        self._place = place
        own = {"LOOMSTEAD_STACK_FILE": str(place.stack_file)}
        self._environment = {**os.environ, **environment(engine, place.home), **own}
        if place.stack != DEFAULT_STACK:
            self._environment = _elsewhere(self._environment)

    def up(self) -> None:
        self._update("up")

    def destroy(self) -> None:
        if self.outputs() is None:
            errors.print(f"The engine knows no stack {self._place.stack!r}: nothing is to be removed.")
            return
        self._update("destroy")

    def outputs(self) -> dict[str, Any] | None:
        """What the stack exports; ``None`` where the engine knows no such stack."""
        asked = ["pulumi", "stack", "output", "--json", "--stack", self._place.stack, "--non-interactive"]
        answer = subprocess.run(
            [*asked, "--cwd", str(REPOSITORY)],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode and "no stack named" in answer.stderr:
            return None
        if answer.returncode:
            raise CommandError(f"Stack {self._place.stack!r} has no outputs: {answer.stderr.strip()}")
        return json.loads(answer.stdout)

    def _update(self, command: str) -> None:
        self._clear_stale_locks()
        self._run(["stack", "select", "--create", self._place.stack], quiet=True)
        file = str(self._place.stack_file)
        self._run([command, "--stack", self._place.stack, "--config-file", file, "--yes", "--skip-preview"])

    def _run(self, arguments: Sequence[str], *, quiet: bool = False) -> None:
        output = subprocess.PIPE if quiet else None
        process = subprocess.Popen(
            ["pulumi", *arguments, "--non-interactive", "--cwd", str(REPOSITORY)],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if quiet else None,
            text=True,
            process_group=0,
        )
        with process:
            said, interrupted = _wait(process)
        what = f"`pulumi {arguments[0]}` of stack {self._place.stack!r}"
        if interrupted:
            raise CommandError(f"{what} was interrupted; run this again and it goes on from there.", INTERRUPTED)
        if process.returncode:
            raise CommandError(
                f"{what} ended with {process.returncode}. {said}"
                "What it did is kept: put right what it names above, and run this again."
            )

    def _clear_stale_locks(self) -> None:
        """Remove the locks of engines of this machine that were killed; raises ``CommandError`` for any other.

        The engine names them ``.pulumi/locks/organization/<project>/<stack>/<id>.json`` (pulumi, backend/diy/lock.go)
        and waits for none of them: it refuses while there is one.
        """
        url = urlsplit(self._environment["PULUMI_BACKEND_URL"])
        if url.scheme != "file":
            return
        backend = Path(unquote(url.path))
        for lock in backend.glob(f".pulumi/locks/organization/*/{self._place.stack}/*.json"):
            try:
                holder = json.loads(lock.read_bytes())
                pid, host, since = int(holder["pid"]), holder["hostname"], holder["timestamp"]
            except FileNotFoundError:
                continue
            except (ValueError, KeyError, TypeError) as error:
                raise CommandError(
                    f"{lock} is no lock of the engine ({error}). If no `pulumi` works on this stack, remove it."
                ) from error
            if host != socket.gethostname():
                raise CommandError(
                    f"A `pulumi` on {host} (process {pid}, since {since}) holds stack {self._place.stack!r}. "
                    f"Wait for its end. If it was killed there, remove {lock}."
                )
            if _is_engine(pid):
                raise CommandError(
                    f"A `pulumi` (process {pid}, since {since}) works on stack {self._place.stack!r}. "
                    "Wait for its end, then run this again."
                )
            lock.unlink(missing_ok=True)


def _elsewhere(variables: Mapping[str, str]) -> dict[str, str]:
    """For another stack than this machine's own: state is where ``$PULUMI_BACKEND_URL`` says, and its secrets are
    encrypted by the stack's ``secretsprovider`` or the caller's phrase, never by the empty one."""
    asked = {
        "PULUMI_BACKEND_URL": "" if (url := os.environ.get("PULUMI_BACKEND_URL", "")).startswith("file:") else url,
        "PULUMI_CONFIG_PASSPHRASE": os.environ.get("PULUMI_CONFIG_PASSPHRASE", ""),
    }
    rest = {key: value for key, value in variables.items() if key != "PULUMI_CONFIG_PASSPHRASE"}
    return {**rest, **{key: value for key, value in asked.items() if value}}


def _wait(process: subprocess.Popen[str]) -> tuple[str, bool]:
    """What the engine said, where it was caught, and whether a person interrupted it.

    The engine is in a process group of its own and hears of Ctrl-C from here alone: the first lets it end what is under
    way and write its state, the second ends it at once.
    """
    interrupted = False
    while True:
        try:
            said, _ = process.communicate()
        except KeyboardInterrupt:
            if not interrupted:
                errors.print("\nStopping when what is under way has ended; Ctrl-C again stops at once.")
            process.send_signal(signal.SIGINT)
            interrupted = True
        else:
            return said or "", interrupted


def _is_engine(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return "pulumi" in process.name() and alive([process]) != []
    except psutil.NoSuchProcess:
        return False
