"""The cluster on this machine: one supervisord, and ports of loopback."""

import pulumi

from components.cluster.contract import Cluster, ClusterArgs
from components.local.daemon import Daemon
from components.local.ports import Ports


class LocalCluster(Cluster):
    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        child = pulumi.ResourceOptions(parent=self)
        daemon = Daemon(f"{name}-supervisor", {"home": args["home"]}, child)
        # After the daemon, which ends what an earlier one left on the ports.
        ports = Ports(f"{name}-ports", {**args, "home": daemon.home}, child)
        self.home, self.ports = daemon.home, ports.chosen
        self.register_outputs({"home": self.home, "ports": self.ports})
