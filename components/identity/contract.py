"""What every platform's identity gives; what it takes is its platform's own Args."""

from collections.abc import Mapping
from typing import Any

import pulumi


class Identity(pulumi.ComponentResource):
    """``issuer``: ``iss`` of every token. ``clients``: as ``regions.manifest.Client`` takes them."""

    issuer: pulumi.Output[str]
    clients: pulumi.Output[list[dict[str, Any]]]

    def __init__(self, name: str, args: Mapping[str, object], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:identity:Identity", name, None, opts)
