"""Temporal's development server on this machine; its state is a file that outlives the process."""

from pathlib import Path
from typing import TypedDict

import pulumi
from pulumi import Input

from components.local.process import Process
from components.local.program import PYTHON
from components.orchestrator.contract import Orchestrator

TEMPORAL = str(Path(PYTHON).with_name("temporal"))


class LocalOrchestratorArgs(TypedDict):
    """``port``: of its gRPC API; ``ui_port``: of its web page."""

    home: Input[str]
    port: Input[int]
    ui_port: Input[int]


class LocalOrchestrator(Orchestrator):
    def __init__(self, name: str, args: LocalOrchestratorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        address = pulumi.Output.format("127.0.0.1:{0}", args["port"])
        self.ui = pulumi.Output.format("http://127.0.0.1:{0}", args["ui_port"])
        self.endpoint = pulumi.Output.all(kind="temporal", address=address, ui=self.ui)
        folder = pulumi.Output.concat(args["home"], "/temporal")
        options = {
            "--ip": "127.0.0.1",
            "--port": pulumi.Output.from_input(args["port"]).apply(str),
            "--ui-ip": "127.0.0.1",
            "--ui-port": pulumi.Output.from_input(args["ui_port"]).apply(str),
            "--db-filename": pulumi.Output.concat(folder, "/temporal.db"),
            "--log-level": "warn",
        }
        Process(
            f"{name}-temporal",
            {
                "home": args["home"],
                "process": "temporal",
                "argv": [TEMPORAL, "server", "start-dev", *(x for pair in options.items() for x in pair)],
                "environment": {},
                "ports": [args["port"], args["ui_port"]],
                "ready": {"command": [TEMPORAL, "operator", "namespace", "describe", "default", "--address", address]},
                "folder": folder,
            },
            pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"endpoint": self.endpoint, "ui": self.ui})
