"""Resource ``Ports``: every port of the stack, chosen free once and remembered in the state."""

import contextlib
import hashlib
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import psutil
import pulumi
from pulumi import Input
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, ReadResult, Resource, UpdateResult

from components.local.provider import PROVIDER_KEY, LocalProvider
from components.local.supervisor import marked

FIRST, COUNT = 20000, 10000
"""Chosen ports lie below those that systems take for outgoing connections (from 32768 on Linux, 49152 on macOS)."""


class PortError(Exception):
    """A port is taken; the message names it, who holds it, and the remedy."""


class PortsArgs(TypedDict):
    """``names``: who needs a port. ``fixed``: port by name, for those that the stack file settles."""

    home: Input[str]
    names: Sequence[str]
    fixed: Mapping[str, int]


class Ports(Resource, module="local", name="Ports"):
    """``chosen``: port by name."""

    chosen: pulumi.Output[dict[str, int]]

    def __init__(self, name: str, args: PortsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(PortsProvider(), name, {**args, "chosen": None}, opts)


class PortsProvider(LocalProvider):
    """``check`` chooses, from the inputs before: a preview shows the ports, and a port in the way is refused there."""

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        home = Path(news["home"])
        try:
            chosen = choose(home, news["names"], _whole(news["fixed"]), _whole(_olds.get("chosen", {})))
            for name, port in chosen.items():
                refuse_taken(home, port, name)
        except PortError as error:
            return CheckResult(news, [CheckFailure("", str(error))])
        return CheckResult({**news, "chosen": chosen}, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(f"{Path(props['home']).name}/ports", _outputs(props))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        return ReadResult(id_, _outputs(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(_outputs(_news))


def _whole(ports: Mapping[str, float]) -> dict[str, int]:
    # The engine sends every number as a float.
    return {name: int(port) for name, port in ports.items()}


def _outputs(props: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in props.items() if key != PROVIDER_KEY}


def choose(home: Path, names: Sequence[str], fixed: Mapping[str, int], remembered: Mapping[str, int]) -> dict[str, int]:
    """Port by name: the fixed one, else the remembered one, else a free one. Raises ``PortError`` for one fixed twice.

    The search begins where a hash of the stack and the name says, so that a stack raised anew mostly has its old ports.
    """
    chosen = {name: fixed[name] for name in names if name in fixed}
    if len(set(chosen.values())) < len(chosen):
        raise PortError(f"`ports:` of the stack file gives one port to two names: {chosen}. Give each its own.")
    for name in names:
        if name in chosen:
            continue
        taken = set(chosen.values())
        if remembered.get(name, 0) in taken | {0}:
            chosen[name] = next(port for port in _candidates(home, name) if port not in taken and is_free(port))
        else:
            chosen[name] = remembered[name]
    return chosen


def _candidates(home: Path, name: str) -> Sequence[int]:
    start = int.from_bytes(hashlib.sha256(f"{home}/{name}".encode()).digest()[:4], "big") % COUNT
    return [FIRST + (start + step) % COUNT for step in range(COUNT)]


def is_free(port: int) -> bool:
    """Whether loopback's ``port`` may be listened on now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def refuse_taken(home: Path, port: int, name: str) -> None:
    """Raise ``PortError`` unless ``port``, which is for ``name``, is free or held by a process of this stack."""
    if is_free(port):
        return
    holder = _listener(port)
    if holder in marked(home) or is_free(port):  # it may have ended meanwhile
        return
    raise PortError(
        f"port {port} ({name}) of stack {home.name} is taken by {_described(holder)}. End that process; or give {name} "
        f"another port under `ports:` in stacks/Pulumi.{home.name}.yaml; or, where the port was not fixed there, run "
        "`loomstead down` so that the next `up` chooses a free one."
    )


def _described(process: psutil.Process | None) -> str:
    if process is None:
        return "a process that this user may not see (or the port may not be used by this user)"
    with contextlib.suppress(psutil.Error):
        return f"process {process.pid} ({' '.join(process.cmdline())[:120] or process.name()})"
    return f"process {process.pid}"


def _listener(port: int) -> psutil.Process | None:
    for connection in _connections():
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
            with contextlib.suppress(psutil.NoSuchProcess):
                return psutil.Process(connection.pid)
    return None


def _connections() -> list[Any]:
    try:
        return psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS shows them all only to root
        found: list[Any] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                found += [connection._replace(pid=process.pid) for connection in process.net_connections("tcp")]
        return found
