"""A network on Google Cloud: what makes it private is in the graph, and an own network is looked at first."""

from collections.abc import Mapping
from ipaddress import IPv4Network, ip_address, ip_network
from itertools import combinations
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.network.exits import Exit
from components.network.gcp import GcpNetwork, GcpNetworkArgs
from components.network.gcp_ground import NetworkUnfit, divide
from components.providers import gcp_provider
from regions.catalogue import load_catalogue
from tests.fixtures.recording import Graph, Recorded, conforms, record, reviewed

PROJECT = "loomstead-test"
EXITS = [Exit("orders.example.de", 443), Exit("api.mistral.ai", 443), Exit("192.0.2.7", 8443)]
WHOLE_PLAN = {
    "G10": "one SnapshotSettings a project: the guardrails' part",
    "G27": "organisation policies are the guardrails' part",
}
RULE = "gcp:compute/regionNetworkFirewallPolicyRule:RegionNetworkFirewallPolicyRule"
OWN = {
    "gcp:compute/getNetwork:getNetwork": {"id": "projects/hub/global/networks/hub", "name": "hub"},
    "gcp:compute/getSubnetwork:getSubnetwork": {
        "id": "projects/hub/regions/europe-west3/subnetworks/agents",
        "network": "https://www.googleapis.com/compute/v1/projects/hub/global/networks/hub",
        "ipCidrRange": "10.0.0.0/20",
        "privateIpGoogleAccess": True,
        "stackType": "IPV4_ONLY",
        "secondaryIpRanges": [
            {"rangeName": "pods", "ipCidrRange": "10.1.0.0/17"},
            {"rangeName": "services", "ipCidrRange": "10.2.0.0/20"},
        ],
    },
    "gcp:compute/getGlobalAddress:getGlobalAddress": {
        "address": "10.3.0.0",
        "prefixLength": 24,
        "purpose": "VPC_PEERING",
        "network": "projects/hub/global/networks/hub",
    },
}
MAKES_IT = [
    ("vpc", "gcp:compute/network:Network", "autoCreateSubnetworks", False),
    ("vpc", "gcp:compute/network:Network", "deleteDefaultRoutesOnCreate", True),
    ("vpc", "gcp:compute/network:Network", "networkFirewallPolicyEnforcementOrder", "BEFORE_CLASSIC_FIREWALL"),
    ("vpc", "gcp:compute/network:Network", "routingMode", "REGIONAL"),
    ("workloads", "gcp:compute/subnetwork:Subnetwork", "network", "net-vpc-id"),
    ("workloads", "gcp:compute/subnetwork:Subnetwork", "ipCidrRange", "10.64.128.0/20"),
    (
        "workloads",
        "gcp:compute/subnetwork:Subnetwork",
        "secondaryIpRanges",
        [
            {"rangeName": "pods", "ipCidrRange": "10.64.0.0/17"},
            {"rangeName": "services", "ipCidrRange": "10.64.144.0/20"},
        ],
    ),
    ("workloads", "gcp:compute/subnetwork:Subnetwork", "stackType", "IPV4_ONLY"),
    ("workloads", "gcp:compute/subnetwork:Subnetwork", "region", "europe-west3"),
    ("workloads", "gcp:compute/subnetwork:Subnetwork", "privateIpGoogleAccess", True),
    ("workloads", "gcp:compute/subnetwork:Subnetwork", "logConfig.metadata", "INCLUDE_ALL_METADATA"),
    ("proxies", "gcp:compute/subnetwork:Subnetwork", "purpose", "REGIONAL_MANAGED_PROXY"),
    ("proxies", "gcp:compute/subnetwork:Subnetwork", "role", "ACTIVE"),
    ("proxies", "gcp:compute/subnetwork:Subnetwork", "region", "europe-west3"),
    ("dns-log", "gcp:dns/policy:Policy", "enableLogging", True),
    ("dns-log", "gcp:dns/policy:Policy", "networks", [{"networkUrl": "net-vpc-id"}]),
    ("apis-address", "gcp:compute/globalAddress:GlobalAddress", "address", "10.64.163.1"),
    ("apis", "gcp:compute/globalForwardingRule:GlobalForwardingRule", "ipAddress", "net-apis-address-id"),
    ("apis", "gcp:compute/globalForwardingRule:GlobalForwardingRule", "network", "net-vpc-id"),
    ("apis", "gcp:compute/globalForwardingRule:GlobalForwardingRule", "loadBalancingScheme", ""),
    (
        "googleapis-com",
        "gcp:dns/managedZone:ManagedZone",
        "privateVisibilityConfig",
        {"networks": [{"networkUrl": "net-vpc-id"}]},
    ),
    ("apis-address", "gcp:compute/globalAddress:GlobalAddress", "purpose", "PRIVATE_SERVICE_CONNECT"),
    ("apis", "gcp:compute/globalForwardingRule:GlobalForwardingRule", "target", "vpc-sc"),
    ("googleapis-com", "gcp:dns/managedZone:ManagedZone", "visibility", "private"),
    ("googleapis-com-apex", "gcp:dns/recordSet:RecordSet", "rrdatas", ["10.64.163.1"]),
    ("googleapis-com-any", "gcp:dns/recordSet:RecordSet", "rrdatas", ["googleapis.com."]),
    (
        "secretmanager",
        "gcp:networkconnectivity/regionalEndpoint:RegionalEndpoint",
        "targetGoogleApi",
        "secretmanager.europe-west3.rep.googleapis.com",
    ),
    ("secretmanager", "gcp:networkconnectivity/regionalEndpoint:RegionalEndpoint", "accessType", "REGIONAL"),
    ("secretmanager", "gcp:networkconnectivity/regionalEndpoint:RegionalEndpoint", "subnetwork", "net-workloads-id"),
    ("secretmanager-public", "gcp:dns/recordSet:RecordSet", "name", "secretmanager.europe-west3.rep.googleapis.com."),
    ("secretmanager-public", "gcp:dns/recordSet:RecordSet", "rrdatas", ["net-secretmanager-address"]),
    (
        "secretmanager-private",
        "gcp:dns/recordSet:RecordSet",
        "name",
        "secretmanager.europe-west3.p.rep.googleapis.com.",
    ),
    ("pkg-dev", "gcp:dns/managedZone:ManagedZone", "dnsName", "pkg.dev."),
    ("primary-range", "gcp:compute/globalAddress:GlobalAddress", "purpose", "VPC_PEERING"),
    ("replica-range", "gcp:compute/globalAddress:GlobalAddress", "purpose", "VPC_PEERING"),
    (
        "database-peering",
        "gcp:servicenetworking/connection:Connection",
        "reservedPeeringRanges",
        ["net-primary-range-name", "net-replica-range-name"],
    ),
    ("group", "gcp:tags/tagKey:TagKey", "purpose", "GCE_FIREWALL"),
    ("group", "gcp:tags/tagKey:TagKey", "purposeData", {"network": "loomstead-test/net-vpc-name"}),
    ("runtime", "gcp:tags/tagValue:TagValue", "parent", "net-group-id"),
    ("tools", "gcp:tags/tagValue:TagValue", "parent", "net-group-id"),
    ("nat", "gcp:compute/routerNat:RouterNat", "sourceSubnetworkIpRangesToNat", "LIST_OF_SUBNETWORKS"),
    ("nat", "gcp:compute/routerNat:RouterNat", "natIpAllocateOption", "MANUAL_ONLY"),
    ("nat", "gcp:compute/routerNat:RouterNat", "natIps", ["net-out-address-selfLink"]),
    (
        "nat",
        "gcp:compute/routerNat:RouterNat",
        "subnetworks",
        [{"name": "net-workloads-id", "sourceIpRangesToNats": ["ALL_IP_RANGES"]}],
    ),
    ("nat", "gcp:compute/routerNat:RouterNat", "logConfig", {"enable": True, "filter": "ALL"}),
    ("nat", "gcp:compute/routerNat:RouterNat", "enableDynamicPortAllocation", True),
    ("nat", "gcp:compute/routerNat:RouterNat", "enableEndpointIndependentMapping", False),
    ("out", "gcp:compute/route:Route", "destRange", "0.0.0.0/0"),
    ("out", "gcp:compute/route:Route", "nextHopGateway", "default-internet-gateway"),
    ("primary-range", "gcp:compute/globalAddress:GlobalAddress", "prefixLength", 24),
    ("primary-range", "gcp:compute/globalAddress:GlobalAddress", "addressType", "INTERNAL"),
    ("primary-range", "gcp:compute/globalAddress:GlobalAddress", "network", "net-vpc-id"),
    (
        "egress-association",
        "gcp:compute/regionNetworkFirewallPolicyAssociation:RegionNetworkFirewallPolicyAssociation",
        "attachmentTarget",
        "net-vpc-id",
    ),
    ("egress-rest", RULE, "action", "deny"),
    ("egress-rest", RULE, "match.destIpRanges", ["0.0.0.0/0"]),
    ("egress-rest", RULE, "match.layer4Configs", [{"ipProtocol": "all"}]),
    ("egress-rest", RULE, "targetSecureTags", []),
    ("egress-rest", RULE, "enableLogging", True),
    ("egress-primary", RULE, "match.destIpRanges", ["10.64.160.0/24"]),
    ("egress-primary", RULE, "targetSecureTags", [{"name": "net-runtime-id"}]),
    ("egress-replica", RULE, "match.destIpRanges", ["10.64.161.0/24"]),
    ("egress-replica", RULE, "targetSecureTags", [{"name": "net-tools-id"}]),
    ("egress-apis", RULE, "match.destIpRanges", ["10.64.163.1/32"]),
    ("egress-apis", RULE, "targetSecureTags", [{"name": "net-runtime-id"}]),
    ("egress-exit-0", RULE, "match.destFqdns", ["api.mistral.ai", "orders.example.de"]),
    ("egress-exit-0", RULE, "match.layer4Configs", [{"ipProtocol": "tcp", "ports": ["443"]}]),
    ("egress-exit-0", RULE, "targetSecureTags", [{"name": "net-runtime-id"}]),
    ("egress-exit-1", RULE, "match.destIpRanges", ["192.0.2.7/32"]),
    ("egress-exit-1", RULE, "match.layer4Configs", [{"ipProtocol": "tcp", "ports": ["8443"]}]),
]
CELL_NETWORK = [(type_, f"-{role}", {path: value}) for role, type_, path, value in MAKES_IT if role != "egress-exit-1"]
"""No shipped stack calls an address, so the rule of that exit is in none."""


