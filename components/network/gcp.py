"""A network on Google Cloud whose ways out are written down: the APIs, the databases, the declared hosts, nothing else.

Google's APIs are reached at addresses of the network (Private Service Connect), under their usual names. Without
declared hosts there is no NAT, and no route out at all. Each database instance has an address range of its own, so that
a firewall rule can let the tools to the replica only.

Secure tags say who is who: a node pool carries one, and only who may use a tag can give it to a machine. The runtime's
alone leaves for the declared hosts and Google's APIs; the tools' reaches the replica. So a pool of the tools has no
registry, log or bucket of Google's: its images come from inside the network. What comes in is left to the rule that
every network has (deny) and to what GKE adds for its own nodes.

Known limits: the APIs' addresses know no project. Whoever has credentials reaches through them any bucket of any
organisation, until a perimeter of VPC Service Controls, which is the organisation's and not made here, forbids it. And
the region's Secret Manager has its address among the nodes', so every machine reaches it, the tools' too.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import NotRequired, TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_gcp import compute, dns, servicenetworking, tags

from components.network.contract import Network
from components.network.exits import Exit
from components.network.gcp_apis import Apis
from components.network.gcp_ground import (
    Ground,
    NetworkUnfit,
    Own,
    adopted,
    divide,
    outward,
    peered,
)

POSTGRES = "5432"
HTTPS = "443"


class GcpNetworkArgs(TypedDict):
    """``cidr``: a private /16 for all of it. ``exits``: all that may be called outside. ``universe``:
    the region's partition in the catalogue.

    ``network``, ``subnetwork``: names of own ones, both or none. ``apis``: the address at which that network reaches
    Google's APIs already, by its own zones. ``database_ranges``: names of the ranges for primary and replica that it
    has peered already. What is not named is created. An own network keeps its own way out, and its own order of
    firewall rules.
    """

    project: str
    region: str
    universe: str
    cidr: str
    exits: Collection[Exit]
    network: NotRequired[str]
    subnetwork: NotRequired[str]
    apis: NotRequired[str]
    database_ranges: NotRequired[tuple[str, str]]


@dataclass(frozen=True)
class _Way:
    """One rule on what goes out. ``carriers``: of these tags; none: every machine. No ``port``: all traffic."""

    role: str
    priority: int
    to: Mapping[str, list[Input[str]]]
    port: str | None = None
    carriers: tuple[tags.TagValue, ...] = ()
    allowed: bool = True


class GcpNetwork(Network):
    def __init__(self, name: str, args: GcpNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self._own, self._addresses = _own(args), divide(args["cidr"])
        self._exits = outward(args["exits"], args["universe"])
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        # The databases outlive the stack, and where an instance stands Google deletes neither the peering nor its
        # network (terraform-provider-google#16275).
        self._kept = pulumi.ResourceOptions(parent=self, retain_on_delete=True)
        self._ground = adopted(self, self._own) if self._own else self._create_ground()
        self._apis = args.get("apis") or self._create_apis()
        self._primary_range, self._replica_range = self._create_database_ranges()
        self._create_tags()
        self._create_firewall()
        self.id = Output.from_input(self._ground.id)
        self.workloads = Output.from_input(self._ground.subnet).apply(lambda subnet: [subnet])
        self.runtime_group, self.tools_group = self._runtime.id, self._tools.id
        self.register_outputs(
            {
                "id": self.id,
                "workloads": self.workloads,
                "primary": self.primary,
                "replica": self.replica,
                "runtime_group": self.runtime_group,
                "tools_group": self.tools_group,
            }
        )

    def _create_ground(self) -> Ground:
        network = compute.Network(
            f"{self._name}-vpc",
            auto_create_subnetworks=False,
            delete_default_routes_on_create=True,
            routing_mode="REGIONAL",
            # Else any VPC firewall rule that somebody adds goes before the policy.
            network_firewall_policy_enforcement_order="BEFORE_CLASSIC_FIREWALL",
            opts=self._kept,
        )
        subnet = self._create_subnets(network)
        dns.Policy(
            f"{self._name}-dns-log", enable_logging=True, networks=[{"network_url": network.id}], opts=self._child
        )
        if self._exits:
            self._create_way_out(network, subnet)
        planned = self._addresses
        return Ground(
            network.id, network.name, subnet.id, (str(planned.nodes), str(planned.pods), str(planned.services))
        )

    def _create_subnets(self, network: compute.Network) -> compute.Subnetwork:
        compute.Subnetwork(
            f"{self._name}-proxies",
            network=network.id,
            region=self._args["region"],
            ip_cidr_range=str(self._addresses.proxies),
            purpose="REGIONAL_MANAGED_PROXY",
            role="ACTIVE",
            opts=self._child,
        )
        return compute.Subnetwork(
            f"{self._name}-workloads",
            network=network.id,
            region=self._args["region"],
            ip_cidr_range=str(self._addresses.nodes),
            secondary_ip_ranges=[
                {"range_name": "pods", "ip_cidr_range": str(self._addresses.pods)},
                {"range_name": "services", "ip_cidr_range": str(self._addresses.services)},
            ],
            private_ip_google_access=True,
            stack_type="IPV4_ONLY",
            log_config={
                "aggregation_interval": "INTERVAL_1_MIN",
                "flow_sampling": 0.5,
                "metadata": "INCLUDE_ALL_METADATA",
            },
            opts=self._child,
        )

    def _create_way_out(self, network: compute.Network, subnet: compute.Subnetwork) -> None:
        """One fixed address, which the declared hosts can let in."""
        region = self._args["region"]
        compute.Route(
            f"{self._name}-out",
            network=network.name,
            dest_range="0.0.0.0/0",
            next_hop_gateway="default-internet-gateway",
            opts=self._child,
        )
        address = compute.Address(f"{self._name}-out-address", region=region, opts=self._child)
        router = compute.Router(f"{self._name}-router", network=network.id, region=region, opts=self._child)
        compute.RouterNat(
            f"{self._name}-nat",
            router=router.name,
            region=region,
            nat_ip_allocate_option="MANUAL_ONLY",
            nat_ips=[address.self_link],
            source_subnetwork_ip_ranges_to_nat="LIST_OF_SUBNETWORKS",
            subnetworks=[{"name": subnet.id, "source_ip_ranges_to_nats": ["ALL_IP_RANGES"]}],
            enable_dynamic_port_allocation=True,
            enable_endpoint_independent_mapping=False,
            log_config={"enable": True, "filter": "ALL"},
            opts=self._child,
        )

    def _create_apis(self) -> str:
        """The address of Google's APIs."""
        apis = Apis(self._name, self._args["region"], self._args["universe"], self._ground, self._child)
        apis.create(self._addresses.apis)
        return self._addresses.apis

    def _create_database_ranges(self) -> tuple[str, str]:
        """Sets ``primary`` and ``replica``; gives their address ranges."""
        if self._own and (names := self._args.get("database_ranges")):
            self.primary, self.replica = (Output.from_input([name]) for name in names)
            return peered(self, self._own, names[0]), peered(self, self._own, names[1])
        primary = self._create_range("primary", self._addresses.primary)
        replica = self._create_range("replica", self._addresses.replica)
        peering = servicenetworking.Connection(
            f"{self._name}-database-peering",
            network=self._ground.id,
            service="servicenetworking.googleapis.com",  # the service's name, the same in every universe
            reserved_peering_ranges=[primary.name, replica.name],
            opts=self._kept,
        )
        # With the peering's id, so that no instance is created before it stands.
        self.primary = Output.all(primary.name, peering.id).apply(lambda both: [both[0]])
        self.replica = Output.all(replica.name, peering.id).apply(lambda both: [both[0]])
        return str(self._addresses.primary), str(self._addresses.replica)

    def _create_range(self, role: str, addresses: IPv4Network) -> compute.GlobalAddress:
        return compute.GlobalAddress(
            f"{self._name}-{role}-range",
            purpose="VPC_PEERING",
            address_type="INTERNAL",
            address=str(addresses.network_address),
            prefix_length=addresses.prefixlen,
            network=self._ground.id,
            opts=self._kept,
        )

    def _create_tags(self) -> None:
        key = tags.TagKey(
            f"{self._name}-group",
            parent=f"projects/{self._args['project']}",
            short_name=f"{self._name}-group",
            purpose="GCE_FIREWALL",
            purpose_data={"network": Output.concat(self._args["project"], "/", self._ground.name)},
            opts=self._child,
        )
        self._runtime, self._tools = (
            tags.TagValue(f"{self._name}-{group}", parent=key.id, short_name=group, opts=self._child)
            for group in ("runtime", "tools")
        )

    def _create_firewall(self) -> None:
        region = self._args["region"]
        policy = compute.RegionNetworkFirewallPolicy(f"{self._name}-egress", region=region, opts=self._child)
        for way in self._ways():
            compute.RegionNetworkFirewallPolicyRule(
                f"{self._name}-egress-{way.role}",
                firewall_policy=policy.name,
                region=region,
                direction="EGRESS",
                action="allow" if way.allowed else "deny",
                priority=way.priority,
                match={
                    **way.to,
                    "layer4_configs": [{"ip_protocol": "tcp", "ports": [way.port]} if way.port else _EVERYTHING],
                },
                target_secure_tags=[{"name": tag.id} for tag in way.carriers],
                enable_logging=bool(way.port) or not way.allowed,
                opts=self._child,
            )
        compute.RegionNetworkFirewallPolicyAssociation(
            f"{self._name}-egress-association",
            firewall_policy=policy.name,
            attachment_target=self._ground.id,
            region=region,
            opts=self._child,
        )

    def _ways(self) -> Iterator[_Way]:
        yield _Way("inside", 100, {"dest_ip_ranges": list(self._ground.inside)})
        yield _Way("apis", 200, {"dest_ip_ranges": [f"{self._apis}/32"]}, HTTPS, (self._runtime,))
        yield _Way("primary", 300, {"dest_ip_ranges": [self._primary_range]}, POSTGRES, (self._runtime,))
        yield _Way("replica", 310, {"dest_ip_ranges": [self._replica_range]}, POSTGRES, (self._tools,))
        for number, (port, match, hosts) in enumerate(self._exits):
            yield _Way(f"exit-{number}", 400 + number, {match: [*hosts]}, str(port), (self._runtime,))
        yield _Way("rest", 65_000, {"dest_ip_ranges": ["0.0.0.0/0"]}, allowed=False)


_EVERYTHING: compute.RegionNetworkFirewallPolicyRuleMatchLayer4ConfigArgsDict = {"ip_protocol": "all"}


def _own(args: GcpNetworkArgs) -> Own | None:
    network, subnetwork = args.get("network"), args.get("subnetwork")
    if network and subnetwork:
        return Own(args["project"], args["region"], network, subnetwork, args["cidr"])
    if named := [key for key in ("network", "subnetwork", "apis", "database_ranges") if args.get(key)]:
        raise NetworkUnfit(
            f"{', '.join(named)} alone are no own network: name both network and subnetwork, or none of it"
        )
    return None
