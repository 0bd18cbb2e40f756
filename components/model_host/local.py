"""A model server on this machine: llama.cpp, on its processors."""

from typing import TypedDict

import pulumi
from pulumi import Input

from components.local.process import Process
from components.local.program import PYTHON
from components.model_host.contract import ModelHost

LOADING_SECONDS = 120


class LocalModelHostArgs(TypedDict):
    """``weights``: the model file. ``model``: the name it is asked for by. ``context_tokens``: of one request."""

    home: Input[str]
    port: Input[int]
    weights: str
    model: str
    context_tokens: int


class LocalModelHost(ModelHost):
    def __init__(self, name: str, args: LocalModelHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        address = pulumi.Output.format("http://127.0.0.1:{0}", args["port"])
        options = {
            "--weights": args["weights"],
            "--port": pulumi.Output.from_input(args["port"]).apply(str),
            "--context": str(args["context_tokens"]),
            "--alias": args["model"],
        }
        Process(
            f"{name}-server",
            {
                "home": args["home"],
                "process": "model",
                "argv": [
                    PYTHON,
                    "-m",
                    "components.model_host.llama_server",
                    *(x for pair in options.items() for x in pair),
                ],
                "environment": {},
                "ports": [args["port"]],
                "ready": {"http": pulumi.Output.concat(address, "/health")},
                "ready_seconds": LOADING_SECONDS,
            },
            pulumi.ResourceOptions(parent=self),
        )
        self.url = pulumi.Output.concat(address, "/v1")
        self.register_outputs({"url": self.url})
