"""What every platform's network gives; what it takes is its platform's own Args."""

from collections.abc import Mapping

import pulumi


class Network(pulumi.ComponentResource):
    """``id``: VPC, VNet or network. ``workloads``, ``primary``, ``replica``: subnets of nodes, of the primary database
    and of the agents' replica.

    ``runtime_group``: what gateway and worker carry (security group, application security group or tag). The declared
    exits and the private endpoints of models, secrets and tokens are for it alone.

    ``tools_group``: what the tool executors carry. It reaches the replica and what resolves names, and nothing else: no
    exit, no endpoint, nothing else of the database.
    """

    id: pulumi.Output[str]
    workloads: pulumi.Output[list[str]]
    primary: pulumi.Output[list[str]]
    replica: pulumi.Output[list[str]]
    runtime_group: pulumi.Output[str]
    tools_group: pulumi.Output[str]

    def __init__(self, name: str, args: Mapping[str, object], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:network:Network", name, None, opts)
