"""A10, A24 to A26, A38, A39: global edges and control planes; mail, messages and search by another region."""

import pytest

from regions.residency import Purpose
from regions.rules.aws import edge
from regions.rules.rule import UNKNOWN
from tests.fixtures.resources import resource
from tests.fixtures.rule_cases import Case, breaches, purposes, survivors

BUCKET = "aws:s3/bucket:Bucket"
ACCELERATION = "aws:s3/bucketAccelerateConfiguration:BucketAccelerateConfiguration"
ROLE, POLICY, GROUP = "aws:iam/role:Role", "aws:iam/policy:Policy", "aws:iam/group:Group"
POOL, MAIL = "aws:cognito/userPool:UserPool", "aws:sesv2/multiRegionEndpoint:MultiRegionEndpoint"
SEARCH, ACL = "aws:opensearch/outboundConnection:OutboundConnection", "aws:wafv2/webAcl:WebAcl"


def identity(region: str) -> dict[str, object]:
    return {"emailConfiguration": {"sourceArn": f"arn:aws:ses:{region}:123456789012:identity/acme.example"}}


CASES = [
    Case("A10", "suspended", resource(ACCELERATION, "a", {"status": "Suspended"})),
    Case("A10", "enabled", resource(ACCELERATION, "a", {"status": "Enabled"}), ("status",)),
    Case("A10", "bucket that says nothing", resource(BUCKET, "b", {})),
    Case(
        "A10",
        "bucket that accelerates",
        resource(BUCKET, "b", {"accelerationStatus": "Enabled"}),
        ("accelerationStatus",),
    ),
    *(
        Case("A24", f"{type_} exists", resource(type_, "d", {"enabled": True}), ("",))
        for type_ in (
            "aws:cloudfront/distribution:Distribution",
            "aws:cloudfront/multitenantDistribution:MultitenantDistribution",
            "aws:cloudfront/distributionTenant:DistributionTenant",
        )
    ),
    Case(
        "A24",
        "distribution",
        resource("aws:cloudfront/distribution:Distribution", "d", {"priceClass": "PriceClass_100"}),
        ("",),
    ),
    Case("A24", "regional load balancer", resource("aws:lb/loadBalancer:LoadBalancer", "l", {})),
    Case("A24", "regional web ACL", resource(ACL, "w", {"scope": "REGIONAL"})),
    Case("A24", "web ACL of the edge", resource(ACL, "w", {"scope": "CLOUDFRONT"}), ("scope",)),
    Case("A25", "accelerator", resource("aws:globalaccelerator/accelerator:Accelerator", "a", {}), ("",)),
    Case(
        "A25",
        "accelerator with routing of its own",
        resource("aws:globalaccelerator/customRoutingAccelerator:CustomRoutingAccelerator", "a", {}),
        ("",),
    ),
    Case("A25", "regional load balancer", resource("aws:lb/loadBalancer:LoadBalancer", "l", {})),
    Case("A26", "zone", resource("aws:route53/zone:Zone", "z", {"name": "acme.example"}), ("",)),
    Case("A26", "query log", resource("aws:route53/queryLog:QueryLog", "q", {}), ("",)),
    Case("A26", "user", resource("aws:iam/user:User", "u", {"name": "jane"}), ("",)),
    *(
        case
        for type_ in (ROLE, POLICY)
        for case in (
            Case("A26", f"{type_} of a workload", resource(type_, "r", {"name": "worker", "tags": {"stack": "eu"}})),
            Case("A26", f"{type_} named by a person", resource(type_, "r", {"name": "jane@acme.example"}), ("name",)),
            Case(
                "A26",
                f"{type_} of a person",
                resource(type_, "r", {"description": "ask jane@acme.example"}),
                ("description",),
            ),
            Case(
                "A26",
                f"{type_} tagged with a person",
                resource(type_, "r", {"tags": {"owner": "jane@acme.example"}}),
                ("tags",),
            ),
            Case("A26", f"{type_} tagged later", resource(type_, "r", {"tags": {"owner": UNKNOWN}}), ("tags",)),
        )
    ),
    Case("A26", "group named by a person", resource(GROUP, "g", {"name": "jane@acme.example"}), ("name",)),
    Case("A26", "group", resource(GROUP, "g", {"name": "operators"})),
    Case(
        "A38",
        "messages of the region",
        resource(POOL, "p", {"smsConfiguration": {"snsCallerArn": "arn:aws:iam::1:role/sms"}}),
    ),
    Case("A38", "messages inside", resource(POOL, "p", {"smsConfiguration": {"snsRegion": "eu-west-1"}})),
    Case(
        "A38",
        "messages outside",
        resource(POOL, "p", {"smsConfiguration": {"snsRegion": "us-east-1"}}),
        ("smsConfiguration.snsRegion",),
    ),
    Case("A38", "mail inside", resource(POOL, "p", identity("eu-west-1"))),
    Case("A38", "mail outside", resource(POOL, "p", identity("us-east-1")), ("emailConfiguration.sourceArn",)),
    Case(
        "A38",
        "mail from London under Swiss law",
        resource(POOL, "p", identity("eu-west-2")),
        ("emailConfiguration.sourceArn",),
        regime="ch-fadp",
        region="eu-central-2",
    ),
    Case("A39", "mail inside", resource(MAIL, "m", {"details": {"routesDetails": {"region": "eu-west-1"}}})),
    Case(
        "A39",
        "mail outside",
        resource(MAIL, "m", {"details": {"routesDetails": {"region": "us-east-1"}}}),
        ("details.routesDetails.region",),
    ),
    Case("A39", "mail nobody knows whence", resource(MAIL, "m", {}), ("details.routesDetails.region",)),
    Case("A39", "domain inside", resource(SEARCH, "s", {"remoteDomainInfo": {"region": "eu-west-1"}})),
    Case(
        "A39",
        "domain outside",
        resource(SEARCH, "s", {"remoteDomainInfo": {"region": "us-east-1"}}),
        ("remoteDomainInfo.region",),
    ),
    Case("A39", "domain nobody knows where", resource(SEARCH, "s", {}), ("remoteDomainInfo.region",)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in edge.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(edge.RULES, CASES) == []


def test_asks_for_the_purposes_that_it_is_about() -> None:
    assert purposes(edge.RULES, CASES) == {
        "A10": set(),
        "A24": set(),
        "A25": set(),
        "A26": set(),
        "A38": {Purpose.PROCESS},
        "A39": {Purpose.REST, Purpose.PROCESS},
    }
