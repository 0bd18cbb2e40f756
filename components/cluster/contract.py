"""What every platform's cluster gives; what it takes is its platform's own Args."""

from collections.abc import Mapping

import pulumi


class Cluster(pulumi.ComponentResource):
    """``name``: of what runs the fabric: the cluster's, or on ``local`` the folder that its supervisor works in."""

    name: pulumi.Output[str]

    def __init__(self, name: str, args: Mapping[str, object], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:cluster:Cluster", name, None, opts)
