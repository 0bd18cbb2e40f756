"""PostgreSQL on this machine: two processes under the supervisor, the second a streaming standby of the first."""

from pathlib import Path
from typing import TypedDict

import pulumi
from pulumi import Input, Output

from components.local.process import Process, Ready
from components.local.program import PYTHON
from components.local.revision import source_revision
from components.postgres import access, server
from components.postgres.contract import Postgres
from components.postgres.resources import Access, DataArgs, PrimaryData, ReplicaData, Schema
from regions.canonical import digest


class LocalPostgresArgs(TypedDict):
    """``secrets``: folder of ``<role>.pgpass``; ``generation``: changes with what is in it.

    ``connection_limit``, ``statement_timeout_ms``: what ``agent_reader`` may take on the replica.
    """

    home: Input[str]
    primary_port: Input[int]
    replica_port: Input[int]
    secrets: Input[str]
    generation: Input[int]
    connection_limit: int
    statement_timeout_ms: int


class LocalPostgres(Postgres):
    def __init__(self, name: str, args: LocalPostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._data = PrimaryData(f"{name}-primary-data", self._place(), self._after())
        primary = self._create_primary()
        granted = self._create_access(primary)
        self._create_schema(granted)
        self._create_replica(granted)
        self.primary_host = self.replica_host = Output.from_input(server.HOST)
        self.primary_port = Output.from_input(args["primary_port"])
        self.replica_port = Output.from_input(args["replica_port"])
        self.database = Output.from_input(access.RUNTIME)
        self.register_outputs({"primary_port": self.primary_port, "replica_port": self.replica_port})

    def _create_primary(self) -> Process:
        port = self._args["primary_port"]
        asked = ("-U", "postgres", "-d", "postgres", "-h", server.HOST, "-p", _text(port))
        ready: Ready = {"command": [server.program("pg_isready"), *asked]}
        return self._server("primary", port, ready, self._data)

    def _create_access(self, primary: Process) -> Access:
        return Access(
            f"{self._name}-access",
            {
                **self._place(),
                "port": self._args["primary_port"],
                "connection_limit": self._args["connection_limit"],
                "statement_timeout_ms": self._args["statement_timeout_ms"],
                "revision": source_revision("runtime/provision"),
                "generation": self._args["generation"],
                "system_identifier": self._data.system_identifier,
            },
            self._after(primary),
        )

    def _create_schema(self, granted: Access) -> Schema:
        return Schema(
            f"{self._name}-schema",
            {
                **self._place(),
                "port": self._args["primary_port"],
                "revision": source_revision("runtime/migrations"),
                "system_identifier": self._data.system_identifier,
            },
            self._after(granted),
        )

    def _create_replica(self, granted: Access) -> Process:
        copy = ReplicaData(
            f"{self._name}-replica-data",
            {
                **self._place(),
                "primary_port": self._args["primary_port"],
                "system_identifier": self._data.system_identifier,
            },
            self._after(granted),
        )
        # A row is there while it streams; without one the division fails, and psql with it.
        streams = "SELECT 1 / count(*) FROM pg_stat_wal_receiver"
        command = Output.all(self._args["replica_port"], self._args["secrets"]).apply(
            lambda told: [server.program("psql"), "-X", "-c", streams, _as_agent_reader(int(told[0]), Path(told[1]))]
        )
        return self._server("replica", self._args["replica_port"], {"command": command}, copy)

    def _server(self, role: str, port: Input[int], ready: Ready, data: pulumi.Resource) -> Process:
        args = self._args
        return Process(
            f"{self._name}-{role}",
            {
                "home": args["home"],
                "process": role,
                "argv": [
                    *(PYTHON, "-m", "components.postgres.serve", role, args["home"], args["secrets"]),
                    *(_text(args["primary_port"]), _text(args["replica_port"])),
                ],
                "environment": {},
                "ports": [port],
                "ready": ready,
                "revision": digest([server.PRIMARY_SETTINGS, server.PRIMARY_HBA, server.REPLICA_HBA]),
                "stop_signal": server.STOP_SIGNAL.name.removeprefix("SIG"),
            },
            self._after(data),
        )

    def _place(self) -> DataArgs:
        return {"home": self._args["home"], "secrets": self._args["secrets"]}

    def _after(self, *resources: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=[*resources])


def _text(port: Input[int]) -> Output[str]:
    return Output.from_input(port).apply(lambda number: str(int(number)))


def _as_agent_reader(port: int, secrets: Path) -> str:
    return server.conninfo(
        host=server.HOST, port=port, dbname="orders", user="agent_reader", passfile=secrets / "agent_reader.pgpass"
    )
