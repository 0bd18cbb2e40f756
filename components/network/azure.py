"""Network on Azure: a VNet with no way in, one way out through a firewall that knows host names, and two databases'
subnets of which the tool executors reach the replica's alone. The way out is the runtime's; tool executors have none.

Subnets are made one after the other: Azure refuses two changes of a VNet at once. A VNet that is there already is
checked before anything is created, and the subnets made in it are those not given; the databases' are always made, for
their rules are the boundary.

A known limit: flow and firewall logs, in the workspace and in the flow store, are encrypted with Microsoft's keys, not
with the stack's.
"""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import NotRequired, TypedDict

import pulumi
from pulumi import Output
from pulumi_azure_native import network, privatedns, resources

from components.network import azure_plan as plan
from components.network.azure_egress import create_firewall, create_routes
from components.network.azure_flows import create_flow_logs, create_workspace
from components.network.azure_given import checked, checked_hop
from components.network.azure_ground import Ground
from components.network.azure_plan import ANY, NODES, PRIVATE, Subnet, Traffic
from components.network.contract import Network

_FLEXIBLE = "Microsoft.DBforPostgreSQL/flexibleServers"
_FIREWALL_SUBNET = "AzureFirewallSubnet"


class AzureNetworkArgs(TypedDict):
    """``environment``: Azure's cloud, ``public``, ``usgovernment`` or ``china``. ``cidr``: a private block for all of
    it, /22 or wider. ``hosts``: whom the runtime may call, by HTTPS on 443. ``zones``: the firewall's; none
    where the region has none. ``retention_days``: of flow and firewall logs. ``log_account``: name of the storage
    account for flow logs.

    ``vnet``: id of one that is there, with ``cidr`` free in it. ``subnets``: ids of ``runtime``, ``tools``,
    ``endpoints`` in it, each another. ``egress``: private address of the firewall that is there; its rules are its
    owner's, who lets out the runtime's subnet alone.
    """

    stack: str
    subscription: str
    region: str
    environment: str
    cidr: str
    hosts: Sequence[str]
    zones: Sequence[str]
    retention_days: int
    log_account: str
    vnet: NotRequired[str]
    subnets: NotRequired[Mapping[str, str]]
    egress: NotRequired[str]


