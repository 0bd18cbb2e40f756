"""Managed models on Azure: exactly the deployments that candidates name, closed to all but the runtime's identity."""

import json
from itertools import pairwise
from typing import Any

import pulumi
import pytest

from components.infrastructure import Size
from components.models.azure import AzureModels, AzureModelsArgs
from components.models.azure_plan import CAPACITY, AzureModelsError, Deployment, Hosting, hosting
from components.spec import FabricSpec
from regions.catalogue import load_catalogue
from tests.fixtures.azure import ROLES, SUBSCRIPTION, built, unknown
from tests.fixtures.recording import Graph, conforms, reviewed
from tests.fixtures.workloads import unmet

ACCOUNT = "azure-native:cognitiveservices:Account"
DEPLOYMENT = "azure-native:cognitiveservices:Deployment"
URL = "https://desk-models.openai.azure.com/openai/v1"
CELL_MODELS: list[tuple[str, str, dict[str, Any]]] = [
    (
        ACCOUNT,
        "-account",
        {
            "kind": "OpenAI",
            "location": ...,
            "properties.customSubDomainName": ...,
            "properties.disableLocalAuth": True,
            "properties.publicNetworkAccess": "Disabled",
            "properties.networkAcls.defaultAction": "Deny",
            "properties.restrictOutboundNetworkAccess": True,
            "properties.encryption.keySource": "Microsoft.KeyVault",
            "properties.encryption.keyVaultProperties.keyName": "encryption",
            "properties.encryption.keyVaultProperties.identityClientId": ...,
            "identity.type": "UserAssigned",
        },
    ),
    (
        DEPLOYMENT,
        "-gpt-4.1",
        {
            "sku.name": ...,
            "properties.model.version": "2025-04-14",
            "properties.raiPolicyName": "Microsoft.DefaultV2",
            "properties.versionUpgradeOption": "NoAutoUpgrade",
        },
    ),
    (
        "azure-native:network:PrivateEndpoint",
        "models-endpoint",
        {"subnet.id": ..., "privateLinkServiceConnections.0.groupIds": ["account"]},
    ),
    (
        "azure-native:network:PrivateDnsZoneGroup",
        "models-endpoint-names",
        {"privateDnsZoneConfigs.0.privateDnsZoneId": ...},
    ),
    ("azure-native:authorization:RoleAssignment", "models-caller", {"principalId": ..., "scope": ...}),
    (
        "azure-native:monitor:DiagnosticSetting",
        "models-audit",
        {"workspaceId": ..., "logs.0.categoryGroup": "allLogs", "metrics.0.category": "AllMetrics"},
    ),
]


def managed(
    model: str = "gpt-4.1", sku: str = "Standard", region: str = "swedencentral", **other: Any
) -> dict[str, Any]:
    return {"provider": "azure", "model": model, "region": region, "sku": sku, "url": URL, **other}


def spec(models: dict[str, dict[str, dict[str, Any]]], size: str = "small") -> FabricSpec:
    """``models``: by class and candidate, what is said of it."""
    said = {
        "platform": "azure",
        "region": "swedencentral",
        "size": size,
        "residency": {"regimes": ["eu-gdpr"], "data_classes": {"personal": {}}},
        "models": {name: {"candidates": found} for name, found in models.items()},
    }
    return FabricSpec.model_validate_json(json.dumps(said))


def planned(models: dict[str, dict[str, dict[str, Any]]], size: str = "small") -> Hosting:
    found = hosting(spec(models, size), load_catalogue())
    assert found is not None
    return found


RESERVED = {
    "chat": {
        "reserved": {"managed": managed(sku="ProvisionedManaged", spillover="standard")},
        "standard": {"weight": 0, "managed": managed()},
    },
    "embeddings": {"standard": {"managed": managed("text-embedding-3-large", capacity=120)}},
}


def models(
    region: str = "swedencentral", *, workspace: bool = False, preview: bool = False, found: Hosting | None = None
) -> Graph:
    args: AzureModelsArgs = {
        "hosting": found or planned(RESERVED),
        "subscription": SUBSCRIPTION,
        "region": region,
        "group": "stack",
        "endpoints": "endpoints-id",
        "zone": "zone-id",
        "logs": "logs-id",
        "key": "https://made.vault.azure.net/keys/encryption/v1",
        "encryptor": "encryptor-id",
        "encryptor_client": "encryptor-client",
        "caller": "runtime-principal",
    }

    def make(opts: pulumi.ResourceOptions) -> None:
        AzureModels("models", {**args, "encryptor": unknown()} if preview else args, opts)

    return built(make, region, preview=preview, workspace=workspace)


@pytest.mark.parametrize("preview", [False, True])
def test_it_keeps_what_every_component_keeps(preview: bool) -> None:
    conforms(models(preview=preview), "loomstead:models:Models")


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(models(), CELL_MODELS) == []


def test_the_resource_is_encrypted_with_the_stacks_key_by_its_version() -> None:
    properties = models().of(ACCOUNT)[0].properties

    assert properties["identity"] == {"type": "UserAssigned", "userAssignedIdentities": ["encryptor-id"]}
    assert properties["properties"]["encryption"]["keyVaultProperties"] == {
        "keyVaultUri": "https://made.vault.azure.net/",
        "keyName": "encryption",
        "keyVersion": "v1",
        "identityClientId": "encryptor-client",
    }


