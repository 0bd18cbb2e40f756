"""The vector store on this machine: a database of its own, with pgvector, on the primary."""

from typing import TypedDict

import pulumi
from pulumi import Input

from components.vector.contract import Vector

DATABASE = "vectors"


class LocalVectorArgs(TypedDict):
    """``host``, ``port``: of the database server that has the extension ``vector``."""

    host: Input[str]
    port: Input[int]


class LocalVector(Vector):
    def __init__(self, name: str, args: LocalVectorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self.host, self.port = pulumi.Output.from_input(args["host"]), pulumi.Output.from_input(args["port"])
        self.database = pulumi.Output.from_input(DATABASE)
        self.register_outputs({"host": self.host, "port": self.port, "database": self.database})
