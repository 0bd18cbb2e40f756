"""What every platform's cache gives; what it takes is its platform's own Args. It holds counters that may be lost."""

from collections.abc import Mapping

import pulumi


class Cache(pulumi.ComponentResource):
    """``host``, ``port``: where Valkey answers."""

    host: pulumi.Output[str]
    port: pulumi.Output[int]

    def __init__(self, name: str, args: Mapping[str, object], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:cache:Cache", name, None, opts)
