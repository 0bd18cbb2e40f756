"""Z03 to Z07: model deployments, their accounts and their connections."""

from typing import Any

import pytest

from regions.rules.azure import models
from regions.rules.rule import UNKNOWN, Resource
from tests.fixtures.resources import resource
from tests.fixtures.rule_cases import Case, breaches, survivors
from tests.fixtures.rule_tables import Stack

ACCOUNT, DEPLOYMENT = "azure-native:cognitiveservices:Account", "azure-native:cognitiveservices:Deployment"
ON_ACCOUNT = "azure-native:cognitiveservices:AccountConnection"
STORAGE = "azure-native:storage:StorageAccount"
STOCKHOLM, ZURICH, IOWA = Stack("swedencentral"), Stack("switzerlandnorth", "ch-fadp"), Stack("eastus2", "us-hipaa")


def account(location: str) -> Resource:
    return resource(ACCOUNT, "models", {"accountName": "acme", "location": location})


def chat(sku: Any, model: Any = "gpt-4.1", format_: str = "OpenAI", **more: Any) -> dict[str, Any]:
    said = {"model": {"name": model, "format": format_}} | more
    return {"accountName": "acme", "deploymentName": "chat", "sku": {"name": sku}, "properties": said}


def other(name: str, sku: str, account_name: str = "acme") -> Resource:
    return resource(DEPLOYMENT, name, chat(sku) | {"accountName": account_name, "deploymentName": name})


def storage(location: str) -> Resource:
    return resource(STORAGE, "files", {"accountName": "acmefiles", "resourceGroupName": "fabric", "location": location})


def connection(category: str, target: Any) -> dict[str, Any]:
    return {"accountName": "acme", "properties": {"category": category, "metadata": {"ResourceId": target}}}


FILES = "/subscriptions/s/resourceGroups/fabric/providers/Microsoft.Storage/storageAccounts/acmefiles"
THEIR_FILES = "/subscriptions/s/resourceGroups/theirs/providers/Microsoft.Storage/storageAccounts/acmefiles"
SWEDISH, SWISS, AMERICAN = (account(region) for region in ("swedencentral", "switzerlandnorth", "eastus2"))
CLOSED = {"publicNetworkAccess": "Disabled", "restrictOutboundNetworkAccess": True, "disableLocalAuth": True}
SPILL = "properties.spilloverDeploymentName"

