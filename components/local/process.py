"""Resource ``Process``: one process under the stack's supervisord, made, watched and stopped by the engine."""

import contextlib
import http.client
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict
from urllib.parse import urlsplit

import pulumi
from pulumi import Input
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult

from components.local.ports import refuse_taken
from components.local.program import Program, environment
from components.local.provider import LocalProvider
from components.local.supervisor import State, Supervisor, SupervisorError

POLL_SECONDS = 0.05
PROBE_SECONDS = 5
DEATHS = 3
"""A process that died this often before it was ready will not get ready."""


class Ready(TypedDict, total=False):
    """Exactly one: a port that accepts, a URL that answers 200, a text in the log, a command that exits with 0."""

    tcp: Input[int]
    http: Input[str]
    log: Input[str]
    command: Input[Sequence[Input[str]]]


class ProcessArgs(TypedDict):
    """``home``: the stack's folder, as given out by the cluster. ``process``: name in the supervisor and of its log.

    ``ports``: what it will listen on, refused when somebody else does. ``ready_seconds``: how long it may take (60).
    ``revision``: any text; another one restarts the process. ``stop_signal``: a signal's name without SIG (TERM).
    ``folder``: data of its own, made before it starts and deleted with it.
    """

    home: Input[str]
    process: str
    argv: Sequence[Input[str]]
    environment: Mapping[str, Input[str]]
    ports: Sequence[Input[int]]
    ready: Ready
    ready_seconds: NotRequired[int]
    revision: NotRequired[Input[str]]
    stop_signal: NotRequired[str]
    folder: NotRequired[Input[str]]


class Process(Resource, module="local", name="Process"):
    """A running process. It exists when it is ready, so that whoever depends on it may use it at once."""

    home: pulumi.Output[str]
    process: pulumi.Output[str]
    pid: pulumi.Output[int]
    state: pulumi.Output[str]

    def __init__(self, name: str, args: ProcessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        defaults = {"ready_seconds": 60, "revision": "", "stop_signal": "TERM"}
        super().__init__(ProcessProvider(), name, {**defaults, **args, "pid": None, "state": None}, opts)


class ProcessProvider(LocalProvider):
    """Keeps the process as described. ``pid`` and ``state`` in the outputs are what was seen last."""

    identity = ("home", "process")

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(f"{Path(props['home']).name}/{props['process']}", _ensure(props))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        return ReadResult(id_, _observed(props))

    def healthy(self, wanted: dict[str, Any], seen: dict[str, Any]) -> bool:
        supervisor = Supervisor(Path(wanted["home"]))
        return supervisor.describes(_program(wanted)) and supervisor.status(wanted["process"]).state is State.RUNNING

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(_ensure(_news))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        Supervisor(Path(_props["home"])).remove(_props["process"])
        if folder := _props.get("folder"):
            shutil.rmtree(folder, ignore_errors=True)


def _program(props: Mapping[str, Any]) -> Program:
    own = {**props["environment"], "LOOMSTEAD_REVISION": props["revision"]}
    return Program(props["process"], tuple(props["argv"]), own, props["stop_signal"])


def _observed(props: Mapping[str, Any]) -> dict[str, Any]:
    status = Supervisor(Path(props["home"])).status(props["process"])
    return {**props, "pid": status.pid, "state": str(status.state)}


def _ensure(props: Mapping[str, Any]) -> dict[str, Any]:
    supervisor, program = Supervisor(Path(props["home"])), _program(props)
    for port in props["ports"]:
        refuse_taken(supervisor.home, int(port), program.name)  # the engine sends every number as a float
    if folder := props.get("folder"):
        Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    log = supervisor.log(program.name)
    fresh = not supervisor.describes(program) or supervisor.status(program.name).state is not State.RUNNING
    begin = log.stat().st_size if fresh and log.exists() else 0
    supervisor.ensure(program)
    wait_ready(supervisor, program, _probe(props, supervisor, begin), props["ready_seconds"], begin)
    return _observed(props)


def wait_ready(
    supervisor: Supervisor, program: Program, probe: Callable[[], bool], seconds: float, begin: int = 0
) -> None:
    """Return when ``probe`` says yes; raise ``SupervisorError`` with the log's last lines when it does not in time."""
    deadline = time.monotonic() + seconds
    pids: set[int] = set()
    while time.monotonic() < deadline:
        status = supervisor.status(program.name)
        pids |= {status.pid} - {0}
        if status.state is State.RUNNING and probe():
            return
        if status.state in (State.STOPPED, State.FAILED, State.ABSENT) or len(pids) > DEATHS:
            raise SupervisorError(f"{program.name} does not stay up.{_last_lines(supervisor, program.name, begin)}")
        time.sleep(POLL_SECONDS)
    raise SupervisorError(
        f"{program.name} is not ready after {seconds:g} s.{_last_lines(supervisor, program.name, begin)}"
    )


def _last_lines(supervisor: Supervisor, name: str, begin: int) -> str:
    lines = _log_since(supervisor.log(name), begin).splitlines()[-15:]
    said = "".join(f"\n  {line}" for line in lines) or "\n  (nothing)"
    return f" Its last words, from {supervisor.log(name)}:{said}\nPut right what they name and run `pulumi up` again."


def _log_since(path: Path, begin: int) -> str:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as log:
        log.seek(begin if begin <= path.stat().st_size else 0)  # shorter than it was: turned over meanwhile
        return log.read().decode(errors="replace")
    return ""


def _probe(props: Mapping[str, Any], supervisor: Supervisor, begin: int) -> Callable[[], bool]:
    ((kind, target),) = props["ready"].items()
    told = environment(supervisor.home, props["process"], props["environment"])
    probes: dict[str, Callable[[], bool]] = {
        "tcp": lambda: _accepts(int(target)),
        "http": lambda: _answers(target),
        "log": lambda: target in _log_since(supervisor.log(props["process"]), begin),
        "command": lambda: _succeeds(target, told),
    }
    return probes[kind]


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), PROBE_SECONDS):
        return True
    return False


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=PROBE_SECONDS)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.HTTPStatus.OK
    return False


def _succeeds(argv: Sequence[str], environment: Mapping[str, str]) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run(argv, env=environment, capture_output=True, timeout=PROBE_SECONDS).returncode == 0
    return False