def made(
    region: str = "europe-west3", calls: Mapping[str, Any] | None = None, preview: bool = False, **changed: Any
) -> Graph:
    universe = load_catalogue().regions[region].partition
    args: GcpNetworkArgs = {
        "project": PROJECT,
        "region": region,
        "universe": universe,
        "cidr": "10.64.0.0/16",
        "exits": EXITS,
        **changed,
    }

    def program() -> None:
        provider = gcp_provider("gcp", region, universe, PROJECT, [PROJECT], {})
        GcpNetwork("net", args, pulumi.ResourceOptions(providers=[provider]))

    return record(program, calls=calls, preview=preview)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return made()


def at(recorded: Recorded, path: str) -> Any:
    value: Any = recorded.properties
    for key in path.split("."):
        value = value[key]
    return value


def goes_out(graph: Graph) -> list[Recorded]:
    return sorted(graph.of(RULE), key=lambda rule: rule.properties["priority"])


def test_every_part_is_a_child_of_the_network_and_on_the_explicit_provider(graph: Graph) -> None:
    conforms(graph, "loomstead:network:Network")


@pytest.mark.parametrize(("role", "type_", "path", "value"), MAKES_IT, ids=lambda case: str(case)[:40])
def test_what_makes_the_network_private_is_in_the_graph(
    graph: Graph, role: str, type_: str, path: str, value: Any
) -> None:
    found = graph.named(f"net-{role}")
    assert found.type == type_
    assert at(found, path) == value


