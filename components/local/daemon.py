"""Resource ``Daemon``: the stack's supervisord. Whoever runs under it takes ``home`` from its output."""

from pathlib import Path
from typing import Any, TypedDict

import pulumi
from pulumi import Input
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult

from components.local.provider import LocalProvider
from components.local.supervisor import Supervisor


class DaemonArgs(TypedDict):
    home: Input[str]


class Daemon(Resource, module="local", name="Daemon"):
    """``pid``: as it was seen last, 0 when it does not run."""

    home: pulumi.Output[str]
    pid: pulumi.Output[int]

    def __init__(self, name: str, args: DaemonArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(DaemonProvider(), name, {**args, "pid": None}, opts)


class DaemonProvider(LocalProvider):
    """A daemon that died is started again; what it left running is ended first. Deleting ends every process."""

    def healthy(self, wanted: dict[str, Any], seen: dict[str, Any]) -> bool:
        return Supervisor(Path(wanted["home"])).pid() != 0

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(f"{Path(props['home']).name}/supervisor", _started(props))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        return ReadResult(id_, {**props, "pid": Supervisor(Path(props["home"])).pid()})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(_started(_news))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        Supervisor(Path(_props["home"])).stop()


def _started(props: dict[str, Any]) -> dict[str, Any]:
    return {**props, "pid": Supervisor(Path(props["home"])).start()}
