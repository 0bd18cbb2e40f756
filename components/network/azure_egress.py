"""The one way out: a firewall that lets the runtime reach the declared hosts, and the route that leads to it."""

from collections.abc import Sequence

from pulumi import Input, Output
from pulumi_azure_native import monitor, network

from components.network.azure_ground import Ground
from components.network.azure_plan import HTTPS


def create_routes(ground: Ground, hop: Input[str]) -> network.RouteTable:
    """The nodes' routes: everything that is not in the VNet goes to the firewall at ``hop``."""
    everything = network.RouteArgs(
        name="everything", address_prefix="0.0.0.0/0", next_hop_type="VirtualAppliance", next_hop_ip_address=hop
    )
    return network.RouteTable(
        f"{ground.name}-routes",
        resource_group_name=ground.group,
        location=ground.region,
        disable_bgp_route_propagation=True,
        routes=[everything],
        opts=ground.child,
    )


def create_firewall(
    ground: Ground,
    subnet: Input[str],
    runtime: str,
    hosts: Sequence[str],
    zones: Sequence[str],
    workspace: Input[str],
) -> Output[str]:
    """Its private address. ``runtime``: the block that may leave. What is not among ``hosts`` is denied, and logged."""
    address = network.PublicIPAddress(
        f"{ground.name}-egress-address",
        resource_group_name=ground.group,
        location=ground.region,
        sku=network.PublicIPAddressSkuArgs(name="Standard"),
        public_ip_allocation_method="Static",
        zones=[*zones] or None,
        opts=ground.child,
    )
    made = network.AzureFirewall(
        f"{ground.name}-firewall",
        resource_group_name=ground.group,
        location=ground.region,
        sku=network.AzureFirewallSkuArgs(name="AZFW_VNet", tier="Standard"),
        firewall_policy=network.SubResourceArgs(id=_create_policy(ground, runtime, hosts)),
        ip_configurations=[
            network.AzureFirewallIPConfigurationArgs(
                name="egress",
                public_ip_address=network.SubResourceArgs(id=address.id),
                subnet=network.SubResourceArgs(id=subnet),
            )
        ],
        zones=[*zones] or None,
        opts=ground.child,
    )
    monitor.DiagnosticSetting(
        f"{ground.name}-firewall-logs",
        resource_uri=made.id,
        workspace_id=workspace,
        log_analytics_destination_type="Dedicated",
        logs=[monitor.DiagnosticsLogSettingsArgs(category_group="allLogs", enabled=True)],
        opts=ground.child,
    )
    # A preview knows the address as little as the id.
    configurations = made.id.apply(lambda _: made.ip_configurations)
    return configurations.apply(lambda found: (found[0].private_ip_address if found else None) or "")


def _create_policy(ground: Ground, runtime: str, hosts: Sequence[str]) -> Output[str]:
    policy = network.FirewallPolicy(
        f"{ground.name}-policy",
        resource_group_name=ground.group,
        location=ground.region,
        sku=network.FirewallPolicySkuArgs(tier="Standard"),
        threat_intel_mode="Deny",
        opts=ground.child,
    )
    if not hosts:  # Azure takes no collection without a rule
        return policy.id
    rules = network.FirewallPolicyRuleCollectionGroup(
        f"{ground.name}-egress-rules",
        resource_group_name=ground.group,
        firewall_policy_name=policy.name,
        priority=100,
        rule_collections=[_collection(runtime, hosts)],
        opts=ground.child,
    )
    # Azure refuses to change a policy while a firewall takes it: the rules come first.
    return Output.all(policy.id, rules.id).apply(lambda ids: ids[0])


def _collection(runtime: str, hosts: Sequence[str]) -> network.FirewallPolicyFilterRuleCollectionArgs:
    declared = network.ApplicationRuleArgs(
        rule_type="ApplicationRule",
        name="declared-hosts",
        source_addresses=[runtime],
        protocols=[network.FirewallPolicyRuleApplicationProtocolArgs(protocol_type="Https", port=HTTPS)],
        target_fqdns=[*hosts],
    )
    return network.FirewallPolicyFilterRuleCollectionArgs(
        rule_collection_type="FirewallPolicyFilterRuleCollection",
        name="declared",
        priority=100,
        action=network.FirewallPolicyFilterRuleCollectionActionArgs(type="Allow"),
        rules=[declared],
    )
