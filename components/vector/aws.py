"""The vector store on AWS: a database of its own on the primary, with pgvector.

The runtime's Job makes the database and the extension, so nothing of AWS is made here.
"""

from typing import TypedDict

import pulumi
from pulumi import Input, Output

from components.infrastructure import Refused
from components.vector.contract import Vector

DATABASE = "vectors"
SINCE = (15, 2)
"""RDS for PostgreSQL has pgvector since then, and in every later major version (AWS, What's New, 3 May 2023)."""


class AwsVectorArgs(TypedDict):
    """``host``, ``port``: the primary's. ``version``: of PostgreSQL there, as RDS names it."""

    host: Input[str]
    port: Input[int]
    version: str


class AwsVector(Vector):
    def __init__(self, name: str, args: AwsVectorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        check_version(args["version"])
        self.host, self.port = Output.from_input(args["host"]), Output.from_input(args["port"])
        self.database = Output.from_input(DATABASE)
        self.register_outputs({"host": self.host, "port": self.port, "database": self.database})


def check_version(version: str) -> None:
    """Raises ``Refused`` for a PostgreSQL without pgvector; a major version alone is its newest minor one."""
    major, _, minor = version.partition(".")
    if (int(major), int(minor or SINCE[1])) < SINCE:
        raise Refused(f"postgres.version: {version} of RDS has no pgvector; take {'.'.join(map(str, SINCE))} or later")
