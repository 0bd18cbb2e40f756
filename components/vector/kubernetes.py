"""The vector store on Kubernetes: a database of its own, with pgvector, on the primary; provisioning makes it."""

from typing import TypedDict

import pulumi
from pulumi import Input, Output

from components.vector.contract import Vector

DATABASE = "vectors"


class KubernetesVectorArgs(TypedDict):
    """``host``, ``port``: of the primary, whose image has pgvector."""

    host: Input[str]
    port: Input[int]


class KubernetesVector(Vector):
    def __init__(self, name: str, args: KubernetesVectorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self.host, self.port = Output.from_input(args["host"]), Output.from_input(args["port"])
        self.database = Output.from_input(DATABASE)
        self.register_outputs({"host": self.host, "port": self.port, "database": self.database})
