"""What every platform's orchestrator takes and gives."""

from typing import TypedDict

import pulumi
from pulumi import Input


class OrchestratorArgs(TypedDict):
    """``port``: of its gRPC API; ``ui_port``: of its web page."""

    home: Input[str]
    port: Input[int]
    ui_port: Input[int]


class Orchestrator(pulumi.ComponentResource):
    """``address``: ``host:port`` of Temporal's gRPC API, namespace ``default``. ``ui``: URL of its web page."""

    address: pulumi.Output[str]
    ui: pulumi.Output[str]

    def __init__(self, name: str, args: OrchestratorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:orchestrator:Orchestrator", name, None, opts)
