"""What every platform's cluster takes and gives."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import pulumi


class ClusterArgs(TypedDict):
    """``home``: the folder of the stack's state. ``names``: who needs a port; ``fixed``: those that are settled."""

    home: str
    names: Sequence[str]
    fixed: Mapping[str, int]


class Cluster(pulumi.ComponentResource):
    """``home``: known when processes can be started. ``ports``: port by name, free or held by this stack."""

    home: pulumi.Output[str]
    ports: pulumi.Output[dict[str, int]]

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:cluster:Cluster", name, None, opts)
