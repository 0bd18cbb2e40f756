"""Guardrails on Azure: what Azure Policy refuses of recorded resources, and that it refuses nothing of the fabric's."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from components.guardrails.azure import AzureGuardrails, AzureGuardrailsArgs
from components.guardrails.azure_policies import Policy, allowed_regions, allowed_skus, policies
from components.naming import REPOSITORY
from regions.catalogue import load_catalogue
from tests.fixtures.azure import built
from tests.fixtures.azure_policy import TYPES, denied
from tests.fixtures.recording import Graph, Recorded, conforms, reviewed
from tests.fixtures.resources import plan
from tests.fixtures.workloads import unmet

GOLDEN = REPOSITORY / "tests" / "golden" / "guardrails"
REGIMES = [("eu-gdpr", "swedencentral"), ("ch-fadp", "switzerlandnorth"), ("us-itar", "usgovvirginia")]
DEFINITION = "azure-native:authorization:PolicyDefinition"
ASSIGNMENT = "azure-native:authorization:PolicyAssignment"
NAMES = ("locations", "deployments", "edges", "private", "keys")
CELL_GUARDRAILS: list[tuple[str, str, dict[str, Any]]] = [
    *(
        (
            DEFINITION,
            f"guardrails-{name}",
            {"policyType": "Custom", "policyRule.then.effect": "deny", "policyRule.if": ...},
        )
        for name in NAMES
    ),
    *(
        (
            ASSIGNMENT,
            f"guardrails-{name}-assigned",
            {"enforcementMode": "Default", "scope": ..., "policyDefinitionId": ...},
        )
        for name in NAMES
    ),
    (DEFINITION, "guardrails-locations", {"mode": "Indexed", "policyRule.if.allOf.0.field": "location"}),
    (
        DEFINITION,
        "guardrails-deployments",
        {"policyRule.if.allOf.1.anyOf.1.field": "Microsoft.CognitiveServices/accounts/deployments/sku.name"},
    ),
]


def guardrails(regime: str = "eu-gdpr", region: str = "swedencentral", *, preview: bool = False) -> Graph:
    args: AzureGuardrailsArgs = {"stack": "s", "plan": plan(regime, region), "group": "group-id"}
    return built(lambda opts: AzureGuardrails("guardrails", args, opts), region, preview=preview)


def resource(type_: str, **properties: Any) -> Recorded:
    return Recorded(
        type=f"azure-native:{type_}",
        name="planted",
        urn="urn",
        id="id",
        parent="",
        provider=None,
        properties=properties,
        state={},
        custom=True,
        protect=False,
        retain_on_delete=False,
        dependencies=frozenset(),
        secrets=frozenset(),
        ignore_changes=frozenset(),
    )


def refusing(found: tuple[Policy, ...], resource: Recorded) -> set[str]:
    return {policy.name for policy in found if denied(policy.rule, policy.mode, resource)}


@pytest.mark.parametrize("preview", [False, True])
def test_it_keeps_what_every_component_keeps(preview: bool) -> None:
    conforms(guardrails(preview=preview), "loomstead:guardrails:Guardrails")


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(guardrails(), CELL_GUARDRAILS) == []


@pytest.mark.parametrize(("regime", "region"), REGIMES)
def test_the_documents_are_those_that_were_looked_at(regime: str, region: str) -> None:
    made = {
        each.properties["policyDefinitionName"]: {key: each.properties[key] for key in ("mode", "policyRule")}
        for each in guardrails(regime, region).of(DEFINITION)
    }

    assert made == json.loads((GOLDEN / f"azure-{region}-{regime}.json").read_text())


def test_each_is_assigned_to_the_stacks_group_and_enforced() -> None:
    graph = guardrails()
    definitions = {each.id for each in graph.of(DEFINITION)}

    assert {each.properties["policyDefinitionId"] for each in graph.of(ASSIGNMENT)} == definitions
    assert {each.properties["scope"] for each in graph.of(ASSIGNMENT)} == {"group-id"}
    assert {each.properties["enforcementMode"] for each in graph.of(ASSIGNMENT)} == {"Default"}
    outputs = graph.outputs[graph.component("loomstead:guardrails:Guardrails").urn]
    assert outputs["policies"] == [f"guardrails-{name}-assigned-id" for name in NAMES]


ACCOUNT = "cognitiveservices:Account"
DEPLOYMENT = "cognitiveservices:Deployment"
CLOSED = {"publicNetworkAccess": "Disabled", "encryption": {"keySource": "Microsoft.KeyVault"}}
SERVER = {"network": {"publicNetworkAccess": "Disabled"}, "dataEncryption": {"type": "AzureKeyVault"}}
HERE = {"location": "swedencentral"}


@pytest.mark.parametrize(
    "right",
    [
        resource("network:VirtualNetwork", **HERE),
        resource("network:VirtualNetwork", location="francecentral"),
        resource("privatedns:PrivateZone", location="global"),
        resource(DEPLOYMENT, sku={"name": "Standard"}),
        resource(DEPLOYMENT, sku={"name": "ProvisionedManaged"}),
        resource(ACCOUNT, **HERE, properties=CLOSED),
        resource("keyvault:Vault", **HERE, properties={"publicNetworkAccess": "Disabled"}),
        resource("dbforpostgresql:Server", **HERE, **SERVER),
        resource("storage:StorageAccount", **HERE, networkRuleSet={"defaultAction": "Deny"}),
    ],
    ids=lambda found: found.type,
)
def test_what_is_right_is_let_through(right: Recorded) -> None:
    assert refusing(policies(plan("eu-gdpr", "swedencentral")), right) == set()


@pytest.mark.parametrize(
    ("wrong", "by"),
    [
        (resource("network:VirtualNetwork", location="eastus"), "locations"),
        (resource("network:VirtualNetwork", location="switzerlandnorth"), "locations"),
        (resource("network:VirtualNetwork", location="EastUS"), "locations"),
        (resource(DEPLOYMENT, sku={"name": "GlobalStandard"}), "deployments"),
        (resource(DEPLOYMENT, sku={"name": "GlobalProvisionedManaged"}), "deployments"),
        (resource(DEPLOYMENT, sku={"name": "DataZoneStandard"}), "deployments"),
        (resource(DEPLOYMENT, sku={"name": "DataZoneProvisionedManaged"}), "deployments"),
        (resource(DEPLOYMENT, sku={"name": "DeveloperTier"}), "deployments"),
        (resource(DEPLOYMENT, sku={"name": "GlobalBatch"}), "deployments"),
        (resource(DEPLOYMENT), "deployments"),
        (resource("cdn:Profile", location="global"), "edges"),
        (resource("frontdoor:FrontDoor", location="global"), "edges"),
        (resource("trafficmanager:Profile", location="global"), "edges"),
        (resource(ACCOUNT, **HERE, properties={**CLOSED, "publicNetworkAccess": "Enabled"}), "private"),
        (resource(ACCOUNT, **HERE, properties={"encryption": CLOSED["encryption"]}), "private"),
        (resource("keyvault:Vault", **HERE, properties={}), "private"),
        (resource("keyvault:ManagedHsm", **HERE, properties={"publicNetworkAccess": "Enabled"}), "private"),
        (resource("storage:StorageAccount", **HERE, networkRuleSet={"defaultAction": "Allow"}), "private"),
        (resource("dbforpostgresql:Server", **HERE, dataEncryption=SERVER["dataEncryption"]), "private"),
        (resource(ACCOUNT, **HERE, properties={"publicNetworkAccess": "Disabled"}), "keys"),
        (resource("dbforpostgresql:Server", **HERE, network=SERVER["network"]), "keys"),
        (resource("dbforpostgresql:Server", **HERE, **{**SERVER, "dataEncryption": {"type": "SystemManaged"}}), "keys"),
    ],
    ids=lambda found: found.type if isinstance(found, Recorded) else found,
)
def test_what_is_planted_is_refused(wrong: Recorded, by: str) -> None:
    assert refusing(policies(plan("eu-gdpr", "swedencentral")), wrong) == {by}


@pytest.mark.parametrize(("regime", "region"), REGIMES)
def test_what_is_allowed_is_what_the_boundary_allows(regime: str, region: str) -> None:
    catalogue, asked = load_catalogue(), plan(regime, region)

    assert region in allowed_regions(asked)
    for name in allowed_regions(asked):
        assert catalogue.regions[name].partition == catalogue.regions[region].partition
    assert not [sku for sku in allowed_skus(asked) if sku.startswith("Global")]


def test_a_data_zone_is_let_through_where_all_of_it_is_inside() -> None:
    assert "DataZoneStandard" in allowed_skus(plan("us-itar", "usgovvirginia"))
    assert "DataZoneStandard" not in allowed_skus(plan("eu-gdpr", "swedencentral"))


def test_where_no_model_may_be_called_every_deployment_is_refused() -> None:
    found = policies(plan("sg-pdpa", "southeastasia"))

    assert refusing(found, resource(DEPLOYMENT, sku={"name": "Standard"})) == {"deployments"}


def test_an_operator_that_nobody_read_up_is_no_pass() -> None:
    rule: Mapping[str, Any] = {"if": {"field": "location", "contains": "a"}, "then": {"effect": "deny"}}

    with pytest.raises(KeyError, match="contains"):
        denied(rule, "All", resource("network:VirtualNetwork", **HERE))


def test_every_type_that_a_policy_asks_about_has_azures_name_here() -> None:
    asked = json.dumps([policy.rule for policy in policies(plan("eu-gdpr", "swedencentral"))])

    assert {"Microsoft.KeyVault/vaults", "Microsoft.Storage/storageAccounts"} <= set(TYPES.values())
    assert all(type_ in asked for type_ in TYPES.values() if type_.startswith(("Microsoft.Key", "Microsoft.DBfor")))


@pytest.mark.parametrize(("regime", "region"), REGIMES)
def test_the_rules_have_nothing_against_it(regime: str, region: str) -> None:
    assert reviewed(guardrails(regime, region), regime, region) == []
