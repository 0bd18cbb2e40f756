"""The fabric on a cluster that is there: each part is a capability, in the order in which they need each other.

network ─┬→ cluster, guardrails, budget
         ├→ keys ─────────┬→ identity ─┐
         ├→ backup → databases, vector ┤
         ├→ cache, observability       ├→ orchestrator → Manifest → gateway
         └→ model host ────────────────┘
"""

import pulumi
from pulumi import Output

from components.backup.kubernetes import KubernetesBackup
from components.budget.kubernetes import KubernetesBudget
from components.cache.kubernetes import KubernetesCache
from components.cluster.kubernetes import KubernetesCluster
from components.fabrics.contract import Fabric, chosen
from components.fabrics.kubernetes_plan import Hosting, budgets, network_of, planned
from components.gateway.kubernetes import KubernetesGateway
from components.guardrails.kubernetes import KubernetesGuardrails
from components.identity.kubernetes import KubernetesIdentity
from components.keys.kubernetes import KubernetesKeys
from components.kubernetes.parts import Part
from components.model_endpoints import any_translated
from components.model_host.kubernetes import KubernetesModelHost
from components.network.kubernetes import KubernetesNetwork, check_network
from components.observability.kubernetes import KubernetesObservability
from components.orchestrator.kubernetes import KubernetesOrchestrator
from components.postgres.kubernetes import KubernetesPostgres
from components.providers import kubernetes_provider
from components.publish import Answers, Ground, manifest_text
from components.signing import SignedManifest
from components.vector.kubernetes import KubernetesVector

ORCHESTRATOR_SECRET = "temporal"  # noqa: S105  its name
BACKUP_STORE = "backup"


