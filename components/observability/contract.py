"""What every platform's observability gives; what it takes is its platform's own Args."""

from collections.abc import Mapping

import pulumi


class Observability(pulumi.ComponentResource):
    """``logs``, ``traces``, ``metrics``: where each is kept, by the platform's own names. ``alarms``: what is told."""

    logs: pulumi.Output[str]
    traces: pulumi.Output[str]
    metrics: pulumi.Output[str]
    alarms: pulumi.Output[list[str]]

    def __init__(self, name: str, args: Mapping[str, object], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:observability:Observability", name, None, opts)