@pytest.mark.parametrize(
    ("regime", "region"),
    [
        ("eu-gdpr", "europe-west3"),
        ("eu-strict", "europe-west9"),
        ("eu-strict", "u-france-east1"),
        ("in-dpdp", "asia-south1"),
    ],
)
def test_the_rules_have_nothing_against_it(regime: str, region: str) -> None:
    findings = reviewed(made(region), regime, region)
    assert [finding for finding in findings if finding.rule not in WHOLE_PLAN] == []


def test_a_preview_plans_the_same_and_the_rules_can_tell(graph: Graph) -> None:
    planned = made(preview=True)
    assert {each.name for each in planned.resources} == {each.name for each in graph.resources}
    findings = reviewed(planned, "eu-gdpr", "europe-west3")
    assert [finding for finding in findings if finding.rule not in WHOLE_PLAN] == []


def test_the_last_rule_denies_what_no_other_allowed(graph: Graph) -> None:
    *ways, last = goes_out(graph)
    assert [rule.properties["action"] for rule in ways] == ["allow"] * len(ways)
    assert last.properties["action"] == "deny"
    assert {rule.properties["direction"] for rule in (*ways, last)} == {"EGRESS"}


def test_every_rule_and_the_association_are_of_the_one_policy_of_the_region(graph: Graph) -> None:
    association = graph.named("net-egress-association")
    policies = {
        (each.properties["firewallPolicy"], each.properties["region"]) for each in (*goes_out(graph), association)
    }
    assert policies == {("net-egress-name", "europe-west3")}


