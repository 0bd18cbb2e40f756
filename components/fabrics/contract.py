"""What every platform's fabric takes and gives."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.publish import Ground


class Fabric(pulumi.ComponentResource):
    """``outputs``: what the stack exports, by name; nothing in it is secret."""

    outputs: Mapping[str, pulumi.Output[str]]

    @staticmethod
    def check(ground: Ground) -> None:
        """What cannot be made of this spec raises here, before anything is registered."""

    def __init__(self, name: str, ground: Ground, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:fabric:Fabric", name, None, opts)


def chosen(**values: Any) -> dict[str, Any]:
    """Those that the stack file says; what it leaves out is the size's."""
    return {key: value for key, value in values.items() if value is not None}
