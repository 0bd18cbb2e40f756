"""A private address in the stack's network for a service of Azure, by the service's own name."""

from collections.abc import Mapping

import pulumi
from pulumi import Input, Output
from pulumi_azure_native import network


def create_way_in(
    name: str,
    region: str,
    group: Input[str],
    subnet: Input[str],
    part: str,
    target: Input[str],
    zones: Mapping[str, Input[str]],
    opts: pulumi.ResourceOptions,
) -> Output[str]:
    """Id of the endpoint, known once names lead to it. ``part``: of the service ``target``, as Azure calls it.

    ``zones``: ids of the private DNS zones that its names are in.
    """
    endpoint = network.PrivateEndpoint(
        f"{name}-endpoint",
        resource_group_name=group,
        location=region,
        subnet=network.SubnetArgs(id=subnet),
        private_link_service_connections=[
            network.PrivateLinkServiceConnectionArgs(name=part, private_link_service_id=target, group_ids=[part])
        ],
        opts=opts,
    )
    names = network.PrivateDnsZoneGroup(
        f"{name}-endpoint-names",
        resource_group_name=group,
        private_endpoint_name=endpoint.name,
        private_dns_zone_configs=[
            network.PrivateDnsZoneConfigArgs(name=key, private_dns_zone_id=zone) for key, zone in zones.items()
        ],
        opts=opts,
    )
    return Output.all(endpoint.id, names.id).apply(lambda ids: ids[0])
