"""The runtime on AWS: as on every cluster, and before it a load balancer that callers in the network reach.

The AWS Load Balancer Controller on the cluster reads the binding below and registers the gateway's pods by their own
addresses; it makes no rule and no load balancer itself.
"""

import re
from collections.abc import Sequence
from ipaddress import ip_network
from typing import NotRequired

import pulumi
from pulumi import Input, Output
from pulumi_kubernetes.apiextensions import CustomResource

from components.aws.logs import checked_days
from components.gateway.aws_edge import Edge, EdgeArgs
from components.gateway.kubernetes import KubernetesGateway, KubernetesGatewayArgs
from components.infrastructure import Refused
from components.kubernetes.parts import HTTP

REQUESTS = {"small": 10_000, "medium": 50_000, "large": 200_000}
"""Of one address in five minutes."""
REGISTERED = {"elbv2.k8s.aws/pod-readiness-gate-inject": "enabled"}
"""Of the pods' namespace: a pod started once the binding is there counts as ready when the load balancer sends to it,
so none goes before its successor is reached (AWS Load Balancer Controller, "Pod readiness gate")."""
_NAME = re.compile(r"(?!internal-)[a-z]([a-z0-9-]{0,30}[a-z0-9])?")
"""What a load balancer and its target group can be called."""


class AwsGatewayArgs(KubernetesGatewayArgs):
    """``vpc``, ``subnets`` (its endpoints', where no pod is), ``runtime_group``: the network's outputs. ``callers``:
    CIDRs that may call. ``certificate``: ARN of one for ``host`` in ACM, in the region. ``key``: ARN of the logs' key.
    ``log_days``: how long they are kept. ``topic``: ARN of who is told of alarms. ``requests``: of one address in five
    minutes, otherwise the size's.

    ``after``: the Load Balancer Controller among them, for its binding's definition.
    """

    vpc: Input[str]
    subnets: Input[list[str]]
    runtime_group: Input[str]
    callers: Sequence[str]
    certificate: str
    key: Input[str]
    log_days: int
    topic: Input[str]
    requests: NotRequired[int]


class AwsGateway(KubernetesGateway):
    def __init__(self, name: str, args: AwsGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self._edge = _checked(args)
        super().__init__(name, args, opts)

    def _create_entry(self, service: Output[str]) -> None:
        edge = Edge(self, f"{self._name}-edge", self._edge)
        CustomResource(
            f"{self._name}-edge-binding",
            api_version="elbv2.k8s.aws/v1beta1",
            kind="TargetGroupBinding",
            metadata=self._workload("gateway").metadata(),
            spec={
                "targetGroupARN": edge.target,
                "targetType": "ip",
                "ipAddressType": "ipv4",
                "serviceRef": {"name": service, "port": HTTP},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*self._args["after"]]),
        )


def check_entry(region: str, certificate: str, callers: Sequence[str]) -> None:
    """Raises ``Refused`` for a certificate that is not of the region, and for callers that are nobody or everybody."""
    if not re.fullmatch(rf"arn:aws[a-z-]*:acm:{re.escape(region)}:\d{{12}}:certificate/[\w-]+", certificate):
        raise Refused(f"gateway.certificate: {certificate!r} is no certificate of ACM in {region}; name one by its ARN")
    if not callers:
        raise Refused("gateway.callers: nobody could call; name the CIDRs that may, such as the network's own")
    for block in callers:
        if ip_network(block).version != 4 or ip_network(block).prefixlen == 0:
            raise Refused(f"gateway.callers: {block} is not a part of IPv4's addresses; name who calls")


def _checked(args: AwsGatewayArgs) -> EdgeArgs:
    stack = args["stack"]
    if not _NAME.fullmatch(stack):
        raise Refused(
            f"gateway: {stack!r} cannot name a load balancer; take a stack's name of at most 32 small letters, "
            "digits and dashes"
        )
    check_entry(args["region"], args["certificate"], args["callers"])
    if (requests := args.get("requests", REQUESTS.get(args["size"], 0))) < 10:
        raise Refused(f"gateway: requests {requests}: WAF counts no fewer than 10 in five minutes; name more")
    return EdgeArgs(
        stack=stack,
        region=args["region"],
        vpc=args["vpc"],
        subnets=args["subnets"],
        runtime_group=args["runtime_group"],
        callers=args["callers"],
        host=args["host"],
        certificate=args["certificate"],
        port=HTTP,
        requests=requests,
        key=args["key"],
        log_days=checked_days(args["log_days"]),
        topic=args["topic"],
    )
