"""The network on Azure: what makes it what the table of capabilities claims, asked of what it registers."""

from collections.abc import Mapping
from ipaddress import ip_network
from itertools import combinations, pairwise
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.network.azure import AzureNetwork, AzureNetworkArgs
from components.network.azure_plan import ZONES, AzureNetworkError, Service, Subnet, addresses, hosts_allowed, zones_of
from components.providers import azure_provider
from regions.catalogue import load_catalogue
from tests.fixtures.recording import Graph, Recorded, conforms, record, reviewed
from tests.fixtures.workloads import unmet

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
HUB = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/corp"
HOSTS = ("orders.example.se", "login.microsoftonline.com")
VNET = "azure-native:network:VirtualNetwork"
SUBNET = "azure-native:network:Subnet"
RULES = "azure-native:network:NetworkSecurityGroup"
GROUP = "azure-native:network:ApplicationSecurityGroup"
ZONE = "azure-native:privatedns:PrivateZone"
LINK = "azure-native:privatedns:VirtualNetworkLink"
STORE = "azure-native:storage:StorageAccount"
DELEGATED = [{"name": "flexible-servers", "serviceName": "Microsoft.DBforPostgreSQL/flexibleServers"}]
ARGS: AzureNetworkArgs = {
    "stack": "azure-swedencentral",
    "subscription": SUBSCRIPTION,
    "region": "swedencentral",
    "environment": "public",
    "cidr": "10.40.0.0/20",
    "hosts": HOSTS,
    "zones": ("1", "2", "3"),
    "retention_days": 90,
    "log_account": "flowsazureswedencentral",
}
MAKES_IT = [
    ("group", "azure-native:resources:ResourceGroup", "location", "swedencentral"),
    ("vnet", VNET, "addressSpace.addressPrefixes", ["10.40.0.0/20"]),
    ("primary", SUBNET, "delegations", DELEGATED),
    ("replica", SUBNET, "delegations", DELEGATED),
    ("primary", SUBNET, "networkSecurityGroup.id", "net-primary-rules-id"),
    ("replica", SUBNET, "networkSecurityGroup.id", "net-replica-rules-id"),
    ("endpoints", SUBNET, "networkSecurityGroup.id", "net-endpoints-rules-id"),
    ("endpoints", SUBNET, "privateEndpointNetworkPolicies", "Enabled"),
    ("runtime", SUBNET, "networkSecurityGroup.id", "net-nodes-rules-id"),
    ("tools", SUBNET, "networkSecurityGroup.id", "net-nodes-rules-id"),
    ("runtime", SUBNET, "routeTable.id", "net-routes-id"),
    ("tools", SUBNET, "routeTable.id", "net-routes-id"),
    ("runtime", SUBNET, "defaultOutboundAccess", False),
    ("tools", SUBNET, "defaultOutboundAccess", False),
    ("firewall", SUBNET, "subnetName", "AzureFirewallSubnet"),
    ("runtime-group", GROUP, "location", "swedencentral"),
    ("tools-group", GROUP, "location", "swedencentral"),
    ("routes", "azure-native:network:RouteTable", "routes[0].addressPrefix", "0.0.0.0/0"),
    ("routes", "azure-native:network:RouteTable", "routes[0].nextHopType", "VirtualAppliance"),
    ("routes", "azure-native:network:RouteTable", "routes[0].nextHopIpAddress", "10.40.9.4"),
    ("routes", "azure-native:network:RouteTable", "disableBgpRoutePropagation", True),
    ("firewall", "azure-native:network:AzureFirewall", "firewallPolicy.id", "net-policy-id"),
    ("firewall", "azure-native:network:AzureFirewall", "zones", ["1", "2", "3"]),
    ("firewall", "azure-native:network:AzureFirewall", "ipConfigurations[0].subnet.id", "net-firewall-id"),
    (
        "firewall",
        "azure-native:network:AzureFirewall",
        "ipConfigurations[0].publicIPAddress.id",
        "net-egress-address-id",
    ),
    ("egress-address", "azure-native:network:PublicIPAddress", "sku.name", "Standard"),
    ("policy", "azure-native:network:FirewallPolicy", "threatIntelMode", "Deny"),
    (
        "egress-rules",
        "azure-native:network:FirewallPolicyRuleCollectionGroup",
        "ruleCollections[0].rules[0].targetFqdns",
        sorted(HOSTS),
    ),
    ("firewall-logs", "azure-native:monitor:DiagnosticSetting", "workspaceId", "net-logs-id"),
    ("firewall-logs", "azure-native:monitor:DiagnosticSetting", "logs[0].categoryGroup", "allLogs"),
    ("logs", "azure-native:operationalinsights:Workspace", "retentionInDays", 90),
    ("logs", "azure-native:operationalinsights:Workspace", "features.disableLocalAuth", True),
    ("vnet-flows", "azure-native:network:FlowLog", "enabled", True),
    ("vnet-flows", "azure-native:network:FlowLog", "targetResourceId", "net-vnet-id"),
    ("vnet-flows", "azure-native:network:FlowLog", "retentionPolicy.days", 90),
    (
        "vnet-flows",
        "azure-native:network:FlowLog",
        "flowAnalyticsConfiguration.networkWatcherFlowAnalyticsConfiguration.workspaceResourceId",
        "net-logs-id",
    ),
    ("vnet-flows", "azure-native:network:FlowLog", "storageId", "net-flow-store-id"),
    ("vnet-flows", "azure-native:network:FlowLog", "identity.userAssignedIdentities", ["net-flow-writer-id"]),
    ("vnet-flows", "azure-native:network:FlowLog", "networkWatcherName", "NetworkWatcher_swedencentral"),
    ("flow-writer", "azure-native:managedidentity:UserAssignedIdentity", "location", "swedencentral"),
    ("flow-writer-role", "azure-native:authorization:RoleAssignment", "principalId", "net-flow-writer-principalId"),
    ("flow-store", STORE, "sku.name", "Standard_LRS"),
    ("flow-store", STORE, "allowBlobPublicAccess", False),
    ("flow-store", STORE, "allowSharedKeyAccess", False),
    ("flow-store", STORE, "networkRuleSet.defaultAction", "Deny"),
    ("flow-store", STORE, "minimumTlsVersion", "TLS1_2"),
    ("flow-writer-role", "azure-native:authorization:RoleAssignment", "scope", "net-flow-store-id"),
    ("postgres-zone", ZONE, "privateZoneName", "azure-swedencentral.private.postgres.database.azure.com"),
    ("vault-zone", ZONE, "privateZoneName", "privatelink.vaultcore.azure.net"),
    ("hsm-zone", ZONE, "privateZoneName", "privatelink.managedhsm.azure.net"),
    ("postgres-zone-link", LINK, "virtualNetwork.id", "net-vnet-id"),
    ("vault-zone-link", LINK, "virtualNetwork.id", "net-vnet-id"),
    ("hsm-zone-link", LINK, "virtualNetwork.id", "net-vnet-id"),
]
CELL_NETWORK: list[tuple[str, str, dict[str, Any]]] = [
    (VNET, "network-vnet", {"addressSpace.addressPrefixes": ...}),
    *(
        (SUBNET, f"network-{role}", {"delegations": DELEGATED, "networkSecurityGroup.id": ...})
        for role in ("primary", "replica")
    ),
    *(
        (
            SUBNET,
            f"network-{role}",
            {"networkSecurityGroup.id": ..., "routeTable.id": ..., "defaultOutboundAccess": False},
        )
        for role in ("runtime", "tools")
    ),
    (SUBNET, "network-endpoints", {"privateEndpointNetworkPolicies": "Enabled", "defaultOutboundAccess": False}),
    *((ZONE, f"network-{service}-zone", {"privateZoneName": ...}) for service in ZONES["public"]),
    *((LINK, f"network-{service}-zone-link", {"virtualNetwork.id": ...}) for service in ZONES["public"]),
    (
        "azure-native:network:RouteTable",
        "network-routes",
        {"routes.0.nextHopType": "VirtualAppliance", "disableBgpRoutePropagation": True},
    ),
    ("azure-native:network:AzureFirewall", "network-firewall", {"firewallPolicy.id": ..., "zones": ...}),
    (
        "azure-native:network:FirewallPolicyRuleCollectionGroup",
        "network-egress-rules",
        {
            "ruleCollections.0.action.type": "Allow",
            "ruleCollections.0.rules.0.targetFqdns": ...,
            "ruleCollections.0.rules.0.sourceAddresses": ...,
        },
    ),
    (
        "azure-native:operationalinsights:Workspace",
        "network-logs",
        {
            "retentionInDays": ...,
            "features.disableLocalAuth": True,
            "publicNetworkAccessForIngestion": "Disabled",
            "publicNetworkAccessForQuery": "Disabled",
        },
    ),
    ("azure-native:network:FlowLog", "network-vnet-flows", {"enabled": True, "retentionPolicy.days": ...}),
]
OWN = {
    "azure-native:network:getVirtualNetwork": {
        "location": "swedencentral",
        "addressSpace": {"addressPrefixes": ["10.0.0.0/8"]},
    },
    "azure-native:network:getSubnet": {
        "addressPrefix": "10.99.0.0/24",
        "delegations": [],
        "networkSecurityGroup": {"id": "theirs"},
        "routeTable": {"id": "theirs"},
    },
}


