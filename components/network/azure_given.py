"""Subnets that are there already, checked against Azure before anything is created."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations

import pulumi
from pulumi_azure_native import network

from components.network.azure_plan import NODES, AzureNetworkError, Place, Subnet, place_of

GIVEN = (Subnet.RUNTIME, Subnet.TOOLS, Subnet.ENDPOINTS)
_BY_ADDRESS = "rules go by address, so the tool executors would be let in to the primary or out: give each its own"


@dataclass(frozen=True)
class Given:
    id: str
    block: IPv4Network


def checked(
    vnet: str | None,
    subnets: Mapping[str, str],
    addresses: Mapping[Subnet, IPv4Network],
    region: str,
    opts: pulumi.InvokeOptions,
) -> dict[Subnet, Given]:
    """The subnets that are there; raises ``AzureNetworkError`` with all that is wrong with them and their VNet."""
    if vnet is None:
        if subnets:
            raise AzureNetworkError("subnets are given without vnet: name the VNet that they are in")
        return {}
    unknown = sorted(set(subnets) - set(GIVEN))
    if unknown:
        raise AzureNetworkError(
            f"subnets {', '.join(unknown)} cannot be given, only {', '.join(GIVEN)}: the databases' rules are the "
            "agents' boundary, so their subnets are made here"
        )
    place, places = place_of(vnet), {Subnet(role): place_of(id_) for role, id_ in subnets.items()}
    faults = [
        f"{one} and {other} are one subnet, {subnets[one]}: {_BY_ADDRESS}"
        for one, other in combinations(subnets, 2)
        if subnets[one].lower() == subnets[other].lower()
    ]
    faults += [
        f"{subnets[role]} is no subnet of {vnet}"
        for role, found in places.items()
        if not found.subnet or (found.group.lower(), found.vnet.lower()) != (place.group.lower(), place.vnet.lower())
    ]
    if faults:
        raise AzureNetworkError("; ".join(faults))
    faults += _vnet_faults(place, addresses, region, opts)
    given = {role: _read(found, subnets[role], role, faults, opts) for role, found in places.items()}
    taken = [addresses[role] for role in Subnet if role not in given]
    faults += [
        f"{one} has {given[one].block} and {other} {given[other].block}, which overlap: {_BY_ADDRESS}"
        for one, other in combinations(given, 2)
        if given[one].block.overlaps(given[other].block)
    ]
    faults += [
        f"{role} has {each.block}, which the subnets to be made would overlap: take another cidr"
        for role, each in given.items()
        if any(each.block.overlaps(block) for block in taken)
    ]
    if faults:
        raise AzureNetworkError(f"VNet {place.vnet}: " + "; ".join(faults))
    return given


def checked_hop(egress: str, blocks: Mapping[Subnet, IPv4Network]) -> str:
    """The firewall that is there; raises ``AzureNetworkError`` where it is no address, or in a subnet of the stack."""
    try:
        address = IPv4Address(egress)
    except ValueError as wrong:
        raise AzureNetworkError(f"egress {egress!r} is no IPv4 address: give the firewall's private one") from wrong
    holding = [f"{role}'s {block}" for role, block in blocks.items() if address in block]
    if holding:
        raise AzureNetworkError(
            f"egress {egress} is in {', '.join(holding)}: the stack's rules there are not a firewall's; give the "
            "address of one that stands in a subnet of its own"
        )
    return egress


def _vnet_faults(
    place: Place, addresses: Mapping[Subnet, IPv4Network], region: str, opts: pulumi.InvokeOptions
) -> list[str]:
    found = network.get_virtual_network(resource_group_name=place.group, virtual_network_name=place.vnet, opts=opts)
    prefixes = found.address_space.address_prefixes if found.address_space else None
    blocks = [IPv4Network(prefix) for prefix in prefixes or [] if ":" not in prefix]
    faults = [] if found.location == region else [f"it is in {found.location}, the stack in {region}"]
    outside = [str(block) for block in addresses.values() if not any(block.subnet_of(each) for each in blocks)]
    if outside:
        faults.append(f"{', '.join(outside)} is not in its address space: add cidr to it, or take another")
    return faults


def _read(place: Place, id_: str, role: Subnet, faults: list[str], opts: pulumi.InvokeOptions) -> Given:
    found = network.get_subnet(
        resource_group_name=place.group, virtual_network_name=place.vnet, subnet_name=place.subnet, opts=opts
    )
    prefixes = [found.address_prefix] if found.address_prefix else list(found.address_prefixes or [])
    if len(prefixes) != 1:
        raise AzureNetworkError(f"subnet {place.subnet} has {len(prefixes)} address prefixes: give one with one")
    if found.delegations:
        faults.append(f"subnet {place.subnet} is delegated, so nothing else can stand in it")
    if found.network_security_group is None:
        faults.append(f"subnet {place.subnet} has no security group: without one everything may enter it")
    if role in NODES and found.route_table is None:
        faults.append(f"subnet {place.subnet} has no route table: its nodes would leave past the firewall")
    return Given(id_, IPv4Network(prefixes[0]))
