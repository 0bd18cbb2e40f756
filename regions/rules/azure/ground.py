"""Where Azure resources stand, and in which cloud of Azure."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.azure.places import place, stands_within
from regions.rules.clauses import absent, region_name, within
from regions.rules.rule import UNSET, Breach, Check, Clause, Plan, Resource, ResourceRule

_NOWHERE = (
    "azure-native:authorization:*",
    "azure-native:dns:*",
    "azure-native:managedidentity:*",
    "azure-native:monitor:PrivateLinkScope*",
    "azure-native:privatedns:*",
)
"""Names, roles, identities and lists of what a private address leads to: no content, and the whole service is global.
"""
_EDGE = (
    "azure-native:cdn:*",
    "azure-native:communication:*",
    "azure-native:frontdoor:*",
    "azure-native:trafficmanager:*",
)
"""Global as well, and judged by rules of their own: Z22, Z23 and Z28."""
_COPIES = (
    "azure-native:appconfiguration:Replica",
    "azure-native:containerregistry:Replication",
    "azure-native:signalrservice:SignalRReplica",
)
"""Judged by Z16 and Z27."""


def _stands() -> Check:
    stands = stands_within(Purpose.REST, Purpose.PROCESS)

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        where = place(resource, plan)
        if any(fnmatchcase(resource.type, pattern) for pattern in (*_NOWHERE, *_EDGE)) and (
            where is None or region_name(where) == "global"
        ):
            return
        yield from stands(value, resource, plan)

    return check


def _environment(value: Any, resource: Resource, plan: Plan) -> Iterator[str]:
    environment = "public" if value is UNSET else value
    if environment != plan.partition:
        yield f"it is {environment}, and the stack's region {plan.region} is in {plan.partition}"


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="Z01",
        title="Azure resource outside the Boundary",
        severity=Severity.DENY,
        types=("azure-native:*",),
        trap="without a location of its own a resource takes its parent's, the provider's or its group's",
        remedy="set location to a region inside the Boundary, and use a regional service instead of a global one",
        source="pulumi-azure-native 3.29.0; that names, roles and identities are global: known",
        clauses=(Clause("", _stands(), unless=lambda resource: resource.type in _COPIES),),
    ),
    ResourceRule(
        id="Z02",
        title="Azure provider of another cloud",
        severity=Severity.DENY,
        types=("pulumi:providers:azure-native",),
        trap="public, usgovernment and china are separate clouds, and metadataHost overrides what environment says",
        remedy="set environment to the cloud of the stack's region, leave metadataHost out, set a location inside",
        source="pulumi-azure-native 3.29.0, provider.py",
        clauses=(
            Clause("environment", _environment, own=True),
            Clause("metadataHost", absent("it selects the cloud whatever environment says"), own=True),
            Clause("location", within(Purpose.REST), own=True),
        ),
    ),
)