CASES = [
    STOCKHOLM.case("Z03", "regional", DEPLOYMENT, chat("Standard"), others=(SWEDISH,)),
    STOCKHOLM.case("Z03", "anywhere", DEPLOYMENT, chat("GlobalStandard"), "sku.name", others=(SWEDISH,)),
    STOCKHOLM.case(
        "Z03", "data zone with Switzerland", DEPLOYMENT, chat("DataZoneStandard"), "sku.name", others=(SWEDISH,)
    ),
    STOCKHOLM.case("Z03", "SKU that the catalogue lacks", DEPLOYMENT, chat("Standrad"), "sku.name", others=(SWEDISH,)),
    STOCKHOLM.case("Z03", "no SKU", DEPLOYMENT, {"accountName": "acme"}, "sku.name", others=(SWEDISH,)),
    STOCKHOLM.case("Z03", "SKU not known yet", DEPLOYMENT, chat(UNKNOWN), "sku.name", others=(SWEDISH,)),
    STOCKHOLM.case("Z03", "model not known yet", DEPLOYMENT, chat("Standard", UNKNOWN), "sku.name", others=(SWEDISH,)),
    STOCKHOLM.case(
        "Z03", "model that the catalogue lacks", DEPLOYMENT, chat("Standard", "gpt-0"), "sku.name", others=(SWEDISH,)
    ),
    STOCKHOLM.case(
        "Z03", "account of another plan", DEPLOYMENT, chat("Standard"), "sku.name", provider="swedencentral"
    ),
    STOCKHOLM.case(
        "Z03",
        "publisher that the catalogue lacks",
        DEPLOYMENT,
        chat("Standard", format_="Acme"),
        "sku.name",
        others=(SWEDISH,),
    ),
    ZURICH.case("Z03", "regional in Zurich", DEPLOYMENT, chat("Standard"), others=(SWISS,)),
    ZURICH.case("Z03", "data zone from Zurich", DEPLOYMENT, chat("DataZoneStandard"), "sku.name", others=(SWISS,)),
    ZURICH.case("Z03", "account in Sweden", DEPLOYMENT, chat("Standard"), "sku.name", others=(SWEDISH,)),
    IOWA.case("Z03", "data zone of the US", DEPLOYMENT, chat("DataZoneStandard"), others=(AMERICAN,)),
    IOWA.case(
        "Z03",
        "Claude in the US",
        DEPLOYMENT,
        chat("DataZoneStandard", "claude-opus-4-8", "Anthropic"),
        others=(AMERICAN,),
    ),
    STOCKHOLM.case("Z04", "no spillover", DEPLOYMENT, chat("Standard"), others=(SWEDISH,)),
    STOCKHOLM.case(
        "Z04",
        "to the same class",
        DEPLOYMENT,
        chat("ProvisionedManaged", spilloverDeploymentName="more"),
        others=(SWEDISH, other("more", "Standard")),
    ),
    STOCKHOLM.case(
        "Z04",
        "to anywhere",
        DEPLOYMENT,
        chat("ProvisionedManaged", spilloverDeploymentName="more"),
        SPILL,
        others=(SWEDISH, other("more", "GlobalStandard")),
    ),
    STOCKHOLM.case(
        "Z04",
        "from the zone to a region of it",
        DEPLOYMENT,
        chat("DataZoneStandard", spilloverDeploymentName="more"),
        others=(SWEDISH, other("more", "Standard")),
    ),
    STOCKHOLM.case(
        "Z04",
        "to none of this plan",
        DEPLOYMENT,
        chat("Standard", spilloverDeploymentName="more"),
        SPILL,
        others=(SWEDISH,),
    ),
    STOCKHOLM.case(
        "Z04",
        "to one of another account",
        DEPLOYMENT,
        chat("Standard", spilloverDeploymentName="more"),
        SPILL,
        others=(SWEDISH, other("more", "Standard", "theirs")),
    ),
    STOCKHOLM.case(
        "Z04",
        "to what the catalogue lacks",
        DEPLOYMENT,
        chat("Standard", spilloverDeploymentName="more"),
        SPILL,
        others=(SWEDISH, other("more", "Standrad")),
    ),
    STOCKHOLM.case("Z05", "closed", ACCOUNT, {"properties": CLOSED}),
    STOCKHOLM.case(
        "Z05",
        "open by default",
        ACCOUNT,
        {},
        "properties.disableLocalAuth",
        "properties.publicNetworkAccess",
        "properties.restrictOutboundNetworkAccess",
    ),
    STOCKHOLM.case(
        "Z05",
        "open",
        ACCOUNT,
        {"properties": CLOSED | {"publicNetworkAccess": "Enabled"}},
        "properties.publicNetworkAccess",
    ),
    STOCKHOLM.case(
        "Z05",
        "takes keys",
        ACCOUNT,
        {"properties": CLOSED | {"disableLocalAuth": False}},
        "properties.disableLocalAuth",
    ),
    STOCKHOLM.case(
        "Z05",
        "in several regions",
        ACCOUNT,
        {"properties": CLOSED | {"locations": {"routingMethod": "Performance"}}},
        "properties.locations",
    ),
    STOCKHOLM.case("Z06", "of OpenAI", DEPLOYMENT, chat("Standard")),
    STOCKHOLM.case(
        "Z06", "of Anthropic", DEPLOYMENT, chat("GlobalStandard", format_="Anthropic"), "properties.model.format"
    ),
    STOCKHOLM.case(
        "Z06", "of a partner", DEPLOYMENT, chat("GlobalStandard", format_="Acme"), "properties.model.format"
    ),
    STOCKHOLM.case("Z06", "of nobody knows whom", DEPLOYMENT, {}, "properties.model.format"),
    IOWA.case("Z06", "of Anthropic, in the US", DEPLOYMENT, chat("DataZoneStandard", format_="Anthropic")),
    IOWA.case(
        "Z06", "of a partner, in the US", DEPLOYMENT, chat("Standard", format_="Acme"), "properties.model.format"
    ),
    STOCKHOLM.case(
        "Z07", "to files inside", ON_ACCOUNT, connection("AzureBlob", FILES), others=(storage("westeurope"),)
    ),
    STOCKHOLM.case(
        "Z07",
        "to files outside",
        ON_ACCOUNT,
        connection("AzureBlob", FILES),
        "properties.metadata",
        others=(storage("uksouth"),),
    ),
    STOCKHOLM.case(
        "Z07",
        "to files of the same name in another group",
        ON_ACCOUNT,
        connection("AzureBlob", THEIR_FILES),
        "properties.metadata",
        others=(storage("westeurope"),),
    ),
    STOCKHOLM.case(
        "Z07",
        "to no resource",
        ON_ACCOUNT,
        {"properties": {"category": "AzureBlob", "metadata": {"ApiType": "Azure"}}},
        "properties.metadata",
    ),
    STOCKHOLM.case(
        "Z07",
        "to Bing",
        "azure-native:cognitiveservices:ProjectConnection",
        connection("BingLLMSearch", FILES),
        "properties.category",
        "properties.metadata",
    ),
    STOCKHOLM.case("Z07", "to nobody knows what", ON_ACCOUNT, {}, "properties.category", "properties.metadata"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in models.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(models.RULES, CASES) == []
