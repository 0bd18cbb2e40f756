"""The demo's order system as a process on this machine."""

import pulumi

from components.core_system.contract import CoreSystem, CoreSystemArgs
from components.local.process import Process
from components.local.program import PYTHON


class LocalCoreSystem(CoreSystem):
    def __init__(self, name: str, args: CoreSystemArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self.url = pulumi.Output.format("http://127.0.0.1:{0}", args["port"])
        self.openapi = pulumi.Output.concat(self.url, "/openapi.json")
        Process(
            f"{name}-server",
            {
                "home": args["home"],
                "process": "orders",
                "argv": [PYTHON, "-m", "runtime.demo.orders"],
                "environment": {
                    "ORDERS_PORT": pulumi.Output.from_input(args["port"]).apply(str),
                    "ORDERS_ISSUER": args["issuer"],
                    "ORDERS_PRIMARY": args["primary"],
                    "ORDERS_REPLICA": args["replica"],
                    "ORDERS_SECRETS": args["secrets"],
                    "PYTHONUNBUFFERED": "1",
                },
                "ports": [args["port"]],
                "ready": {"http": pulumi.Output.concat(self.url, "/healthz")},
                "revision": args["revision"],
            },
            pulumi.ResourceOptions(parent=self, depends_on=[*args["after"]]),
        )
        self.register_outputs({"url": self.url, "openapi": self.openapi})
