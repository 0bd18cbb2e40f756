"""What every platform's identity takes and gives."""

from typing import Any, TypedDict

import pulumi
from pulumi import Input


class IdentityArgs(TypedDict):
    """``gateway``: its URL. ``public``: public JWK by name, as the keys give them out."""

    stack: str
    gateway: Input[str]
    public: Input[dict[str, dict[str, Any]]]


class Identity(pulumi.ComponentResource):
    """``issuer``: ``iss`` of every token. ``clients``: as ``regions.manifest.Client`` takes them."""

    issuer: pulumi.Output[str]
    clients: pulumi.Output[list[dict[str, Any]]]

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:identity:Identity", name, None, opts)
