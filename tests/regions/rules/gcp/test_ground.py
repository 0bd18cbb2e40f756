"""G01, G02 and G27: where Google Cloud resources and providers stand, and what guards a project."""

from typing import Any

import pytest

from regions.rules import review_plan
from regions.rules.gcp import ground
from regions.rules.rule import UNKNOWN, Resource
from tests.fixtures.resources import plan, resource
from tests.fixtures.rule_cases import Case, breaches, survivors
from tests.fixtures.rule_tables import Stack

RUN, DISK, SUBNET = "gcp:cloudrunv2/service:Service", "gcp:compute/disk:Disk", "gcp:compute/subnetwork:Subnetwork"
PROVIDER, POLICY = "pulumi:providers:gcp", "gcp:orgpolicy/policy:Policy"
FRANKFURT, LONDON, ZURICH = Stack("europe-west3"), Stack("europe-west2", "uk-gdpr"), Stack("europe-west6", "ch-fadp")
LILLE = Stack("u-france-east1", "eu-strict")
MULTI_REGIONS = ("global", "us", "eu", "asia", "US", "EU", "ASIA", "EUR4", "NAM4", "eur3", "nam5")
GUARD = {"name": "projects/p/policies/gcp.resourceLocations"}
ENDPOINTS = {"name": "projects/p/policies/gcp.restrictEndpointUsage"}
LIMITS = "spec.rules[0].values.allowedValues[0]"
INSIDE = {"values": {"allowedValues": ["in:eu-locations"]}}
CONDITION = {"condition": {"expression": "resource.matchTag('1/environment', 'prod')"}}


def ruled(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"rules": list(rules)}}


def allowed(value: str) -> dict[str, Any]:
    return GUARD | ruled({"values": {"allowedValues": [value]}})


