"""What every platform's vector store takes and gives."""

from typing import TypedDict

import pulumi
from pulumi import Input


class VectorArgs(TypedDict):
    """``host``, ``port``: of the database server that has the extension ``vector``."""

    host: Input[str]
    port: Input[int]


class Vector(pulumi.ComponentResource):
    """``host``, ``port``, ``database``: where SQL with pgvector is spoken."""

    host: pulumi.Output[str]
    port: pulumi.Output[int]
    database: pulumi.Output[str]

    def __init__(self, name: str, args: VectorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:vector:Vector", name, None, opts)
