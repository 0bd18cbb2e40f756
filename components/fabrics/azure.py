"""The foundation of a fabric on Azure: each part is a capability, in the order in which they need each other.

network ─┬→ guardrails, observability, budget
         ├→ identity ─┐
         └→ keys ─────┼→ managed models
                      └→ databases

A cluster and what runs there are not built yet: ``extent`` is ``foundation``.
"""

from collections.abc import Mapping

import pulumi
from pulumi import Output

from components.budget.azure import AzureBudget
from components.fabrics.azure_plan import keys_chosen, own_subnets, planned
from components.fabrics.contract import Fabric
from components.guardrails.azure import AzureGuardrails
from components.identity.azure import AzureIdentity
from components.keys.azure import AzureKeys
from components.keys.azure_checks import checked_vault
from components.models.azure import AzureModels
from components.network.azure import AzureNetwork
from components.network.azure_plan import MONITORING, Service
from components.observability.azure import AzureObservability
from components.postgres.azure import AzurePostgres
from components.providers import azure_provider
from components.publish import Ground


class AzureFabric(Fabric):
    """``outputs``: names and addresses of what was made."""

    @staticmethod
    def check(ground: Ground) -> None:
        """Raises ``AzureFabricError``."""
        planned(ground)

    def __init__(self, name: str, ground: Ground, opts: pulumi.ResourceOptions | None = None) -> None:
        self._planned = planned(ground)
        super().__init__(name, ground, opts)
        self._name, self._stack, self._spec = name, ground.stack, ground.spec
        self._create_provider()
        self._check_vault()
        self._network = self._create_network()
        self._create_guardrails()
        self._identity = self._create_identity()
        self._create_observability()
        self._keys = self._create_keys()
        self._postgres = self._create_postgres()
        models = self._create_models()
        self._create_budget()
        self.outputs = self._told(models)
        self.register_outputs({**self.outputs})

    def _create_provider(self) -> None:
        found = self._planned
        provider = azure_provider(
            f"{self._name}-azure",
            self._spec.region,
            found.environment,
            found.subscription,
            {self._spec.account or ""},
            pulumi.ResourceOptions(parent=self),
        )
        self._azure = pulumi.InvokeOptions(provider=provider)
        self._child = pulumi.ResourceOptions(parent=self, providers=[provider])

    def _check_vault(self) -> None:
        """An own vault, looked at before anything is made."""
        if self._spec.keys.encryption:
            checked_vault(self._spec.keys.encryption, self._spec.region, self._azure)

    def _create_network(self) -> AzureNetwork:
        spec, found, own = self._spec, self._planned, self._spec.network.own
        given = {"vnet": own.id, "subnets": own_subnets(own), "egress": own.egress or ""} if own else {}
        return AzureNetwork(
            f"{self._name}-network",
            {
                "stack": self._stack,
                "subscription": found.subscription,
                "region": spec.region,
                "environment": found.environment,
                "cidr": found.cidr,
                "hosts": found.hosts,
                "zones": spec.network.zones,
                "retention_days": spec.logs.days,
                "log_account": found.log_account,
                **given,
            },
            self._child,
        )

    def _create_guardrails(self) -> None:
        AzureGuardrails(
            f"{self._name}-guardrails",
            {"stack": self._stack, "plan": self._planned.plan, "group": self._network.group_id},
            self._child,
        )

    def _create_identity(self) -> AzureIdentity:
        issuer = self._spec.directory.issuer if self._spec.directory else None
        return AzureIdentity(
            f"{self._name}-identity",
            {
                "stack": self._stack,
                "region": self._spec.region,
                "environment": self._planned.environment,
                "group": self._network.group,
                "public": {},
                "scope_classes": [*self._spec.scope_classes],
                **({"issuer": issuer} if issuer else {}),
            },
            self._child,
        )

    def _create_observability(self) -> None:
        zones = self._network.zones
        AzureObservability(
            f"{self._name}-observability",
            {
                "stack": self._stack,
                "region": self._spec.region,
                "group": self._network.group,
                "logs": self._network.logs,
                "endpoints": self._network.endpoints,
                "zones": {str(service): zones[service] for service in MONITORING if service in zones},
                "notify": self._spec.budget.notify if self._spec.budget else (),
                "mailing": self._planned.mailing,
            },
            self._child,
        )

    def _create_keys(self) -> AzureKeys:
        found = self._planned
        return AzureKeys(
            f"{self._name}-keys",
            {
                "subscription": found.subscription,
                "tenant": found.tenant,
                "plan": found.plan,
                "name": found.vault,
                "group": self._network.group,
                "endpoints": self._network.endpoints,
                "zones": self._network.zones,
                "logs": self._network.logs,
                **keys_chosen(self._spec, found.plan, found.name),
            },
            self._child,
        )

    def _create_postgres(self) -> AzurePostgres:
        spec, found, asked = self._spec, self._planned, self._spec.postgres
        overrides = {
            "version": asked.version,
            "sku": asked.machine,
            "replica_sku": asked.replica_machine,
            "storage_gib": asked.storage_gib,
        }
        return AzurePostgres(
            f"{self._name}-postgres",
            {
                "name": found.name,
                "tenant": found.tenant,
                "region": spec.region,
                "group": self._network.group,
                "primary": self._network.primary[0],
                "replica": self._network.replica[0],
                "zone": self._network.zones[Service.POSTGRES],
                "encryption": self._keys.encryption,
                "encryptor": self._keys.encryptor,
                "administrator": found.administrator,
                "administrator_name": found.administrator_name,
                "logs": self._network.logs,
                "zones": max(1, len(spec.network.zones)),
                "size": spec.size.value,
                "statement_timeout_ms": asked.replica.statement_timeout_ms,
                "backup_days": asked.backup_days,
                **{key: value for key, value in overrides.items() if value is not None},
            },
            self._child,
        )

    def _create_models(self) -> AzureModels | None:
        found = self._planned
        if found.hosting is None:
            return None
        return AzureModels(
            f"{self._name}-models",
            {
                "hosting": found.hosting,
                "subscription": found.subscription,
                "region": self._spec.region,
                "group": self._network.group,
                "endpoints": self._network.endpoints,
                "zone": self._network.zones[Service.MODELS],
                "logs": self._network.logs,
                "key": self._keys.versioned,
                "encryptor": self._keys.encryptor,
                "encryptor_client": self._keys.encryptor_client,
                "caller": self._identity.runtime,
            },
            self._child,
        )

    def _create_budget(self) -> None:
        if budget := self._spec.budget:
            AzureBudget(
                f"{self._name}-budget",
                {
                    "stack": self._stack,
                    "group": self._network.group_id,
                    "monthly": budget.monthly,
                    "notify": budget.notify,
                    "since": self._planned.since,
                },
                self._child,
            )

    def _told(self, models: AzureModels | None) -> Mapping[str, Output[str]]:
        scopes = {
            f"scope_{name}": self._identity.scopes.apply(lambda found, name=name: found[name])
            for name in sorted(self._spec.scope_classes)
        }
        return {
            "resource_group": self._network.group,
            "network": self._network.id,
            "logs": self._network.logs,
            "secrets": self._keys.secrets,
            "manifest_key": self._keys.manifest_key,
            "postgres": self._postgres.primary_host,
            "postgres_replica": self._postgres.replica_host,
            **({"models": models.account} if models else {}),
            **scopes,
        }
