"""What every platform's PostgreSQL takes and gives."""

from typing import TypedDict

import pulumi
from pulumi import Input


class PostgresArgs(TypedDict):
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


class Postgres(pulumi.ComponentResource):
    """A primary, and a streaming replica for ``agent_reader`` alone. ``database``: the runtime's, on the primary.

    Nothing here leads an agent to the primary: it refuses ``agent_reader``.
    """

    primary_host: pulumi.Output[str]
    primary_port: pulumi.Output[int]
    replica_host: pulumi.Output[str]
    replica_port: pulumi.Output[int]
    database: pulumi.Output[str]

    def __init__(self, name: str, args: PostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:postgres:Postgres", name, None, opts)
