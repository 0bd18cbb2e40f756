"""Where AWS's fabric runs its pods: the cluster, its namespaces and their walls, its operators and admission."""

from typing import Any

import pulumi
from pulumi_kubernetes import Provider

from components.cluster.aws import AwsCluster
from components.cluster.aws_groups import EVERYWHERE, HTTPS
from components.cluster.aws_inside import INTERFACE, AwsInside
from components.fabrics.aws_foundation import AwsFoundation
from components.fabrics.aws_plan import Planned
from components.fabrics.contract import chosen
from components.gateway.aws import REGISTERED
from components.guardrails.kubernetes import KubernetesGuardrails
from components.infrastructure import Gateway as AskedGateway
from components.kubernetes.parts import POSTGRES, VALKEY, Part
from components.model_host.kubernetes import KEDA
from components.network.exits import Exit
from components.network.kubernetes import KubernetesNetwork
from components.triggers.aws import KAFKA

POD_IDENTITY = "169.254.170.23/32"
"""Where a node's agent gives pods the credentials of their role (EKS, Pod Identity agent)."""
PARTS = (Part.RUNTIME, Part.TOOLS, Part.OBSERVABILITY)
"""Namespaces on the cluster; databases and cache are AWS's own."""


class AwsHosting:
    """``child``: options of what runs here. ``namespaces``: by part."""

    def __init__(self, name: str, asked: AskedGateway, found: Planned, foundation: AwsFoundation) -> None:
        self._name, self._spec, self._found, self._foundation = name, found.spec, found, foundation
        self.cluster = self._create_cluster()
        providers = [foundation.aws, self._create_provider()]
        self.child = pulumi.ResourceOptions(parent=foundation.fabric, providers=providers)
        self.namespaces = self._create_spaces().namespaces
        self.inside = self._create_inside()
        self.guards = self._create_guards(asked)

    def _create_cluster(self) -> AwsCluster:
        spec, network, found = self._spec, self._foundation.network, self._found
        own = self._foundation.own_cluster
        cluster = {"own": own} if own else self._made()
        return AwsCluster(
            f"{self._name}-cluster",
            {
                "stack": found.stack,
                "region": found.region,
                "vpc": network.id,
                "workloads": network.workloads,
                "runtime_group": network.runtime_group,
                "tools_group": network.tools_group,
                "key": self._foundation.keys.encryption,
                "boundary": self._foundation.guardrails.boundary,
                "log_days": spec.logs.days,
                "size": spec.size,
                "telemetry_ports": found.telemetry_ports,
                "hosted": spec.hosted is not None,
                **chosen(primary_group=self._foundation.postgres.primary_group if self._found.temporal else None),
                **cluster,
            },
            self._foundation.child,
        )

    def _made(self) -> dict[str, Any]:
        """How a cluster is made, where none is there."""
        cluster, gpu = self._spec.cluster, self._spec.cluster.gpu
        grown = chosen(version=cluster.version, machine=cluster.machine, nodes=cluster.nodes)
        accelerated = (
            {
                "gpu_family": gpu.family,
                "gpu_nodes": gpu.nodes,
                "gpu_per_node": gpu.per_node,
                "gpu_families": self._found.gpu_families,
                **chosen(gpu_machine=gpu.machine),
            }
            if gpu
            else {}
        )
        return {"callers": cluster.callers, **grown, **accelerated}

    def _create_spaces(self) -> KubernetesNetwork:
        """Namespaces and what their pods reach of each other. Beyond the cluster, security groups decide by group and
        the firewall by host name, as a NetworkPolicy cannot. It knows the gateway's load balancer by its subnets, where
        no pod is; who of them is the balancer, the runtime's group decides."""
        roles = Exit(POD_IDENTITY, 80)
        database = Exit(EVERYWHERE, POSTGRES)
        named = sorted({way.port for way in self._found.exits} | {HTTPS, VALKEY, KAFKA})
        walled = {
            Part.RUNTIME: [roles, database, *(Exit(EVERYWHERE, port) for port in named)],
            Part.TOOLS: [roles, database],
            Part.ORCHESTRATOR: [database],
            Part.MODELS: [roles, Exit(EVERYWHERE, HTTPS)],
            Part.OBSERVABILITY: [
                roles,
                *(Exit(EVERYWHERE, port) for port in sorted({*self._found.telemetry_ports, HTTPS})),
            ],
        }
        parts = [*PARTS, *([Part.ORCHESTRATOR] if self._found.temporal else [])]
        return KubernetesNetwork(
            f"{self._name}-spaces",
            {
                "stack": self._found.stack,
                "hosted": self._spec.hosted is not None,
                "exits": (),
                "addresses": {},
                "cilium": False,
                "callers": self._foundation.network.blocks,
                "labels": {Part.RUNTIME: REGISTERED},
                "parts": [*parts, Part.MODELS],
                "walled": walled,
                **chosen(scaler=KEDA if self._spec.hosted else None),
            },
            self.child,
        )

    def _create_provider(self) -> pulumi.ProviderResource:
        """The stack's own cluster, so there is no other that it could be mistaken for."""
        return Provider(
            f"{self._name}-kubernetes",
            kubeconfig=self.cluster.kubeconfig,
            context=self.cluster.context,
            enable_server_side_apply=True,
            opts=pulumi.ResourceOptions(parent=self._foundation.fabric),
        )

    def _create_inside(self) -> AwsInside:
        found, cluster = self._found, self.cluster
        return AwsInside(
            f"{self._name}-inside",
            {
                "stack": found.stack,
                "region": found.region,
                "account": found.account,
                "partition": found.partition,
                "vpc": self._foundation.network.id,
                "cluster": cluster.name,
                "cluster_arn": cluster.arn,
                "pod_groups": cluster.pod_groups,
                "namespaces": {str(part): namespace for part, namespace in self.namespaces.items()},
                **chosen(scaler=KEDA if self._spec.hosted and self._foundation.own_cluster is None else None),
                "registry": found.registry,
                "key": self._foundation.keys.encryption,
                "boundary": self._foundation.guardrails.boundary,
                "operators": self._foundation.own_cluster is None,
                "control_plane": cluster.control_plane,
            },
            self.child,
        )

    def _create_guards(self, asked: AskedGateway) -> KubernetesGuardrails:
        return KubernetesGuardrails(
            f"{self._name}-guards",
            {
                "stack": self._found.stack,
                "namespaces": self.namespaces,
                "registries": [self._found.registry],
                "region": self._found.region,
                "image": asked.image,
                "provision": Part.RUNTIME,
                "interface": INTERFACE,
            },
            self.child,
        )
