"""G03, G15 and G28: secrets, keys and parameters of Google Cloud."""

from typing import Any

import pytest

from regions.rules.gcp import keys
from regions.rules.rule import UNKNOWN
from tests.fixtures.rule_cases import Case, breaches, survivors
from tests.fixtures.rule_tables import Stack

SECRET, RING = "gcp:secretmanager/secret:Secret", "gcp:kms/keyRing:KeyRing"
TEMPLATE, PARAMETER = "gcp:modelarmor/template:Template", "gcp:parametermanager/parameter:Parameter"
FRANKFURT, LONDON = Stack("europe-west3"), Stack("europe-west2", "uk-gdpr")
REPLICAS = "replication.userManaged.replicas"


def replicated(*locations: Any) -> dict[str, Any]:
    return {"replication": {"userManaged": {"replicas": [{"location": location} for location in locations]}}}


CASES = [
    FRANKFURT.case("G03", "automatically", SECRET, {"replication": {"auto": {}}}, f"{REPLICAS}[].location"),
    FRANKFURT.case("G03", "nowhere said", SECRET, replicated(), f"{REPLICAS}.location"),
    FRANKFURT.case("G03", "inside", SECRET, replicated("europe-west3", "europe-west1")),
    FRANKFURT.case("G03", "outside", SECRET, replicated("europe-west3", "europe-west2"), f"{REPLICAS}[1].location"),
    FRANKFURT.case("G03", "known to the cloud only", SECRET, replicated(UNKNOWN), f"{REPLICAS}[0].location"),
    FRANKFURT.case("G15", "inside", RING, {"location": "europe-west4"}),
    FRANKFURT.case("G15", "global", RING, {"location": "global"}, "location"),
    FRANKFURT.case("G15", "multi-region", RING, {"location": "eur4"}, "location"),
    FRANKFURT.case("G15", "nobody says where", RING, {}, "location"),
    LONDON.case("G15", "London under UK law", RING, {"location": "europe-west2"}),
    FRANKFURT.case("G28", "template inside", TEMPLATE, {"location": "europe-west3"}),
    FRANKFURT.case("G28", "template outside", TEMPLATE, {"location": "us-central1"}, "location"),
    FRANKFURT.case("G28", "template nobody knows where", TEMPLATE, {}, "location"),
    FRANKFURT.case("G28", "global parameter", PARAMETER, {"parameterId": "p"}, ""),
    FRANKFURT.case(
        "G28",
        "regional parameter",
        "gcp:parametermanager/regionalParameter:RegionalParameter",
        {"location": "europe-west3"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in keys.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(keys.RULES, CASES) == []
