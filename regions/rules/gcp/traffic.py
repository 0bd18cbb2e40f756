"""Google Cloud's load balancers and endpoints: where TLS ends, and who reaches them from other regions."""

from regions.findings import Severity
from regions.rules.clauses import one_of
from regions.rules.rule import Clause, ResourceRule

_GLOBAL_RULE = "gcp:compute/globalForwardingRule:GlobalForwardingRule"
_BACKEND = "gcp:compute/backendService:BackendService"
_BACKEND_BUCKET = "gcp:compute/backendBucket:BackendBucket"
_RULE = "gcp:compute/forwardingRule:ForwardingRule"
_ENDPOINT = "gcp:networkconnectivity/regionalEndpoint:RegionalEndpoint"
_REACHED = "it is reached from other regions"

RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="G18",
        title="Traffic decrypted at a global edge",
        severity=Severity.DENY,
        types=(_GLOBAL_RULE, _BACKEND, _BACKEND_BUCKET),
        trap="global external load balancers end TLS near the client, and Cloud CDN caches there",
        remedy="a regional external load balancer (RegionBackendService, ForwardingRule, network tier STANDARD)",
        source="pulumi-gcp 10.2.0; known",
        clauses=(
            Clause(
                "loadBalancingScheme",
                one_of(
                    ("", "INTERNAL_MANAGED", "INTERNAL_SELF_MANAGED"), "TLS ends at the edge", unset="it is EXTERNAL"
                ),
                types=(_GLOBAL_RULE, _BACKEND),
            ),
            Clause(
                "enableCdn",
                one_of((False,), "answers are cached at the edge"),
                types=(_BACKEND, _BACKEND_BUCKET),
            ),
        ),
    ),
    ResourceRule(
        id="G19",
        title="Regional endpoint open to other regions",
        severity=Severity.WARN,
        types=(_RULE, _ENDPOINT),
        trap="global access lets clients of every region in, whose requests then cross borders",
        remedy="allowGlobalAccess and allowPscGlobalAccess false, accessType REGIONAL",
        source="pulumi-gcp 10.2.0",
        clauses=(
            Clause("allowGlobalAccess", one_of((False,), _REACHED), types=(_RULE,)),
            Clause("allowPscGlobalAccess", one_of((False,), _REACHED), types=(_RULE,)),
            Clause("accessType", one_of(("REGIONAL",), _REACHED, unset=_REACHED), types=(_ENDPOINT,)),
        ),
    ),
)
