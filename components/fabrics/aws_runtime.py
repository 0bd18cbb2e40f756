"""What runs on AWS's fabric: the cluster, what of the foundation is there for it, and the fabric's own pods in it."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi import Output
from pulumi_kubernetes import Provider
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.aws.documents import Statement, document
from components.cache.aws import AwsCache
from components.cluster.aws import AwsCluster
from components.cluster.aws_inside import INTERFACE, AwsInside
from components.fabrics.aws_plan import POSTGRES_VERSION, Planned
from components.fabrics.contract import chosen
from components.gateway.aws import REGISTERED, AwsGateway
from components.guardrails.kubernetes import KubernetesGuardrails
from components.identity.aws import AwsIdentity
from components.identity.aws_pods import PROVISION, Arns
from components.identity.kubernetes import KubernetesIdentity
from components.infrastructure import Engine
from components.infrastructure import Gateway as AskedGateway
from components.kubernetes.parts import POSTGRES, VALKEY, Part
from components.model_endpoints import any_translated
from components.model_host.aws import AwsModelHost
from components.model_host.kubernetes import KEDA
from components.network.exits import Exit
from components.network.kubernetes import KubernetesNetwork
from components.observability.aws import PIPELINES
from components.observability.kubernetes import KubernetesObservability
from components.orchestrator.aws import AwsOrchestrator
from components.orchestrator.contract import Orchestrator
from components.orchestrator.kubernetes import KubernetesOrchestrator
from components.publish import Answers, Ground, manifest_text
from components.signing import SignedManifest
from components.triggers.aws import KAFKA, AwsTriggers
from components.vector.aws import AwsVector

if TYPE_CHECKING:
    from components.fabrics.aws import AwsFabric

SECRETS = "secrets"
"""The Secret that the runtime mounts."""
ORCHESTRATOR_SECRET = "temporal"  # noqa: S105  its name
HTTPS = 443
ANYWHERE = "0.0.0.0/0"
POD_IDENTITY = "169.254.170.23/32"
"""Where a node's agent gives pods the credentials of their role (EKS, Pod Identity agent)."""
PARTS = (Part.RUNTIME, Part.TOOLS, Part.OBSERVABILITY)
"""Namespaces on the cluster; databases and cache are AWS's own."""


