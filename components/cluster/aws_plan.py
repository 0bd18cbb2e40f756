"""What a cluster on AWS is planned from: sizes, machines with GPUs, checks. Plain data; no Pulumi."""

import re
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from components.infrastructure import Refused

VERSION: Final = "1.35"
"""Under EKS's standard support until March 2027 (EKS, Kubernetes release calendar, read 2026-04-24)."""

MADE = ("version", "machine", "nodes", "gpu_family", "gpu_machine", "deployer", "callers")
"""What says how a cluster is made, and nothing of an own one."""

NETWORK: Mapping[str, object] = {
    "enableNetworkPolicy": "true",
    "env": {
        "ENABLE_POD_ENI": "true",
        # "strict" would cut pods off from the agent of Pod Identity on their node (aws/amazon-vpc-cni-k8s#2797)
        "POD_SECURITY_GROUP_ENFORCING_MODE": "standard",
        # without this, what leaves the network would leave by the node's interface, past the pod's groups
        "AWS_VPC_K8S_CNI_EXTERNALSNAT": "true",
    },
}
"""Of vpc-cni; an own cluster has to have them as well (``aws_own``)."""


class Nodes(NamedTuple):
    """``number``: at first, and the fewest; ``most``: that they grow to."""

    machine: str
    number: int
    most: int


SIZES: Mapping[str, Nodes] = {
    "small": Nodes("m6i.xlarge", 3, 6),
    "medium": Nodes("m6i.2xlarge", 3, 9),
    "large": Nodes("m6i.4xlarge", 6, 24),
}
"""Of a family that can give pods interfaces of their own: 18, 38 and 54 of them a node. T machines give none
(aws/amazon-vpc-resource-controller-k8s, pkg/aws/vpc/limits.go at b0e1115, as for the GPUs below)."""

GPUS: Mapping[str, Mapping[str, int]] = {
    "g4dn": {"g4dn.xlarge": 1, "g4dn.2xlarge": 1, "g4dn.4xlarge": 1, "g4dn.12xlarge": 4},
    "g5": {"g5.xlarge": 1, "g5.2xlarge": 1, "g5.4xlarge": 1, "g5.12xlarge": 4, "g5.48xlarge": 8},
    "g6": {"g6.xlarge": 1, "g6.2xlarge": 1, "g6.4xlarge": 1, "g6.12xlarge": 4, "g6.48xlarge": 8},
    "g6e": {"g6e.xlarge": 1, "g6e.2xlarge": 1, "g6e.4xlarge": 1, "g6e.12xlarge": 4, "g6e.48xlarge": 8},
    "g7e": {"g7e.2xlarge": 1, "g7e.4xlarge": 1, "g7e.12xlarge": 2, "g7e.24xlarge": 4, "g7e.48xlarge": 8},
    "p4d": {"p4d.24xlarge": 8},
    "p4de": {"p4de.24xlarge": 8},
    "p5": {"p5.4xlarge": 1, "p5.48xlarge": 8},
    "p5e": {"p5e.48xlarge": 8},
    "p5en": {"p5en.48xlarge": 8},
    "p6-b200": {"p6-b200.48xlarge": 8},
    "p6-b300": {"p6-b300.48xlarge": 8},
}
"""Family of the catalogue → its machines, smallest first, and the accelerators of each (EC2, moto 5.2.5)."""


class AwsClusterError(Refused):
    """The cluster asked for cannot be made; nothing was created. The message says what, and what to do."""


def system_nodes(size: str, machine: str | None, number: int | None) -> Nodes:
    """The size's, and what is said otherwise; raises ``AwsClusterError``."""
    if size not in SIZES:
        raise AwsClusterError(f"size {size!r}: expected one of {', '.join(SIZES)}")
    found = SIZES[size]
    if machine and re.match(r"t\d", machine):
        raise AwsClusterError(
            f"cluster.machine: {machine}: T machines give pods no interfaces, and so no security groups of their own; "
            f"take one such as {found.machine}"
        )
    number = number or found.number
    return Nodes(machine or found.machine, number, max(found.most, number))


def gpu_machine(region: str, family: str, machine: str | None, per_node: int, offered: Collection[str]) -> str:
    """The machine of a family; raises ``AwsClusterError`` with what the region has.

    ``offered``: the families that the catalogue knows in the region. ``per_node``: accelerators that it needs at least.
    """
    known = [each for each in GPUS if each in offered]
    if family not in known:
        why = "is not known to be there" if family in GPUS else "is no family of GPUs on AWS"
        raise AwsClusterError(
            f"cluster.gpu.family: {family} {why} ({region}); "
            + (f"take one of {', '.join(known)}" if known else "the catalogue knows none there: take another region")
        )
    if machine is None:
        machine = next((name for name, gpus in GPUS[family].items() if gpus >= per_node), "")
    if GPUS[family].get(machine, 0) < per_node:
        fit = [f"{name} ({gpus})" for name, gpus in GPUS[family].items() if gpus >= per_node]
        what = "cluster.gpu.machine" if machine else "cluster.gpu.per_node"
        raise AwsClusterError(
            f"{what}: expected a machine of {family} with {per_node} accelerators at least: "
            + (", ".join(fit) or f"it has none; the most is {max(GPUS[family].values())}")
            + (f"; got {machine}" if machine else "")
        )
    return machine


def checked_made(made: Collection[str]) -> None:
    """``made``: keys that say how a cluster is made; raises ``AwsClusterError``."""
    if made:
        raise AwsClusterError(f"cluster.own: leave out {', '.join(sorted(made))}: they are of a cluster made here")
