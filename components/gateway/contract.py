"""What every platform's gateway gives; what it takes is its platform's own Args."""

from collections.abc import Mapping

import pulumi


class Gateway(pulumi.ComponentResource):
    """``url``: its base, which is also the issuer's name."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: Mapping[str, object], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:gateway:Gateway", name, None, opts)
