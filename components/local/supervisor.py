"""One supervisord (http://supervisord.org, PyPI ``supervisor``) per stack. No Pulumi in here.

It runs as a daemon with the stack's home as working folder, is told what to do by XML-RPC over a Unix socket, restarts
what dies, and starts nothing by itself, so that the order stays with Pulumi.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor.xmlrpc import Faults, SupervisorTransport

from components.local.orphans import alive, end, marked
from components.local.program import PYTHON, Program, environment, render

SUPERVISOR = "supervisor"
SOCKET_PATH_LIMIT = 90
"""Bytes. ``sun_path`` takes 104 on macOS and 108 on Linux, and supervisord binds to ``<path>.<pid>`` first."""
START_SECONDS = 10


class SupervisorError(Exception):
    """The supervisor, or a process under it, could not be brought where it should be; the message says what to do."""


class State(StrEnum):
    """What supervisord says of a process. ``RESTARTING``: it died and will be started again; ``ABSENT``: unknown."""

    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPED = "stopped"
    FAILED = "failed"
    ABSENT = "absent"


_STATES = {
    "STARTING": State.RUNNING,
    "RUNNING": State.RUNNING,
    "BACKOFF": State.RESTARTING,
    "STOPPING": State.STOPPED,
    "STOPPED": State.STOPPED,
    "EXITED": State.STOPPED,
    "FATAL": State.FAILED,
    "UNKNOWN": State.FAILED,
}


@dataclass(frozen=True)
class Status:
    """``pid`` is 0 when nothing runs."""

    state: State
    pid: int = 0


class Supervisor:
    """The supervisord of the stack whose state lies in ``home`` (``$LOOMSTEAD_HOME/<stack>``)."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / SUPERVISOR
        self.logs = home / "logs"

    @property
    def socket(self) -> Path:
        """Where it listens: in the home, or in a private folder of the temp dir when the home's path is too long."""
        path = self.folder / "supervisor.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
            return path
        short = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path(tempfile.gettempdir(), f"loomstead-{os.geteuid()}", f"{short}.sock")

    def pid(self) -> int:
        """The daemon's process id; 0 when it does not run."""
        try:
            with self._rpc() as rpc:
                return rpc.getPID()
        except (OSError, Fault):  # a fault is said by one that is shutting down
            return 0

    def start(self) -> int:
        """Start the daemon unless it runs, after ending what an earlier one left behind. Returns its process id."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.logs, self.folder, self.folder / "programs"):
            folder.mkdir(exist_ok=True, mode=0o700)
        with self._locked():
            if pid := self.pid():
                return pid
            end(marked(self.home))
            _make_private(self.socket.parent)
            self._write_configuration()
            return self._launch()

    def stop(self) -> None:
        """Stop every process and the daemon, and remove the home with all that an interrupted run left in it."""
        if pid := self.pid():
            with contextlib.suppress(psutil.NoSuchProcess, OSError):
                daemon = psutil.Process(pid)
                with self._rpc() as rpc:
                    rpc.shutdown()
                while alive([daemon]):
                    self.pid()  # wakes its loop, which else sleeps for a second at a time
                    time.sleep(0.02)
        end(marked(self.home))
        self.socket.unlink(missing_ok=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def ensure(self, program: Program) -> None:
        """Run ``program`` as described: it is restarted only when the description changed or it does not run."""
        if not self.describes(program) or self.status(program.name).state is State.ABSENT:
            self.remove(program.name)
            self._add(program)
        state = self.status(program.name).state
        if state in (State.STOPPED, State.FAILED):
            with self._rpc() as rpc, _tolerated(Faults.ALREADY_STARTED, Faults.SPAWN_ERROR):
                rpc.startProcess(program.name, False)

    def describes(self, program: Program) -> bool:
        """Whether the daemon was told exactly this description."""
        try:
            return self._program_file(program.name).read_text() == render(program, self.home)
        except FileNotFoundError:
            return False

    def status(self, name: str) -> Status:
        """How ``name`` is now; ``ABSENT`` when the daemon does not run or does not know it."""
        try:
            with self._rpc() as rpc:
                info = rpc.getProcessInfo(name)
        except OSError:
            return Status(State.ABSENT)
        except Fault as fault:
            if fault.faultCode == Faults.BAD_NAME:
                return Status(State.ABSENT)
            raise
        return Status(_STATES[info["statename"]], info["pid"])

    def halt(self, name: str) -> None:
        """Stop ``name`` and wait for its end; it stays known and stopped. Nothing to stop is fine."""
        with contextlib.suppress(OSError), self._rpc() as rpc, _tolerated(Faults.BAD_NAME, Faults.NOT_RUNNING):
            rpc.stopProcess(name)

    def remove(self, name: str) -> None:
        """Stop ``name``, with what it left behind, and forget it. Nothing to remove is fine."""
        self.halt(name)
        end(marked(self.home, name))
        with contextlib.suppress(FileNotFoundError), self._locked():
            self._program_file(name).unlink(missing_ok=True)
            self._write_configuration()
            with contextlib.suppress(OSError), self._rpc() as rpc, _tolerated(Faults.BAD_NAME):
                rpc.removeProcessGroup(name)
                rpc.reloadConfig()

    def log(self, name: str) -> Path:
        """What ``name`` writes to stdout and stderr; turned over at 10 MB, three old ones kept."""
        return self.logs / f"{name}.log"

    def _add(self, program: Program) -> None:
        with self._locked():
            self._program_file(program.name).write_text(render(program, self.home))
            self._write_configuration()
            with self._rpc() as rpc, _tolerated(Faults.ALREADY_ADDED):
                rpc.reloadConfig()
                rpc.addProcessGroup(program.name)

    def _launch(self) -> int:
        command = [PYTHON, "-m", "supervisor.supervisord", "-c", str(self.folder / "supervisord.conf")]
        started = subprocess.run(
            command, cwd=self.home, env=environment(self.home, SUPERVISOR), capture_output=True, text=True
        )
        deadline = time.monotonic() + START_SECONDS
        while started.returncode == 0 and time.monotonic() < deadline:
            if pid := self.pid():
                return pid
            time.sleep(0.02)
        raise SupervisorError(
            f"supervisord of {self.home} does not start: {started.stdout.strip()} {started.stderr.strip()} "
            f"(see {self.log(SUPERVISOR)})"
        )

    def _program_file(self, name: str) -> Path:
        return self.folder / "programs" / f"{name}.conf"

    def _write_configuration(self) -> None:
        # One file instead of supervisord's [include], which splits at spaces and expands brackets in the home's path.
        parts = [_header(self.socket), *(path.read_text() for path in sorted((self.folder / "programs").iterdir()))]
        (self.folder / "supervisord.conf").write_text("\n".join(parts))

    @contextlib.contextmanager
    def _rpc(self) -> Generator[Any]:
        transport: Any = SupervisorTransport(None, None, f"unix://{self.socket}")
        try:
            yield ServerProxy("http://localhost", transport=transport).supervisor
        finally:
            transport.close()

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        # The engine works on several resources at a time, and each rewrites the one configuration file.
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _header(socket: Path) -> str:
    # Paths are relative to the home, the daemon's working folder, so that nothing in its name needs escaping.
    inside = socket.name == "supervisor.sock"
    return f"""[unix_http_server]
file={f"{SUPERVISOR}/{socket.name}" if inside else str(socket).replace("%", "%%")}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisord]
logfile=logs/{SUPERVISOR}.log
logfile_maxbytes=10MB
logfile_backups=1
pidfile={SUPERVISOR}/supervisord.pid
"""


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise SupervisorError(f"{folder} must be a folder that only you can enter: remove it, or `chmod 700` it")


@contextlib.contextmanager
def _tolerated(*codes: int) -> Generator[None]:
    try:
        yield
    except Fault as fault:
        if fault.faultCode not in codes:
            raise
