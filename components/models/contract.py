"""What a platform's managed models give; what they take is its platform's own Args."""

from collections.abc import Mapping

import pulumi


class Models(pulumi.ComponentResource):
    """``endpoints``: by ``<class>/<candidate>``, the base URL where it is called. ``invocable``: ids, in the platform's
    own policies, of all that may be called, and nothing else may."""

    endpoints: pulumi.Output[dict[str, str]]
    invocable: pulumi.Output[list[str]]

    def __init__(self, name: str, args: Mapping[str, object], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:models:Models", name, None, opts)
