"""Azure's foundation as a whole: what its parts get of each other, and what is refused before any of it is made."""

import json
from functools import cache
from typing import Any

import pytest
import yaml

from components.fabric import build, check
from components.fabrics.azure_plan import AzureFabricError, planned
from components.guardrails.azure_policies import policies
from components.infrastructure import Refused
from components.naming import REPOSITORY
from components.publish import Ground
from components.spec import CONFIG_KEY, FabricSpec, country_of
from regions.boundary import compile_boundary
from regions.catalogue import load_catalogue
from scripts.rehearsal.checks import mistakes
from scripts.rehearsal.sdk import shape
from tests.components.guardrails.test_azure import refusing
from tests.fixtures.azure import answers
from tests.fixtures.recording import Graph, Recorded, record, reviewed

SWEDEN, ZURICH = "azure-swedencentral", "azure-switzerlandnorth"
REGIMES = {SWEDEN: "eu-gdpr", ZURICH: "ch-fadp"}
STACKS = sorted(REGIMES)
FABRIC = "loomstead:fabric:Fabric"
OWN = "/subscriptions/s/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/corp"


def said(stack: str) -> dict[str, Any]:
    return yaml.safe_load((REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"][CONFIG_KEY]


def ground(stack: str = SWEDEN, **changed: Any) -> Ground:
    """What the shipped file says, with sections changed."""
    found, catalogue = {**said(stack), **changed}, load_catalogue()
    spec = FabricSpec.model_validate_json(json.dumps({key: value for key, value in found.items() if value is not None}))
    country = country_of(spec, catalogue) or ""
    return Ground(stack, spec, compile_boundary(spec.residency, catalogue, host=country), catalogue)


@cache
def fabric(stack: str, *, preview: bool = False) -> Graph:
    return record(lambda: build(ground(stack)), answers=answers, stack=stack, preview=preview)


def told(graph: Graph) -> Any:
    return graph.outputs[graph.component(FABRIC).urn]


def owner(graph: Graph, resource: Recorded) -> Recorded:
    return next(each for each in graph.resources if each.urn == resource.parent)


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("stack", STACKS)
def test_all_of_it_is_a_part_of_the_fabric_and_on_its_own_provider(stack: str, preview: bool) -> None:
    graph = fabric(stack, preview=preview)
    root = graph.component(FABRIC)
    parts = [each for each in graph.children(root) if not each.custom]

    assert {each.type.split(":")[1] for each in parts} == {
        *("network", "guardrails", "identity", "observability", "keys", "postgres", "models", "budget")
    }
    made = [each for each in graph.resources if each.custom and not each.type.startswith("pulumi:")]
    assert {each.provider for each in made} == {"fabric-azure"}
    assert {each.parent for each in made} <= {each.urn for each in parts}
    assert [each.name for each in made if not each.name.startswith(f"{owner(graph, each).name}-")] == []
    (provider,) = graph.of("pulumi:providers:azure-native")
    assert provider.parent == root.urn


@pytest.mark.parametrize("stack", STACKS)
def test_the_rules_have_nothing_against_it(stack: str) -> None:
    assert reviewed(fabric(stack), REGIMES[stack], ground(stack).spec.region) == []


@pytest.mark.parametrize("stack", STACKS)
def test_its_own_guardrails_refuse_none_of_it(stack: str) -> None:
    found = policies(planned(ground(stack)).plan)

    assert {each.name: refusing(found, each) for each in fabric(stack).resources if refusing(found, each)} == {}


@pytest.mark.parametrize("stack", STACKS)
def test_each_value_is_one_that_the_sdk_knows(stack: str) -> None:
    made = [each for each in fabric(stack).resources if each.type.startswith("azure-native:")]

    assert {each.name: mistakes(shape(each.type), each.properties) for each in made} == {each.name: [] for each in made}


@pytest.mark.parametrize("stack", STACKS)
def test_no_secret_is_in_what_pulumi_keeps_or_tells(stack: str) -> None:
    graph = fabric(stack)

    assert [each.name for each in graph.resources if each.secrets] == []
    assert graph.of("azure-native:keyvault:Secret") == []
    assert all(isinstance(each, str) for each in told(graph).values())


def test_what_it_tells() -> None:
    assert told(fabric(SWEDEN)) == {
        "resource_group": "fabric-network-group-name",
        "network": "fabric-network-vnet-id",
        "logs": "fabric-network-logs-id",
        "secrets": "https://made.vault.azure.net/secrets/",
        "manifest_key": "https://made.vault.azure.net/keys/manifest/v1",
        "postgres": "fabric-postgres-primary-fullyQualifiedDomainName",
        "postgres_replica": "fabric-postgres-replica-fullyQualifiedDomainName",
        "models": "fabric-models-account-id",
        "scope_orders-ro": "fabric-identity-scope-orders-ro-clientId",
        "scope_orders-rw": "fabric-identity-scope-orders-rw-clientId",
    }


def test_parts_get_of_each_other_what_they_need() -> None:
    graph = fabric(SWEDEN)
    primary = graph.named("fabric-postgres-primary").properties
    caller = graph.named("fabric-models-caller").properties

    assert primary["network"]["delegatedSubnetResourceId"] == "fabric-network-primary-id"
    assert primary["dataEncryption"]["primaryKeyURI"] == "https://made.vault.azure.net/keys/encryption"
    assert primary["dataEncryption"]["primaryUserAssignedIdentityId"] == "fabric-keys-encryptor-id"
    assert caller["principalId"] == "fabric-identity-runtime-principalId"
    assert caller["scope"] == "fabric-models-account-id"
    settings = graph.of("azure-native:monitor:DiagnosticSetting")
    assert {each.properties["workspaceId"] for each in settings} == {"fabric-network-logs-id"}
    assigned = graph.of("azure-native:authorization:PolicyAssignment")
    assert {each.properties["scope"] for each in assigned} == {"fabric-network-group-id"}


def test_the_runtime_may_call_what_is_declared_and_entra_and_no_private_service_goes_that_way() -> None:
    assert planned(ground()).hosts == ("login.microsoftonline.com", "orders.example.se")


def test_names_are_unique_in_their_cloud_and_stay_as_they_are() -> None:
    found = planned(ground())
    other = planned(ground(account="00000000-0000-0000-0000-000000000009"))

    assert (found.name, found.vault, found.log_account) == (planned(ground()).name, found.vault, found.log_account)
    assert found.name.startswith(f"{SWEDEN}-")
    assert len(found.vault) <= 24
    assert len(found.log_account) <= 24
    assert found.log_account.isalnum()
    assert not {found.name, found.vault, found.log_account} & {other.name, other.vault, other.log_account}


@pytest.mark.parametrize(("stack", "mailing"), [(SWEDEN, "swedencentral"), (ZURICH, "")])
def test_alarms_are_mailed_from_inside_the_boundary_or_by_nobody(stack: str, mailing: str) -> None:
    assert planned(ground(stack)).mailing == mailing


def test_a_spare_region_of_the_boundary_mails_where_the_own_cannot() -> None:
    assert planned(ground(region="francecentral", models=MODEL, scope_classes={})).mailing == "swedencentral"


MODEL = {
    "chat": {
        "candidates": {"x": {"endpoint": {"url": "https://vllm.example.fr/v1", "model": "m", "countries": ["FR"]}}}
    }
}
SINGAPORE: dict[str, Any] = {
    "region": "southeastasia",
    "residency": {"regimes": ["sg-pdpa"], "data_classes": {"personal": {}}},
    "models": MODEL,
    "core_systems": {},
    "scope_classes": {},
}
PEOPLE = [f"00000000-0000-0000-0000-00000000000{each}" for each in range(3)]


def test_where_the_pair_is_abroad_an_hsm_is_opened_by_those_who_are_named() -> None:
    directory = {**said(SWEDEN)["directory"], "key_administrators": PEOPLE}
    graph = record(lambda: build(ground(**SINGAPORE, directory=directory)), answers=answers, stack=SWEDEN)

    (hsm,) = graph.of("azure-native:keyvault:ManagedHsm")
    assert hsm.properties["properties"]["initialAdminObjectIds"] == PEOPLE
    assert told(graph)["secrets"].startswith("kubernetes:azure-swedencentral-")
    assert reviewed(graph, "sg-pdpa", "southeastasia") == []


def managed(**other: Any) -> dict[str, Any]:
    url = "https://desk-models.openai.azure.com/openai/v1"
    return {
        "chat": {
            "candidates": {
                "x": {
                    "managed": {
                        "provider": "azure",
                        "model": "gpt-4.1",
                        "region": "swedencentral",
                        "sku": "Standard",
                        "url": url,
                        **other,
                    }
                }
            }
        }
    }


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"account": "corp"}, "account: expected the id of a subscription, got corp"),
        ({"network": {"own": {"id": OWN, "workloads": ["a"]}, "cidr": "10.40.0.0/20"}}, "workloads of two subnets"),
        ({"network": {"own": {"id": OWN, "workloads": ["a", "b"]}, "cidr": "10.40.0.0/20"}}, r"network\.own\.egress"),
        ({"network": {"own": {"id": OWN, "workloads": ["a", "b"], "egress": "10.0.0.4"}}}, r"network\.cidr: expected"),
        ({"network": {"cidr": "10.40.0.0/20", "zones": ["a"]}}, "a are no zones of Azure"),
        ({"network": {"cidr": "10.40.0.0/24"}}, r"^network\.cidr: 10\.40\.0\.0/24 is too small"),
        ({"cluster": {"version": "1.35"}}, "cluster: not built yet on azure"),
        ({"keys": {"region": "francecentral"}}, r"keys\.region: on azure it is the stack's"),
        ({"keys": {"replicas": ["francecentral"]}}, r"keys\.replicas"),
        ({"keys": {"custody": "external"}}, r"keys\.custody"),
        ({"backup": {"redundancy": "geo"}}, r"backup\.redundancy: a copy in the paired region.*take zone"),
        ({"backup": {"region": "francecentral"}}, r"backup\.region"),
        ({"logs": {"days": 7}}, r"logs\.days: Azure keeps logs for 30 to 730 days, got 7"),
        ({"logs": {"days": 731}}, "got 731"),
        ({"logs": {"region": "francecentral"}}, r"logs\.region"),
        ({"postgres": {"version": "18.1"}}, r"postgres\.version"),
        ({"postgres": {"machine": "Standard_B2ms"}}, "Burstable, which has neither replica nor standby"),
        ({"postgres": {"backup_days": 3}}, "Azure keeps backups for 7 to 35 days"),
        (
            {"core_systems": {"o": {"url": "https://o.example:8443", "openapi": "o.json", "country": "SE"}}},
            "o.example:8443",
        ),
        ({"directory": {**said(SWEDEN)["directory"], "issuer": None}}, "scope classes orders-ro, orders-rw"),
        ({"models": managed(sku="Standard", url="https://d.services.ai.azure.com/v1")}, "not the host of a resource"),
        (SINGAPORE, "copies keys and secrets to eastasia.*name 3 administrators"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_registered(changed: dict[str, Any], reason: str) -> None:
    registered: list[Graph] = []
    with pytest.raises(Refused, match=reason):
        registered.append(record(lambda: build(ground(**changed)), answers=answers, stack=SWEDEN))

    assert registered == []
    with pytest.raises(Refused, match=reason):
        check(ground(**changed))


def test_a_network_that_is_there_is_used_and_looked_at_before_anything_is_made() -> None:
    subnets = {name: f"{OWN}/subnets/{name}" for name in ("desk", "hands", "doors")}
    own = {"id": OWN, "workloads": [subnets["desk"], subnets["hands"]], "endpoints": [subnets["doors"]]}
    network = {"cidr": "10.40.0.0/20", "own": {**own, "egress": "10.0.0.4"}}
    blocks = {"desk": "10.99.0.0/24", "hands": "10.99.1.0/24", "doors": "10.99.2.0/24"}
    theirs = {
        "azure-native:network:getVirtualNetwork": {
            "location": "swedencentral",
            "addressSpace": {"addressPrefixes": ["10.0.0.0/8"]},
        },
        "azure-native:network:getSubnet": lambda asked: {
            "addressPrefix": blocks[asked["subnetName"]],
            "networkSecurityGroup": {"id": "theirs"},
            "routeTable": {"id": "theirs"},
        },
    }
    graph = record(lambda: build(ground(network=network)), answers=answers, calls=theirs, stack=SWEDEN)

    assert graph.of("azure-native:network:VirtualNetwork") == graph.of("azure-native:network:AzureFirewall") == []
    assert graph.named("fabric-models-endpoint").properties["subnet"]["id"] == subnets["doors"]
    assert {each.name for each in graph.of("azure-native:network:Subnet")} == {
        "fabric-network-primary",
        "fabric-network-replica",
    }


def test_all_that_is_wrong_is_told_together() -> None:
    with pytest.raises(AzureFabricError) as caught:
        check(ground(logs={"days": 7}, backup={"redundancy": "geo"}))

    assert len(str(caught.value).splitlines()) == 2


def test_an_own_vault_is_looked_at_before_anything_is_made() -> None:
    vault = "/subscriptions/s/resourceGroups/hub/providers/Microsoft.KeyVault/vaults/corp"
    theirs = {"location": "eastus", "properties": {"publicNetworkAccess": "Enabled"}}
    monitor: list[str] = []

    def seen(_type: str, name: str, _inputs: Any) -> dict[str, Any]:
        monitor.append(name)
        return {}

    with pytest.raises(Refused, match="it is in eastus, the stack in swedencentral"):
        record(
            lambda: build(ground(keys={"encryption": vault})),
            answers=seen,
            calls={"azure-native:keyvault:getVault": theirs},
            stack=SWEDEN,
        )
    assert [name for name in monitor if name != "fabric-azure"] == []
