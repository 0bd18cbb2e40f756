"""What Google Cloud itself refuses in a stack's project, as documents of the Organization Policy Service made from the
Boundary.

Each holds for whoever deploys or calls there, by whatever tool. Plain data; no Pulumi. Constraints are Google's own:
docs.cloud.google.com, restrict-endpoint-usage, control-model-access, cmek-org-policy, org-policy-constraints.

A limit: no constraint says in which region a model is called. The global endpoint is denied; another region's host is
a name of Google's APIs like the rest, and that nobody calls it is the gateway's doing.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from regions.boundary import Boundary
from regions.catalogue import Catalogue
from regions.residency import Purpose
from regions.rules.rule import Plan

PLATFORM = "gcp"
ENCRYPTED = ("artifactregistry", "bigquery", "logging", "pubsub", "secretmanager", "sqladmin", "storage")
"""Services that may keep nothing without a key of the stack's own."""
SWITCHES: Mapping[str, str] = {
    "iam.disableServiceAccountKeyCreation": "a key of a service account can be taken away: federate instead",
    "sql.restrictPublicIp": "a database answers the public internet: give it a private address alone",
    "storage.publicAccessPrevention": "a bucket is open to everybody: grant it to those who need it",
}

Rule = Mapping[str, Any]


@dataclass(frozen=True)
class Policy:
    """``rule``: as the service's API spells it. ``inherits``: what is refused above is refused here too, which a list
    of what is denied can say; a list of what is allowed stands for itself. ``says``: to whom it refuses."""

    constraint: str
    says: str
    rule: Rule
    inherits: bool = False

    @property
    def spec(self) -> dict[str, Any]:
        return {"inheritFromParent": self.inherits, "rules": [self.rule]}


def policies(plan: Plan, models: Collection[str]) -> tuple[Policy, ...]:
    """Those of a stack's project. ``models``: that may be called, as ``vertexai.allowedModels`` has them."""
    return (*fences(plan), _models(models))


def fences(plan: Plan) -> tuple[Policy, ...]:
    """Those that a Boundary alone decides."""
    return (
        _locations(plan),
        _endpoints(plan),
        _keys(),
        Policy("compute.vmExternalIpAccess", "a machine has a public address: leave it out", {"denyAll": True}),
        *(Policy(constraint, says, {"enforce": True}) for constraint, says in SWITCHES.items()),
    )


def documents(boundary: Boundary, catalogue: Catalogue, region: str, on: date) -> dict[str, Any]:
    """For who administers the folder that the project is in: each by its constraint, as ``gcloud org-policies
    set-policy`` takes it, less the folder's name. Which models may be called is the project's own to say."""
    plan = Plan(boundary, catalogue, on, region)
    return {each.constraint: {"name": f"policies/{each.constraint}", "spec": each.spec} for each in fences(plan)}


def allowed_regions(plan: Plan) -> list[str]:
    """Google's regions, in the stack's own universe, in which its data may rest and be processed."""
    return sorted(
        name
        for name, region in plan.catalogue.regions.items()
        if region.platform == PLATFORM
        and region.partition == plan.partition
        and not any(_outside(plan, purpose, region.country) for purpose in (Purpose.REST, Purpose.PROCESS))
    )


def _outside(plan: Plan, purpose: Purpose, *countries: str) -> bool:
    return plan.outside("a resource", purpose, countries) is not None


def _locations(plan: Plan) -> Policy:
    regions = allowed_regions(plan)
    return Policy(
        "gcp.resourceLocations",
        f"data of this stack stays in {', '.join(regions)}: create it there",
        {"values": {"allowedValues": [f"in:{region}-locations" for region in regions]}},
    )


def _endpoints(plan: Plan) -> Policy:
    return Policy(
        "gcp.restrictEndpointUsage",
        "the global endpoint answers anywhere: call the region's",
        {"values": {"deniedValues": [f"aiplatform.{plan.partition}"]}},
        inherits=True,
    )


def _models(models: Collection[str]) -> Policy:
    rule: Rule = {"values": {"allowedValues": sorted(models)}} if models else {"denyAll": True}
    return Policy("vertexai.allowedModels", "this stack's file names no such model: add it there", rule)


def _keys() -> Policy:
    return Policy(
        "gcp.restrictNonCmekServices",
        "it is encrypted with Google's key: name the stack's own",
        {"values": {"deniedValues": [f"{service}.googleapis.com" for service in ENCRYPTED]}},
        inherits=True,
    )
