"""G20 to G22: models and search of Google Cloud."""

from typing import Any

import pytest

from regions.rules.gcp import models
from regions.rules.rule import UNKNOWN, Resource
from tests.fixtures.resources import resource
from tests.fixtures.rule_cases import Case, breaches, survivors
from tests.fixtures.rule_tables import Stack

ENDPOINT, CACHE = "gcp:vertex/aiEndpoint:AiEndpoint", "gcp:vertex/aiCacheConfig:AiCacheConfig"
FRANKFURT, LONDON, IOWA = Stack("europe-west3"), Stack("europe-west2", "uk-gdpr"), Stack("us-central1", "us-hipaa")
OUTPUT = "predictRequestResponseLoggingConfig.bigqueryDestination.outputUri"


def dataset(location: str) -> Resource:
    return resource("gcp:bigquery/dataset:Dataset", "replies", {"datasetId": "replies", "location": location})


def logged(uri: Any = None, enabled: bool = True) -> dict[str, Any]:
    destination = {} if uri is None else {"bigqueryDestination": {"outputUri": uri}}
    return {"location": "europe-west3", "predictRequestResponseLoggingConfig": {"enabled": enabled, **destination}}


CASES = [
    FRANKFURT.case("G20", "inside", ENDPOINT, {"location": "europe-west3"}),
    FRANKFURT.case("G20", "outside", ENDPOINT, {"location": "us-central1"}, "location"),
    FRANKFURT.case("G20", "nobody says where", ENDPOINT, {}, "location"),
    FRANKFURT.case("G20", "logged inside", ENDPOINT, logged("bq://p.replies.t"), others=(dataset("europe-west3"),)),
    FRANKFURT.case("G20", "logged outside", ENDPOINT, logged("bq://p.replies"), OUTPUT, others=(dataset("US"),)),
    FRANKFURT.case("G20", "logged in another plan's", ENDPOINT, logged("bq://p.replies"), OUTPUT),
    FRANKFURT.case("G20", "logged in what it makes", ENDPOINT, logged("bq://p"), OUTPUT),
    FRANKFURT.case("G20", "logged nobody knows where", ENDPOINT, logged(), OUTPUT),
    FRANKFURT.case("G20", "logged in what is not known yet", ENDPOINT, logged(UNKNOWN), OUTPUT),
    FRANKFURT.case("G20", "not logged", ENDPOINT, logged("bq://p.replies", enabled=False)),
    FRANKFURT.case("G21", "off", CACHE, {"disableCache": True}),
    FRANKFURT.case("G21", "on", CACHE, {"disableCache": False}, "disableCache"),
    FRANKFURT.case("G21", "on, by default", CACHE, {}, "disableCache"),
    *(
        FRANKFURT.case("G22", f"{type_} in {location}", type_, {"location": location}, *found)
        for type_ in models.RULES[2].types
        for location, found in (("eu", ()), ("us", ("location",)), ("global", ("location",)), (UNKNOWN, ("location",)))
    ),
    FRANKFURT.case("G22", "nobody says where", models.RULES[2].types[0], {}, "location"),
    LONDON.case("G22", "eu is not the UK", models.RULES[2].types[0], {"location": "eu"}, "location"),
    IOWA.case("G22", "us under US law", models.RULES[2].types[0], {"location": "us"}),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in models.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(models.RULES, CASES) == []
