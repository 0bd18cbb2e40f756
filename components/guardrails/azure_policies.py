"""What Azure itself refuses in a stack's resource group, as documents of Azure Policy made from the Boundary.

Each holds for whoever deploys there, by whatever tool. Plain data; no Pulumi. Names of properties ("aliases") are those
of Microsoft's own definitions: Azure/azure-policy, built-in-policies; of deployments' SKU: MicrosoftDocs/azure-ai-docs,
concepts-deployment-types-content.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from regions.boundary import Boundary
from regions.catalogue import Catalogue
from regions.endpoints import servings
from regions.residency import Purpose
from regions.rules.rule import Plan

PROVIDER = "azure"
_DEPLOYMENT = "Microsoft.CognitiveServices/accounts/deployments"
_PRIVATE = {
    "Microsoft.CognitiveServices/accounts": ("publicNetworkAccess", "Disabled"),
    "Microsoft.KeyVault/vaults": ("publicNetworkAccess", "Disabled"),
    "Microsoft.KeyVault/managedHSMs": ("publicNetworkAccess", "Disabled"),
    "Microsoft.DBforPostgreSQL/flexibleServers": ("network.publicNetworkAccess", "Disabled"),
    "Microsoft.Storage/storageAccounts": ("networkAcls.defaultAction", "Deny"),
}
"""By type: the property that closes it, and how."""
_ENCRYPTED = {
    "Microsoft.CognitiveServices/accounts": ("encryption.keySource", "Microsoft.KeyVault"),
    "Microsoft.DBforPostgreSQL/flexibleServers": ("dataEncryption.type", "AzureKeyVault"),
}
"""By type: the property that says whose key encrypts it, and what is the stack's own."""
_EDGES = ("Microsoft.Cdn/*", "Microsoft.Network/frontDoors*", "Microsoft.Network/trafficManagerProfiles*")
"""Services without a region, which end TLS or answer anywhere."""

Condition = Mapping[str, Any]


@dataclass(frozen=True)
class Policy:
    """``mode``: ``Indexed`` looks at what has a location, ``All`` at everything. ``says``: to whom it refuses."""

    name: str
    mode: str
    says: str
    denied: Condition

    @property
    def rule(self) -> dict[str, Any]:
        return {"if": self.denied, "then": {"effect": "deny"}}


def policies(plan: Plan) -> tuple[Policy, ...]:
    """Those of a stack."""
    return (_locations(plan), _deployments(plan), _edges(), _private(), _encrypted())


def documents(boundary: Boundary, catalogue: Catalogue, region: str, on: date) -> dict[str, Any]:
    """For who administers the subscription or what is above it: each by its name, as ``az policy definition create``
    takes its mode and rules."""
    plan = Plan(boundary, catalogue, on, region)
    return {each.name: {"mode": each.mode, "policyRule": each.rule} for each in policies(plan)}


def allowed_regions(plan: Plan) -> list[str]:
    """Azure's regions, in the stack's own cloud, in which its data may rest and be processed."""
    return sorted(
        name
        for name, region in plan.catalogue.regions.items()
        if region.platform == PROVIDER
        and region.partition == plan.partition
        and not any(_outside(plan, purpose, region.country) for purpose in (Purpose.REST, Purpose.PROCESS))
    )


def allowed_skus(plan: Plan) -> list[str]:
    """SKUs of a model deployment by which no model that the catalogue has here is answered outside the Boundary."""
    inside: dict[str, bool] = {}
    for found in servings(plan.catalogue, provider=PROVIDER, called=plan.region):
        fits = not _outside(plan, Purpose.PROCESS, *found.countries)
        inside[found.via] = inside.get(found.via, True) and fits
    return sorted(sku for sku, fits in inside.items() if fits)


def _outside(plan: Plan, purpose: Purpose, *countries: str) -> bool:
    return plan.outside("a resource", purpose, countries) is not None


def _locations(plan: Plan) -> Policy:
    regions = allowed_regions(plan)
    return Policy(
        "locations",
        "Indexed",
        f"data of this stack stays in {', '.join(regions)}: create it there",
        {"allOf": [{"field": "location", "notIn": [*regions, "global"]}]},
    )


def _deployments(plan: Plan) -> Policy:
    skus = allowed_skus(plan)
    return Policy(
        "deployments",
        "All",
        f"prompts of this stack are processed inside its Boundary: deploy by {', '.join(skus) or 'no SKU here'}",
        {
            "allOf": [
                {"field": "type", "equals": _DEPLOYMENT},
                {
                    "anyOf": [
                        {"field": f"{_DEPLOYMENT}/sku.name", "exists": "false"},
                        {"field": f"{_DEPLOYMENT}/sku.name", "notIn": skus},
                    ]
                },
            ]
        },
    )


def _edges() -> Policy:
    return Policy(
        "edges",
        "All",
        "it answers outside any region: take an Application Gateway in the stack's region",
        {"anyOf": [{"field": "type", "like": edge} for edge in _EDGES]},
    )


def _private() -> Policy:
    says = "it answers the public internet: disable public network access, and give it a private endpoint"
    return Policy("private", "All", says, _unlike(_PRIVATE))


def _encrypted() -> Policy:
    return Policy("keys", "All", "it is encrypted with Microsoft's key: name the stack's own", _unlike(_ENCRYPTED))


def _unlike(wanted: Mapping[str, tuple[str, str]]) -> Condition:
    """Some type's property has another value than it should, or none."""
    return {
        "anyOf": [
            {
                "allOf": [
                    {"field": "type", "equals": type_},
                    {"not": {"field": f"{type_}/{path}", "equals": value}},
                ]
            }
            for type_, (path, value) in wanted.items()
        ]
    }
