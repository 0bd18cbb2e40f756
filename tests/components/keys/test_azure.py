"""Keys on Azure: what makes them the stack's own, where they may be, and that nothing secret passes through Pulumi."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from pulumi_azure_native import operationalinsights

from components.keys.azure import SIGNERS, AzureKeys, AzureKeysArgs
from components.keys.azure_checks import AzureKeysError, Store, checked_name, store_for
from components.providers import azure_provider
from regions.catalogue import load_catalogue
from tests.fixtures.recording import Graph, conforms, record, reviewed
from tests.fixtures.resources import plan
from tests.fixtures.workloads import unmet

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
OWN = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/security/providers/Microsoft.KeyVault/vaults/corp-keys"
ROLE = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/"
VAULT = "azure-native:keyvault:Vault"
HSM = "azure-native:keyvault:ManagedHsm"
KEY = "azure-native:keyvault:Key"
ENDPOINT = "azure-native:network:PrivateEndpoint"
NAMES = "azure-native:network:PrivateDnsZoneGroup"
AUDIT = "azure-native:monitor:DiagnosticSetting"
LOCK = "azure-native:authorization:ManagementLockByScope"
IDENTITY = "azure-native:managedidentity:UserAssignedIdentity"
ALLOWED = "azure-native:authorization:RoleAssignment"
BY_HSM: dict[str, Any] = {"administrators": ("one", "two", "three"), "secrets": "kubernetes://loomstead/"}
MAKES_IT = [
    ("lock", LOCK, "level", "CanNotDelete"),
    ("lock", LOCK, "scope", "keys-vault-id"),
    ("vault", VAULT, "location", "swedencentral"),
    ("vault", VAULT, "properties.enableRbacAuthorization", True),
    ("vault", VAULT, "properties.enablePurgeProtection", True),
    ("vault", VAULT, "properties.enableSoftDelete", True),
    ("vault", VAULT, "properties.softDeleteRetentionInDays", 90),
    ("vault", VAULT, "properties.publicNetworkAccess", "Disabled"),
    ("vault", VAULT, "properties.networkAcls.defaultAction", "Deny"),
    ("vault", VAULT, "properties.networkAcls.bypass", "AzureServices"),
    ("vault", VAULT, "properties.sku.name", "premium"),
    ("encryption", KEY, "properties.kty", "RSA-HSM"),
    ("encryption", KEY, "properties.keySize", 2048),
    ("encryption", KEY, "properties.keyOps", ["wrapKey", "unwrapKey"]),
    ("encryption", KEY, "properties.rotationPolicy.lifetimeActions.0.action.type", "rotate"),
    ("encryption", KEY, "properties.rotationPolicy.lifetimeActions.0.trigger.timeAfterCreate", "P335D"),
    ("encryption", KEY, "properties.rotationPolicy.attributes.expiryTime", "P365D"),
    *((role, KEY, "properties.curveName", "P-256") for role in SIGNERS),
    *((role, KEY, "properties.kty", "EC-HSM") for role in SIGNERS),
    *((role, KEY, "properties.keyOps", ["sign", "verify"]) for role in SIGNERS),
    ("encryptor", "azure-native:managedidentity:UserAssignedIdentity", "location", "swedencentral"),
    ("encryptor-role", "azure-native:authorization:RoleAssignment", "scope", "keys-encryption-id"),
    ("encryptor-role", "azure-native:authorization:RoleAssignment", "principalId", "keys-encryptor-principalId"),
    (
        "encryptor-role",
        "azure-native:authorization:RoleAssignment",
        "roleDefinitionId",
        f"{ROLE}e147488a-f6f5-4113-8e2d-b22465e65bf6",
    ),
    ("endpoint", ENDPOINT, "subnet.id", "endpoints-id"),
    ("endpoint", ENDPOINT, "privateLinkServiceConnections.0.groupIds", ["vault"]),
    ("endpoint", ENDPOINT, "privateLinkServiceConnections.0.privateLinkServiceId", "keys-vault-id"),
    ("endpoint-names", NAMES, "privateDnsZoneConfigs.0.privateDnsZoneId", "vault-zone-id"),
    ("audit", AUDIT, "resourceUri", "keys-vault-id"),
    ("audit", AUDIT, "workspaceId", "logs-id"),
    ("audit", AUDIT, "logs.0.categoryGroup", "audit"),
]
CELL_KEYS: list[tuple[str, str, dict[str, Any]]] = [
    (
        VAULT,
        "keys-vault",
        {
            "properties.enableRbacAuthorization": True,
            "properties.enablePurgeProtection": True,
            "properties.enableSoftDelete": True,
            "properties.publicNetworkAccess": "Disabled",
            "properties.networkAcls.defaultAction": "Deny",
            "properties.sku.name": "premium",
        },
    ),
    (
        KEY,
        "keys-encryption",
        {"properties.kty": "RSA-HSM", "properties.rotationPolicy.lifetimeActions.0.trigger.timeAfterCreate": ...},
    ),
    *((KEY, f"keys-{role}", {"properties.kty": "EC-HSM", "properties.curveName": "P-256"}) for role in SIGNERS),
    (ALLOWED, "keys-encryptor-role", {"scope": ..., "principalId": ..., "roleDefinitionId": ...}),
    (ENDPOINT, "keys-endpoint", {"privateLinkServiceConnections.0.groupIds": ["vault"]}),
    (NAMES, "keys-endpoint-names", {"privateDnsZoneConfigs.0.privateDnsZoneId": ...}),
    (AUDIT, "keys-audit", {"workspaceId": ..., "logs.0.categoryGroup": "audit"}),
    (LOCK, "keys-lock", {"level": "CanNotDelete"}),
]
THEIRS = {
    "location": "swedencentral",
    "properties": {
        "enablePurgeProtection": True,
        "enableRbacAuthorization": True,
        "publicNetworkAccess": "Disabled",
        "vaultUri": "https://corp-keys.vault.azure.net/",
    },
}


def answers(type_: str, _name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    if type_ == VAULT:
        return {"properties": {**inputs["properties"], "vaultUri": "https://made.vault.azure.net/"}}
    if type_ == HSM:
        return {"properties": {**inputs["properties"], "hsmUri": "https://made.managedhsm.azure.net/"}}
    return {"keyUri": "https://made.vault.azure.net/keys/encryption"} if type_ == KEY else {}


def built(
    regime: str = "eu-gdpr",
    region: str = "swedencentral",
    *,
    theirs: Mapping[str, Any] | None = None,
    workspace: bool = False,
    preview: bool = False,
    **other: Any,
) -> Graph:
    args: AzureKeysArgs = {
        "subscription": SUBSCRIPTION,
        "tenant": "11111111-1111-1111-1111-111111111111",
        "plan": plan(regime, region),
        "name": "loomstead-test",
        "group": "stack",
        "endpoints": "endpoints-id",
        "zones": {"vault": "vault-zone-id", "hsm": "hsm-zone-id"},
        "logs": "logs-id",
        **other,
    }

    def program() -> None:
        partition = load_catalogue().regions[region].partition
        provider = azure_provider("azure", region, partition, SUBSCRIPTION, {SUBSCRIPTION})
        if workspace:
            options = pulumi.ResourceOptions(provider=provider)
            operationalinsights.Workspace("logs", resource_group_name="stack", location=region, opts=options)
        AzureKeys("keys", args, pulumi.ResourceOptions(providers=[provider]))

    calls = {"azure-native:keyvault:getVault": theirs} if theirs else None
    return record(program, answers=answers, calls=calls, preview=preview)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return built()


def at(properties: Any, path: str) -> Any:
    for part in path.split("."):
        properties = properties[int(part)] if part.isdigit() else properties[part]
    return properties


@pytest.mark.parametrize(("name", "type_", "path", "value"), MAKES_IT)
def test_what_makes_keys_the_stacks_own_is_there(graph: Graph, name: str, type_: str, path: str, value: Any) -> None:
    found = graph.named(f"keys-{name}")

    assert found.type == type_
    assert at(found.properties, path) == value


def test_it_is_what_its_cell_claims(graph: Graph) -> None:
    assert unmet(graph, CELL_KEYS) == []


@pytest.mark.parametrize("preview", [False, True])
def test_it_keeps_what_every_component_keeps(preview: bool) -> None:
    conforms(built(preview=preview), "loomstead:keys:Keys")
    conforms(built("sg-pdpa", "southeastasia", preview=preview, **BY_HSM), "loomstead:keys:Keys")


def test_what_holds_keys_is_kept_when_the_stack_goes(graph: Graph) -> None:
    holding = [*graph.of(VAULT), *graph.of(KEY), *built("sg-pdpa", "southeastasia", **BY_HSM).of(HSM)]

    assert len(holding) == 2 + 1 + len(SIGNERS)
    assert all(each.protect and each.retain_on_delete for each in holding)


@pytest.mark.parametrize(
    ("region", "other", "store", "kept"),
    [
        ("swedencentral", {}, VAULT, (IDENTITY, ALLOWED, AUDIT, LOCK)),
        ("southeastasia", BY_HSM, HSM, (IDENTITY, AUDIT, LOCK)),
    ],
)
def test_who_may_use_the_key_stays_with_what_it_encrypts_and_the_store_is_locked(
    region: str, other: dict[str, Any], store: str, kept: tuple[str, ...]
) -> None:
    graph = built("sg-pdpa" if other else "eu-gdpr", region, **other)

    (holding,) = graph.of(store)
    for type_ in kept:
        (found,) = graph.of(type_)
        assert found.protect, type_
        assert found.retain_on_delete, type_
    assert graph.of(LOCK)[0].properties["scope"] == holding.id


def test_no_secret_passes_through_pulumi(graph: Graph) -> None:
    assert graph.of("azure-native:keyvault:Secret") == []
    assert [each.name for each in graph.resources if each.secrets] == []


def test_outputs_are_names_and_addresses_of_keys(graph: Graph) -> None:
    assert graph.outputs[graph.component("loomstead:keys:Keys").urn] == {
        "secrets": "https://made.vault.azure.net/secrets/",
        "public": {},
        "manifest_key": "keys-manifest-keyUriWithVersion",
        "generation": 1,
        "encryption": "https://made.vault.azure.net/keys/encryption",
        "versioned": "keys-encryption-keyUriWithVersion",
        "encryptor": "keys-encryptor-id",
        "encryptor_client": "keys-encryptor-clientId",
    }


def test_public_keys_are_those_that_were_read_in_the_vault() -> None:
    jwk = {"kty": "EC", "crv": "P-256", "x": "x", "y": "y"}
    graph = built(public={"manifest": jwk})

    assert graph.outputs[graph.component("loomstead:keys:Keys").urn]["public"] == {"manifest": jwk}


@pytest.mark.parametrize(
    ("regime", "region"), [("eu-gdpr", "swedencentral"), ("ch-fadp", "switzerlandnorth"), ("us-itar", "usgovvirginia")]
)
def test_the_rules_have_nothing_against_a_vault_whose_pair_is_inside(regime: str, region: str) -> None:
    graph = built(regime, region, workspace=True)

    assert graph.of(VAULT)
    assert reviewed(graph, regime, region) == []


def test_where_the_pair_is_abroad_an_hsm_holds_the_keys() -> None:
    graph = built("sg-pdpa", "southeastasia", workspace=True, **BY_HSM)

    assert reviewed(graph, "sg-pdpa", "southeastasia") == []
    assert graph.of(VAULT) == graph.of(KEY) == []
    (hsm,) = graph.of(HSM)
    assert hsm.properties["location"] == "southeastasia"
    assert at(hsm.properties, "properties.enablePurgeProtection") is True
    assert at(hsm.properties, "properties.publicNetworkAccess") == "Disabled"
    assert at(hsm.properties, "properties.networkAcls.defaultAction") == "Deny"
    assert at(hsm.properties, "properties.initialAdminObjectIds") == ["one", "two", "three"]
    assert "regions" not in hsm.properties["properties"]
    endpoint, names = graph.named("keys-endpoint"), graph.named("keys-endpoint-names")
    assert at(endpoint.properties, "privateLinkServiceConnections.0.groupIds") == ["managedhsm"]
    assert at(names.properties, "privateDnsZoneConfigs.0.privateDnsZoneId") == "hsm-zone-id"
    outputs = graph.outputs[graph.component("loomstead:keys:Keys").urn]
    assert outputs["encryption"] == "https://made.managedhsm.azure.net/keys/encryption"
    assert outputs["secrets"] == "kubernetes://loomstead/"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({}, "copies keys and secrets to eastasia.*name 3 administrators"),
        ({"administrators": ("one", "one", "two")}, "name 3 administrators"),
        ({"administrators": BY_HSM["administrators"]}, "an HSM holds no secrets: say in secrets where they lie"),
        ({**BY_HSM, "vault": OWN}, "no own vault there can hold the keys"),
        ({**BY_HSM, "zones": {"vault": "vault-zone-id"}}, "no private name of an HSM is known in this cloud"),
    ],
)
def test_an_hsm_without_what_it_needs_is_refused(other: dict[str, Any], reason: str) -> None:
    with pytest.raises(AzureKeysError, match=reason):
        built("sg-pdpa", "southeastasia", **other)


@pytest.mark.parametrize(
    ("regime", "region", "store"),
    [
        ("eu-gdpr", "northeurope", Store.VAULT),
        ("uk-gdpr", "uksouth", Store.VAULT),
        ("br-lgpd", "brazilsouth", Store.VAULT),
        ("sg-pdpa", "southeastasia", Store.HSM),
    ],
)
def test_the_pair_decides_between_vault_and_hsm(regime: str, region: str, store: Store) -> None:
    assert store_for(plan(regime, region)) is store


def test_in_an_own_vault_only_the_keys_are_made() -> None:
    graph = built(theirs=THEIRS, vault=OWN)

    conforms(graph, "loomstead:keys:Keys")
    assert graph.of(VAULT) == graph.of(LOCK) == []  # its lock is its owner's
    assert {(each.properties["resourceGroupName"], each.properties["vaultName"]) for each in graph.of(KEY)} == {
        ("security", "corp-keys")
    }
    outputs = graph.outputs[graph.component("loomstead:keys:Keys").urn]
    assert outputs["secrets"] == "https://corp-keys.vault.azure.net/secrets/"


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        ({**THEIRS, "location": "westeurope"}, "it is in westeurope, the stack in swedencentral"),
        ({**THEIRS, "properties": {**THEIRS["properties"], "enablePurgeProtection": None}}, "no purge protection"),
        (
            {**THEIRS, "properties": {**THEIRS["properties"], "enableRbacAuthorization": False}},
            "goes by access policies",
        ),
        ({**THEIRS, "properties": {**THEIRS["properties"], "publicNetworkAccess": "Enabled"}}, "the public internet"),
    ],
)
def test_an_own_vault_that_lacks_what_it_needs_is_refused(theirs: Mapping[str, Any], reason: str) -> None:
    with pytest.raises(AzureKeysError, match=reason):
        built(theirs=theirs, vault=OWN)


def test_what_is_no_vaults_id_is_refused() -> None:
    with pytest.raises(AzureKeysError, match="'corp-keys' is the id of no vault: expected /subscriptions"):
        built(theirs=THEIRS, vault="corp-keys")


@pytest.mark.parametrize("name", ["ab", "a" * 25, "1keys", "two--hyphens", "ends-", "under_score", ""])
def test_names_that_azure_would_refuse_are_refused(name: str) -> None:
    with pytest.raises(AzureKeysError, match="names no vault"):
        checked_name(name)