class KubernetesFabric(Fabric):
    """``outputs``: names and addresses of what was made; nothing in it is secret."""

    @staticmethod
    def check(ground: Ground) -> None:
        """Raises ``Refused``."""
        check_network(network_of(planned(ground)))

    def __init__(self, name: str, ground: Ground, opts: pulumi.ResourceOptions | None = None) -> None:
        self._found = planned(ground)
        super().__init__(name, ground, opts)
        self._name, self._ground, self._spec = name, ground, ground.spec
        self._child = pulumi.ResourceOptions(parent=self, providers=[self._create_provider()])
        self._network = self._create_network()
        self._cluster = self._create_cluster()
        self._guardrails = self._create_guardrails()
        self._create_budget()
        self._keys = self._create_keys()
        self._create_backup()
        self._postgres = self._create_postgres()
        self._create_vector()
        self._create_cache()
        self._observability = self._create_observability()
        self._identity = self._create_identity()
        self._orchestrator = self._create_orchestrator()
        self._model_url = self._create_model_host(self._found.hosting) if self._found.hosting else None
        manifest = self._publish()
        gateway = self._create_gateway(manifest)
        self.outputs = {
            "gateway": gateway.url,
            **manifest.told,
            "cluster": self._cluster.name,
            "primary": self._postgres.primary_host,
            "replica": self._postgres.replica_host,
            "telemetry": self._observability.endpoint,
        }
        self.register_outputs({**self.outputs})

    def _create_provider(self) -> pulumi.ProviderResource:
        cluster = self._spec.cluster
        return kubernetes_provider(
            f"{self._name}-kubernetes",
            self._found.kubeconfig,
            cluster.context or "",
            {cluster.server or ""},
            pulumi.ResourceOptions(parent=self),
        )

    def _create_network(self) -> KubernetesNetwork:
        return KubernetesNetwork(f"{self._name}-network", network_of(self._found), self._child)

    def _create_cluster(self) -> KubernetesCluster:
        cluster = self._spec.cluster
        return KubernetesCluster(
            f"{self._name}-cluster",
            {
                "stack": self._found.stack,
                "context": cluster.context or "",
                "issuer": cluster.issuer,
                "storage_class": cluster.storage_class or "",
                "namespaces": [self._network.namespaces[part] for part in (Part.PRIMARY, Part.REPLICA, Part.CACHE)],
                "encrypted_at_rest": cluster.encrypted_at_rest,
                "key": cluster.key,
            },
            self._child,
        )

    def _create_guardrails(self) -> KubernetesGuardrails:
        return KubernetesGuardrails(
            f"{self._name}-guardrails",
            {
                "stack": self._found.stack,
                "namespaces": self._network.namespaces,
                "registries": [self._found.registry],
                "region": self._found.region,
                "image": self._found.gateway.image,
                "provision": Part.PRIMARY,
                "operator": self._spec.cluster.operator,
            },
            self._child,
        )

    def _create_budget(self) -> None:
        gpu = self._spec.cluster.gpu
        KubernetesBudget(
            f"{self._name}-budget",
            {
                "stack": self._found.stack,
                "namespaces": self._network.namespaces,
                "size": self._spec.size,
                "gpus": gpu.nodes * gpu.per_node if gpu and self._found.hosting else 0,
                "entry": self._spec.cluster.entry is None,
                "times": budgets(self._spec),
            },
            self._child,
        )

    def _create_keys(self) -> KubernetesKeys:
        return KubernetesKeys(
            f"{self._name}-keys",
            {
                "stack": self._found.stack,
                "home": str(self._found.home),
                "namespace": self._network.namespaces[Part.PRIMARY],
                "encryption": self._spec.cluster.key or "",
            },
            self._child,
        )

    def _create_backup(self) -> None:
        if (store := self._spec.backup.store) is not None:
            KubernetesBackup(
                f"{self._name}-backup",
                {
                    "stack": self._found.stack,
                    "namespace": self._network.namespaces[Part.PRIMARY],
                    "bucket": store.bucket,
                    "endpoint": store.url,
                    "days": self._spec.postgres.backup_days,
                },
                self._child,
            )

    def _create_postgres(self) -> KubernetesPostgres:
        asked, spaces = self._spec.postgres, self._network.namespaces
        return KubernetesPostgres(
            f"{self._name}-postgres",
            {
                "stack": self._found.stack,
                "region": self._found.region,
                "primary": spaces[Part.PRIMARY],
                "replica": spaces[Part.REPLICA],
                "storage_class": self._cluster.storage_class,
                "authority": self._cluster.authority,
                "registry": self._found.registry,
                "size": self._spec.size,
                "statement_timeout_ms": asked.replica.statement_timeout_ms,
                "version": self._found.postgres,
                **chosen(
                    backup=BACKUP_STORE if self._spec.backup.store else None,
                    image=asked.image,
                    storage_gib=asked.storage_gib,
                ),
            },
            self._child,
        )

    def _create_vector(self) -> None:
        postgres = self._postgres
        KubernetesVector(
            f"{self._name}-vector", {"host": postgres.primary_host, "port": postgres.primary_port}, self._child
        )

    def _create_cache(self) -> None:
        KubernetesCache(
            f"{self._name}-cache",
            {
                "stack": self._found.stack,
                "region": self._found.region,
                "namespace": self._network.namespaces[Part.CACHE],
                "registry": self._found.registry,
                "authority": self._cluster.authority,
                "size": self._spec.size,
            },
            self._child,
        )

    def _create_observability(self) -> KubernetesObservability:
        spec = self._spec
        return KubernetesObservability(
            f"{self._name}-observability",
            {
                "stack": self._found.stack,
                "region": self._found.region,
                "namespace": self._network.namespaces[Part.OBSERVABILITY],
                "registry": self._found.registry,
                "size": spec.size,
                "telemetry": {name: found.url for name, found in spec.telemetry.items()},
                "sinks": {name: found.url for name, found in spec.logs.sinks.items()},
                "content": False,
            },
            self._child,
        )

    def _create_identity(self) -> KubernetesIdentity:
        spaces = self._network.namespaces
        return KubernetesIdentity(
            f"{self._name}-identity",
            {
                "stack": self._found.stack,
                "gateway": self._issuer,
                "runtime": spaces[Part.RUNTIME],
                "tools": spaces[Part.TOOLS],
                "cluster_issuer": self._cluster.issuer,
                "public": self._keys.public,
            },
            self._child,
        )

    @property
    def _issuer(self) -> str:
        """``iss`` of the fabric's tokens: the gateway's own address."""
        return f"https://{self._found.gateway.host}"

    def _create_orchestrator(self) -> KubernetesOrchestrator:
        return KubernetesOrchestrator(
            f"{self._name}-orchestrator",
            {
                "stack": self._found.stack,
                "region": self._found.region,
                "namespace": self._network.namespaces[Part.ORCHESTRATOR],
                "registry": self._found.registry,
                "size": self._spec.size,
                "database_host": self._postgres.primary_host,
                "database_port": self._postgres.primary_port,
                "secret": ORCHESTRATOR_SECRET,
                "after": [self._postgres],
            },
            self._child,
        )

    def _create_model_host(self, hosting: Hosting) -> Output[str]:
        gpu = self._spec.cluster.gpu
        host = KubernetesModelHost(
            f"{self._name}-model",
            {
                "stack": self._found.stack,
                "region": self._found.region,
                "namespace": self._network.namespaces[Part.MODELS],
                "registry": self._found.registry,
                "image": self._found.gateway.image,
                "size": self._spec.size,
                "model": hosting.staged.name,
                "digest": hosting.staged.digest,
                "model_class": hosting.model_class,
                "candidate": hosting.candidate,
                "context_tokens": hosting.context_tokens,
                "bucket": hosting.store.bucket.removeprefix("s3://"),
                "endpoint": hosting.store.url,
                "credentials": "weights",
                "gpu": gpu.family if gpu else "",
                "per_node": gpu.per_node if gpu else 1,
                "nodes": gpu.nodes if gpu else 1,
                "runtime": self._network.namespaces[Part.RUNTIME],
                "operators": False,
                "after": [],
            },
            self._child,
        )
        return host.url

    def _publish(self) -> SignedManifest:
        postgres = self._postgres
        answers: Answers = {
            "endpoints": {
                "gateway": self._issuer,
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
            "issuer": self._issuer,
            "clients": self._identity.clients,
        }
        return SignedManifest(
            f"{self._name}-manifest",
            {
                "manifest": manifest_text(self._ground, answers),
                "key": self._keys.signer,
                "public": self._keys.public.apply(lambda keys: keys["manifest"]),
            },
            self._child,
        )

    def _create_gateway(self, manifest: SignedManifest) -> KubernetesGateway:
        found, spec, spaces = self._found, self._spec, self._network.namespaces
        replica = spec.postgres.replica
        return KubernetesGateway(
            f"{self._name}-runtime",
            {
                "stack": found.stack,
                "region": found.region,
                "namespace": spaces[Part.RUNTIME],
                "image": found.gateway.image,
                "host": found.gateway.host,
                "size": spec.size,
                "manifest": manifest.document,
                "manifest_key": manifest.told["manifest_key"],
                "issuer": self._issuer,
                "secrets": "secrets",
                "store": "kubernetes",
                "credentials": spec.credentials(),
                "translator": any_translated(spec, self._ground.catalogue),
                "environment": {},
                "provision_environment": {
                    "LOOMSTEAD_AGENT_SESSIONS": str(replica.connection_limit),
                    "LOOMSTEAD_AGENT_STATEMENT_MS": str(replica.statement_timeout_ms),
                },
                "gateway_account": self._identity.gateway,
                "worker_account": self._identity.worker,
                "provision_account": self._keys.provision,
                "provision_namespace": spaces[Part.PRIMARY],
                "provision_part": Part.PRIMARY,
                "administrator": "primary-superuser",
                "authority": "primary-server",
                "orchestrator_namespace": spaces[Part.ORCHESTRATOR],
                "orchestrator_secret": ORCHESTRATOR_SECRET,
                "gateway_class": spec.cluster.gateway_class,
                "certificate_issuer": found.gateway.certificate,
                "revision": self._keys.generation.apply(str),
                "after": [self._postgres, self._guardrails],
                **chosen(replicas=found.gateway.replicas),
            },
            self._child,
        )
