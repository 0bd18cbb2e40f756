"""What Azure's network is planned from: addresses, names by cloud, rules. Plain data; no Pulumi.

The agents' boundary is by address. Azure does not support application security groups in the rules of a subnet that is
delegated to a flexible server (MicrosoftDocs/azure-databases-docs, concepts-networking-private.md, 2024-06-27), so tool
executors have a node pool in a subnet of their own; the groups say the same once more where the nodes' traffic leaves.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network

from components.infrastructure import Refused

POSTGRES = 5432
HTTPS = 443
ANY = "*"
_SMALLEST = 22
_PRIVATE = tuple(IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_HOST = re.compile(r"^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$")
_VNET = re.compile(
    r"^/subscriptions/[^/]+/resourceGroups/(?P<group>[^/]+)/providers/Microsoft\.Network"
    r"/virtualNetworks/(?P<vnet>[^/]+)(/subnets/(?P<subnet>[^/]+))?$",
    re.IGNORECASE,
)


class AzureNetworkError(Refused):
    """The network asked for cannot be made; nothing was created. The message says what, and what to do."""


class Subnet(StrEnum):
    """``RUNTIME``, ``TOOLS``: nodes of gateway and worker, and of the tool executors."""

    RUNTIME = "runtime"
    TOOLS = "tools"
    ENDPOINTS = "endpoints"
    FIREWALL = "firewall"
    PRIMARY = "primary"
    REPLICA = "replica"


NODES = (Subnet.RUNTIME, Subnet.TOOLS)
PRIVATE = (*NODES, Subnet.ENDPOINTS)
"""Azure gives what stands there no way out of its own; in a service's own subnet that is the service's affair."""


class Service(StrEnum):
    """What is reached by a private address, by a name in a zone of its own."""

    POSTGRES = "postgres"
    VAULT = "vault"
    HSM = "hsm"
    MODELS = "models"
    MONITOR = "monitor"
    MONITOR_OMS = "monitor-oms"
    MONITOR_ODS = "monitor-ods"
    MONITOR_AGENT = "monitor-agent"
    MONITOR_BLOB = "monitor-blob"


MONITORING = tuple(service for service in Service if service.startswith(Service.MONITOR))
"""All that a private link scope of Azure Monitor answers by."""

ZONES = {
    "public": {
        Service.POSTGRES: "private.postgres.database.azure.com",
        Service.VAULT: "privatelink.vaultcore.azure.net",
        Service.HSM: "privatelink.managedhsm.azure.net",
        Service.MODELS: "privatelink.openai.azure.com",
        Service.MONITOR: "privatelink.monitor.azure.com",
        Service.MONITOR_OMS: "privatelink.oms.opinsights.azure.com",
        Service.MONITOR_ODS: "privatelink.ods.opinsights.azure.com",
        Service.MONITOR_AGENT: "privatelink.agentsvc.azure-automation.net",
        Service.MONITOR_BLOB: "privatelink.blob.core.windows.net",
    },
    "usgovernment": {
        Service.POSTGRES: "private.postgres.database.usgovcloudapi.net",
        Service.VAULT: "privatelink.vaultcore.usgovcloudapi.net",
        Service.MODELS: "privatelink.openai.azure.us",
        Service.MONITOR: "privatelink.monitor.azure.us",
        Service.MONITOR_OMS: "privatelink.oms.opinsights.azure.us",
        Service.MONITOR_ODS: "privatelink.ods.opinsights.azure.us",
        Service.MONITOR_AGENT: "privatelink.agentsvc.azure-automation.us",
        Service.MONITOR_BLOB: "privatelink.blob.core.usgovcloudapi.net",
    },
    "china": {
        Service.POSTGRES: "private.postgres.database.chinacloudapi.cn",
        Service.VAULT: "privatelink.vaultcore.azure.cn",
    },
}
"""By cloud of Azure. MicrosoftDocs/azure-docs, private-endpoint-dns.md, which has no HSM outside the public cloud; the
suffixes of flexible servers: Azure CLI, cloud.py. Postgres: ``<stack>.`` is put before. China's names of models and of
Azure Monitor were not looked up."""


def zones_of(environment: str, stack: str) -> dict[Service, str]:
    """The private DNS zones of a stack; raises ``AzureNetworkError`` for an unknown cloud."""
    if environment not in ZONES:
        raise AzureNetworkError(f"Azure has no cloud {environment!r}: take one of {', '.join(ZONES)}")
    return {
        service: f"{stack}.{zone}" if service is Service.POSTGRES else zone
        for service, zone in ZONES[environment].items()
    }


def addresses(cidr: str) -> dict[Subnet, IPv4Network]:
    """What each subnet gets: nodes a quarter each, the others a sixteenth; the last quarter stays free.

    Raises ``AzureNetworkError`` where the block is none, is public, or leaves the firewall less than the /26 it needs.
    """
    try:
        block = IPv4Network(cidr)
    except ValueError as wrong:
        raise AzureNetworkError(
            f"network.cidr: {cidr!r} is no block of addresses: {wrong}. Take one as 10.40.0.0/20"
        ) from wrong
    if not any(block.subnet_of(private) for private in _PRIVATE):
        raise AzureNetworkError(f"network.cidr: {cidr} is public: take one inside {', '.join(map(str, _PRIVATE))}")
    if block.prefixlen > _SMALLEST:
        raise AzureNetworkError(
            f"network.cidr: {cidr} is too small: a sixteenth of it has to be the firewall's /26. "
            f"Take a /{_SMALLEST} or wider"
        )
    runtime, tools, shared, _ = block.subnets(prefixlen_diff=2)
    rest = (Subnet.ENDPOINTS, Subnet.FIREWALL, Subnet.PRIMARY, Subnet.REPLICA)
    cut = zip(rest, shared.subnets(prefixlen_diff=2), strict=True)
    return {Subnet.RUNTIME: runtime, Subnet.TOOLS: tools, **dict(cut)}


def hosts_allowed(hosts: Iterable[str]) -> list[str]:
    """The hosts in order, once each; raises ``AzureNetworkError`` with every one that is no host name."""
    wanted = sorted({host.lower() for host in hosts})
    wrong = [host for host in wanted if not _HOST.match(host)]
    if wrong:
        raise AzureNetworkError(
            f"network: egress to {', '.join(wrong)}: expected host names, such as login.microsoftonline.com or "
            f"*.example.org, without a port: the firewall lets out HTTPS on {HTTPS} alone, so have what listens "
            "elsewhere answer there"
        )
    return wanted


@dataclass(frozen=True)
class Place:
    """What an id of Azure names; ``subnet``: empty where it names the VNet."""

    group: str
    vnet: str
    subnet: str


def place_of(id_: str) -> Place:
    """Raises ``AzureNetworkError`` where it is the id of neither a VNet nor a subnet."""
    found = _VNET.match(id_)
    if found is None:
        raise AzureNetworkError(
            f"{id_!r} is the id of no VNet or subnet: expected /subscriptions/…/resourceGroups/…/providers/"
            "Microsoft.Network/virtualNetworks/…[/subnets/…]"
        )
    return Place(found["group"], found["vnet"], found["subnet"] or "")


@dataclass(frozen=True)
class Traffic:
    """One rule of a security group. ``source``, ``to``: addresses, a service tag or ``*``; ``group``: the source's
    application security group, by the name of its subnet."""

    name: str
    inbound: bool
    allow: bool
    priority: int
    source: tuple[str, ...]
    to: tuple[str, ...]
    port: str
    group: Subnet | None = None


def _allow(name: str, priority: int, source: str, to: str, port: int, *, inbound: bool) -> Traffic:
    return Traffic(name, inbound, True, priority, (source,), (to,), str(port))


def _nothing_else(*, inbound: bool) -> Traffic:
    name = "nothing-else-in" if inbound else "nothing-else-out"
    return Traffic(name, inbound, False, 4096, (ANY,), (ANY,), ANY)


def database_traffic(own: str, other: str, readers: str, region: str) -> list[Traffic]:
    """A database's subnet: its readers, its standby, and the server that it replicates with, on 5432 alone.

    Outward besides: the region's storage, where the service archives its log, and Entra, which signs readers in.
    """
    return [
        _allow("from-readers", 100, readers, own, POSTGRES, inbound=True),
        _allow("from-replication", 110, other, own, POSTGRES, inbound=True),
        _allow("from-standby", 120, own, own, POSTGRES, inbound=True),
        _nothing_else(inbound=True),
        _allow("to-standby", 100, own, own, POSTGRES, inbound=False),
        _allow("to-replication", 110, own, other, POSTGRES, inbound=False),
        _allow("to-storage", 120, own, f"Storage.{region}", HTTPS, inbound=False),
        _allow("to-entra", 130, own, "AzureActiveDirectory", HTTPS, inbound=False),
        _nothing_else(inbound=False),
    ]


def workload_traffic(primary: str, replica: str) -> list[Traffic]:
    """Nodes: to the primary as the runtime's, to the replica as the tool executors', else to no database."""
    return [
        Traffic("runtime-to-primary", False, True, 100, (), (primary,), str(POSTGRES), Subnet.RUNTIME),
        Traffic("tools-to-replica", False, True, 110, (), (replica,), str(POSTGRES), Subnet.TOOLS),
        Traffic("no-other-database", False, False, 120, (ANY,), (primary, replica), ANY),
    ]


def endpoint_traffic(own: str, nodes: Sequence[str]) -> list[Traffic]:
    """Private endpoints: nodes alone, on 443."""
    return [
        Traffic("from-nodes", True, True, 100, tuple(nodes), (own,), str(HTTPS)),
        _nothing_else(inbound=True),
    ]
