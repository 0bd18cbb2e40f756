"""What runs on AWS's fabric: what of AWS is there for it alone, and the fabric's own pods on the cluster."""

import json
from collections.abc import Mapping, Sequence

from pulumi import Output
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.aws.documents import Statement, document
from components.cache.aws import AwsCache
from components.fabrics.aws_foundation import AwsFoundation
from components.fabrics.aws_hosting import AwsHosting
from components.fabrics.aws_plan import POSTGRES_VERSION, Planned
from components.fabrics.contract import chosen
from components.gateway.aws import AwsGateway
from components.identity.aws import AwsIdentity
from components.identity.aws_pods import Arns
from components.identity.kubernetes import KubernetesIdentity
from components.infrastructure import Engine
from components.infrastructure import Gateway as AskedGateway
from components.kubernetes.parts import PROVISION, Part
from components.model_endpoints import any_translated
from components.model_host.aws import AwsModelHost
from components.observability.aws import PIPELINES
from components.observability.kubernetes import KubernetesObservability
from components.orchestrator.aws import AwsOrchestrator
from components.orchestrator.contract import Orchestrator
from components.orchestrator.kubernetes import KubernetesOrchestrator
from components.publish import Answers, Ground, manifest_text
from components.signing import SignedManifest
from components.triggers.aws import AwsTriggers
from components.vector.aws import AwsVector

SECRETS = "secrets"
"""The Secret that the runtime mounts."""
ORCHESTRATOR_SECRET = "temporal"  # noqa: S105  its name


