"""Managed models on Google Cloud: Vertex AI runs its publishers' models for everybody, so none is made here. What is
made is who may call them, and that nothing of a call is kept for the next.

The runtime's account may predict, and nothing else: a role of its own with one permission. IAM cannot say which model
or region: conditions know no resource of Vertex AI (docs.cloud.google.com, conditions-resource-attributes). Which
models are answered is ``vertexai.allowedModels`` among the guardrails, from the same ``invocable``; where, what the
gateway's Manifest names. Two things are no property of a resource: Google keeps prompts for its abuse monitoring until
it grants the project an exception, and a partner's model has to be enabled in Model Garden, by hand, once.
"""

from typing import TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_gcp import projects, vertex

from components.models.contract import Models
from components.models.gcp_plan import Hosting

PREDICT = "aiplatform.endpoints.predict"


class GcpModelsArgs(TypedDict):
    """``hosting``: what is asked for. ``caller``: e-mail address of the runtime's account."""

    stack: str
    project: str
    hosting: Hosting
    caller: Input[str]


class GcpModels(Models):
    """``invocable``: as the organisation policy names them."""

    def __init__(self, name: str, args: GcpModelsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = projects.IAMCustomRole(
            f"{name}-caller",
            project=args["project"],
            role_id=_role_id(args["stack"]),
            title=f"{args['stack']}: calls models",
            permissions=[PREDICT],
            stage="GA",
            opts=child,
        )
        projects.IAMMember(
            f"{name}-caller-member",
            project=args["project"],
            role=role.name,
            member=Output.concat("serviceAccount:", args["caller"]),
            opts=child,
        )
        # The project's: a prompt would else lie in memory for a day.
        vertex.AiCacheConfig(f"{name}-no-cache", project=args["project"], disable_cache=True, opts=child)
        self.endpoints = Output.from_input({**args["hosting"].endpoints})
        self.invocable = Output.from_input([*args["hosting"].invocable])
        self.register_outputs({"endpoints": self.endpoints, "invocable": self.invocable})


def _role_id(stack: str) -> str:
    return f"loomstead_{stack.replace('-', '_')}_models"[:64]
