"""What a network on Google Cloud stands on: how its range is divided, and whether an own network can hold a fabric."""

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network, ip_network

import pulumi
from pulumi import Input
from pulumi_gcp import compute

from components.infrastructure import Refused
from components.network.exits import Exit

FQDNS_PER_RULE = 100
DOCKER_BRIDGE = ip_network("172.17.0.0/16")
"""Cloud SQL's machines have it themselves, so nothing in it is ever answered."""


class NetworkUnfit(Refused):
    """What was given cannot hold a fabric; nothing was created. The message says what, where and what to do."""


@dataclass(frozen=True)
class Addresses:
    """How the /16 is divided; no two overlap. ``apis``: one address, in no subnet, as the endpoint demands."""

    pods: IPv4Network
    nodes: IPv4Network
    services: IPv4Network
    primary: IPv4Network
    replica: IPv4Network
    proxies: IPv4Network
    apis: str


@dataclass(frozen=True)
class Ground:
    """The network and the subnet of the nodes. ``inside``: ranges of the nodes, their pods and services."""

    id: Input[str]
    name: Input[str]
    subnet: Input[str]
    inside: tuple[str, ...]


@dataclass(frozen=True)
class Own:
    """Names of a network and a subnet that are there already. ``cidr``: what the fabric adds to it."""

    project: str
    region: str
    network: str
    subnetwork: str
    cidr: str


def divide(cidr: str) -> Addresses:
    """Raises ``NetworkUnfit``."""
    try:
        whole = IPv4Network(cidr)
    except ValueError as error:
        raise NetworkUnfit(f"network.cidr: {cidr}: {error}. Take a private IPv4 range such as 10.64.0.0/16") from error
    if whole.prefixlen != 16 or not whole.is_private:
        raise NetworkUnfit(f"network.cidr: expected a private IPv4 /16, such as 10.64.0.0/16, got {cidr}")
    if whole.overlaps(DOCKER_BRIDGE):
        raise NetworkUnfit(
            f"network.cidr: Cloud SQL does not answer in {DOCKER_BRIDGE}, which {cidr} has. Take another /16"
        )
    pods, rest = whole.subnets(new_prefix=17)
    nodes, services, small, *_ = rest.subnets(new_prefix=20)
    primary, replica, proxies, spare, *_ = small.subnets(new_prefix=24)
    return Addresses(pods, nodes, services, primary, replica, proxies, str(spare[1]))


def outward(exits: Collection[Exit], universe: str) -> list[tuple[int, str, list[str]]]:
    """Of ``destinations``, what needs a way out: the universe's own hosts have addresses of the network."""
    return destinations([way for way in exits if not way.host.endswith(f".{universe}")])


def destinations(exits: Collection[Exit]) -> list[tuple[int, str, list[str]]]:
    """Port, what a rule's match calls them, and names or ranges: as few rules as hosts and ports allow, in order.

    A firewall rule knows no patterns, so those raise ``NetworkUnfit``.
    """
    patterns = sorted(way.host for way in exits if "*" in way.host)
    if patterns:
        raise NetworkUnfit(f"network: hosts {', '.join(patterns)}: a firewall rule takes whole names. Name each host")
    grouped: dict[tuple[int, str], list[str]] = {}
    for way in sorted(set(exits)):
        match, value = ("dest_ip_ranges", f"{way.host}/32") if _is_address(way.host) else ("dest_fqdns", way.host)
        grouped.setdefault((way.port, match), []).append(value)
    return [
        (port, match, values[start : start + FQDNS_PER_RULE])
        for (port, match), values in sorted(grouped.items())
        for start in range(0, len(values), FQDNS_PER_RULE)
    ]


def _is_address(host: str) -> bool:
    try:
        IPv4Address(host)
    except ValueError:
        return False
    return True


def endpoint_name(component: str) -> str:
    """Private Service Connect takes 20 letters and digits at most, so none that Pulumi would make up."""
    return f"apis{sha256(component.encode()).hexdigest()[:16]}"


def adopted(component: pulumi.Resource, own: Own) -> Ground:
    """Looks at the own network before anything is created; raises ``NetworkUnfit`` with all that is wrong."""
    look = pulumi.InvokeOptions(parent=component)
    network = compute.get_network(name=own.network, project=own.project, opts=look)
    subnet = compute.get_subnetwork(name=own.subnetwork, region=own.region, project=own.project, opts=look)
    ranges = {each.range_name: each.ip_cidr_range for each in subnet.secondary_ip_ranges}
    inside = (subnet.ip_cidr_range, *ranges.values())
    faults = [f"it has no secondary range {name}: add one" for name in ("pods", "services") if name not in ranges]
    if _last(subnet.network) != network.name:
        faults.append(f"it belongs to {_last(subnet.network)}: name one of {network.name}")
    if subnet.stack_type != "IPV4_ONLY":
        faults.append(f"its stack_type is {subnet.stack_type}: IPv6 would pass the firewall, take IPV4_ONLY")
    if not subnet.private_ip_google_access:
        faults.append("Private Google Access is off: turn it on")
    faults += [
        f"its range {taken} overlaps cidr {own.cidr}: take another /16"
        for taken in inside
        if ip_network(taken).overlaps(ip_network(own.cidr))
    ]
    if faults:
        raise NetworkUnfit(f"subnetwork {own.subnetwork} in {own.region}: {'; '.join(faults)}")
    return Ground(network.id, network.name, subnet.id, inside)


def peered(component: pulumi.Resource, own: Own, name: str) -> str:
    """The addresses of a range that the own network has peered; raises ``NetworkUnfit`` where it is for another use."""
    look = pulumi.InvokeOptions(parent=component)
    found = compute.get_global_address(name=name, project=own.project, opts=look)
    if found.purpose != "VPC_PEERING" or _last(found.network) != own.network:
        raise NetworkUnfit(
            f"database range {name}: it is for {found.purpose} in {_last(found.network)}. "
            f"Name one for VPC_PEERING in {own.network}"
        )
    return f"{found.address}/{found.prefix_length}"


def _last(path: str) -> str:
    return path.rpartition("/")[2]