def answers(type_: str, _name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    if type_ == "azure-native:network:AzureFirewall":
        return {"ipConfigurations": [{**inputs["ipConfigurations"][0], "privateIPAddress": "10.40.9.4"}]}
    if type_ == "azure-native:network:FlowLog":  # a list goes in, a mapping comes out
        identity = inputs["identity"]
        return {"identity": {**identity, "userAssignedIdentities": {id_: {} for id_ in _known(identity)}}}
    return {}


def _known(identity: Mapping[str, Any]) -> list[str]:
    found = identity["userAssignedIdentities"]
    return found if isinstance(found, list) else []


def built(calls: Mapping[str, Any] | None = None, *, preview: bool = False, **other: Any) -> Graph:
    args: AzureNetworkArgs = {**ARGS, **other}

    def program() -> None:
        provider = azure_provider("azure", args["region"], args["environment"], SUBSCRIPTION, {SUBSCRIPTION})
        AzureNetwork("net", args, pulumi.ResourceOptions(providers=[provider]))

    return record(program, answers=answers, calls=calls, preview=preview)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return built()


def role(graph: Graph, name: str, type_: str) -> Recorded:
    (found,) = [each for each in graph.of(type_) if each.name == f"net-{name}"]
    return found


def at(properties: Any, path: str) -> Any:
    for part in path.replace("[0]", ".0").split("."):
        properties = properties[int(part)] if part.isdigit() else properties[part]
    return properties


def rules_of(graph: Graph, name: str, direction: str) -> list[tuple[int, str, Any, Any, str]]:
    found = role(graph, f"{name}-rules", RULES).properties["securityRules"]
    return [
        (
            rule["priority"],
            rule["access"],
            rule.get("sourceAddressPrefix")
            or rule.get("sourceAddressPrefixes")
            or [group["id"] for group in rule["sourceApplicationSecurityGroups"]],
            rule.get("destinationAddressPrefix") or rule["destinationAddressPrefixes"],
            rule["destinationPortRange"],
        )
        for rule in found
        if rule["direction"] == direction
    ]


@pytest.mark.parametrize(("name", "type_", "path", "value"), MAKES_IT)
def test_what_makes_it_private_is_there(graph: Graph, name: str, type_: str, path: str, value: Any) -> None:
    assert at(role(graph, name, type_).properties, path) == value


def test_it_is_what_its_cell_claims(graph: Graph) -> None:
    cell = [(token, suffix.replace("network-", "net-"), said) for token, suffix, said in CELL_NETWORK]

    assert unmet(graph, cell) == []


@pytest.mark.parametrize("preview", [False, True])
def test_it_keeps_what_every_component_keeps(preview: bool) -> None:
    conforms(built(preview=preview), "loomstead:network:Network")


def test_the_group_stays_when_the_stack_goes_for_with_it_would_go_all_that_is_retained_in_it(graph: Graph) -> None:
    group = role(graph, "group", "azure-native:resources:ResourceGroup")

    assert group.protect
    assert group.retain_on_delete


def test_what_was_logged_stays_when_the_stack_goes(graph: Graph) -> None:
    logs = [role(graph, "logs", "azure-native:operationalinsights:Workspace"), role(graph, "flow-store", STORE)]

    assert all(each.protect and each.retain_on_delete for each in logs)


def test_flow_logs_are_kept_no_longer_than_azure_keeps_them() -> None:
    graph = built(retention_days=730)

    assert role(graph, "vnet-flows", "azure-native:network:FlowLog").properties["retentionPolicy"]["days"] == 365
    assert role(graph, "logs", "azure-native:operationalinsights:Workspace").properties["retentionInDays"] == 730


def test_only_tool_executors_and_the_primary_reach_the_replica(graph: Graph) -> None:
    tools, primary, replica = "10.40.4.0/22", "10.40.10.0/24", "10.40.11.0/24"

    assert rules_of(graph, "replica", "Inbound") == [
        (100, "Allow", tools, replica, "5432"),
        (110, "Allow", primary, replica, "5432"),
        (120, "Allow", replica, replica, "5432"),
        (4096, "Deny", "*", "*", "*"),
    ]


def test_no_tool_executor_reaches_the_primary(graph: Graph) -> None:
    runtime, primary, replica = "10.40.0.0/22", "10.40.10.0/24", "10.40.11.0/24"

    assert rules_of(graph, "primary", "Inbound") == [
        (100, "Allow", runtime, primary, "5432"),
        (110, "Allow", replica, primary, "5432"),
        (120, "Allow", primary, primary, "5432"),
        (4096, "Deny", "*", "*", "*"),
    ]
    assert rules_of(graph, "nodes", "Outbound") == [
        (100, "Allow", ["net-runtime-group-id"], primary, "5432"),
        (110, "Allow", ["net-tools-group-id"], replica, "5432"),
        (120, "Deny", "*", [primary, replica], "*"),
    ]


def test_databases_call_nobody_but_each_other_their_regions_storage_and_entra(graph: Graph) -> None:
    primary, replica = "10.40.10.0/24", "10.40.11.0/24"

    for own, (name, other) in {primary: ("primary", replica), replica: ("replica", primary)}.items():
        assert rules_of(graph, name, "Outbound") == [
            (100, "Allow", own, own, "5432"),
            (110, "Allow", own, other, "5432"),
            (120, "Allow", own, "Storage.swedencentral", "443"),
            (130, "Allow", own, "AzureActiveDirectory", "443"),
            (4096, "Deny", "*", "*", "*"),
        ]


def test_no_application_group_is_in_the_rules_of_a_subnet_that_is_delegated(graph: Graph) -> None:
    for name in ("primary", "replica"):
        rules = role(graph, f"{name}-rules", RULES).properties["securityRules"]
        assert [rule for rule in rules if rule.get("sourceApplicationSecurityGroups")] == []


def test_only_nodes_reach_private_endpoints(graph: Graph) -> None:
    assert rules_of(graph, "endpoints", "Inbound") == [
        (100, "Allow", ["10.40.0.0/22", "10.40.4.0/22"], "10.40.8.0/24", "443"),
        (4096, "Deny", "*", "*", "*"),
    ]


def test_the_firewall_lets_the_runtime_alone_to_the_declared_hosts_by_https_alone(graph: Graph) -> None:
    (collection,) = role(graph, "egress-rules", "azure-native:network:FirewallPolicyRuleCollectionGroup").properties[
        "ruleCollections"
    ]

    assert collection["action"] == {"type": "Allow"}
    (rule,) = collection["rules"]
    assert rule["protocols"] == [{"port": 443, "protocolType": "Https"}]
    assert rule["sourceAddresses"] == ["10.40.0.0/22"]


def test_of_a_vnet_that_is_there_the_runtimes_own_block_may_leave() -> None:
    graph = built(OWN, vnet=HUB, subnets={"runtime": f"{HUB}/subnets/nodes"})

    (rules,) = graph.of("azure-native:network:FirewallPolicyRuleCollectionGroup")
    assert at(rules.properties, "ruleCollections[0].rules[0].sourceAddresses") == ["10.99.0.0/24"]


def test_without_declared_hosts_the_firewall_has_no_rule_at_all() -> None:
    assert built(hosts=()).of("azure-native:network:FirewallPolicyRuleCollectionGroup") == []


def test_subnets_of_a_vnet_are_made_one_after_the_other(graph: Graph) -> None:
    made = graph.of(SUBNET)

    for before, after in pairwise(made):
        assert before.urn in after.dependencies


@pytest.mark.parametrize(
    ("regime", "region"), [("eu-gdpr", "swedencentral"), ("ch-fadp", "switzerlandnorth"), ("us-itar", "usgovvirginia")]
)
def test_the_rules_have_nothing_against_it(regime: str, region: str) -> None:
    partition = load_catalogue().regions[region].partition

    assert reviewed(built(region=region, environment=partition), regime, region) == []


def test_a_flow_log_in_another_country_would_be_a_finding() -> None:
    assert {finding.rule for finding in reviewed(built(region="swedencentral"), "ch-fadp", "switzerlandnorth")} >= {
        "Z01",
        "Z19",
    }


@pytest.mark.parametrize("environment", sorted(ZONES))
def test_every_cloud_of_azure_has_its_own_suffixes(environment: str) -> None:
    graph = built(environment=environment)

    made = {each.properties["privateZoneName"] for each in graph.of(ZONE)}
    others = [zone for cloud in ZONES if cloud != environment for zone in ZONES[cloud].values()]
    assert made == set(zones_of(environment, "azure-swedencentral").values())
    assert [zone for zone in others if any(name.endswith(zone) for name in made)] == []


def test_clouds_are_those_of_the_catalogue() -> None:
    assert set(ZONES) == {found.partition for found in load_catalogue().regions.values() if found.platform == "azure"}
    assert all({Service.POSTGRES, Service.VAULT} <= set(zones) for zones in ZONES.values())


def test_an_unknown_cloud_is_refused_before_anything_is_made() -> None:
    with pytest.raises(AzureNetworkError, match="no cloud 'germany': take one of public"):
        zones_of("germany", "stack")


def test_in_a_vnet_that_is_there_only_what_is_missing_is_made() -> None:
    graph = built(OWN, vnet=HUB, subnets={"runtime": f"{HUB}/subnets/nodes"}, egress="10.99.255.4")

    conforms(graph, "loomstead:network:Network")
    assert graph.of(VNET) == graph.of("azure-native:network:AzureFirewall") == []
    assert {each.name for each in graph.of(SUBNET)} == {"net-primary", "net-replica", "net-endpoints", "net-tools"}
    assert {each.properties["virtualNetworkName"] for each in graph.of(SUBNET)} == {"corp"}
    assert {each.properties["resourceGroupName"] for each in graph.of(SUBNET)} == {"hub"}
    assert rules_of(graph, "primary", "Inbound")[0] == (100, "Allow", "10.99.0.0/24", "10.40.10.0/24", "5432")
    (routes,) = graph.of("azure-native:network:RouteTable")
    assert at(routes.properties, "routes[0].nextHopIpAddress") == "10.99.255.4"
    assert {each.properties["targetResourceId"] for each in graph.of("azure-native:network:FlowLog")} == {
        each.id for each in graph.of(SUBNET)
    }
    outputs = graph.outputs[graph.component("loomstead:network:Network").urn]
    assert outputs["workloads"] == [f"{HUB}/subnets/nodes", "net-tools-id"]


def their(function: str, **other: Any) -> dict[str, Any]:
    token = f"azure-native:network:{function}"
    return {**OWN, token: {**OWN[token], **other}}


@pytest.mark.parametrize(
    ("calls", "other", "reason"),
    [
        (OWN, {"subnets": {"runtime": f"{HUB}/subnets/nodes"}}, "without vnet: name the VNet"),
        (OWN, {"vnet": "corp"}, "'corp' is the id of no VNet or subnet: expected /subscriptions"),
        (OWN, {"vnet": HUB, "subnets": {"replica": f"{HUB}/subnets/db"}}, "replica cannot be given, only runtime"),
        (OWN, {"vnet": HUB, "subnets": {"tools": HUB}}, "is no subnet of"),
        (OWN, {"vnet": HUB, "subnets": {"tools": f"{HUB}2/subnets/nodes"}}, "is no subnet of"),
        *(
            (
                OWN,
                {"vnet": HUB, "subnets": {one: f"{HUB}/subnets/nodes", other: f"{HUB}/subnets/NODES"}},
                f"{one} and {other} are one subnet.*let in to the primary or out: give each its own",
            )
            for one, other in combinations(("runtime", "tools", "endpoints"), 2)
        ),
        (
            OWN,
            {"vnet": HUB, "subnets": {"runtime": f"{HUB}/subnets/a", "tools": f"{HUB}/subnets/b"}},
            "runtime has 10.99.0.0/24 and tools 10.99.0.0/24, which overlap.*give each its own",
        ),
        (
            OWN,
            {"vnet": HUB, "subnets": {"tools": f"{HUB}/subnets/b"}, "egress": "10.99.0.4"},
            "egress 10.99.0.4 is in tools's 10.99.0.0/24.*in a subnet of its own",
        ),
        (OWN, {"vnet": HUB, "egress": "10.40.0.9"}, "egress 10.40.0.9 is in runtime's 10.40.0.0/22"),
        (OWN, {"vnet": HUB, "egress": "firewall"}, "egress 'firewall' is no IPv4 address: give the firewall's private"),
        (OWN, {"vnet": HUB, "egress": ""}, "egress '' is no IPv4 address"),
        (their("getVirtualNetwork", location="westeurope"), {"vnet": HUB}, "in westeurope, the stack in swedencentral"),
        (
            their("getVirtualNetwork", addressSpace={"addressPrefixes": ["10.39.0.0/16"]}),
            {"vnet": HUB},
            "10.40.0.0/22.* is not in its address space: add cidr",
        ),
        (their("getSubnet", addressPrefix="10.40.0.0/16"), {}, "would overlap: take another cidr"),
        (their("getSubnet", delegations=[{"name": "x"}]), {}, "is delegated"),
        (their("getSubnet", networkSecurityGroup=None), {}, "has no security group"),
        (their("getSubnet", routeTable=None), {}, "would leave past the firewall"),
        (their("getSubnet", addressPrefix=None, addressPrefixes=["10.9.0.0/24", "10.8.0.0/24"]), {}, "2 address"),
    ],
)
def test_a_vnet_that_lacks_what_it_needs_is_refused(
    calls: Mapping[str, Any], other: dict[str, Any], reason: str
) -> None:
    with pytest.raises(AzureNetworkError, match=reason):
        built(calls, **(other or {"vnet": HUB, "subnets": {"runtime": f"{HUB}/subnets/nodes"}}))


@pytest.mark.parametrize(
    ("cidr", "reason"),
    [
        ("10.40.0.0/23", "too small.*Take a /22 or wider"),
        ("10.40.0.1/20", "is no block of addresses.*host bits"),
        ("20.40.0.0/20", "is public: take one inside 10.0.0.0/8"),
        ("many", "is no block of addresses"),
    ],
)
def test_a_block_that_cannot_hold_the_subnets_is_refused(cidr: str, reason: str) -> None:
    with pytest.raises(AzureNetworkError, match=reason):
        addresses(cidr)


@given(st.integers(8, 22), st.integers(0, 2**14 - 1))
def test_subnets_never_overlap_and_stay_in_the_block(prefix: int, index: int) -> None:
    block = list(ip_network("10.0.0.0/8").subnets(new_prefix=prefix))[index % 2 ** (prefix - 8)]

    cut = addresses(str(block))

    assert set(cut) == set(Subnet)
    assert all(found.subnet_of(block) for found in cut.values() if found.version == block.version)
    assert not any(one.overlaps(other) for one, other in combinations(cut.values(), 2))
    assert cut[Subnet.FIREWALL].prefixlen <= 26


def test_another_port_than_that_of_https_is_refused() -> None:
    with pytest.raises(AzureNetworkError, match=r":8443: expected.* without a port: .*HTTPS on 443 alone, so have"):
        built(hosts=["orders.example.se:8443"])


@pytest.mark.parametrize("host", ["*", "*.com", "https://example.org", "10.0.0.1", "a b.example.org", ""])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(AzureNetworkError, match="expected host names"):
        hosts_allowed(["orders.example.se", host])
