"""Who talked with whom: flow logs into an account of the region, analysed in a workspace of the region."""

from collections.abc import Mapping

from pulumi import Input, Output
from pulumi_azure_native import managedidentity, network, operationalinsights, storage

from components.azure.roles import create_role
from components.network.azure_ground import Ground

_BLOB_WRITER = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
"""Built-in role Storage Blob Data Contributor."""
_WATCHERS = "NetworkWatcherRG"
"""Where Azure puts a region's Network Watcher, of which a subscription has one, with the first VNet there."""

_LONGEST_DAYS = 365
"""For which Azure keeps a flow log's files."""


def create_workspace(ground: Ground, retention_days: int) -> Output[str]:
    """Its id. Entra says who reads it, by the network's own way in alone: it takes no keys, and answers no public call.

    What Azure's services log they bring by a way of their own.
    """
    return operationalinsights.Workspace(
        f"{ground.name}-logs",
        resource_group_name=ground.group,
        location=ground.region,
        retention_in_days=retention_days,
        sku=operationalinsights.WorkspaceSkuArgs(name="PerGB2018"),
        features=operationalinsights.WorkspaceFeaturesArgs(disable_local_auth=True),
        public_network_access_for_ingestion="Disabled",
        public_network_access_for_query="Disabled",
        opts=ground.kept,
    ).id


def create_flow_logs(
    ground: Ground,
    subscription: str,
    account: str,
    retention_days: int,
    workspace: Input[str],
    targets: Mapping[str, Input[str]],
) -> None:
    """Of each of ``targets``, VNets or subnets by name. ``account``: name of the storage account that is made."""
    store = _create_store(ground, account)
    writer = managedidentity.UserAssignedIdentity(
        f"{ground.name}-flow-writer", resource_group_name=ground.group, location=ground.region, opts=ground.child
    )
    may_write = create_role(
        f"{ground.name}-flow-writer-role", subscription, _BLOB_WRITER, writer.principal_id, store.id, ground.child
    )
    identity = Output.all(writer.id, may_write.id).apply(lambda ids: [ids[0]])
    for name, target in targets.items():
        network.FlowLog(
            f"{ground.name}-{name}-flows",
            resource_group_name=_WATCHERS,
            network_watcher_name=f"NetworkWatcher_{ground.region}",
            location=ground.region,
            target_resource_id=target,
            storage_id=store.id,
            identity=network.ManagedServiceIdentityArgs(
                type=network.ResourceIdentityType.USER_ASSIGNED, user_assigned_identities=identity
            ),
            enabled=True,
            format=network.FlowLogFormatParametersArgs(type="JSON", version=2),
            retention_policy=network.RetentionPolicyParametersArgs(
                enabled=True, days=min(retention_days, _LONGEST_DAYS)
            ),
            flow_analytics_configuration=_analysed(ground.region, workspace),
            opts=ground.child,
        )


def _analysed(region: str, workspace: Input[str]) -> network.TrafficAnalyticsPropertiesArgs:
    return network.TrafficAnalyticsPropertiesArgs(
        network_watcher_flow_analytics_configuration=network.TrafficAnalyticsConfigurationPropertiesArgs(
            enabled=True, traffic_analytics_interval=10, workspace_region=region, workspace_resource_id=workspace
        )
    )


def _create_store(ground: Ground, account: str) -> storage.StorageAccount:
    return storage.StorageAccount(
        f"{ground.name}-flow-store",
        resource_group_name=ground.group,
        location=ground.region,
        account_name=account,
        kind="StorageV2",
        sku=storage.SkuArgs(name="Standard_LRS"),
        access_tier=storage.AccessTier.COOL,
        allow_blob_public_access=False,
        allow_cross_tenant_replication=False,
        allow_shared_key_access=False,
        allowed_copy_scope="PrivateLink",
        enable_https_traffic_only=True,
        minimum_tls_version="TLS1_2",
        network_rule_set=storage.NetworkRuleSetArgs(default_action=storage.DefaultAction.DENY, bypass="AzureServices"),
        opts=ground.kept,
    )