def test_all_that_leaves_or_is_denied_is_logged(graph: Graph) -> None:
    assert [rule.name for rule in goes_out(graph) if not rule.properties["enableLogging"]] == ["net-egress-inside"]


def test_every_name_is_answered_by_the_zone_that_it_belongs_to(graph: Graph) -> None:
    zones = {f"{zone.name}-name": zone.properties["dnsName"] for zone in graph.of("gcp:dns/managedZone:ManagedZone")}
    for record_set in graph.of("gcp:dns/recordSet:RecordSet"):
        assert record_set.properties["name"].endswith(zones[record_set.properties["managedZone"]])


def allowed(graph: Graph, group: str | None, address: str, port: int) -> bool:
    """What the firewall says of a machine that carries the tag of ``group``, or none: its first rule that matches."""
    for rule in goes_out(graph):
        match, tagged = rule.properties["match"], rule.properties["targetSecureTags"]
        (layer,) = match["layer4Configs"]
        if (
            (not tagged or {"name": f"net-{group}-id"} in tagged)
            and any(ip_address(address) in ip_network(each) for each in match.get("destIpRanges", []))
            and (layer["ipProtocol"] == "all" or str(port) in layer["ports"])
        ):
            return rule.properties["action"] == "allow"
    return True  # what every network has: implied, all may go out


PRIMARY, REPLICA, NODE, APIS, DECLARED, ELSEWHERE = (
    "10.64.160.5",
    "10.64.161.5",
    "10.64.128.9",
    "10.64.163.1",
    "192.0.2.7",
    "203.0.113.1",
)


@pytest.mark.parametrize(
    ("group", "address", "port", "may"),
    [
        ("runtime", PRIMARY, 5432, True),
        ("runtime", PRIMARY, 22, False),
        ("runtime", REPLICA, 5432, False),
        ("tools", REPLICA, 5432, True),
        ("tools", PRIMARY, 5432, False),
        (None, PRIMARY, 5432, False),
        (None, REPLICA, 5432, False),
        (None, NODE, 10250, True),
        ("runtime", APIS, 443, True),
        ("runtime", APIS, 80, False),
        ("tools", APIS, 443, False),
        (None, APIS, 443, False),
        ("runtime", DECLARED, 8443, True),
        ("tools", DECLARED, 8443, False),
        ("tools", DECLARED, 443, False),
        (None, DECLARED, 8443, False),
        ("runtime", ELSEWHERE, 443, False),
        ("tools", ELSEWHERE, 443, False),
    ],
)
def test_who_reaches_what(graph: Graph, group: str | None, address: str, port: int, may: bool) -> None:
    assert allowed(graph, group, address, port) == may


