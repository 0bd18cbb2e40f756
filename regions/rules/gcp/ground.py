"""Where Google Cloud resources stand, in which universe, and the guards that every project needs."""

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.clauses import absent, one_of, outside, present, within
from regions.rules.gcp.places import places
from regions.rules.rule import UNKNOWN, UNSET, Breach, Clause, Plan, Resource, ResourceRule, values_at

_GLOBAL = ("gcp:accesscontextmanager/*", "gcp:dns/*", "gcp:iam/*", "gcp:orgpolicy/*")
"""Names, roles and policies: no content, and the whole service is global."""
_JUDGED_ELSEWHERE = (
    "gcp:artifactregistry/repository:Repository",
    "gcp:backupdisasterrecovery/backupVault:BackupVault",
    "gcp:bigquery/dataset:Dataset",
    "gcp:discoveryengine/*",
    "gcp:gkebackup/backupPlan:BackupPlan",
    "gcp:kms/keyRing:KeyRing",
    "gcp:logging/*BucketConfig",
    "gcp:modelarmor/template:Template",
    "gcp:storage/bucket:Bucket",
    "gcp:vertex/aiEndpoint:AiEndpoint",
)
"""Their location has a rule of its own."""
_POLICY = "gcp:orgpolicy/policy:Policy"
_GUARDS = ("gcp.resourceLocations", "gcp.restrictEndpointUsage", "vertexai.allowedModels")


def _any_of(resource: Resource, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(resource.type, pattern) for pattern in patterns)


def _stands(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach]:
    for key, where in places(resource):
        if where == "global" and _any_of(resource, _GLOBAL):
            continue
        if where is UNKNOWN:
            yield Breach(key, where, "where it stands is not known before the cloud answers")
            continue
        breaches = (outside(plan, resource, purpose, str(where)) for purpose in (Purpose.REST, Purpose.PROCESS))
        yield from {
            breach.message: replace(breach, property=key, value=where) for breach in breaches if breach
        }.values()


def _universe(value: Any, resource: Resource, plan: Plan) -> Iterator[str]:
    universe = "googleapis.com" if value is UNSET else value
    if universe != plan.partition:
        yield f"it is {universe}, and the stack's region {plan.region} is in {plan.partition}"


def _guard(policy: Resource) -> str:
    """The constraint that a policy sets: the last part of its name."""
    return str(policy.properties.get("name")).rpartition("/")[2]


def _unguarded(plan: Plan) -> Iterator[Breach]:
    if not any(resource.type.startswith("gcp:") for resource in plan.resources):
        return
    guarded = {_guard(resource) for resource in plan.resources if resource.type == _POLICY}
    for guard in _GUARDS:
        if guard not in guarded:
            yield Breach("name", UNSET, f"no policy of this plan sets {guard}")


def _is_no_guard(resource: Resource) -> bool:
    return _guard(resource) not in _GUARDS


def _needs_no_values(resource: Resource) -> bool:
    """It is no guard, or denies everything."""
    denied = [value for _, value in values_at(resource.properties, "spec.rules[].denyAll")]
    return _is_no_guard(resource) or denied == ["TRUE"]


def _limits_no_locations(resource: Resource) -> bool:
    return _guard(resource) != _GUARDS[0]


def _limits_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    """A value of gcp.resourceLocations: ``in:eu-locations``, ``in:europe-west3-locations``, ``europe-west3``."""
    if value is UNSET:
        yield "it names no location that it allows, so every other is"
        return
    where = str(value).removeprefix("in:").removeprefix("is:").removesuffix("-locations")
    if where != "eu":
        yield from filter(None, (outside(plan, resource, Purpose.REST, where),))
    elif breach := plan.outside(
        str(value), Purpose.REST, tuple(sorted(plan.catalogue.expand(("eu",), plan.boundary.host)))
    ):
        yield breach


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="G01",
        title="Google Cloud resource outside the Boundary",
        severity=Severity.DENY,
        types=("gcp:*",),
        trap="global and the multi-regions (us, eu, asia, EUR4, nam5 …) are accepted where a region belongs",
        remedy="set location, region or zone to a single region inside the Boundary",
        source="pulumi-gcp 10.2.0; docs.cloud.google.com, BigQuery locations",
        clauses=(Clause("", _stands, unless=lambda resource: _any_of(resource, _JUDGED_ELSEWHERE)),),
    ),
    ResourceRule(
        id="G02",
        title="Google Cloud provider of another universe",
        severity=Severity.DENY,
        types=("pulumi:providers:gcp",),
        trap="universes share no accounts and no endpoints; resources without a region take the provider's",
        remedy="universeDomain of the stack's region, region and zone inside the Boundary",
        source="pulumi-gcp 10.2.0, provider.py; GoogleCloudPlatform/cloud-foundation-fabric@11c1d248",
        clauses=(
            Clause("universeDomain", _universe, own=True),
            Clause("region", within(Purpose.REST), own=True),
            Clause("zone", within(Purpose.REST), own=True),
        ),
    ),
    ResourceRule(
        id="G27",
        title="Project without its guards",
        severity=Severity.DENY,
        types=(_POLICY,),
        trap="without organisation policies anybody in the project creates resources anywhere, calls global endpoints "
        "and takes any model",
        remedy="set gcp.resourceLocations, gcp.restrictEndpointUsage and vertexai.allowedModels by orgpolicy.Policy",
        source="docs.cloud.google.com, restrict-endpoint-usage; vertexai.allowedModels secondary",
        clauses=(
            Clause("spec.reset", one_of((False,), "it takes the guard away"), unless=_is_no_guard, own=True),
            Clause("spec.rules[].allowAll", one_of(("FALSE",), "it allows everything"), unless=_is_no_guard, own=True),
            Clause("spec.rules[].enforce", one_of(("TRUE",), "it is not enforced"), unless=_is_no_guard, own=True),
            Clause("spec.rules[].condition", absent("it holds on a condition only"), unless=_is_no_guard, own=True),
            Clause("spec.rules[].values", present("it names no values"), unless=_needs_no_values),
            Clause("spec.rules[].values.allowedValues[]", _limits_within, unless=_limits_no_locations),
        ),
        whole=_unguarded,
    ),
)
