"""What every platform's PostgreSQL gives; what it takes is its platform's own Args."""

from collections.abc import Mapping

import pulumi


class Postgres(pulumi.ComponentResource):
    """A primary, and a streaming replica for ``agent_reader`` alone. ``database``: the runtime's, on the primary.

    Nothing here leads an agent to the primary: it refuses ``agent_reader``.
    """

    primary_host: pulumi.Output[str]
    primary_port: pulumi.Output[int]
    replica_host: pulumi.Output[str]
    replica_port: pulumi.Output[int]
    database: pulumi.Output[str]

    def __init__(self, name: str, args: Mapping[str, object], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:postgres:Postgres", name, None, opts)
