"""The vector store on this machine: a database of its own, with pgvector, on the primary."""

import pulumi

from components.vector.contract import Vector, VectorArgs

DATABASE = "vectors"


class LocalVector(Vector):
    def __init__(self, name: str, args: VectorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self.host, self.port = pulumi.Output.from_input(args["host"]), pulumi.Output.from_input(args["port"])
        self.database = pulumi.Output.from_input(DATABASE)
        self.register_outputs({"host": self.host, "port": self.port, "database": self.database})
