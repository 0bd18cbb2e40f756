"""What every platform's vector store gives; what it takes is its platform's own Args."""

from collections.abc import Mapping

import pulumi


class Vector(pulumi.ComponentResource):
    """``host``, ``port``, ``database``: where SQL with pgvector is spoken."""

    host: pulumi.Output[str]
    port: pulumi.Output[int]
    database: pulumi.Output[str]

    def __init__(self, name: str, args: Mapping[str, object], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:vector:Vector", name, None, opts)