class AwsRuntime:
    """``outputs``: what the stack exports. All components are children of the foundation's ``fabric``."""

    outputs: Mapping[str, Output[str]]

    def __init__(
        self, name: str, ground: Ground, asked: AskedGateway, found: Planned, foundation: AwsFoundation
    ) -> None:
        self._name, self._ground, self._spec, self._found = name, ground, ground.spec, found
        self._foundation = foundation
        self._hosting = AwsHosting(name, asked, found, foundation)
        self._child, self._spaces = self._hosting.child, self._hosting.namespaces
        self._cache = self._create_cache()
        self._vector = self._create_vector()
        self._orchestrator = self._create_orchestrator()
        self._identity = self._create_identity()
        self._pods = self._create_accounts()
        self._create_collector()
        self._create_triggers()
        self._model_url = self._create_model_host()
        foundation.create_backup()
        manifest = self._publish(asked)
        gateway = self._create_gateway(manifest, asked)
        self.outputs = {
            "gateway": gateway.url,
            **manifest.told,
            "orchestrator": self._orchestrator.ui,
            "issuer": self._identity.issuer,
            "cluster": self._hosting.cluster.name,
            **foundation.told(),
        }

    def _create_cache(self) -> AwsCache:
        network = self._foundation.network
        return AwsCache(
            f"{self._name}-cache",
            {
                "stack": self._found.stack,
                "vpc": network.id,
                "subnets": network.workloads,
                "runtime_group": network.runtime_group,
                "key": self._foundation.keys.encryption,
                "size": self._spec.size,
                "log_days": self._spec.logs.days,
                **chosen(machine=self._spec.cache.machine),
            },
            self._child,
        )

    def _create_vector(self) -> AwsVector:
        postgres = self._foundation.postgres
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
        foundation, found = self._foundation, self._found
        if found.engine is Engine.STEP_FUNCTIONS:
            return AwsOrchestrator(
                f"{self._name}-orchestrator",
                {
                    "stack": found.stack,
                    "region": found.region,
                    "key": foundation.keys.encryption,
                    "boundary": foundation.guardrails.boundary,
                    "topic": foundation.observability.topic,
                    "log_days": self._spec.logs.days,
                },
                self._child,
            )
        return KubernetesOrchestrator(
            f"{self._name}-orchestrator",
            {
                "stack": found.stack,
                "region": found.region,
                "namespace": self._spaces[Part.ORCHESTRATOR],
                "registry": found.registry,
                "size": self._spec.size,
                "database_host": foundation.postgres.primary_host,
                "database_port": foundation.postgres.primary_port,
                "secret": ORCHESTRATOR_SECRET,
                "after": self._hosting.inside.groups,
            },
            self._child,
        )

    def _create_identity(self) -> AwsIdentity:
        """Roles of the fabric's own pods, by what the parts say that those who use them have to be allowed."""
        foundation, found, orchestrator = self._foundation, self._found, self._orchestrator
        gateway, worker = [], []
        if foundation.models.policy is not None:
            gateway.append(foundation.models.policy)
        if isinstance(orchestrator, AwsOrchestrator):
            gateway.append(document(*orchestrator.gateway))
            worker.append(document(*orchestrator.worker))
        connects: Statement = {
            "Effect": "Allow",
            "Action": "elasticache:Connect",
            "Resource": self._cache.connectable,
        }
        return foundation.create_identity(
            cluster=self._hosting.cluster.name,
            cluster_arn=self._hosting.cluster.arn,
            runtime=self._spaces[Part.RUNTIME],
            tools=self._spaces[Part.TOOLS],
            observability=self._spaces[Part.OBSERVABILITY],
            pods={
                "gateway": [*gateway, document(connects)],
                "worker": worker,
                "collector": [foundation.observability.writable.apply(_writing)],
                "arns": Arns(found.partition, found.region, found.account),
                "secrets": foundation.keys.secrets,
                "key": foundation.keys.encryption,
                "primary": foundation.postgres.primary_arn,
                "replica_resource": foundation.postgres.replica_resource,
            },
        )

    def _create_accounts(self) -> KubernetesIdentity:
        return KubernetesIdentity(
            f"{self._name}-accounts",
            {
                "stack": self._found.stack,
                "gateway": self._found.issuer,
                "runtime": self._spaces[Part.RUNTIME],
                "tools": self._spaces[Part.TOOLS],
                "cluster_issuer": self._hosting.cluster.issuer,
                "public": self._foundation.keys.public,
            },
            self._child,
        )

    def _create_provision_account(self) -> Output[str]:
        """Of the Job that alone writes the runtime's secrets."""
        account = ServiceAccount(
            f"{self._name}-provision-account",
            metadata=ObjectMetaArgs(name=PROVISION, namespace=self._spaces[Part.RUNTIME]),
            automount_service_account_token=False,
            opts=self._child,
        )
        return account.metadata.name.apply(str)

    def _create_triggers(self) -> None:
        asked, network = self._spec.triggers, self._foundation.network
        if asked.kafka or asked.mail:
            AwsTriggers(
                f"{self._name}-triggers",
                {
                    "stack": self._found.stack,
                    "region": self._found.region,
                    "vpc": network.id,
                    "subnets": network.workloads,
                    "runtime_group": network.runtime_group,
                    "key": self._foundation.keys.encryption,
                    "topic": self._foundation.observability.topic,
                    "topics": asked.kafka.topics if asked.kafka else (),
                    "readers": [self._identity.pod_roles["worker"]],
                    **chosen(address=asked.mail.address if asked.mail else None),
                },
                self._child,
            )

    def _publish(self, asked: AskedGateway) -> SignedManifest:
        foundation, postgres = self._foundation, self._foundation.postgres
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
        public = foundation.keys.public.apply(lambda keys: keys["manifest"])
        return SignedManifest(
            f"{self._name}-manifest",
            {
                "manifest": manifest_text(self._ground, answers),
                "key": foundation.keys.manifest_key,
                "public": public,
            },
            self._child,
        )

    def _create_collector(self) -> None:
        observed, spec = self._foundation.observability, self._spec
        KubernetesObservability(
            f"{self._name}-collector",
            {
                "stack": self._found.stack,
                "region": self._found.region,
                "namespace": self._spaces[Part.OBSERVABILITY],
                "registry": self._found.registry,
                "size": spec.size,
                "telemetry": {name: found.url for name, found in spec.telemetry.items()},
                "sinks": {name: found.url for name, found in spec.logs.sinks.items()},
                "content": False,
                "exporters": observed.exporters,
                "extensions": observed.extensions,
                "pipelines": PIPELINES,
                "after": self._hosting.inside.groups,
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
                        "namespace": self._spaces[Part.MODELS],
                        "registry": found.registry,
                        "image": gateway.image,
                        "size": self._spec.size,
                        "model": staged.name,
                        "digest": staged.digest,
                        "model_class": str(model_class),
                        "candidate": str(name),
                        "context_tokens": self._spec.models[str(model_class)].context_tokens,
                        "bucket": "",
                        "cluster": self._hosting.cluster.name,
                        "cluster_arn": self._hosting.cluster.arn,
                        "key": self._foundation.keys.encryption,
                        "boundary": self._foundation.guardrails.boundary,
                        "gpu": gpu.family,
                        "per_node": gpu.per_node,
                        "nodes": gpu.nodes,
                        "runtime": self._spaces[Part.RUNTIME],
                        "operators": self._foundation.own_cluster is None,
                        "after": self._hosting.inside.groups,
                    },
                    self._child,
                )
                return host.url
        return None

    def _create_gateway(self, manifest: SignedManifest, asked: AskedGateway) -> AwsGateway:
        foundation, network, found = self._foundation, self._foundation.network, self._found
        temporal = (
            {
                "orchestrator_namespace": self._spaces[Part.ORCHESTRATOR],
                "orchestrator_secret": ORCHESTRATOR_SECRET,
            }
            if found.temporal
            else {}
        )
        return AwsGateway(
            f"{self._name}-runtime",
            {
                "stack": found.stack,
                "region": found.region,
                "namespace": self._spaces[Part.RUNTIME],
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
                    "LOOMSTEAD_SECRET_KEY": foundation.keys.encryption,
                    "LOOMSTEAD_RDS_INSTANCE": f"{found.stack}-primary",
                    "LOOMSTEAD_ISSUER_DOCUMENTS": self._identity.documents,
                    "LOOMSTEAD_IAM_ROLES": "agent_reader",
                    "LOOMSTEAD_AGENT_SESSIONS": str(self._spec.postgres.replica.connection_limit),
                    "LOOMSTEAD_AGENT_STATEMENT_MS": str(self._spec.postgres.replica.statement_timeout_ms),
                },
                "gateway_account": self._pods.gateway,
                "worker_account": self._pods.worker,
                "provision_account": self._create_provision_account(),
                "provision_namespace": self._spaces[Part.RUNTIME],
                "provision_part": Part.RUNTIME,
                "database_ca": found.authority,
                "revision": foundation.keys.generation.apply(str),
                "after": [
                    *self._hosting.inside.groups,
                    *filter(None, [self._hosting.inside.balancer]),
                    self._hosting.guards,
                ],
                "vpc": network.id,
                "subnets": network.endpoints,
                "runtime_group": network.runtime_group,
                "callers": self._found.callers,
                "certificate": asked.certificate,
                "key": foundation.keys.encryption,
                "log_days": self._spec.logs.days,
                "topic": foundation.observability.topic,
                **temporal,
                **chosen(replicas=asked.replicas),
            },
            self._child,
        )


def _writing(writable: Mapping[str, Sequence[str]]) -> str:
    """What the collector's role needs, as a policy."""
    allowed = [{"Effect": "Allow", "Action": action, "Resource": [*arns]} for action, arns in writable.items()]
    return json.dumps({"Version": "2012-10-17", "Statement": allowed})
