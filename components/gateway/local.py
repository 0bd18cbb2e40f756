"""The gateway, the worker and, where a model needs one, the translator as processes on this machine."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import pulumi
from pulumi import Input

from components.gateway.contract import Gateway
from components.local.process import Process, ProcessArgs, Ready
from components.local.program import PYTHON

LOADING_SECONDS = 120
"""LiteLLM alone takes about five on a machine with nothing else to do."""
TRANSLATOR_SOCKET = "translator.sock"
"""In the home, every process's working folder: a relative path is never too long for a Unix socket."""


class LocalGatewayArgs(TypedDict):
    """``stack``, ``region``: what the Manifest must be for. ``manifest``, ``manifest_key``: files. ``secrets``: folder.

    ``translator``: whether a model is called by way of LiteLLM.
    ``revision``: another one restarts the processes. ``after``: what must be there before they start.
    """

    home: Input[str]
    stack: str
    region: str
    port: Input[int]
    manifest: Input[str]
    manifest_key: Input[str]
    secrets: Input[str]
    translator: bool
    revision: Input[str]
    after: Sequence[pulumi.Resource]


class LocalGateway(Gateway):
    def __init__(self, name: str, args: LocalGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self.url = pulumi.Output.format("http://127.0.0.1:{0}", args["port"])
        checkpoints = pulumi.Output.concat(args["home"], "/checkpoints")
        own: dict[str, Input[str]] = {"LOOMSTEAD_SECRETS": args["secrets"], "LOOMSTEAD_CHECKPOINTS": checkpoints}
        after, socket = list(args["after"]), {}
        if args["translator"]:
            socket = {"LOOMSTEAD_TRANSLATOR": TRANSLATOR_SOCKET}
            after.append(self._translator(name, args, socket, after))
        answers: Ready = {"http": pulumi.Output.concat(self.url, "/readyz")}
        gateway = self._process(
            name, "gateway", args, {**own, **socket}, answers, after, ports=[args["port"]], folder=checkpoints
        )
        self._process(name, "worker", args, own, {"log": "worker ready"}, [gateway], folder=checkpoints)
        self.register_outputs({"url": self.url})

    def _translator(
        self, name: str, args: LocalGatewayArgs, socket: Mapping[str, str], after: Sequence[pulumi.Resource]
    ) -> Process:
        """It is told of the folder for the models' credentials in it, and reads no other file there."""
        own = {**socket, "LOOMSTEAD_CREDENTIALS": args["secrets"]}
        ready: Ready = {"log": "translator ready"}
        return self._process(name, "translator", args, own, ready, after, ready_seconds=LOADING_SECONDS)

    def _process(
        self,
        name: str,
        process: str,
        args: LocalGatewayArgs,
        own: Mapping[str, Input[str]],
        ready: Ready,
        after: Sequence[pulumi.Resource],
        **more: Any,
    ) -> Process:
        """``own``: variables beyond those that say what is published. ``more``: of ``ProcessArgs``."""
        described: ProcessArgs = {
            "home": args["home"],
            "process": process,
            "argv": [PYTHON, "-m", f"runtime.{process}"],
            "environment": {
                "LOOMSTEAD_STACK": args["stack"],
                "LOOMSTEAD_REGION": args["region"],
                "LOOMSTEAD_MANIFEST": args["manifest"],
                "LOOMSTEAD_MANIFEST_KEY": args["manifest_key"],
                "PYTHONUNBUFFERED": "1",
                **own,
            },
            "ports": [],
            "ready": ready,
            "revision": args["revision"],
            **more,
        }
        options = pulumi.ResourceOptions(parent=self, depends_on=[*after])
        return Process(f"{name}-{process}", described, options)
