"""Every resource of a stack with what somebody who signs for it asks: what, where, under whose key, for how much, and
what the Boundary's rules have against it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.parity import Capability
from components.spec import FabricSpec
from regions.catalogue import Catalogue
from regions.findings import Finding
from regions.rules.rule import Resource
from scripts.cost.prices import Prices, load
from scripts.graph import PROVIDER, ROOT, Graph, State

_COMPONENT = re.compile(r"loomstead:([a-z_]+):")
_KEY = re.compile(r"kms|^key(Arn|Id|Name|Uri|VaultUri|VaultKeyId)$|primaryKeyUri|encryption", re.IGNORECASE)
_NO_KEY = re.compile(r"algorithm|enabled|infrastructure|type|mode", re.IGNORECASE)
FABRIC = "fabric"
_PLACES = ("region", "location")
PRICED = {
    "aws:ec2/natGateway:NatGateway": "nat.gateway",
    "aws:ec2/eip:Eip": "vpc.address",
    "aws:networkfirewall/firewall:Firewall": "firewall.endpoint",
    "aws:kms/key:Key": "kms.key",
    "aws:secretsmanager/secret:Secret": "secrets.secret",
    "aws:eks/cluster:Cluster": "eks.cluster",
    "aws:lb/loadBalancer:LoadBalancer": "alb.hour",
    "aws:wafv2/webAcl:WebAcl": "waf.acl",
    "aws:rds/instance:Instance": "rds.{instanceClass}",
    "aws:elasticache/replicationGroup:ReplicationGroup": "elasticache.{nodeType}",
    "aws:eks/nodeGroup:NodeGroup": "ec2.{instanceTypes.0}",
    "azure-native:network:AzureFirewall": "firewall.standard",
    "azure-native:network:PublicIPAddress": "network.address",
    "azure-native:network:PrivateEndpoint": "network.endpoint",
    "azure-native:dbforpostgresql:Server": "postgres.{sku.name}",
    "azure-native:keyvault:ManagedHsm": "vault.hsm",
}
"""Token → item of the table of prices; in braces a property of the resource."""


@dataclass(frozen=True)
class Item:
    """``region``: none for what is everywhere, or in the cluster. ``key``: that it is encrypted with, as it says.
    ``price``: of one unit; none for what costs nothing, or what nobody priced. ``verdict``: ``inside``, or rules."""

    capability: str
    type: str
    name: str
    region: str | None
    key: str | None
    price: str | None
    verdict: str


def inventory(graph: Graph, spec: FabricSpec, findings: Sequence[Finding], catalogue: Catalogue) -> tuple[Item, ...]:
    """In the order of the parity table, then of names; providers and the stack itself are no resources."""
    prices = load(spec.platform, spec.region, catalogue)
    against: dict[str, list[str]] = {}
    for finding in findings:
        if finding.waiver is None:
            against.setdefault(finding.resource, []).append(finding.rule)
    items = [
        _item(state, graph.resource(state), prices, against)
        for state in graph.states
        if state.type != ROOT and not state.type.startswith((PROVIDER, "loomstead:"))
    ]
    order = [*map(str, Capability), FABRIC]
    return tuple(sorted(items, key=lambda item: (order.index(item.capability), item.name)))


def capability_of(urn: str) -> str:
    """Of the innermost component that is a capability; ``fabric`` for what the fabric itself makes."""
    types = urn.split("::")[2]
    named = [name for name in _COMPONENT.findall(types) if name in tuple(Capability)]
    return named[-1] if named else FABRIC


def _item(state: State, resource: Resource, prices: Prices | None, against: Mapping[str, list[str]]) -> Item:
    rules = against.get(state.name)
    return Item(
        capability=of_the_replica(state.name, capability_of(state.urn)),
        type=state.type,
        name=state.name,
        region=_region(resource),
        key=next(_keys(resource.properties), None),
        price=_price(resource, prices),
        verdict=", ".join(sorted(set(rules))) if rules else "inside",
    )


def of_the_replica(name: str, capability: str) -> str:
    """The agents' replica is made beside its primary, by one component."""
    return str(Capability.REPLICA) if capability == Capability.POSTGRES and "replica" in name else capability


def _region(resource: Resource) -> str | None:
    told = (resource.properties.get(name) for name in _PLACES)
    return next((place for place in told if isinstance(place, str) and place), resource.region)


def _keys(value: Any, name: str = "") -> Iterator[str]:
    """Texts under names that keys have."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _keys(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner, name)
    elif isinstance(value, str) and re.search(r"[:/]", value) and _names_a_key(name):
        yield value


def _names_a_key(path: str) -> bool:
    return any(map(_KEY.search, path.split("."))) and not _NO_KEY.search(path.rpartition(".")[2])


def _price(resource: Resource, prices: Prices | None) -> str | None:
    item = PRICED.get(resource.type)
    if item is None or prices is None:
        return None
    found = prices.of(re.sub(r"\{(.+?)\}", lambda name: str(_at(resource.properties, name[1])), item))
    if found is None:
        return "unpriced"
    return f"${found.amount:g} {_article(found.unit)} {found.unit}" + (f", {found.of}'s" if found.of else "")


def _article(unit: str) -> str:
    return "an" if unit.startswith("hour") else "a"


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value[int(step)] if isinstance(value, list) and value else (value or {}).get(step)
    return value
