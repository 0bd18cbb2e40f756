"""The fabric on this machine: each part is a capability, in the order in which they need each other.

cluster → keys → postgres → core system ─┐
    └→ orchestrator, model host ─────────┼→ gateway
       identity → Manifest ──────────────┘
"""

from collections.abc import Mapping
from pathlib import Path

import pulumi
from pulumi import Input, Output

from components.cluster.local import LocalCluster
from components.core_system.contract import CoreSystem
from components.fabrics.contract import Fabric
from components.gateway.contract import Gateway
from components.identity.contract import Identity
from components.keys.contract import Keys
from components.local.manifest_file import ManifestFile, ManifestFileArgs
from components.local.revision import source_revision
from components.model_endpoints import any_translated, hosted_name
from components.model_host.contract import ModelHost
from components.model_host.weights import weights_of
from components.naming import stack_home
from components.orchestrator.contract import Orchestrator
from components.parity import Contract, implementation
from components.postgres.contract import Postgres
from components.publish import Answers, Ground, manifest_text
from components.spec import Port
from components.vector.contract import Vector


class LocalFabric(Fabric):
    """``outputs``: URLs of gateway and Temporal's page, path of the signed Manifest, folder of the stack's state."""

    @staticmethod
    def check(ground: Ground) -> None:
        """Raises ``WeightsMissing``."""
        weights_of(ground.spec, ground.catalogue)

    def __init__(self, name: str, ground: Ground, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, ground, opts)
        self._name, self._ground, self._spec = name, ground, ground.spec
        home = stack_home(ground.stack)
        self._child = pulumi.ResourceOptions(parent=self)
        self._cluster = self._create_cluster(home)
        self._keys = self._part(Keys)(f"{name}-keys", {"home": self._cluster.home}, self._child)
        self._issuer = Output.format("http://127.0.0.1:{0}", self._port(Port.GATEWAY))
        self._postgres = self._create_postgres()
        self._create_vector()
        self._orchestrator = self._create_orchestrator()
        self._model_url = self._create_model_host(weights_of(ground.spec, ground.catalogue))
        self._demo = self._create_demo()
        manifest = self._publish()
        gateway = self._create_gateway(manifest)
        self.outputs = {
            "gateway": gateway.url,
            "temporal_ui": self._orchestrator.ui,
            "manifest": manifest.path,
            "home": Output.from_input(str(home)),
        }
        self.register_outputs({**self.outputs})

    def _part(self, contract: type[Contract]) -> type[Contract]:
        return implementation(contract, self._spec.platform)

    def _port(self, port: Port) -> Output[int]:
        return self._cluster.ports[port]

    @property
    def _has_demo(self) -> bool:
        return any(system.demo for system in self._spec.core_systems.values())

    def _create_cluster(self, home: Path) -> LocalCluster:
        unused = {Port.MODEL: self._spec.hosted is None, Port.ORDERS: not self._has_demo}
        names = [str(port) for port in Port if not unused.get(port)]
        fixed = {str(name): port for name, port in self._spec.ports.items()}
        return LocalCluster(f"{self._name}-cluster", {"home": str(home), "names": names, "fixed": fixed}, self._child)

    def _create_postgres(self) -> Postgres:
        replica = self._spec.postgres.replica
        return self._part(Postgres)(
            f"{self._name}-postgres",
            {
                "home": self._cluster.home,
                "primary_port": self._port(Port.PRIMARY),
                "replica_port": self._port(Port.REPLICA),
                "secrets": self._keys.secrets,
                "generation": self._keys.generation,
                "connection_limit": replica.connection_limit,
                "statement_timeout_ms": replica.statement_timeout_ms,
            },
            self._child,
        )

    def _create_vector(self) -> Vector:
        postgres = self._postgres
        return self._part(Vector)(
            f"{self._name}-vector", {"host": postgres.primary_host, "port": postgres.primary_port}, self._child
        )

    def _create_orchestrator(self) -> Orchestrator:
        return self._part(Orchestrator)(
            f"{self._name}-orchestrator",
            {
                "home": self._cluster.home,
                "port": self._port(Port.TEMPORAL),
                "ui_port": self._port(Port.TEMPORAL_UI),
            },
            self._child,
        )

    def _create_model_host(self, weights: Path | None) -> Output[str] | None:
        """Base URL of the model server that the fabric runs, where a candidate is hosted."""
        for (_, model_class, *_), candidate in self._spec.candidates():
            if candidate.hosted:
                host = self._part(ModelHost)(
                    f"{self._name}-model",
                    {
                        "home": self._cluster.home,
                        "port": self._port(Port.MODEL),
                        "weights": str(weights),
                        "model": hosted_name(candidate.hosted),
                        "context_tokens": self._spec.models[str(model_class)].context_tokens,
                    },
                    self._child,
                )
                return host.url
        return None

    def _create_demo(self) -> CoreSystem | None:
        if not self._has_demo:
            return None
        postgres = self._postgres
        return self._part(CoreSystem)(
            f"{self._name}-orders",
            {
                "home": self._cluster.home,
                "port": self._port(Port.ORDERS),
                "primary": Output.format("{0}:{1}", postgres.primary_host, postgres.primary_port),
                "replica": Output.format("{0}:{1}", postgres.replica_host, postgres.replica_port),
                "issuer": self._issuer,
                "secrets": self._keys.secrets,
                "revision": self._revision(),
                "after": [postgres],
            },
            self._child,
        )

    def _publish(self) -> ManifestFile:
        identity = self._part(Identity)(
            f"{self._name}-identity",
            {"stack": self._ground.stack, "gateway": self._issuer, "public": self._keys.public},
            self._child,
        )
        postgres = self._postgres
        endpoints = {
            "gateway": self._issuer,
            "orchestrator": self._orchestrator.endpoint,
            "primary_host": postgres.primary_host,
            "primary_port": postgres.primary_port,
            "replica_host": postgres.replica_host,
            "replica_port": postgres.replica_port,
            "database": postgres.database,
        }
        answers: Answers = {
            "endpoints": endpoints,
            "model_url": self._model_url,
            "core_systems": [self._core_system(name) for name in sorted(self._spec.core_systems)],
            "issuer": identity.issuer,
            "clients": identity.clients,
        }
        args: ManifestFileArgs = {
            "home": self._cluster.home,
            "manifest": manifest_text(self._ground, answers),
            "secrets": self._keys.secrets,
            "kid": self._keys.public.apply(lambda public: public["manifest"]["kid"]),
        }
        return ManifestFile(f"{self._name}-manifest", args, self._child)

    def _core_system(self, name: str) -> Mapping[str, Input[str]]:
        given = self._spec.core_systems[name]
        if self._demo and given.demo:
            return {"name": name, "url": self._demo.url, "openapi": self._demo.openapi, "country": self._ground.country}
        return {"name": name, **given.model_dump(include={"url", "openapi", "country"})}

    def _create_gateway(self, manifest: ManifestFile) -> Gateway:
        return self._part(Gateway)(
            f"{self._name}-runtime",
            {
                "home": self._cluster.home,
                "stack": self._ground.stack,
                "region": self._spec.region,
                "port": self._port(Port.GATEWAY),
                "manifest": manifest.path,
                "manifest_key": self._keys.manifest_key,
                "secrets": self._keys.secrets,
                "translator": any_translated(self._spec, self._ground.catalogue),
                "revision": self._revision(manifest.digest),
                "after": [self._postgres, self._orchestrator, *filter(None, [self._demo])],
            },
            self._child,
        )

    def _revision(self, *more: Input[str]) -> Output[str]:
        """What a runtime process read when it started: its code, its keys, and ``more``."""
        keys = self._keys.public.apply(lambda public: " ".join(sorted(jwk["kid"] for jwk in public.values())))
        generation = self._keys.generation.apply(lambda number: f"{number:g}")
        return Output.concat(source_revision("regions", "runtime"), " ", keys, " ", generation, *more)
