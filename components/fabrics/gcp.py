"""The foundation of a fabric on Google Cloud: each part is a capability, in the order in which they need each other.

keys ─┬→ identity ─┬→ databases
      │  network ──┘
      ├→ observability
      └  guardrails, who may call managed models

A cluster and what runs there are not built yet: ``extent`` is ``foundation``. The project is there, in an organisation,
and its services are on: see the stack files.
"""

from collections.abc import Mapping

import pulumi
from pulumi import Output

from components.fabrics.contract import Fabric
from components.fabrics.gcp_plan import own_network, planned
from components.guardrails.gcp import GcpGuardrails
from components.identity.gcp import GcpIdentity
from components.keys.gcp import GcpKeys, GcpKeysArgs
from components.models.gcp import GcpModels
from components.network.gcp import GcpNetwork
from components.observability.gcp import GcpObservability
from components.postgres.gcp import GcpPostgres
from components.providers import gcp_provider
from components.publish import Ground


class GcpFabric(Fabric):
    """``outputs``: names and addresses of what was made."""

    @staticmethod
    def check(ground: Ground) -> None:
        """Raises ``GcpFabricError``."""
        planned(ground)

    def __init__(self, name: str, ground: Ground, opts: pulumi.ResourceOptions | None = None) -> None:
        self._planned = planned(ground)
        super().__init__(name, ground, opts)
        self._name, self._stack, self._spec = name, ground.stack, ground.spec
        self._create_provider()
        self._network = self._create_network()
        self._create_guardrails()
        self._keys = self._create_keys()
        self._identity = self._create_identity()
        self._observability = self._create_observability()
        self._postgres = self._create_postgres()
        self._create_models()
        self.outputs = self._told()
        self.register_outputs({**self.outputs})

    def _create_provider(self) -> None:
        found = self._planned
        provider = gcp_provider(
            f"{self._name}-gcp",
            self._spec.region,
            found.universe,
            found.project,
            {self._spec.account or ""},
            {"loomstead-stack": self._stack},
            pulumi.ResourceOptions(parent=self),
        )
        self._child = pulumi.ResourceOptions(parent=self, providers=[provider])

    def _create_network(self) -> GcpNetwork:
        found, own = self._planned, self._spec.network.own
        return GcpNetwork(
            f"{self._name}-network",
            {
                "project": found.project,
                "region": self._spec.region,
                "universe": found.universe,
                "cidr": found.cidr,
                "exits": found.exits,
                **(own_network(own) if own else {}),
            },
            self._child,
        )

    def _create_guardrails(self) -> None:
        found = self._planned
        GcpGuardrails(
            f"{self._name}-guardrails",
            {
                "project": found.project,
                "plan": found.plan,
                "models": found.hosting.invocable if found.hosting else (),
            },
            self._child,
        )

    def _create_keys(self) -> GcpKeys:
        found = self._planned
        args: GcpKeysArgs = {
            "stack": self._stack,
            "project": found.project,
            "region": self._spec.region,
            "universe": found.universe,
        }
        if own := self._spec.keys.encryption:
            args["encryption"] = own
        return GcpKeys(f"{self._name}-keys", args, self._child)

    def _create_identity(self) -> GcpIdentity:
        return GcpIdentity(
            f"{self._name}-identity",
            {
                "stack": self._stack,
                "public": self._keys.public,
                "scope_classes": [*self._spec.scope_classes],
                "issuer": self._planned.issuer,
            },
            self._child,
        )

    def _create_observability(self) -> GcpObservability:
        return GcpObservability(
            f"{self._name}-observability",
            {
                "stack": self._stack,
                "project": self._planned.project,
                "region": self._spec.region,
                "key": self._keys.encryption,
                "days": self._spec.logs.days,
                "notify": self._spec.budget.notify if self._spec.budget else (),
            },
            self._child,
        )

    def _create_postgres(self) -> GcpPostgres:
        found = self._planned
        return GcpPostgres(
            f"{self._name}-postgres",
            {
                **found.databases,
                "project": found.project,
                "region": self._spec.region,
                "network": self._network.id,
                "primary": self._network.primary,
                "replica": self._network.replica,
                "key": self._keys.encryption,
                "runtime": self._identity.runtime,
                "tools": self._identity.tools,
            },
            self._child,
        )

    def _create_models(self) -> None:
        found = self._planned
        if found.hosting:
            GcpModels(
                f"{self._name}-models",
                {
                    "stack": self._stack,
                    "project": found.project,
                    "hosting": found.hosting,
                    "caller": self._identity.runtime,
                },
                self._child,
            )

    def _told(self) -> Mapping[str, Output[str]]:
        scopes = {
            f"scope_{name}": self._identity.scopes.apply(lambda found, name=name: found[name])
            for name in sorted(self._spec.scope_classes)
        }
        return {
            "network": self._network.id,
            "logs": self._observability.logs,
            "secrets": self._keys.secrets,
            "manifest_key": self._keys.manifest_key,
            "issuer": self._identity.issuer,
            "audience": self._identity.audience,
            "postgres": self._postgres.primary_host,
            "postgres_replica": self._postgres.replica_host,
            **scopes,
        }
