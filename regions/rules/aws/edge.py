"""Global edges and control planes of AWS; mail, messages and search by another region: A10, A24 to A26, A38, A39."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.aws.copies import BUCKET
from regions.rules.clauses import arn_within, exists, one_of, within
from regions.rules.rule import UNKNOWN, UNSET, Check, Clause, Plan, Resource, ResourceRule

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_ACCELERATION = "aws:s3/bucketAccelerateConfiguration:BucketAccelerateConfiguration"
_DISTRIBUTIONS = (
    "aws:cloudfront/distribution:Distribution",
    "aws:cloudfront/multitenantDistribution:MultitenantDistribution",
    "aws:cloudfront/distributionTenant:DistributionTenant",
)
_WEB_ACL = "aws:wafv2/webAcl:WebAcl"
_GLOBAL_NAMES = ("aws:route53/zone:Zone", "aws:route53/queryLog:QueryLog")
_MAIL = "aws:sesv2/multiRegionEndpoint:MultiRegionEndpoint"
_SEARCH = "aws:opensearch/outboundConnection:OutboundConnection"


def _names_nobody() -> Check:
    """No e-mail address in a text or in what a mapping holds: what stands there is stored outside any region."""

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[str]:
        if value is UNSET:
            return
        texts = list(value.values()) if isinstance(value, Mapping) else [value]
        if UNKNOWN in texts:
            yield "what it says is not known before the cloud answers"
        elif any(_EMAIL.search(str(text)) for text in texts):
            yield "it names a person, and IAM is kept in no region"

    return check


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="A10",
        title="S3 transfer acceleration",
        severity=Severity.WARN,
        types=(_ACCELERATION, BUCKET),
        trap="TLS ends at whichever edge location is near the caller, in any country",
        remedy="Suspended, or leave it out",
        source="residency-facts.md §7 A10, pulumi_aws 7.51.1",
        clauses=(
            Clause("status", one_of({"Suspended"}, "TLS ends at an edge location"), (_ACCELERATION,)),
            Clause("accelerationStatus", one_of({"Suspended"}, "TLS ends at an edge location"), (BUCKET,)),
        ),
    ),
    ResourceRule(
        id="A24",
        title="CloudFront",
        severity=Severity.DENY,
        types=(*_DISTRIBUTIONS, _WEB_ACL),
        trap="TLS ends and content is cached at edges in any country; certificate and web ACL live in us-east-1",
        remedy="a regional load balancer or API Gateway, with a web ACL of scope REGIONAL",
        source="residency-facts.md §7 A24, pulumi_aws 7.51.1",
        clauses=(
            Clause("", exists("it serves from edges in any country"), _DISTRIBUTIONS),
            Clause("scope", one_of({"REGIONAL"}, "it works at edges in any country"), (_WEB_ACL,)),
        ),
    ),
    ResourceRule(
        id="A25",
        title="Global Accelerator",
        severity=Severity.WARN,
        types=(
            "aws:globalaccelerator/accelerator:Accelerator",
            "aws:globalaccelerator/customRoutingAccelerator:CustomRoutingAccelerator",
        ),
        trap="connections enter AWS at whichever edge is near the caller; TLS does not end there",
        remedy="let callers reach the regional load balancer, or justify it",
        source="residency-facts.md §7 A25, pulumi_aws 7.51.1",
        clauses=(Clause("", exists("connections pass an edge in any country")),),
    ),
    ResourceRule(
        id="A26",
        title="Global control plane",
        severity=Severity.WARN,
        types=(
            *_GLOBAL_NAMES,
            "aws:iam/user:User",
            "aws:iam/group:Group",
            "aws:iam/role:Role",
            "aws:iam/policy:Policy",
        ),
        trap="Route 53 and IAM are kept in no region of the stack; query logs go to us-east-1",
        remedy="no personal data in names, tags and descriptions; roles for workloads, no IAM users for people",
        source="residency-facts.md §7 A26, pulumi_aws 7.51.1",
        clauses=(
            Clause("", exists("names, and who asks for them, are kept outside the region"), _GLOBAL_NAMES),
            Clause("", exists("a user's name is mostly a person's"), ("aws:iam/user:User",)),
            Clause("name", _names_nobody(), ("aws:iam/group:Group", "aws:iam/role:Role", "aws:iam/policy:Policy")),
            Clause("description", _names_nobody(), ("aws:iam/role:Role", "aws:iam/policy:Policy")),
            Clause("tags", _names_nobody(), ("aws:iam/role:Role", "aws:iam/policy:Policy")),
        ),
    ),
    ResourceRule(
        id="A38",
        title="Users' messages sent through another region",
        severity=Severity.DENY,
        types=("aws:cognito/userPool:UserPool",),
        trap="phone numbers, addresses and codes go to the region of the SMS or e-mail identity",
        remedy="leave snsRegion out, and name an e-mail identity inside the Boundary",
        source="residency-facts.md §7 A38, pulumi_aws 7.51.1",
        clauses=(
            Clause("smsConfiguration.snsRegion", within(Purpose.PROCESS)),
            Clause(
                "emailConfiguration.sourceArn",
                arn_within(Purpose.PROCESS, bare="no ARN, so where the identity is is not known"),
            ),
        ),
    ),
    ResourceRule(
        id="A39",
        title="Mail or search across regions",
        severity=Severity.DENY,
        types=(_MAIL, _SEARCH),
        trap="mail is sent from a second region; a connected domain's documents rest in another",
        remedy="no second region outside the Boundary",
        source="residency-facts.md §7 A39, pulumi_aws 7.51.1",
        clauses=(
            Clause(
                "details.routesDetails.region",
                within(Purpose.PROCESS, unset="it does not say its second region"),
                (_MAIL,),
            ),
            Clause(
                "remoteDomainInfo.region", within(Purpose.REST, unset="it does not say where the domain is"), (_SEARCH,)
            ),
        ),
    ),
)