class AwsRuntime:
    """``outputs``: what the stack exports. All components are children of ``fabric``, which is no part of it."""

    outputs: Mapping[str, Output[str]]

    def __init__(
        self,
        name: str,
        ground: Ground,
        asked: AskedGateway,
        found: Planned,
        fabric: "AwsFabric",
        aws: pulumi.ProviderResource,
    ) -> None:
        self._name, self._ground, self._spec, self._found, self._fabric = name, ground, ground.spec, found, fabric
        self._aws = pulumi.ResourceOptions(parent=fabric, providers=[aws])
        self._cluster = self._create_cluster()
        self._child = pulumi.ResourceOptions(parent=fabric, providers=[aws, self._create_provider()])
        self._spaces = self._create_spaces()
        self._inside = self._create_inside()
        self._guards = self._create_guards(asked)
        self._cache = self._create_cache()
        self._vector = self._create_vector()
        self._orchestrator = self._create_orchestrator()
        self._identity = self._create_identity()
        self._pods = self._create_accounts()
        self._create_collector()
        self._create_triggers()
        self._model_url = self._create_model_host()
        fabric.create_backup()
        manifest = self._publish(asked)
        gateway = self._create_gateway(manifest, asked)
        self.outputs = {
            "gateway": gateway.url,
            **manifest.told,
            "orchestrator": self._orchestrator.ui,
            "issuer": self._identity.issuer,
            "cluster": self._cluster.name,
            **fabric.told(),
        }

    def _create_cluster(self) -> AwsCluster:
        spec, network, found = self._spec, self._fabric.network, self._found
        own = self._fabric.own_cluster
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
                "key": self._fabric.keys.encryption,
                "boundary": self._fabric.guardrails.boundary,
                "log_days": spec.logs.days,
                "size": spec.size,
                "telemetry_ports": found.telemetry_ports,
                "hosted": spec.hosted is not None,
                **chosen(primary_group=self._fabric.postgres.primary_group if self._temporal else None),
                **cluster,
            },
            self._aws,
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

    @property
    def _temporal(self) -> bool:
        return self._found.engine is Engine.TEMPORAL

    def _create_spaces(self) -> KubernetesNetwork:
        """Namespaces and what their pods reach of each other. Beyond the cluster, security groups decide by group and
        the firewall by host name, as a NetworkPolicy cannot. It knows the gateway's load balancer by its subnets, where
        no pod is; who of them is the balancer, the runtime's group decides."""
        roles = Exit(POD_IDENTITY, 80)
        database = Exit(ANYWHERE, POSTGRES)
        named = sorted({way.port for way in self._found.exits} | {HTTPS, VALKEY, KAFKA})
        walled = {
            Part.RUNTIME: [roles, database, *(Exit(ANYWHERE, port) for port in named)],
            Part.TOOLS: [roles, database],
            Part.ORCHESTRATOR: [database],
            Part.MODELS: [roles, Exit(ANYWHERE, HTTPS)],
            Part.OBSERVABILITY: [
                roles,
                *(Exit(ANYWHERE, port) for port in sorted({*self._found.telemetry_ports, HTTPS})),
            ],
        }
        parts = [*PARTS, *([Part.ORCHESTRATOR] if self._temporal else [])]
        return KubernetesNetwork(
            f"{self._name}-spaces",
            {
                "stack": self._found.stack,
                "hosted": self._spec.hosted is not None,
                "exits": (),
                "addresses": {},
                "cilium": False,
                "callers": self._fabric.network.blocks,
                "labels": {Part.RUNTIME: REGISTERED},
                "parts": [*parts, Part.MODELS],
                "walled": walled,
                **chosen(scaler=KEDA if self._spec.hosted else None),
            },
            self._child,
        )

    def _create_provider(self) -> pulumi.ProviderResource:
        """The stack's own cluster, so there is no other that it could be mistaken for."""
        return Provider(
            f"{self._name}-kubernetes",
            kubeconfig=self._cluster.kubeconfig,
            context=self._cluster.context,
            enable_server_side_apply=True,
            opts=pulumi.ResourceOptions(parent=self._fabric),
        )

    def _create_inside(self) -> AwsInside:
        found, cluster = self._found, self._cluster
        return AwsInside(
            f"{self._name}-inside",
            {
                "stack": found.stack,
                "region": found.region,
                "account": found.account,
                "partition": found.partition,
                "vpc": self._fabric.network.id,
                "cluster": cluster.name,
                "cluster_arn": cluster.arn,
                "pod_groups": cluster.pod_groups,
                "namespaces": {str(part): namespace for part, namespace in self._spaces.namespaces.items()},
                **chosen(scaler=KEDA if self._spec.hosted and self._fabric.own_cluster is None else None),
                "registry": found.registry,
                "key": self._fabric.keys.encryption,
                "boundary": self._fabric.guardrails.boundary,
                "operators": self._fabric.own_cluster is None,
                "control_plane": cluster.control_plane,
            },
            self._child,
        )

    def _create_guards(self, asked: AskedGateway) -> KubernetesGuardrails:
        return KubernetesGuardrails(
            f"{self._name}-guards",
            {
                "stack": self._found.stack,
                "namespaces": self._spaces.namespaces,
                "registries": [self._found.registry],
                "region": self._found.region,
                "image": asked.image,
                "provision": Part.RUNTIME,
                "interface": INTERFACE,
            },
            self._child,
        )

    def _create_cache(self) -> AwsCache:
        network = self._fabric.network
        return AwsCache(
            f"{self._name}-cache",
            {
                "stack": self._found.stack,
                "vpc": network.id,
                "subnets": network.workloads,
                "runtime_group": network.runtime_group,
                "key": self._fabric.keys.encryption,
                "size": self._spec.size,
                "log_days": self._spec.logs.days,
                **chosen(machine=self._spec.cache.machine),
            },
            self._child,
        )

    def _create_vector(self) -> AwsVector:
        postgres = self._fabric.postgres
        return AwsVector(
            f"{self._name}-vector",
            {
                "host": postgres.primary_host,
                "port": postgres.primary_port,
                "version": self._spec.postgres.version or POSTGRES_VERSION,
            },
            self._child,
        )

    def _create_orchestrator(self) -> Orchestrator:
        fabric, found = self._fabric, self._found
        if found.engine is Engine.STEP_FUNCTIONS:
            return AwsOrchestrator(
                f"{self._name}-orchestrator",
                {
                    "stack": found.stack,
                    "region": found.region,
                    "key": fabric.keys.encryption,
                    "boundary": fabric.guardrails.boundary,
                    "topic": fabric.observability.topic,
                    "log_days": self._spec.logs.days,
                },
                self._child,
            )
        return KubernetesOrchestrator(
            f"{self._name}-orchestrator",
            {
                "stack": found.stack,
                "region": found.region,
                "namespace": self._spaces.namespaces[Part.ORCHESTRATOR],
                "registry": found.registry,
                "size": self._spec.size,
                "database_host": fabric.postgres.primary_host,
                "database_port": fabric.postgres.primary_port,
                "secret": ORCHESTRATOR_SECRET,
                "after": self._inside.groups,
            },
            self._child,
        )

    def _create_identity(self) -> AwsIdentity:
        """Roles of the fabric's own pods, by what the parts say that those who use them have to be allowed."""
        fabric, found, orchestrator = self._fabric, self._found, self._orchestrator
        gateway, worker = [], []
        if fabric.models.policy is not None:
            gateway.append(fabric.models.policy)
        if isinstance(orchestrator, AwsOrchestrator):
            gateway.append(document(*orchestrator.gateway))
            worker.append(document(*orchestrator.worker))
        connects: Statement = {
            "Effect": "Allow",
            "Action": "elasticache:Connect",
            "Resource": self._cache.connectable,
        }
        return fabric.create_identity(
            cluster=self._cluster.name,
            cluster_arn=self._cluster.arn,
            runtime=self._spaces.namespaces[Part.RUNTIME],
            tools=self._spaces.namespaces[Part.TOOLS],
            observability=self._spaces.namespaces[Part.OBSERVABILITY],
            pods={
                "gateway": [*gateway, document(connects)],
                "worker": worker,
                "collector": [fabric.observability.writable.apply(_writing)],
                "arns": Arns(found.partition, found.region, found.account),
                "secrets": fabric.keys.secrets,
                "key": fabric.keys.encryption,
                "primary": fabric.postgres.primary_arn,
                "replica_resource": fabric.postgres.replica_resource,
            },
        )

    def _create_accounts(self) -> KubernetesIdentity:
        return KubernetesIdentity(
            f"{self._name}-accounts",
            {
                "stack": self._found.stack,
                "gateway": self._found.issuer,
                "runtime": self._spaces.namespaces[Part.RUNTIME],
                "tools": self._spaces.namespaces[Part.TOOLS],
                "cluster_issuer": self._cluster.issuer,
                "public": self._fabric.keys.public,
            },
            self._child,
        )

    def _create_provision_account(self) -> Output[str]:
        """Of the Job that alone writes the runtime's secrets."""
        account = ServiceAccount(
            f"{self._name}-provision-account",
            metadata=ObjectMetaArgs(name=PROVISION, namespace=self._spaces.namespaces[Part.RUNTIME]),
            automount_service_account_token=False,
            opts=self._child,
        )
        return account.metadata.name.apply(str)

    def _create_triggers(self) -> None:
        asked, network = self._spec.triggers, self._fabric.network
        if asked.kafka or asked.mail:
            AwsTriggers(
                f"{self._name}-triggers",
                {
                    "stack": self._found.stack,
                    "region": self._found.region,
                    "vpc": network.id,
                    "subnets": network.workloads,
                    "runtime_group": network.runtime_group,
                    "key": self._fabric.keys.encryption,
                    "topic": self._fabric.observability.topic,
                    "topics": asked.kafka.topics if asked.kafka else (),
                    "readers": [self._identity.pod_roles["worker"]],
                    **chosen(address=asked.mail.address if asked.mail else None),
                },
                self._child,
            )

    def _publish(self, asked: AskedGateway) -> SignedManifest:
        fabric, postgres = self._fabric, self._fabric.postgres
        answers: Answers = {
            "endpoints": {
                "gateway": f"https://{asked.host}",
                "orchestrator": self._orchestrator.endpoint,
                "primary_host": postgres.primary_host,
                "primary_port": postgres.primary_port,
                "replica_host": postgres.replica_host,
                "replica_port": postgres.replica_port,
                "database": postgres.database,
            },
            "model_url": self._model_url,
            "core_systems": [
                {"name": name, **system.model_dump(include={"url", "openapi", "country"})}
                for name, system in sorted(self._spec.core_systems.items())
            ],
            "issuer": self._found.issuer,
            "clients": self._pods.clients,
        }
        public = fabric.keys.public.apply(lambda keys: keys["manifest"])
        return SignedManifest(
            f"{self._name}-manifest",
            {
                "manifest": manifest_text(self._ground, answers),
                "key": fabric.keys.manifest_key,
                "public": public,
            },
            self._child,
        )

    def _create_collector(self) -> None:
        observed, spec = self._fabric.observability, self._spec
        KubernetesObservability(
            f"{self._name}-collector",
            {
                "stack": self._found.stack,
                "region": self._found.region,
                "namespace": self._spaces.namespaces[Part.OBSERVABILITY],
                "registry": self._found.registry,
                "size": spec.size,
                "telemetry": {name: found.url for name, found in spec.telemetry.items()},
                "sinks": {name: found.url for name, found in spec.logs.sinks.items()},
                "content": False,
                "exporters": observed.exporters,
                "extensions": observed.extensions,
                "pipelines": PIPELINES,
                "after": self._inside.groups,
            },
            self._child,
        )

    def _create_model_host(self) -> Output[str] | None:
        """Base URL of the model server that the fabric runs, where a candidate is hosted."""
        gateway, gpu, found = self._spec.gateway, self._spec.cluster.gpu, self._found
        for (_, model_class, _, name), candidate in self._spec.candidates():
            if candidate.hosted and candidate.hosted.staged and gateway and gpu:
                staged = candidate.hosted.staged
                host = AwsModelHost(
                    f"{self._name}-model",
                    {
                        "stack": found.stack,
                        "region": found.region,
                        "namespace": self._spaces.namespaces[Part.MODELS],
                        "registry": found.registry,
                        "image": gateway.image,
                        "size": self._spec.size,
                        "model": staged.name,
                        "digest": staged.digest,
                        "model_class": str(model_class),
                        "candidate": str(name),
                        "context_tokens": self._spec.models[str(model_class)].context_tokens,
                        "bucket": "",
                        "cluster": self._cluster.name,
                        "cluster_arn": self._cluster.arn,
                        "key": self._fabric.keys.encryption,
                        "boundary": self._fabric.guardrails.boundary,
                        "gpu": gpu.family,
                        "per_node": gpu.per_node,
                        "nodes": gpu.nodes,
                        "runtime": self._spaces.namespaces[Part.RUNTIME],
                        "operators": self._fabric.own_cluster is None,
                        "after": self._inside.groups,
                    },
                    self._child,
                )
                return host.url
        return None

    def _create_gateway(self, manifest: SignedManifest, asked: AskedGateway) -> AwsGateway:
        fabric, network, found = self._fabric, self._fabric.network, self._found
        temporal = (
            {
                "orchestrator_namespace": self._spaces.namespaces[Part.ORCHESTRATOR],
                "orchestrator_secret": ORCHESTRATOR_SECRET,
            }
            if self._temporal
            else {}
        )
        return AwsGateway(
            f"{self._name}-runtime",
            {
                "stack": found.stack,
                "region": found.region,
                "namespace": self._spaces.namespaces[Part.RUNTIME],
                "image": asked.image,
                "host": asked.host,
                "size": self._spec.size,
                "manifest": manifest.document,
                "manifest_key": manifest.told["manifest_key"],
                "issuer": found.issuer,
                "secrets": SECRETS,
                "store": "aws-secrets-manager",
                "credentials": self._spec.credentials(),
                "translator": any_translated(self._spec, self._ground.catalogue),
                "environment": {"AWS_REGION": found.region},
                "provision_environment": {
                    "LOOMSTEAD_SECRET_KEY": fabric.keys.encryption,
                    "LOOMSTEAD_RDS_INSTANCE": f"{found.stack}-primary",
                    "LOOMSTEAD_ISSUER_DOCUMENTS": self._identity.documents,
                    "LOOMSTEAD_IAM_ROLES": "agent_reader",
                    "LOOMSTEAD_AGENT_SESSIONS": str(self._spec.postgres.replica.connection_limit),
                    "LOOMSTEAD_AGENT_STATEMENT_MS": str(self._spec.postgres.replica.statement_timeout_ms),
                },
                "gateway_account": self._pods.gateway,
                "worker_account": self._pods.worker,
                "provision_account": self._create_provision_account(),
                "provision_namespace": self._spaces.namespaces[Part.RUNTIME],
                "provision_part": Part.RUNTIME,
                "database_ca": found.authority,
                "revision": fabric.keys.generation.apply(str),
                "after": [*self._inside.groups, *filter(None, [self._inside.balancer]), self._guards],
                "vpc": network.id,
                "subnets": network.endpoints,
                "runtime_group": network.runtime_group,
                "callers": self._found.callers,
                "certificate": asked.certificate,
                "key": fabric.keys.encryption,
                "log_days": self._spec.logs.days,
                "topic": fabric.observability.topic,
                **temporal,
                **chosen(replicas=asked.replicas),
            },
            self._child,
        )


def _writing(writable: Mapping[str, Sequence[str]]) -> str:
    """What the collector's role needs, as a policy."""
    allowed = [{"Effect": "Allow", "Action": action, "Resource": [*arns]} for action, arns in writable.items()]
    return json.dumps({"Version": "2012-10-17", "Statement": allowed})
