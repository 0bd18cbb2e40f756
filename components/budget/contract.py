"""What every platform's budget gives; what it takes is its platform's own Args."""

from collections.abc import Mapping

import pulumi


class Budget(pulumi.ComponentResource):
    """``id``: what watches the costs, by the platform's own name."""

    id: pulumi.Output[str]

    def __init__(self, name: str, args: Mapping[str, object], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:budget:Budget", name, None, opts)
