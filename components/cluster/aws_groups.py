"""Who reaches whom on EKS by security group: nodes, control plane, and the pods of each part.

A pod of the fabric has a network interface of its own with its part's groups (security groups for pods). Nodes of its
own for each part would not do: all pods of a node share the node's group, and nodes have to reach what pods of the
tools must not: the registry, EKS, the API server. A pod that gets no interface of its own has the node's group, which
no database and no part of the fabric lets in.

No group is asked between what is on one node (aws/amazon-vpc-cni-k8s at b521883, README: the enforcing mode
``standard``). So a kubelet asks its pods how they are without a rule here, and NetworkPolicies, which say the same
again of every part, are alone in saying it of pods that share a node.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.kubernetes.parts import HTTP, OTLP, POSTGRES, TEMPORAL, VLLM, Part

EVERYWHERE = "0.0.0.0/0"
HTTPS, DNS, KUBELET, WEBHOOK = 443, 53, 10250, 9443
METRICS = (10251, 6443)
"""Where metrics-server (EKS's add-on) and KEDA answer the API server."""
UNPRIVILEGED = (1025, 65535)
"""Ports between nodes: their own pods' metrics and webhooks, which no part of the fabric is."""
SCALED = 9666
"""Where KEDA's operator tells KEDA's metrics server, which answers the API server."""
_TEMPORAL_ITSELF = (6933, 7243)
"""What Temporal's services call each other at."""


class Rule(NamedTuple):
    """``caller`` may call ``called`` at ports ``first`` to ``last``; both are names of groups."""

    caller: str
    called: str
    first: int
    last: int
    protocol: str = "tcp"


CONTROL, NODES, PODS, SCALER = "control", "nodes", "pods", "scaler"
"""EKS's side of the API server; the nodes, and the system's pods on them; what every pod of the fabric may; KEDA's
operator, which asks the gateway how often models are wanted."""
RULES = (
    Rule(NODES, CONTROL, HTTPS, HTTPS),
    Rule(Part.RUNTIME, CONTROL, HTTPS, HTTPS),
    Rule(CONTROL, NODES, HTTPS, HTTPS),
    Rule(CONTROL, NODES, KUBELET, KUBELET),
    Rule(CONTROL, NODES, WEBHOOK, WEBHOOK),
    *(Rule(CONTROL, NODES, port, port) for port in METRICS),
    Rule(NODES, NODES, DNS, DNS),
    Rule(NODES, NODES, DNS, DNS, "udp"),
    Rule(NODES, NODES, *UNPRIVILEGED),
    Rule(PODS, NODES, DNS, DNS),
    Rule(PODS, NODES, DNS, DNS, "udp"),
    *(
        Rule(part, Part.OBSERVABILITY, OTLP, OTLP)
        for part in (Part.RUNTIME, Part.TOOLS, Part.ORCHESTRATOR, Part.MODELS)
    ),
    Rule(SCALER, CONTROL, HTTPS, HTTPS),
    Rule(NODES, SCALER, SCALED, SCALED),
    Rule(SCALER, Part.RUNTIME, HTTP, HTTP),
    Rule(Part.RUNTIME, Part.RUNTIME, HTTP, HTTP),
    Rule(Part.RUNTIME, Part.TOOLS, HTTP, HTTP),
    Rule(Part.TOOLS, Part.RUNTIME, HTTP, HTTP),
    Rule(Part.RUNTIME, Part.ORCHESTRATOR, TEMPORAL, TEMPORAL),
    Rule(Part.ORCHESTRATOR, Part.ORCHESTRATOR, *_TEMPORAL_ITSELF),
    Rule(Part.ORCHESTRATOR, Part.PRIMARY, POSTGRES, POSTGRES),
    Rule(Part.RUNTIME, Part.MODELS, VLLM, VLLM),
)
OWN = (CONTROL, NODES, PODS, SCALER, Part.ORCHESTRATOR, Part.MODELS, Part.OBSERVABILITY)
"""Groups that are made here; the runtime's and the tools' are the network's, the primary's is PostgreSQL's."""


class Outside(NamedTuple):
    """``block``: the network's addresses, among them its endpoints'. ``storage``: prefix list of S3. ``telemetry``:
    ports at which the collector calls hosts outside; which hosts, the network's firewall decides."""

    block: Input[str]
    storage: Input[str]
    telemetry: Collection[int]


class Groups:
    """``ids``: by name. All are children of ``parent``, called after ``name``.

    ``given``: groups that are there: the network's, the primary's where something here calls it, and of an own cluster
    its nodes', its control plane's and its KEDA's, which keep what they are to each other. ``scaled``: whether KEDA has
    anything to ask of the gateway.
    """

    ids: Mapping[str, Output[str]]

    def __init__(
        self,
        parent: pulumi.Resource,
        name: str,
        vpc: Input[str],
        given: Mapping[str, Input[str]],
        outside: Outside,
        *,
        scaled: bool,
    ) -> None:
        self._name, self._vpc, self._child = name, vpc, pulumi.ResourceOptions(parent=parent)
        there = {role: Output.from_input(group) for role, group in given.items() if scaled or role != SCALER}
        made = [role for role in OWN if role not in given and (scaled or role != SCALER)]
        self.ids = {**there, **{role: self._create(role).id for role in made}}
        own = frozenset() if NODES not in given else frozenset((CONTROL, NODES, SCALER))
        for rule in RULES:
            if {rule.caller, rule.called} <= self.ids.keys() and not own.issuperset((rule.caller, rule.called)):
                self._allow(rule)
        for role, kind, target in _reached(outside):
            if role not in own:
                self._allow_out(role, kind, HTTPS, target)
        for port in outside.telemetry:
            self._allow_out(Part.OBSERVABILITY, f"telemetry-{port}", port, EVERYWHERE)

    def of_pods(self) -> dict[str, Output[list[str]]]:
        """Part, or ``SCALER`` → the groups that its pods carry: what every pod may, and its own."""
        carried = (SCALER, Part.RUNTIME, Part.TOOLS, Part.ORCHESTRATOR, Part.MODELS, Part.OBSERVABILITY)
        return {str(role): Output.all(self.ids[PODS], self.ids[role]) for role in carried if role in self.ids}

    def _create(self, role: str) -> aws.ec2.SecurityGroup:
        """Lets nothing in or out but by the rules that are made for it."""
        return aws.ec2.SecurityGroup(
            f"{self._name}-{role}",
            vpc_id=self._vpc,
            description=f"{role} of {self._name}",
            opts=self._child,
        )

    def _allow(self, rule: Rule) -> None:
        between = f"{self._name}-{rule.caller}-to-{rule.called}-{rule.protocol}-{rule.first}"
        aws.vpc.SecurityGroupEgressRule(
            between,
            security_group_id=self.ids[rule.caller],
            referenced_security_group_id=self.ids[rule.called],
            ip_protocol=rule.protocol,
            from_port=rule.first,
            to_port=rule.last,
            opts=self._child,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{between}-in",
            security_group_id=self.ids[rule.called],
            referenced_security_group_id=self.ids[rule.caller],
            ip_protocol=rule.protocol,
            from_port=rule.first,
            to_port=rule.last,
            opts=self._child,
        )

    def _allow_out(self, role: str, kind: str, port: int, target: Input[str]) -> None:
        listed = kind == "storage"
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-{role}-to-{kind}",
            security_group_id=self.ids[role],
            cidr_ipv4=None if listed else target,
            prefix_list_id=target if listed else None,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            opts=self._child,
        )


def _reached(outside: Outside) -> Iterator[tuple[str, str, Input[str]]]:
    """Nodes fetch images: by ECR's endpoints, and their layers from S3. The model server fetches its weights there. The
    collector writes logs, traces and metrics to AWS's endpoints."""
    yield NODES, "block", outside.block
    yield NODES, "storage", outside.storage
    yield Part.MODELS, "storage", outside.storage
    yield Part.OBSERVABILITY, "block", outside.block