def test_without_declared_hosts_there_is_no_way_out() -> None:
    closed = made(exits=[])
    types = {recorded.type for recorded in closed.resources}
    assert not types & {
        "gcp:compute/route:Route",
        "gcp:compute/routerNat:RouterNat",
        "gcp:compute/address:Address",
    }
    assert [rule.name for rule in goes_out(closed) if "destFqdns" in rule.properties["match"]] == []


def test_the_universes_own_hosts_need_no_way_out_and_another_universes_do() -> None:
    vertex = [Exit("europe-west9-aiplatform.googleapis.com", 443)]
    assert made("europe-west9", exits=vertex).of("gcp:compute/route:Route") == []
    assert len(made("u-france-east1", exits=vertex).of("gcp:compute/route:Route")) == 1


def test_more_hosts_than_a_rule_takes_are_spread_over_several() -> None:
    many = made(exits=[Exit(f"host{number:03}.example.de", 443) for number in range(250)])
    spread = [
        rule.properties["match"]["destFqdns"] for rule in goes_out(many) if "destFqdns" in rule.properties["match"]
    ]
    assert [len(hosts) for hosts in spread] == [100, 100, 50]


def test_a_host_that_is_a_pattern_is_refused() -> None:
    with pytest.raises(NetworkUnfit, match=r"\*\.example\.de.*Name each host"):
        made(exits=[Exit("*.example.de", 443)])


def test_the_endpoint_is_registered_in_the_stacks_region_and_not_in_us_central1(graph: Graph) -> None:
    endpoint = graph.named("net-apis").properties
    assert endpoint["serviceDirectoryRegistrations"] == {"serviceDirectoryRegion": "europe-west3"}


def test_the_endpoints_name_is_one_that_private_service_connect_takes(graph: Graph) -> None:
    name = graph.named("net-apis").properties["name"]
    assert name.isalnum()
    assert name.islower()
    assert len(name) <= 20


def test_the_names_of_the_apis_are_those_of_the_universe() -> None:
    sovereign = made("u-france-east1")
    assert [zone.properties["dnsName"] for zone in sovereign.of("gcp:dns/managedZone:ManagedZone")] == ["s3nsapis.fr."]
    said = [text for each in sovereign.resources for text in texts(each.properties) if "googleapis.com" in text]
    assert set(said) == {"servicenetworking.googleapis.com"}, "names of services are the same everywhere, hosts are not"


def texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


def test_a_database_that_takes_the_ranges_waits_for_the_peering() -> None:
    def program() -> None:
        provider = gcp_provider("gcp", "europe-west3", "googleapis.com", PROJECT, [PROJECT], {})
        network = GcpNetwork(
            "net",
            {
                "project": PROJECT,
                "region": "europe-west3",
                "universe": "googleapis.com",
                "cidr": "10.64.0.0/16",
                "exits": [],
            },
            pulumi.ResourceOptions(providers=[provider]),
        )
        gcp.tags.TagKey(
            "reader",
            parent=network.primary.apply(lambda names: names[0]),
            short_name=network.replica.apply(lambda names: names[0]),
            opts=pulumi.ResourceOptions(provider=provider),
        )

    graph = record(program)
    reader = graph.named("reader")
    assert (reader.properties["parent"], reader.properties["shortName"]) == (
        "net-primary-range-name",
        "net-replica-range-name",
    )
    assert graph.named("net-database-peering").urn in reader.dependencies


def test_what_a_database_that_is_kept_stands_on_is_kept(graph: Graph) -> None:
    kept = {each.name for each in graph.resources if each.retain_on_delete}
    assert kept == {f"net-{role}" for role in ("vpc", "primary-range", "replica-range", "database-peering")}


