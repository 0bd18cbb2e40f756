"""The gateway and the worker as processes on this machine."""

from collections.abc import Sequence

import pulumi
from pulumi import Input

from components.gateway.contract import Gateway, GatewayArgs
from components.local.process import Process, Ready
from components.local.program import PYTHON


class LocalGateway(Gateway):
    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self.url = pulumi.Output.format("http://127.0.0.1:{0}", args["port"])
        gateway = self._process(
            name, "gateway", args, {"http": pulumi.Output.concat(self.url, "/readyz")}, [args["port"]], args["after"]
        )
        self._process(name, "worker", args, {"log": "worker ready"}, [], [gateway])
        self.register_outputs({"url": self.url})

    def _process(
        self,
        name: str,
        process: str,
        args: GatewayArgs,
        ready: Ready,
        ports: Sequence[Input[int]],
        after: Sequence[pulumi.Resource],
    ) -> Process:
        checkpoints = pulumi.Output.concat(args["home"], "/checkpoints")
        return Process(
            f"{name}-{process}",
            {
                "home": args["home"],
                "process": process,
                "argv": [PYTHON, "-m", f"runtime.{process}"],
                "environment": {
                    "LOOMSTEAD_STACK": args["stack"],
                    "LOOMSTEAD_REGION": args["region"],
                    "LOOMSTEAD_MANIFEST": args["manifest"],
                    "LOOMSTEAD_MANIFEST_KEY": args["manifest_key"],
                    "LOOMSTEAD_SECRETS": args["secrets"],
                    "LOOMSTEAD_CHECKPOINTS": checkpoints,
                    "PYTHONUNBUFFERED": "1",
                },
                "ports": ports,
                "ready": ready,
                "revision": args["revision"],
                "folder": checkpoints,
            },
            pulumi.ResourceOptions(parent=self, depends_on=[*after]),
        )