CASES = [
    FRANKFURT.case("G01", "inside", RUN, {"location": "europe-west3"}),
    FRANKFURT.case("G01", "outside", RUN, {"location": "europe-west2"}, "location"),
    *(FRANKFURT.case("G01", f"the multi-region {name}", RUN, {"location": name}, "location") for name in MULTI_REGIONS),
    FRANKFURT.case("G01", "zone inside", DISK, {"zone": "europe-west3-a"}),
    FRANKFURT.case("G01", "zone outside", DISK, {"zone": "europe-west2-a"}, "zone"),
    FRANKFURT.case("G01", "region outside", SUBNET, {"region": "us-central1"}, "region"),
    FRANKFURT.case("G01", "region known to the cloud only", SUBNET, {"region": UNKNOWN}, "region"),
    FRANKFURT.case("G01", "provider inside", SUBNET, {}, provider="europe-west3"),
    FRANKFURT.case("G01", "provider outside", SUBNET, {}, "region", provider="us-central1"),
    FRANKFURT.case("G01", "of no region", "gcp:projects/service:Service", {"service": "run.googleapis.com"}),
    FRANKFURT.case("G01", "of another universe", RUN, {"location": "u-france-east1"}, "location"),
    FRANKFURT.case("G01", "identities are global", "gcp:iam/oauthClient:OauthClient", {"location": "global"}),
    FRANKFURT.case("G01", "keys are for another rule", "gcp:kms/keyRing:KeyRing", {"location": "global"}),
    LONDON.case("G01", "London under UK law", RUN, {"location": "europe-west2"}),
    LONDON.case("G01", "Frankfurt under UK law", RUN, {"location": "europe-west3"}, "location"),
    ZURICH.case("G01", "Zurich under Swiss law", RUN, {"location": "europe-west6"}),
    LILLE.case("G01", "zone of a universe of its own", DISK, {"zone": "u-france-east1-a"}),
    FRANKFURT.case("G02", "inside", PROVIDER, {"region": "europe-west3", "zone": "europe-west3-b"}),
    FRANKFURT.case("G02", "says nothing", PROVIDER, {}),
    FRANKFURT.case("G02", "region outside", PROVIDER, {"region": "us-central1"}, "region"),
    FRANKFURT.case("G02", "zone outside", PROVIDER, {"zone": "us-central1-a"}, "zone"),
    FRANKFURT.case("G02", "another universe", PROVIDER, {"universeDomain": "s3nsapis.fr"}, "universeDomain"),
    LILLE.case("G02", "its own universe", PROVIDER, {"universeDomain": "s3nsapis.fr", "region": "u-france-east1"}),
    LILLE.case("G02", "the public one by default", PROVIDER, {}, "universeDomain"),
    FRANKFURT.case(
        "G27", "guards", POLICY, GUARD | {"spec": {"rules": [{"values": {"allowedValues": ["in:eu-locations"]}}]}}
    ),
    FRANKFURT.case("G27", "sets nothing", POLICY, GUARD, "spec.rules[].values", "spec.rules[].values.allowedValues[]"),
    FRANKFURT.case("G27", "is taken back", POLICY, GUARD | {"spec": {"reset": True, "rules": [INSIDE]}}, "spec.reset"),
    FRANKFURT.case("G27", "allows all", POLICY, GUARD | ruled(INSIDE | {"allowAll": "TRUE"}), "spec.rules[0].allowAll"),
    FRANKFURT.case(
        "G27",
        "only tries it",
        POLICY,
        GUARD | {"dryRunSpec": {"rules": [INSIDE]}},
        "spec.rules[].values",
        "spec.rules[].values.allowedValues[]",
    ),
    FRANKFURT.case(
        "G27", "no rules", POLICY, GUARD | ruled(), "spec.rules.values", "spec.rules.values.allowedValues[]"
    ),
    FRANKFURT.case(
        "G27", "not enforced", POLICY, GUARD | ruled(INSIDE | {"enforce": "FALSE"}), "spec.rules[0].enforce"
    ),
    FRANKFURT.case("G27", "under a condition", POLICY, GUARD | ruled(INSIDE | CONDITION), "spec.rules[0].condition"),
    FRANKFURT.case("G27", "denies an endpoint", POLICY, ENDPOINTS | ruled({"values": {"deniedValues": ["a"]}})),
    FRANKFURT.case("G27", "denies no endpoint", POLICY, ENDPOINTS | ruled({}), "spec.rules[0].values"),
    FRANKFURT.case(
        "G27",
        "denies a location, allows the others",
        POLICY,
        GUARD | ruled({"values": {"deniedValues": ["in:us-locations"]}}),
        LIMITS.removesuffix("[0]"),
    ),
    *(
        FRANKFURT.case("G27", f"allows {value}", POLICY, allowed(value))
        for value in ("in:europe-west3-locations", "europe-west3", "is:europe-west4")
    ),
    *(
        FRANKFURT.case("G27", f"allows {value}", POLICY, allowed(value), LIMITS)
        for value in ("in:us-locations", "in:europe-locations", "us-central1", "global", "europe-west2")
    ),
    ZURICH.case("G27", "allows the EU under Swiss law", POLICY, allowed("in:eu-locations"), LIMITS),
    FRANKFURT.case("G27", "is no guard", POLICY, {"name": "projects/p/policies/compute.skipDefaultNetworkCreation"}),
    FRANKFURT.case(
        "G27",
        "another policy may allow all and be taken back",
        POLICY,
        {
            "name": "projects/p/policies/iam.x",
            "spec": {"reset": True, "rules": [{"allowAll": "TRUE", "enforce": "FALSE"} | CONDITION]},
        },
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in ground.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(ground.RULES, CASES) == []


def guard(constraint: str) -> Resource:
    return resource(POLICY, constraint, {"name": f"organizations/1/policies/{constraint}", "spec": {"rules": [INSIDE]}})


GUARDS = ("gcp.resourceLocations", "gcp.restrictEndpointUsage", "vertexai.allowedModels")


def missing(*resources: Resource) -> list[str]:
    found = review_plan(plan("eu-gdpr", "europe-west3", *resources))
    return [finding.message.rpartition(" ")[2] for finding in found if finding.rule == "G27"]


def test_a_plan_with_resources_of_google_needs_every_guard() -> None:
    service = resource(RUN, "agent", {"location": "europe-west3"})
    assert missing(service, *map(guard, GUARDS)) == []
    assert missing(service) == list(GUARDS)
    for lacking in GUARDS:
        assert missing(service, *(guard(name) for name in GUARDS if name != lacking)) == [lacking]


def test_a_plan_without_resources_of_google_needs_no_guard() -> None:
    assert missing(resource("azure-native:keyvault:Vault", "keys", {"location": "northeurope"})) == []
