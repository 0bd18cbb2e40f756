"""How a network reaches Google's APIs: one address for all that VPC Service Controls can guard, one for each API whose
data only its region serves, and private zones that lead the usual names there.
"""

import pulumi
from pulumi import Input
from pulumi_gcp import compute, dns, networkconnectivity

from components.network.gcp_ground import Ground, endpoint_name

REGIONAL = ("secretmanager",)
"""What is served by its region's own host only, for regional secrets are not known to the global one."""
REGISTRIES = {"googleapis.com": ("pkg.dev",)}
"""Further domains of a universe that the bundle answers for: where images come from."""
TTL_SECONDS = 300


class Apis:
    """The endpoints and zones of one network, as children of it."""

    def __init__(self, name: str, region: str, universe: str, ground: Ground, child: pulumi.ResourceOptions) -> None:
        self._name, self._region, self._universe = name, region, universe
        self._ground, self._child = ground, child

    def create(self, address: str) -> None:
        """``address``: of the network, in none of its subnets."""
        self._create_endpoint(address)
        zone = self._create_zone(self._universe, address)
        for domain in REGISTRIES.get(self._universe, ()):
            self._create_zone(domain, address)
        for api in REGIONAL:
            self._create_regional_endpoint(api, zone)

    def _create_endpoint(self, address: str) -> None:
        reserved = compute.GlobalAddress(
            f"{self._name}-apis-address",
            purpose="PRIVATE_SERVICE_CONNECT",
            address_type="INTERNAL",
            address=address,
            network=self._ground.id,
            opts=self._child,
        )
        compute.GlobalForwardingRule(
            f"{self._name}-apis",
            name=endpoint_name(self._name),
            target="vpc-sc",
            load_balancing_scheme="",
            network=self._ground.id,
            ip_address=reserved.id,
            # Unset, the endpoint's entry is kept in us-central1.
            service_directory_registrations={"service_directory_region": self._region},
            opts=self._child,
        )

    def _create_zone(self, domain: str, address: str) -> dns.ManagedZone:
        role = domain.replace(".", "-")
        zone = dns.ManagedZone(
            f"{self._name}-{role}",
            dns_name=f"{domain}.",
            visibility="private",
            private_visibility_config={"networks": [{"network_url": self._ground.id}]},
            opts=self._child,
        )
        self._create_record(f"{role}-apex", zone, domain, "A", address)
        self._create_record(f"{role}-any", zone, f"*.{domain}", "CNAME", f"{domain}.")
        return zone

    def _create_regional_endpoint(self, api: str, zone: dns.ManagedZone) -> None:
        endpoint = networkconnectivity.RegionalEndpoint(
            f"{self._name}-{api}",
            location=self._region,
            access_type="REGIONAL",
            target_google_api=f"{api}.{self._region}.rep.{self._universe}",
            network=self._ground.id,
            subnetwork=self._ground.subnet,
            opts=self._child,
        )
        for role, host in (("public", "rep"), ("private", "p.rep")):
            name = f"{api}.{self._region}.{host}.{self._universe}"
            self._create_record(f"{api}-{role}", zone, name, "A", endpoint.address)

    def _create_record(self, role: str, zone: dns.ManagedZone, name: str, type_: str, value: Input[str]) -> None:
        dns.RecordSet(
            f"{self._name}-{role}",
            managed_zone=zone.name,
            name=f"{name}.",
            type=type_,
            ttl=TTL_SECONDS,
            rrdatas=[value],
            opts=self._child,
        )
