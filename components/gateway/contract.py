"""What every platform's gateway takes and gives."""

from collections.abc import Sequence
from typing import TypedDict

import pulumi
from pulumi import Input


class GatewayArgs(TypedDict):
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


class Gateway(pulumi.ComponentResource):
    """``url``: its base, which is also the issuer's name."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:gateway:Gateway", name, None, opts)
