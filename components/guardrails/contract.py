"""What every platform's guardrails give; what they take is their platform's own Args."""

from collections.abc import Mapping

import pulumi


class Guardrails(pulumi.ComponentResource):
    """``policies``: what refuses, by the platform's own names."""

    policies: pulumi.Output[list[str]]

    def __init__(self, name: str, args: Mapping[str, object], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:guardrails:Guardrails", name, None, opts)
