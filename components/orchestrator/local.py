"""Temporal's development server on this machine; its state is a file that outlives the process."""

from pathlib import Path

import pulumi

from components.local.process import Process
from components.local.program import PYTHON
from components.orchestrator.contract import Orchestrator, OrchestratorArgs

TEMPORAL = str(Path(PYTHON).with_name("temporal"))


class LocalOrchestrator(Orchestrator):
    def __init__(self, name: str, args: OrchestratorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self.address = pulumi.Output.format("127.0.0.1:{0}", args["port"])
        self.ui = pulumi.Output.format("http://127.0.0.1:{0}", args["ui_port"])
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
                "ready": {
                    "command": [TEMPORAL, "operator", "namespace", "describe", "default", "--address", self.address]
                },
                "folder": folder,
            },
            pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"address": self.address, "ui": self.ui})