def test_an_own_network_gets_only_what_it_lacks() -> None:
    graph = made(calls=OWN, network="hub", subnetwork="agents")
    conforms(graph, "loomstead:network:Network")
    types = {recorded.type for recorded in graph.resources}
    assert not types & {"gcp:compute/network:Network", "gcp:compute/subnetwork:Subnetwork", "gcp:compute/router:Router"}
    assert {
        "gcp:compute/globalForwardingRule:GlobalForwardingRule",
        "gcp:servicenetworking/connection:Connection",
    } <= types
    assert graph.named("net-egress-inside").properties["match"]["destIpRanges"] == [
        "10.0.0.0/20",
        "10.1.0.0/17",
        "10.2.0.0/20",
    ]


def test_an_own_network_with_endpoint_and_ranges_gets_tags_and_firewall_alone() -> None:
    graph = made(
        calls=OWN, network="hub", subnetwork="agents", apis="10.9.9.9", database_ranges=("primary-db", "replica-db")
    )
    assert {recorded.type.split(":")[1].split("/")[0] for recorded in graph.resources if recorded.custom} == {
        "compute",
        "tags",
        "providers",
    }
    assert graph.named("net-egress-apis").properties["match"]["destIpRanges"] == ["10.9.9.9/32"]
    assert graph.named("net-egress-replica").properties["match"]["destIpRanges"] == ["10.3.0.0/24"]
    outputs = graph.outputs[graph.component("loomstead:network:Network").urn]
    assert (outputs["primary"], outputs["replica"]) == (["primary-db"], ["replica-db"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"secondaryIpRanges": []}, "no secondary range pods: add one; it has no secondary range services"),
        ({"privateIpGoogleAccess": False}, "Private Google Access is off: turn it on"),
        ({"stackType": "IPV4_IPV6"}, "its stack_type is IPV4_IPV6"),
        ({"network": "projects/hub/global/networks/other"}, "it belongs to other: name one of hub"),
        ({"ipCidrRange": "10.64.8.0/24"}, "10.64.8.0/24 overlaps cidr 10.64.0.0/16: take another /16"),
    ],
    ids=lambda case: str(case)[:30],
)
def test_an_own_subnet_that_cannot_hold_a_fabric_is_refused(change: Mapping[str, Any], told: str) -> None:
    token = "gcp:compute/getSubnetwork:getSubnetwork"
    with pytest.raises(NetworkUnfit, match=told):
        made(calls={**OWN, token: {**OWN[token], **change}}, network="hub", subnetwork="agents")


def test_a_range_for_something_else_is_no_database_range() -> None:
    token = "gcp:compute/getGlobalAddress:getGlobalAddress"
    with pytest.raises(NetworkUnfit, match="it is for PRIVATE_SERVICE_CONNECT in hub"):
        made(
            calls={**OWN, token: {**OWN[token], "purpose": "PRIVATE_SERVICE_CONNECT"}},
            network="hub",
            subnetwork="agents",
            database_ranges=("a", "b"),
        )


@pytest.mark.parametrize("half", [{"network": "hub"}, {"subnetwork": "agents"}, {"apis": "10.9.9.9"}], ids=str)
def test_half_an_own_network_is_refused(half: dict[str, Any]) -> None:
    with pytest.raises(NetworkUnfit, match="name"):
        made(**half)


@given(st.integers(0, 255))
def test_the_parts_of_a_range_lie_in_it_and_never_overlap(second: int) -> None:
    cidr = f"10.{second}.0.0/16"
    parts = divide(cidr)
    networks = [parts.pods, parts.nodes, parts.services, parts.primary, parts.replica, parts.proxies]
    everything = [*networks, IPv4Network(parts.apis)]
    assert [(a, b) for a, b in combinations(everything, 2) if a.overlaps(b)] == []
    assert [part for part in everything if not part.subnet_of(IPv4Network(cidr))] == []


@pytest.mark.parametrize(
    "cidr", ["10.0.0.0/8", "10.64.0.0/24", "8.8.0.0/16", "10.64.0.1/16", "fd00::/16", "172.17.0.0/16"]
)
def test_a_range_that_is_no_private_16_or_never_answered_is_refused(cidr: str) -> None:
    with pytest.raises(NetworkUnfit, match=cidr):
        divide(cidr)
