"""What AWS's fabric stands on, with a cluster or without: guardrails, keys, network, databases, models, telemetry."""

from typing import Any

import pulumi
from pulumi import Output

from components.backup.aws import AwsBackup
from components.budget.aws import AwsBudget
from components.cluster.aws_own import OwnCluster, look_up
from components.fabrics.aws_plan import Planned
from components.fabrics.contract import chosen
from components.guardrails.aws import AwsGuardrails
from components.identity.aws import AwsIdentity
from components.keys.aws import AwsKeys
from components.models.aws import AwsModels
from components.naming import stack_home
from components.network.aws import AwsNetwork
from components.network.aws_plan import INTERFACES
from components.observability.aws import AwsObservability
from components.postgres.aws import AwsPostgres
from components.providers import aws_provider
from components.publish import Ground
from components.spec import Extent


class AwsFoundation:
    """Its parts are children of ``fabric``, which is no part of it.

    ``aws``: the provider of all that is AWS's. ``child``: the options of what needs no other.
    """

    def __init__(self, name: str, ground: Ground, found: Planned, fabric: pulumi.Resource) -> None:
        self._name, self._found, self._spec, self.fabric = name, found, ground.spec, fabric
        self.aws = self._create_provider()
        self.child = pulumi.ResourceOptions(parent=fabric, providers=[self.aws])
        self.own_cluster = self._look_up_cluster()
        self.guardrails = self._create_guardrails(ground)
        self.keys = self._create_keys()
        self.network = self._create_network()
        self.observability = self._create_observability()
        self.postgres = self._create_postgres()
        self.models = self._create_models()
        self._create_budget()

    def _create_provider(self) -> pulumi.ProviderResource:
        found = self._found
        return aws_provider(
            f"{self._name}-aws",
            found.region,
            found.account,
            {found.account},
            found.tags,
            pulumi.ResourceOptions(parent=self.fabric),
        )

    def _look_up_cluster(self) -> OwnCluster | None:
        """Before anything is made that would stand on it."""
        own, network = self._spec.cluster.own, self._spec.network.own
        if own is None or network is None or self._spec.extent is Extent.FOUNDATION:
            return None
        return look_up(own, network.id, self._found.region, pulumi.InvokeOptions(provider=self.aws))

    def _create_guardrails(self, ground: Ground) -> AwsGuardrails:
        found = self._found
        return AwsGuardrails(
            f"{self._name}-guardrails",
            {
                "stack": found.stack,
                "region": found.region,
                "account": found.account,
                "boundary": ground.boundary,
                "catalogue": ground.catalogue,
                "on": found.on,
            },
            self.child,
        )

    def _create_keys(self) -> AwsKeys:
        return AwsKeys(
            f"{self._name}-keys",
            {
                "stack": self._found.stack,
                "region": self._found.region,
                "account": self._found.account,
                "home": str(stack_home(self._found.stack)),
                **chosen(encryption=self._spec.keys.encryption),
            },
            self.child,
        )

    def _create_network(self) -> AwsNetwork:
        found, own, gateway = self._found, self._spec.network.own, self._spec.gateway
        made = {"cidr": self._spec.network.cidr, "inside": [gateway.host] if gateway else []}
        ground = made if own is None else _own(own.id, own.model_dump())
        services = [each for each in INTERFACES if each != "bedrock-runtime" or found.models]
        return AwsNetwork(
            f"{self._name}-network",
            {
                "stack": found.stack,
                "region": found.region,
                "zones": found.zones,
                "exits": found.exits,
                "key": self.keys.encryption,
                "log_days": self._spec.logs.days,
                "services": services,
                "boundary": self.guardrails.boundary,
                **ground,
            },
            self.child,
        )

    def _create_observability(self) -> AwsObservability:
        stack = self._found.stack
        return AwsObservability(
            f"{self._name}-observability",
            {
                "stack": stack,
                "region": self._found.region,
                "key": self.keys.encryption,
                "log_days": self._spec.logs.days,
                "databases": {role: f"{stack}-{role}" for role in ("primary", "replica")},
                "traces_key": True,
            },
            self.child,
        )

    def _create_postgres(self) -> AwsPostgres:
        asked, network = self._spec.postgres, self.network
        return AwsPostgres(
            f"{self._name}-postgres",
            {
                "stack": self._found.stack,
                "vpc": network.id,
                "primary": network.primary,
                "replica": network.replica,
                "runtime_group": network.runtime_group,
                "tools_group": network.tools_group,
                "key": self.keys.encryption,
                "size": self._spec.size,
                "statement_timeout_ms": asked.replica.statement_timeout_ms,
                "backup_days": asked.backup_days,
                "log_days": self._spec.logs.days,
                "boundary": self.guardrails.boundary,
                **chosen(
                    version=asked.version,
                    primary_class=asked.machine,
                    replica_class=asked.replica_machine,
                    storage_gib=asked.storage_gib,
                ),
            },
            self.child,
        )

    def _create_models(self) -> AwsModels:
        return AwsModels(
            f"{self._name}-models",
            {
                "stack": self._found.stack,
                "region": self._found.region,
                "models": self._found.models,
                "key": self.keys.encryption,
                "logged": False,
                "log_days": self._spec.logs.days,
                "guardrail": False,
            },
            self.child,
        )

    def _create_budget(self) -> None:
        if (budget := self._spec.budget) is not None:
            AwsBudget(
                f"{self._name}-budget",
                {
                    "stack": self._found.stack,
                    "partition": self._found.partition,
                    "tag": ("loomstead:stack", self._found.stack),
                    "monthly": budget.monthly,
                    "notify": budget.notify,
                },
                self.child,
            )

    def create_backup(self, *more: Output[str]) -> AwsBackup:
        """Of the primary and ``more``, by their ARNs."""
        region = self._spec.backup.region
        return AwsBackup(
            f"{self._name}-backup",
            {
                "stack": self._found.stack,
                "region": self._found.region,
                "kept": [self.postgres.primary_arn, *more],
                "days": self._spec.postgres.backup_days,
                "key": self.keys.encryption,
                "topic": self.observability.topic,
                "boundary": self.guardrails.boundary,
                **chosen(copy=region if region != self._found.region else None),
            },
            self.child,
        )

    def create_identity(self, **pods: Any) -> AwsIdentity:
        """``pods``: what ``AwsIdentityArgs`` has for a fabric on a cluster; nothing for a foundation."""
        found = self._found
        return AwsIdentity(
            f"{self._name}-identity",
            {
                "stack": found.stack,
                "region": found.region,
                "account": found.account,
                "partition": found.partition,
                "boundary": self.guardrails.boundary,
                "public": self.keys.public,
                "scope_classes": {each: [] for each in self._spec.scope_classes},
                **pods,
            },
            self.child,
        )

    def told(self) -> dict[str, Output[str]]:
        """What a foundation gives its users."""
        return {
            "network": self.network.id,
            "primary": self.postgres.primary_host,
            "replica": self.postgres.replica_host,
            "key": self.keys.encryption,
            "logs": self.observability.logs,
            "service_control_policy": self.guardrails.service_control_policy,
        }


def _own(vpc: str, roles: dict[str, Any]) -> dict[str, Any]:
    return {"vpc": vpc, **{role: [*roles[role]] for role in ("workloads", "primary", "replica", "endpoints")}}