class AzureNetwork(Network):
    """``workloads``: the runtime's subnet, then the tool executors'. ``endpoints``: for private endpoints.

    ``group``: the stack's resource group, ``group_id`` its id. ``zones``: ids of the private DNS zones by service.
    ``logs``: the workspace.
    """

    group: Output[str]
    group_id: Output[str]
    endpoints: Output[str]
    zones: dict[str, Output[str]]
    logs: Output[str]

    def __init__(self, name: str, args: AzureNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self._addresses = plan.addresses(args["cidr"])
        hosts = plan.hosts_allowed(args["hosts"])
        zones = plan.zones_of(args["environment"], args["stack"])
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._given = checked(
            args.get("vnet"),
            args.get("subnets", {}),
            self._addresses,
            args["region"],
            pulumi.InvokeOptions(parent=self),
        )
        hop = args.get("egress")
        self._hop = checked_hop(hop, {role: self._block(role) for role in Subnet}) if hop is not None else None
        self._nodes = [str(self._block(role)) for role in NODES]
        self._subnets: dict[Subnet, Output[str]] = {}
        self._made: list[pulumi.Resource] = []
        self._create_group()
        self._create_vnet()
        self._create_application_groups()
        self._create_database_subnets()
        self._create_endpoints_subnet()
        self.logs = create_workspace(self._ground, args["retention_days"])
        self._create_node_subnets(create_routes(self._ground, self._hop or self._create_firewall(hosts)))
        self._create_flow_logs()
        self.zones = {str(service): self._create_zone(service, zone) for service, zone in zones.items()}
        self._finish()

    def _block(self, role: Subnet) -> IPv4Network:
        return self._given[role].block if role in self._given else self._addresses[role]

    def _create_group(self) -> None:
        child = pulumi.ResourceOptions(parent=self)
        region = self._args["region"]
        # To delete a group is to delete all in it, what the stack retains too.
        kept = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        made = resources.ResourceGroup(f"{self._name}-group", location=region, opts=kept)
        self.group, self.group_id = made.name, made.id
        self._ground = Ground(self._name, region, made.name, child, kept)

    def _create_vnet(self) -> None:
        given = self._args.get("vnet")
        if given is not None:
            place = plan.place_of(given)
            self.id = Output.from_input(given)
            self._vnet, self._vnet_group = Output.from_input(place.vnet), Output.from_input(place.group)
            return
        made = network.VirtualNetwork(
            f"{self._name}-vnet",
            resource_group_name=self.group,
            location=self._ground.region,
            address_space=network.AddressSpaceArgs(address_prefixes=[self._args["cidr"]]),
            opts=self._ground.child,
        )
        self.id, self._vnet, self._vnet_group = made.id, made.name, self.group

    def _create_application_groups(self) -> None:
        made = {
            role: network.ApplicationSecurityGroup(
                f"{self._name}-{role}-group",
                resource_group_name=self.group,
                location=self._ground.region,
                opts=self._ground.child,
            ).id
            for role in NODES
        }
        self._groups = made
        self.runtime_group, self.tools_group = made[Subnet.RUNTIME], made[Subnet.TOOLS]

    def _create_database_subnets(self) -> None:
        runtime, tools = self._nodes
        primary, replica = (str(self._addresses[role]) for role in (Subnet.PRIMARY, Subnet.REPLICA))
        for role, traffic in (
            (Subnet.PRIMARY, plan.database_traffic(primary, replica, runtime, self._ground.region)),
            (Subnet.REPLICA, plan.database_traffic(replica, primary, tools, self._ground.region)),
        ):
            self._create_subnet(
                role,
                rules=self._create_rules(role, traffic),
                delegations=[network.DelegationArgs(name="flexible-servers", service_name=_FLEXIBLE)],
                service_endpoints=[network.ServiceEndpointPropertiesFormatArgs(service="Microsoft.Storage")],
            )

    def _create_endpoints_subnet(self) -> None:
        if Subnet.ENDPOINTS not in self._given:
            own = str(self._addresses[Subnet.ENDPOINTS])
            rules = self._create_rules(Subnet.ENDPOINTS, plan.endpoint_traffic(own, self._nodes))
            self._create_subnet(Subnet.ENDPOINTS, rules=rules)

    def _create_node_subnets(self, routes: network.RouteTable) -> None:
        missing = [role for role in NODES if role not in self._given]
        if missing:
            primary, replica = (str(self._addresses[role]) for role in (Subnet.PRIMARY, Subnet.REPLICA))
            rules = self._create_rules("nodes", plan.workload_traffic(primary, replica))
            for role in missing:
                self._create_subnet(role, rules=rules, routes=routes)

    def _create_subnet(
        self,
        role: Subnet,
        *,
        rules: network.NetworkSecurityGroup | None = None,
        routes: network.RouteTable | None = None,
        delegations: Sequence[network.DelegationArgs] = (),
        service_endpoints: Sequence[network.ServiceEndpointPropertiesFormatArgs] = (),
    ) -> None:
        made = network.Subnet(
            f"{self._name}-{role}",
            resource_group_name=self._vnet_group,
            virtual_network_name=self._vnet,
            subnet_name=_FIREWALL_SUBNET if role is Subnet.FIREWALL else f"{self._args['stack']}-{role}",
            address_prefix=str(self._addresses[role]),
            default_outbound_access=False if role in PRIVATE else None,
            private_endpoint_network_policies=network.VirtualNetworkPrivateEndpointNetworkPolicies.ENABLED,
            network_security_group=network.NetworkSecurityGroupArgs(id=rules.id) if rules else None,
            route_table=network.RouteTableArgs(id=routes.id) if routes else None,
            delegations=[*delegations],
            service_endpoints=[*service_endpoints],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*self._made]),
        )
        self._made = [made]
        self._subnets[role] = made.id

    def _create_rules(self, role: str, traffic: Sequence[Traffic]) -> network.NetworkSecurityGroup:
        return network.NetworkSecurityGroup(
            f"{self._name}-{role}-rules",
            resource_group_name=self.group,
            location=self._ground.region,
            security_rules=[self._rule(each) for each in traffic],
            opts=self._ground.child,
        )

    def _rule(self, traffic: Traffic) -> network.SecurityRuleArgs:
        source = list(traffic.source)
        several = len(traffic.to) > 1
        return network.SecurityRuleArgs(
            name=traffic.name,
            priority=traffic.priority,
            direction="Inbound" if traffic.inbound else "Outbound",
            access="Allow" if traffic.allow else "Deny",
            protocol="Tcp" if traffic.allow else ANY,
            source_port_range=ANY,
            destination_port_range=traffic.port,
            source_address_prefix=source[0] if len(source) == 1 else None,
            source_address_prefixes=source if len(source) > 1 else None,
            source_application_security_groups=[network.ApplicationSecurityGroupArgs(id=self._groups[traffic.group])]
            if traffic.group
            else None,
            destination_address_prefix=None if several else traffic.to[0],
            destination_address_prefixes=list(traffic.to) if several else None,
        )

    def _create_firewall(self, hosts: Sequence[str]) -> Output[str]:
        self._create_subnet(Subnet.FIREWALL)
        subnet, runtime = self._subnets[Subnet.FIREWALL], str(self._block(Subnet.RUNTIME))
        return create_firewall(self._ground, subnet, runtime, hosts, self._args["zones"], self.logs)

    def _create_flow_logs(self) -> None:
        """Of the VNet; of one that is there, of the subnets made in it: the rest is its owner's."""
        whole = {"vnet": self.id}
        made = {str(role): subnet for role, subnet in self._subnets.items()}
        create_flow_logs(
            self._ground,
            self._args["subscription"],
            self._args["log_account"],
            self._args["retention_days"],
            self.logs,
            made if "vnet" in self._args else whole,
        )

    def _create_zone(self, service: str, zone: str) -> Output[str]:
        made = privatedns.PrivateZone(
            f"{self._name}-{service}-zone",
            resource_group_name=self.group,
            location="global",
            private_zone_name=zone,
            opts=self._ground.child,
        )
        link = privatedns.VirtualNetworkLink(
            f"{self._name}-{service}-zone-link",
            resource_group_name=self.group,
            location="global",
            private_zone_name=made.name,
            registration_enabled=False,
            virtual_network=privatedns.SubResourceArgs(id=self.id),
            opts=self._ground.child,
        )
        # What asks for the zone's id stands in the VNet, and finds no name before the link is there.
        return Output.all(made.id, link.id).apply(lambda ids: ids[0])

    def _finish(self) -> None:
        self.workloads = Output.all(*(self._subnet(role) for role in NODES))
        self.primary, self.replica = Output.all(self._subnet(Subnet.PRIMARY)), Output.all(self._subnet(Subnet.REPLICA))
        self.endpoints = self._subnet(Subnet.ENDPOINTS)
        self.register_outputs(
            {
                "id": self.id,
                "group": self.group,
                "group_id": self.group_id,
                "workloads": self.workloads,
                "primary": self.primary,
                "replica": self.replica,
                "endpoints": self.endpoints,
                "runtime_group": self.runtime_group,
                "tools_group": self.tools_group,
                "zones": self.zones,
                "logs": self.logs,
            }
        )

    def _subnet(self, role: Subnet) -> Output[str]:
        return Output.from_input(self._given[role].id) if role in self._given else self._subnets[role]
