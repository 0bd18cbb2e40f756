"""What every platform's orchestrator gives; what it takes is its platform's own Args."""

from collections.abc import Mapping
from typing import Any

import pulumi


class Orchestrator(pulumi.ComponentResource):
    """``endpoint``: what the Manifest says of it (``Temporal`` or ``StepFunctions`` of ``regions.manifest``).

    ``ui``: URL of its web page.
    """

    endpoint: pulumi.Output[dict[str, Any]]
    ui: pulumi.Output[str]

    def __init__(self, name: str, args: Mapping[str, object], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:orchestrator:Orchestrator", name, None, opts)
