"""What every platform's model host takes and gives."""

from typing import TypedDict

import pulumi
from pulumi import Input


class ModelHostArgs(TypedDict):
    """``weights``: the model file. ``model``: the name it is asked for by. ``context_tokens``: of one request."""

    home: Input[str]
    port: Input[int]
    weights: str
    model: str
    context_tokens: int


class ModelHost(pulumi.ComponentResource):
    """``url``: base of an OpenAI-compatible server, with ``/v1``."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: ModelHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:model_host:ModelHost", name, None, opts)
