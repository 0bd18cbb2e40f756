"""Z22 to Z29: Azure's edge, messaging, caches and replicas of services."""

from typing import Any

import pytest

from regions.rules.azure import traffic
from regions.rules.rule import UNKNOWN, Resource
from tests.fixtures.resources import resource
from tests.fixtures.rule_cases import Case, breaches, survivors
from tests.fixtures.rule_tables import Stack

STEERING, STEERED = "azure-native:trafficmanager:Profile", "azure-native:trafficmanager:Endpoint"
BUS, BUS_PAIR = "azure-native:servicebus:Namespace", "azure-native:servicebus:DisasterRecoveryConfig"
EVENTS, EVENTS_PAIR = "azure-native:eventhub:Namespace", "azure-native:eventhub:DisasterRecoveryConfig"
CACHE, CACHES = "azure-native:redisenterprise:Database", "azure-native:redisenterprise:RedisEnterprise"
LINK, API = "azure-native:redis:LinkedServer", "azure-native:apimanagement:ApiManagementService"
SMS, MAIL = "azure-native:communication:CommunicationService", "azure-native:communication:EmailService"
IMAGE, ADDRESS = "azure-native:compute:GalleryImageVersion", "azure-native:network:PublicIPAddress"
PARIS, ZURICH, SINGAPORE = (
    Stack("francecentral"),
    Stack("switzerlandnorth", "ch-fadp"),
    Stack("southeastasia", "sg-pdpa"),
)


def namespace(type_: str, location: str) -> Resource:
    return resource(type_, "other", {"namespaceName": "acme-2", "location": location})


def caches(location: str) -> Resource:
    return resource(CACHES, "caches", {"clusterName": "acme-2", "location": location})


def address(location: str) -> Resource:
    return resource(ADDRESS, "address", {"id": TARGET, "location": location})


def steers(**endpoint: Any) -> dict[str, Any]:
    return {"location": "global", "endpoints": [{"name": "e", **endpoint}]}


def replicated(location: Any) -> dict[str, Any]:
    return {"geoDataReplication": {"locations": [{"locationName": "francecentral"}, {"locationName": location}]}}


def copies(location: str) -> dict[str, Any]:
    return {"publishingProfile": {"targetRegions": [{"name": "francecentral"}, {"name": location}]}}


TARGET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/publicIPAddresses/a"
LINKED = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Cache/redisEnterprise/acme-2/databases/default"
LINKS: dict[str, Any] = {"geoReplication": {"groupNickname": "g", "linkedDatabases": [{"id": LINKED}]}}

