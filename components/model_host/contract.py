"""What every platform's model host gives; what it takes is its platform's own Args."""

from collections.abc import Mapping

import pulumi


class ModelHost(pulumi.ComponentResource):
    """``url``: base of an OpenAI-compatible server, with ``/v1``."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: Mapping[str, object], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:model_host:ModelHost", name, None, opts)
