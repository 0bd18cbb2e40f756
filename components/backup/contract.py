"""What every platform's backup gives; what it takes is its platform's own Args."""

from collections.abc import Mapping

import pulumi


class Backup(pulumi.ComponentResource):
    """``store``: where the backups lie, by the platform's own name."""

    store: pulumi.Output[str]

    def __init__(self, name: str, args: Mapping[str, object], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:backup:Backup", name, None, opts)
