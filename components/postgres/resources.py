"""What the local PostgreSQL is made of beside its two processes, as dynamic resources.

PrimaryData   the primary's data directory        ReplicaData   the replica's, and its slot on the primary
Access        roles, databases, schemas           Schema        the tables of the runtime's database
"""

import asyncio
import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import Any, TypedDict

import pulumi
from pulumi import Input
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult

from components.local.program import PYTHON
from components.local.provider import LocalProvider
from components.local.supervisor import Supervisor
from components.postgres import access, server
from components.postgres.server import PostgresError

Props = dict[str, Any]


class DataArgs(TypedDict):
    """``home``: the stack's folder. ``secrets``: the folder of pgpass files."""

    home: Input[str]
    secrets: Input[str]


class PrimaryData(Resource, module="local", name="PrimaryData"):
    """``system_identifier``: which database system it is; a new one where the directory had to be made anew."""

    system_identifier: pulumi.Output[str]

    def __init__(self, name: str, args: DataArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(_PrimaryData(), name, {**args, "system_identifier": None}, opts)


class _PrimaryData(LocalProvider):
    def healthy(self, wanted: Props, seen: Props) -> bool:
        return _data(wanted, "primary").exists()

    def create(self, props: Props) -> CreateResult:
        return CreateResult(_id(props, "primary-data"), _primary(props))

    def read(self, id_: str, props: Props) -> ReadResult:
        return ReadResult(id_ if self.healthy(props, props) else "", props)

    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        return UpdateResult(_primary(_news))

    def delete(self, _id: str, _props: Props) -> None:
        shutil.rmtree(_data(_props, "primary").parent, ignore_errors=True)


def _primary(props: Props) -> Props:
    data = _data(props, "primary")
    if not data.exists():
        server.initialise(data, Path(props["secrets"], "postgres.pgpass"))
    return {**props, "system_identifier": server.system_identifier(data)}


class AccessArgs(DataArgs):
    """``revision``, ``generation``, ``system_identifier``: another one applies everything again."""

    port: Input[int]
    connection_limit: int
    statement_timeout_ms: int
    revision: str
    generation: Input[int]
    system_identifier: Input[str]


class Access(Resource, module="local", name="PostgresAccess"):
    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(_Access(), name, dict(args), opts)


class _Access(LocalProvider):
    def healthy(self, wanted: Props, seen: Props) -> bool:
        return access.in_force(int(wanted["port"]), Path(wanted["secrets"]), _limits(wanted))

    def create(self, props: Props) -> CreateResult:
        return CreateResult(_id(props, "access"), self._applied(props))

    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        return UpdateResult(self._applied(_news))

    def _applied(self, props: Props) -> Props:
        access.apply(int(props["port"]), Path(props["secrets"]), _limits(props))
        return props


def _limits(props: Props) -> access.Limits:
    return access.Limits(int(props["connection_limit"]), int(props["statement_timeout_ms"]))


class SchemaArgs(DataArgs):
    """``revision``, ``system_identifier``: another one runs the migrations again, which repeat nothing."""

    port: Input[int]
    revision: str
    system_identifier: Input[str]


class Schema(Resource, module="local", name="PostgresSchema"):
    def __init__(self, name: str, args: SchemaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(_Schema(), name, dict(args), opts)


class _Schema(LocalProvider):
    def create(self, props: Props) -> CreateResult:
        return CreateResult(_id(props, "schema"), self._migrated(props))

    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        return UpdateResult(self._migrated(_news))

    def _migrated(self, props: Props) -> Props:
        options = {
            "--host": server.HOST,
            "--port": str(int(props["port"])),
            "--database": access.RUNTIME,
            "--role": "gateway_owner",
            "--passfile": str(Path(props["secrets"], "gateway_owner.pgpass")),
        }
        argv = [PYTHON, "-m", "runtime.migrations", *(part for option in options.items() for part in option)]
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode != 0:
            raise PostgresError(f"the schema could not be brought up to date: {done.stderr.strip()}")
        return props


class ReplicaDataArgs(DataArgs):
    """``primary_port``: of the running primary; ``system_identifier``: its own, another one is copied anew."""

    primary_port: Input[int]
    system_identifier: Input[str]


class ReplicaData(Resource, module="local", name="ReplicaData"):
    """A copy of the primary. It is made anew where it can no longer follow; nothing is lost by that."""

    def __init__(self, name: str, args: ReplicaDataArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(_ReplicaData(), name, dict(args), opts)


class _ReplicaData(LocalProvider):
    def healthy(self, wanted: Props, seen: Props) -> bool:
        data = _data(wanted, "replica")
        try:
            same = data.exists() and server.system_identifier(data) == wanted["system_identifier"]
            return same and asyncio.run(_slot_is_kept(wanted))
        except PostgresError:
            return False

    def create(self, props: Props) -> CreateResult:
        return CreateResult(_id(props, "replica-data"), self._copied(props))

    def read(self, id_: str, props: Props) -> ReadResult:
        return ReadResult(id_ if _data(props, "replica").exists() else "", props)

    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        return UpdateResult(self._copied(_news))

    def delete(self, _id: str, _props: Props) -> None:
        shutil.rmtree(_data(_props, "replica"), ignore_errors=True)
        with contextlib.suppress(PostgresError):  # the primary may be gone already
            asyncio.run(_drop_slot(_props))

    def _copied(self, props: Props) -> Props:
        if not self.healthy(props, props):
            Supervisor(Path(props["home"])).halt("replica")
            shutil.rmtree(_data(props, "replica"), ignore_errors=True)
            asyncio.run(_drop_slot(props))
            server.copy(_data(props, "replica"), int(props["primary_port"]), Path(props["secrets"]))
        return props


async def _slot_is_kept(props: Props) -> bool:
    async with access.superuser(int(props["primary_port"]), Path(props["secrets"])) as connection:
        status = await connection.fetchval(
            "SELECT wal_status FROM pg_replication_slots WHERE slot_name = $1", server.SLOT
        )
    return status not in (None, "lost")


async def _drop_slot(props: Props) -> None:
    slot = "FROM pg_replication_slots WHERE slot_name = $1"
    async with access.superuser(int(props["primary_port"]), Path(props["secrets"])) as connection:
        await connection.execute(f"SELECT pg_terminate_backend(active_pid, 5000) {slot} AND active", server.SLOT)
        await connection.execute(f"SELECT pg_drop_replication_slot(slot_name) {slot}", server.SLOT)


def _data(props: Props, server_name: str) -> Path:
    return Path(props["home"], "postgres", server_name)


def _id(props: Props, part: str) -> str:
    return f"{Path(props['home']).name}/postgres/{part}"