CASES = [
    *(PARIS.case("Z22", type_, type_, {}, "") for type_ in traffic.RULES[0].types),
    PARIS.case("Z22", "regional gateway", "azure-native:network:ApplicationGateway", {"location": "francecentral"}),
    PARIS.case("Z23", "no endpoints", STEERING, {"location": "global"}),
    PARIS.case("Z23", "to a region inside", STEERING, steers(endpointLocation="West Europe")),
    PARIS.case("Z23", "to a region outside", STEERING, steers(endpointLocation="East US"), "endpoints[0]"),
    PARIS.case("Z23", "to a region not known yet", STEERING, steers(endpointLocation=UNKNOWN), "endpoints[0]"),
    PARIS.case(
        "Z23", "to a resource inside", STEERING, steers(targetResourceId=TARGET), others=(address("westeurope"),)
    ),
    PARIS.case(
        "Z23",
        "to a resource outside",
        STEERING,
        steers(targetResourceId=TARGET),
        "endpoints[0]",
        others=(address("eastus"),),
    ),
    PARIS.case("Z23", "to a resource of another plan", STEERING, steers(targetResourceId=TARGET), "endpoints[0]"),
    PARIS.case("Z23", "to a host", STEERING, steers(target="api.acme.example"), "endpoints[0]"),
    PARIS.case("Z23", "endpoint inside", STEERED, {"endpointLocation": "westeurope"}),
    PARIS.case("Z23", "endpoint outside", STEERED, {"endpointLocation": "eastus"}, "endpointLocation"),
    PARIS.case("Z24", "not replicated", BUS, {"location": "francecentral"}),
    PARIS.case("Z24", "replicated inside", BUS, replicated("westeurope")),
    PARIS.case("Z24", "replicated outside", BUS, replicated("uksouth"), "geoDataReplication.locations[1].locationName"),
    *(
        PARIS.case(
            "Z24", f"{pair} in {where}", pair, {"partnerNamespace": "acme-2"}, *found, others=(namespace(type_, where),)
        )
        for pair, type_ in ((BUS_PAIR, BUS), (EVENTS_PAIR, EVENTS))
        for where, found in (("westeurope", ()), ("uksouth", ("partnerNamespace",)))
    ),
    PARIS.case("Z24", "paired with another plan's", BUS_PAIR, {"partnerNamespace": "theirs"}, "partnerNamespace"),
    PARIS.case("Z24", "not paired", EVENTS_PAIR, {}),
    PARIS.case("Z25", "alone", CACHE, {"clusterName": "acme"}),
    PARIS.case("Z25", "linked inside", CACHE, LINKS, others=(caches("westeurope"),)),
    PARIS.case(
        "Z25", "linked outside", CACHE, LINKS, "geoReplication.linkedDatabases[0].id", others=(caches("uksouth"),)
    ),
    PARIS.case("Z25", "linked to another plan's", CACHE, LINKS, "geoReplication.linkedDatabases[0].id"),
    PARIS.case("Z25", "link inside", LINK, {"linkedRedisCacheLocation": "West Europe"}),
    PARIS.case("Z25", "link outside", LINK, {"linkedRedisCacheLocation": "UK South"}, "linkedRedisCacheLocation"),
    PARIS.case("Z25", "link nobody knows where", LINK, {}, "linkedRedisCacheLocation"),
    PARIS.case("Z26", "in one region", API, {"location": "francecentral"}),
    PARIS.case("Z26", "in a second inside", API, {"additionalLocations": [{"location": "West Europe"}]}),
    PARIS.case(
        "Z26",
        "in a second outside",
        API,
        {"additionalLocations": [{"location": "UK South"}]},
        "additionalLocations[0].location",
    ),
    *(
        PARIS.case("Z27", f"{type_} {why}", type_, properties, *found)
        for type_ in traffic.RULES[5].types
        for why, properties, found in (
            ("inside", {"location": "westeurope"}, ()),
            ("outside", {"location": "uksouth"}, ("location",)),
            ("nobody says where", {}, ("location",)),
        )
    ),
    PARIS.case("Z28", "France", SMS, {"location": "global", "dataLocation": "France"}),
    PARIS.case("Z28", "Europe", SMS, {"dataLocation": "Europe"}),
    PARIS.case("Z28", "United Kingdom", MAIL, {"dataLocation": "UK"}, "dataLocation"),
    PARIS.case("Z28", "United States", MAIL, {"dataLocation": "United States"}, "dataLocation"),
    PARIS.case("Z28", "a geography that the catalogue lacks", SMS, {"dataLocation": "Africa"}, "dataLocation"),
    PARIS.case("Z28", "nobody says where", SMS, {"location": "global"}, "dataLocation"),
    ZURICH.case("Z28", "Switzerland", SMS, {"dataLocation": "Switzerland"}),
    ZURICH.case("Z28", "Europe without Switzerland", SMS, {"dataLocation": "Europe"}, "dataLocation"),
    SINGAPORE.case("Z28", "Asia with Hong Kong", SMS, {"dataLocation": "Asia Pacific"}, "dataLocation"),
    PARIS.case("Z29", "copied inside", IMAGE, copies("westeurope")),
    PARIS.case("Z29", "copied outside", IMAGE, copies("UK South"), "publishingProfile.targetRegions[1].name"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in traffic.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(traffic.RULES, CASES) == []