def test_the_runtime_may_call_and_nobody_may_do_more() -> None:
    (role,) = models().of("azure-native:authorization:RoleAssignment")

    assert role.properties["roleDefinitionId"] == f"{ROLES}5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"
    assert (role.properties["principalId"], role.properties["scope"]) == ("runtime-principal", "models-account-id")


def test_deployments_are_those_that_candidates_name_and_are_made_one_after_the_other() -> None:
    graph = models()
    found = {each.properties["deploymentName"]: each for each in graph.of(DEPLOYMENT)}

    assert {name: each.properties["sku"] for name, each in found.items()} == {
        "gpt-4.1": {"name": "ProvisionedManaged", "capacity": 50},
        "gpt-4.1-standard": {"name": "Standard", "capacity": 30},
        "text-embedding-3-large": {"name": "Standard", "capacity": 120},
    }
    assert found["gpt-4.1"].properties["properties"]["spilloverDeploymentName"] == "gpt-4.1-standard"
    made = [each for each in graph.resources if each.type == DEPLOYMENT]
    for before, after in pairwise(made):
        assert before.urn in after.dependencies
    assert graph.named("models-account").urn in made[0].dependencies


def test_outputs_lead_to_the_resource() -> None:
    graph = models()

    assert graph.outputs[graph.component("loomstead:models:Models").urn] == {
        "account": "models-account-id",
        "invocable": [each.id for each in graph.of(DEPLOYMENT)],
        "endpoints": {"chat/reserved": URL, "chat/standard": URL, "embeddings/standard": URL},
    }


def test_the_rules_have_nothing_against_it() -> None:
    assert reviewed(models(workspace=True), "eu-gdpr", "swedencentral") == []


@pytest.mark.parametrize("sku", ["GlobalStandard", "DataZoneStandard"])
def test_a_deployment_that_is_answered_anywhere_is_a_finding(sku: str) -> None:
    wide = Hosting("desk-models", "h", {}, (Deployment("gpt-4.1", "gpt-4.1", None, sku, 1, None),))
    findings = reviewed(models(workspace=True, found=wide), "eu-gdpr", "swedencentral")

    assert {(each.rule, each.resource) for each in findings} == {("Z03", "models-gpt-4.1")}


def test_a_deployment_that_spills_over_to_a_global_one_is_a_finding() -> None:
    wide = Deployment("wide", "gpt-4.1", None, "GlobalStandard", 1, None)
    kept = Deployment("gpt-4.1", "gpt-4.1", None, "ProvisionedManaged", 50, "wide")
    findings = reviewed(
        models(workspace=True, found=Hosting("desk-models", "h", {}, (wide, kept))), "eu-gdpr", "swedencentral"
    )

    assert ("Z04", "models-gpt-4.1") in {(each.rule, each.resource) for each in findings}


def test_a_model_without_several_versions_names_none() -> None:
    assert [
        each.version for each in planned({"e": {"s": {"managed": managed("text-embedding-3-large")}}}).deployments
    ] == [None]


@pytest.mark.parametrize("size", list(Size))
def test_a_size_says_how_much(size: Size) -> None:
    per_token, provisioned = CAPACITY[size]
    found = {each.sku: each.capacity for each in planned(RESERVED, str(size)).deployments if each.model == "gpt-4.1"}

    assert found == {"Standard": per_token, "ProvisionedManaged": provisioned}


def test_candidates_with_the_same_model_and_sku_share_a_deployment() -> None:
    two = {"a": {"x": {"managed": managed()}}, "b": {"y": {"managed": managed()}}}

    assert [each.name for each in planned(two).deployments] == ["gpt-4.1"]


def test_what_is_elsewhere_is_not_made_here() -> None:
    elsewhere = {"a": {"x": {"managed": managed(region="francecentral", model="gpt-4.1-mini")}}}

    assert hosting(spec(elsewhere), load_catalogue()) is None


OTHER = "https://other.openai.azure.com/openai/v1"


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ({"a": {"x": {"managed": managed()}, "y": {"managed": managed(url=OTHER)}}}, "are several resources"),
        ({"a": {"x": {"managed": managed(url="https://d.services.ai.azure.com/v1")}}}, "is not the host of a resource"),
        (
            {"a": {"x": {"managed": managed()}, "y": {"managed": managed(sku="ProvisionedManaged")}}},
            "gpt-4.1 is called by Standard and ProvisionedManaged.*weight 0",
        ),
        (
            {"a": {"x": {"managed": managed()}}, "b": {"y": {"managed": managed(capacity=5)}}},
            "asked for with other capacity",
        ),
        (
            {"a": {"x": {"managed": managed(spillover="y")}, "y": {"managed": managed("gpt-4.1-mini")}}},
            r"a\.candidates\.x\.managed\.spillover: Azure hands over from",
        ),
        (
            {
                "a": {
                    "x": {"managed": managed(sku="ProvisionedManaged", spillover="y")},
                    "y": {"weight": 0, "managed": managed(sku="GlobalStandard")},
                }
            },
            "to one of the same model and sku Standard",
        ),
    ],
)
def test_what_azure_or_the_gateway_could_not_do_is_refused(found: dict[str, Any], reason: str) -> None:
    with pytest.raises(AzureModelsError, match=reason):
        planned(found)
