"""G18 and G19: Google Cloud's load balancers and endpoints."""

import pytest

from regions.rules.gcp import traffic
from regions.rules.rule import UNKNOWN
from tests.fixtures.rule_cases import Case, breaches, survivors
from tests.fixtures.rule_tables import Stack

GLOBAL_RULE = "gcp:compute/globalForwardingRule:GlobalForwardingRule"
BACKEND, REGIONAL = "gcp:compute/backendService:BackendService", "gcp:compute/regionBackendService:RegionBackendService"
OBJECTS, RULE = "gcp:compute/backendBucket:BackendBucket", "gcp:compute/forwardingRule:ForwardingRule"
ENDPOINT = "gcp:networkconnectivity/regionalEndpoint:RegionalEndpoint"
FRANKFURT = Stack("europe-west3")
INTERNAL = {"loadBalancingScheme": "INTERNAL_MANAGED"}

CASES = [
    *(
        FRANKFURT.case("G18", f"{type_} {why}", type_, properties, *found)
        for type_ in (GLOBAL_RULE, BACKEND)
        for why, properties, found in (
            ("internal", INTERNAL, ()),
            ("external, by default", {}, ("loadBalancingScheme",)),
            ("external", {"loadBalancingScheme": "EXTERNAL_MANAGED"}, ("loadBalancingScheme",)),
            ("not known yet", {"loadBalancingScheme": UNKNOWN}, ("loadBalancingScheme",)),
        )
    ),
    FRANKFURT.case("G18", "regional", REGIONAL, {"loadBalancingScheme": "EXTERNAL_MANAGED"}),
    FRANKFURT.case("G18", "cached", BACKEND, INTERNAL | {"enableCdn": True}, "enableCdn"),
    FRANKFURT.case("G18", "not cached", BACKEND, INTERNAL | {"enableCdn": False}),
    FRANKFURT.case("G18", "objects cached", OBJECTS, {"enableCdn": True}, "enableCdn"),
    FRANKFURT.case("G19", "closed", RULE, {"allowGlobalAccess": False}),
    FRANKFURT.case("G19", "closed by default", RULE, {}),
    FRANKFURT.case("G19", "open", RULE, {"allowGlobalAccess": True}, "allowGlobalAccess"),
    FRANKFURT.case("G19", "open to services", RULE, {"allowPscGlobalAccess": True}, "allowPscGlobalAccess"),
    FRANKFURT.case("G19", "regional endpoint", ENDPOINT, {"accessType": "REGIONAL"}),
    FRANKFURT.case("G19", "global endpoint", ENDPOINT, {"accessType": "GLOBAL"}, "accessType"),
    FRANKFURT.case("G19", "endpoint that does not say", ENDPOINT, {}, "accessType"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in traffic.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(traffic.RULES, CASES) == []
