"""The cluster on this machine: one supervisord, and ports of loopback."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import pulumi
from pulumi import Output

from components.cluster.contract import Cluster
from components.local.daemon import Daemon
from components.local.ports import Ports


class LocalClusterArgs(TypedDict):
    """``home``: the folder of the stack's state. ``names``: who needs a port; ``fixed``: those that are settled."""

    home: str
    names: Sequence[str]
    fixed: Mapping[str, int]


class LocalCluster(Cluster):
    """``home``: known when processes can be started. ``ports``: port by name, free or held by this stack."""

    home: Output[str]
    ports: Output[dict[str, int]]

    def __init__(self, name: str, args: LocalClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        child = pulumi.ResourceOptions(parent=self)
        daemon = Daemon(f"{name}-supervisor", {"home": args["home"]}, child)
        # After the daemon, which ends what an earlier one left on the ports.
        ports = Ports(f"{name}-ports", {**args, "home": daemon.home}, child)
        self.name, self.home, self.ports = daemon.home, daemon.home, ports.chosen
        self.register_outputs({"name": self.name, "home": self.home, "ports": self.ports})
