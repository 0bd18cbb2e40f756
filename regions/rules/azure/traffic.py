"""Azure's edge, messaging, caches and replicas of services: where traffic is answered, and copied to."""

from collections.abc import Iterator, Mapping
from typing import Any

from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.azure.places import place, refers_within
from regions.rules.clauses import exists, outside, within
from regions.rules.rule import UNSET, Breach, Clause, Plan, Resource, ResourceRule

_BUS = "azure-native:servicebus:Namespace"
_SPELLINGS = {"UAE": ("AE",), "UK": ("GB",), "Korea": ("KR",), "Europe": ("IE", "NL"), "Asia Pacific": ("HK", "SG")}
"""Data locations that are no country of the catalogue by name; of geographies, the countries of their regions."""


def _endpoint_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    """An endpoint's own location, else that of the planned resource which it leads to."""
    if value is UNSET:
        return
    endpoint = value if isinstance(value, Mapping) else {}
    where = endpoint.get("endpointLocation")
    if where is None:
        target = str(endpoint.get("targetResourceId")).casefold()
        found = [other for other in plan.resources if str(other.properties.get("id")).casefold() == target]
        where = place(found[0], plan) if len(found) == 1 else None
    if not isinstance(where, str):
        yield "neither endpointLocation nor a resource of this plan says where it is"
    elif breach := outside(plan, resource, Purpose.PROCESS, where):
        yield breach


def _is_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    yield from _endpoint_within(resource.properties, resource, plan)


def _rests_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    """``dataLocation`` is the name of a country or geography, not of a region."""
    codes = {name: (code,) for code, name in plan.catalogue.countries.names.items()} | _SPELLINGS
    if str(value) not in codes:
        yield "it is no country or geography that the catalogue has"
    elif breach := plan.outside(f"{resource.name} in {value}", Purpose.REST, codes[str(value)]):
        yield breach


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="Z22",
        title="Traffic decrypted at a global edge",
        severity=Severity.DENY,
        types=(
            "azure-native:cdn:AFDEndpoint",
            "azure-native:cdn:Endpoint",
            "azure-native:cdn:Profile",
            "azure-native:frontdoor:FrontDoor",
        ),
        trap="Front Door and CDN end TLS, cache and log at every edge of the world",
        remedy="an Application Gateway in the stack's region",
        source="pulumi-azure-native 3.29.0; known",
        clauses=(Clause("", exists("it ends TLS outside any region")),),
    ),
    ResourceRule(
        id="Z23",
        title="Traffic steered outside the Boundary",
        severity=Severity.WARN,
        types=("azure-native:trafficmanager:Profile", "azure-native:trafficmanager:Endpoint"),
        trap="DNS answers with any of the endpoints, also with those in other countries",
        remedy="endpoints inside the Boundary only, each with its endpointLocation",
        source="pulumi-azure-native 3.29.0",
        clauses=(
            Clause("endpoints[]", _endpoint_within, types=("azure-native:trafficmanager:Profile",)),
            Clause("endpointLocation", _is_within, types=("azure-native:trafficmanager:Endpoint",)),
        ),
    ),
    ResourceRule(
        id="Z24",
        title="Messages replicated outside the Boundary",
        severity=Severity.DENY,
        types=(
            _BUS,
            "azure-native:servicebus:DisasterRecoveryConfig",
            "azure-native:eventhub:DisasterRecoveryConfig",
        ),
        trap="geo-replication copies messages, and pairing copies the namespace, to the other region",
        remedy="no geoDataReplication and no partnerNamespace outside the Boundary",
        source="pulumi-azure-native 3.29.0",
        clauses=(
            Clause("geoDataReplication.locations[].locationName", within(Purpose.BACKUP), types=(_BUS,)),
            Clause(
                "partnerNamespace",
                refers_within(Purpose.BACKUP, _BUS),
                types=("azure-native:servicebus:DisasterRecoveryConfig",),
            ),
            Clause(
                "partnerNamespace",
                refers_within(Purpose.BACKUP, "azure-native:eventhub:Namespace"),
                types=("azure-native:eventhub:DisasterRecoveryConfig",),
            ),
        ),
    ),
    ResourceRule(
        id="Z25",
        title="Cache replicated outside the Boundary",
        severity=Severity.DENY,
        types=("azure-native:redisenterprise:Database", "azure-native:redis:LinkedServer"),
        trap="linked caches hold the same data",
        remedy="link caches of this plan inside the Boundary only",
        source="pulumi-azure-native 3.29.0",
        clauses=(
            Clause(
                "geoReplication.linkedDatabases[].id",
                refers_within(Purpose.REST, "azure-native:redisenterprise:RedisEnterprise"),
                types=("azure-native:redisenterprise:Database",),
            ),
            Clause(
                "linkedRedisCacheLocation",
                within(Purpose.REST, unset="the location of the linked cache is not said"),
                types=("azure-native:redis:LinkedServer",),
            ),
        ),
    ),
    ResourceRule(
        id="Z26",
        title="API gateway in a region outside the Boundary",
        severity=Severity.DENY,
        types=("azure-native:apimanagement:ApiManagementService",),
        trap="each additional location answers requests",
        remedy="additionalLocations inside the Boundary only",
        source="pulumi-azure-native 3.29.0",
        clauses=(Clause("additionalLocations[].location", within(Purpose.PROCESS)),),
    ),
    ResourceRule(
        id="Z27",
        title="Service replicated outside the Boundary",
        severity=Severity.DENY,
        types=("azure-native:appconfiguration:Replica", "azure-native:signalrservice:SignalRReplica"),
        trap="a replica holds the configuration, or carries the connections, in its own region",
        remedy="set location to a region inside the Boundary",
        source="pulumi-azure-native 3.29.0",
        clauses=(Clause("location", within(Purpose.REST, unset="its region is not said")),),
    ),
    ResourceRule(
        id="Z28",
        title="Communication data outside the Boundary",
        severity=Severity.DENY,
        types=("azure-native:communication:CommunicationService", "azure-native:communication:EmailService"),
        trap="its location is always global: where its data rests is dataLocation",
        remedy="a dataLocation inside the Boundary",
        source="pulumi-azure-native 3.29.0; geographies: MicrosoftDocs/azure-docs, regions-paired.md; spellings known",
        clauses=(Clause("dataLocation", _rests_within),),
    ),
    ResourceRule(
        id="Z29",
        title="Machine image copied outside the Boundary",
        severity=Severity.WARN,
        types=("azure-native:compute:GalleryImageVersion",),
        trap="an image, and what is baked into it, is copied to every target region",
        remedy="targetRegions inside the Boundary only",
        source="pulumi-azure-native 3.29.0",
        clauses=(Clause("publishingProfile.targetRegions[].name", within(Purpose.REST)),),
    ),
)
