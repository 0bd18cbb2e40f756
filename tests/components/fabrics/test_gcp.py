"""Google Cloud's foundation as a whole: what its parts get of each other, and what is refused before any is made."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
import yaml

from components.fabric import build, check
from components.fabrics.gcp_plan import GcpFabricError, planned
from components.guardrails.gcp_policies import policies
from components.infrastructure import Refused
from components.naming import REPOSITORY
from components.network.exits import Exit
from components.parity import NotSupported
from components.publish import Ground
from components.spec import CONFIG_KEY, FabricSpec, country_of
from regions.boundary import compile_boundary
from regions.catalogue import load_catalogue
from scripts.rehearsal.answers import Place, answers
from scripts.rehearsal.checks import mistakes
from scripts.rehearsal.sdk import shape
from tests.components.guardrails.test_gcp import refusing
from tests.fixtures.recording import Graph, Recorded, record, reviewed

FRANKFURT, PARIS = "gcp-europe-west3", "gcp-europe-west9"
REGIMES = {FRANKFURT: "eu-strict", PARIS: "host-country"}
STACKS = sorted(REGIMES)
FABRIC = "loomstead:fabric:Fabric"
KEY = "projects/hub/locations/europe-west3/keyRings/corp/cryptoKeys/data"


def said(stack: str) -> dict[str, Any]:
    return yaml.safe_load((REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"][CONFIG_KEY]


def ground(stack: str = FRANKFURT, **changed: Any) -> Ground:
    """What the shipped file says, with sections changed."""
    found, catalogue = {**said(stack), **changed}, load_catalogue()
    spec = FabricSpec.model_validate_json(json.dumps({key: value for key, value in found.items() if value is not None}))
    country = country_of(spec, catalogue) or ""
    return Ground(stack, spec, compile_boundary(spec.residency, catalogue, host=country), catalogue)


def made(asked: Ground, calls: Mapping[str, Any] | None = None, *, preview: bool = False) -> Graph:
    known = answers(Place(asked.spec.region, asked.spec.account or ""))
    return record(lambda: build(asked), calls={**known, **(calls or {})}, stack=asked.stack, preview=preview)


@cache
def fabric(stack: str, *, preview: bool = False) -> Graph:
    return made(ground(stack), preview=preview)


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
        *("network", "guardrails", "identity", "observability", "keys", "postgres", "models")
    }
    custom = [each for each in graph.resources if each.custom and not each.type.startswith("pulumi:")]
    assert {each.provider for each in custom} == {"fabric-gcp"}
    assert {each.parent for each in custom} <= {each.urn for each in parts}
    assert [each.name for each in custom if not each.name.startswith(f"{owner(graph, each).name}-")] == []


@pytest.mark.parametrize("stack", STACKS)
def test_the_provider_is_of_the_regions_universe_and_of_one_project(stack: str) -> None:
    graph, spec = fabric(stack), ground(stack).spec
    (provider,) = graph.of("pulumi:providers:gcp")

    assert provider.parent == graph.component(FABRIC).urn
    assert provider.properties["universeDomain"] == "googleapis.com"
    assert (provider.properties["region"], provider.properties["project"]) == (spec.region, spec.account)


@pytest.mark.parametrize("stack", STACKS)
def test_the_rules_have_nothing_against_it(stack: str) -> None:
    assert reviewed(fabric(stack), REGIMES[stack], ground(stack).spec.region) == []


@pytest.mark.parametrize("stack", STACKS)
def test_its_own_guardrails_refuse_none_of_it(stack: str) -> None:
    found = planned(ground(stack))
    assert found.hosting
    asked = policies(found.plan, found.hosting.invocable)
    there = [each for each in fabric(stack).resources if each.type.startswith("gcp:")]

    assert {each.name: refusing(asked, each) for each in there if refusing(asked, each)} == {}


@pytest.mark.parametrize("stack", STACKS)
def test_each_value_is_one_that_the_sdk_knows(stack: str) -> None:
    custom = [each for each in fabric(stack).resources if each.type.startswith("gcp:")]

    assert {each.name: mistakes(shape(each.type), each.properties) for each in custom} == {
        each.name: [] for each in custom
    }


@pytest.mark.parametrize("stack", STACKS)
def test_no_secret_is_in_what_pulumi_keeps_or_tells(stack: str) -> None:
    graph = fabric(stack)

    assert [each.name for each in graph.resources if each.secrets] == []
    assert [each.name for each in graph.resources if "SecretVersion" in each.type or each.type.endswith(":Key")] == []
    assert all(isinstance(each, str) for each in told(graph).values())


def test_what_it_tells() -> None:
    assert told(fabric(FRANKFURT)) == {
        "network": "fabric-network-vpc-id",
        "logs": "fabric-observability-logs-id",
        "secrets": "projects/loomstead-frankfurt/locations/europe-west3/secrets/loomstead-gcp-europe-west3-",
        "manifest_key": "fabric-keys-manifest-id",
        "issuer": "https://issuer.gcp-europe-west3.loomstead",
        "audience": "https://iam.googleapis.com/fabric-identity-issuer-name",
        "postgres": "fabric-postgres-primary-privateIpAddress",
        "postgres_replica": "fabric-postgres-replica-privateIpAddress",
        "scope_orders-ro": "fabric-identity-scope-orders-ro-email",
        "scope_orders-rw": "fabric-identity-scope-orders-rw-email",
    }


def test_parts_get_of_each_other_what_they_need() -> None:
    graph = fabric(FRANKFURT)
    primary = graph.named("fabric-postgres-primary").properties
    replica = graph.named("fabric-postgres-replica").properties
    tools = graph.named("fabric-postgres-tools-sign-in").properties

    assert primary["encryptionKeyName"] == replica["encryptionKeyName"] == "fabric-keys-encryption-id"
    assert primary["settings"]["ipConfiguration"]["privateNetwork"] == "fabric-network-vpc-id"
    assert primary["settings"]["ipConfiguration"]["allocatedIpRange"] == "fabric-network-primary-range-name"
    assert replica["settings"]["ipConfiguration"]["allocatedIpRange"] == "fabric-network-replica-range-name"
    assert tools["member"] == "serviceAccount:fabric-identity-tools-email"
    assert "fabric-postgres-replica-name" in tools["condition"]["expression"]
    assert graph.named("fabric-models-caller-member").properties["member"] == (
        "serviceAccount:fabric-identity-runtime-email"
    )
    assert graph.named("fabric-observability-logs").properties["cmekSettings"] == {
        "kmsKeyName": "fabric-keys-encryption-id"
    }
    kid = json.loads(graph.named("fabric-identity-issuer").properties["oidc"]["jwksJson"])["keys"][0]["kid"]
    assert kid


def test_the_models_that_may_be_called_are_those_of_the_file() -> None:
    allowed = fabric(FRANKFURT).named("fabric-guardrails-vertexai-allowedModels").properties["spec"]["rules"]

    assert allowed == [{"values": {"allowedValues": ["publishers/google/models/gemini-2.5-flash:predict"]}}]


def test_the_runtime_may_call_what_is_declared_and_vertex_goes_another_way() -> None:
    assert planned(ground(FRANKFURT)).exits == (Exit("orders.example.de", 443),)
    assert planned(ground(PARIS)).exits == (Exit("orders.example.fr", 443), Exit("vllm.example.fr", 443))


def test_what_the_file_says_of_databases_is_what_is_made() -> None:
    postgres = {
        "version": "17",
        "machine": "db-custom-4-16384",
        "replica_machine": "db-custom-8-32768",
        "storage_gib": 400,
        "backup_days": 30,
        "replica": {"statement_timeout_ms": 1000},
    }
    graph = made(ground(postgres=postgres))
    primary = graph.named("fabric-postgres-primary").properties
    replica = graph.named("fabric-postgres-replica").properties
    kept = primary["settings"]["backupConfiguration"]["backupRetentionSettings"]

    assert primary["databaseVersion"] == "POSTGRES_17"
    assert (primary["settings"]["tier"], replica["settings"]["tier"]) == ("db-custom-4-16384", "db-custom-8-32768")
    assert (primary["settings"]["diskSize"], primary["settings"]["diskAutoresizeLimit"]) == (400, 400)
    assert kept["retainedBackups"] == 30
    assert {"name": "statement_timeout", "value": "1000"} in replica["settings"]["databaseFlags"]


def test_an_own_key_encrypts_all_of_it() -> None:
    graph = made(ground(keys={"encryption": KEY, "custody": "external"}))

    assert graph.named("fabric-postgres-primary").properties["encryptionKeyName"] == KEY
    assert graph.named("fabric-observability-logs").properties["cmekSettings"] == {"kmsKeyName": KEY}
    assert [each.name for each in graph.resources if each.name == "fabric-keys-encryption"] == []


OWN = {
    "id": "hub",
    "workloads": ["agents"],
    "primary": ["databases"],
    "replica": ["agents-databases"],
    "egress": "10.9.0.9",
}
THERE = {
    "gcp:compute/getNetwork:getNetwork": {"id": "projects/hub/global/networks/hub", "name": "hub"},
    "gcp:compute/getSubnetwork:getSubnetwork": {
        "id": "projects/hub/regions/europe-west3/subnetworks/agents",
        "network": "https://www.googleapis.com/compute/v1/projects/hub/global/networks/hub",
        "ipCidrRange": "10.0.0.0/20",
        "privateIpGoogleAccess": True,
        "stackType": "IPV4_ONLY",
        "secondaryIpRanges": [
            {"rangeName": "pods", "ipCidrRange": "10.1.0.0/17"},
            {"rangeName": "services", "ipCidrRange": "10.2.0.0/20"},
        ],
    },
    "gcp:compute/getGlobalAddress:getGlobalAddress": {
        "address": "10.3.0.0",
        "prefixLength": 24,
        "purpose": "VPC_PEERING",
        "network": "projects/hub/global/networks/hub",
    },
}


def test_an_own_network_is_used_with_all_that_it_has() -> None:
    graph = made(ground(network={"cidr": "10.64.0.0/16", "own": OWN}), THERE)

    assert graph.of("gcp:compute/network:Network") == []
    assert graph.of("gcp:compute/globalAddress:GlobalAddress") == []
    ranges = [
        graph.named(f"fabric-postgres-{role}").properties["settings"]["ipConfiguration"]["allocatedIpRange"]
        for role in ("primary", "replica")
    ]
    assert ranges == ["databases", "agents-databases"]
    assert graph.named("fabric-network-egress-apis").properties["match"]["destIpRanges"] == ["10.9.0.9/32"]


MODEL = {
    "chat": {
        "candidates": {"x": {"endpoint": {"url": "https://vllm.example.fr/v1", "model": "m", "countries": ["FR"]}}}
    }
}
CORE = {"orders": {"url": "https://orders.example.fr", "openapi": "o.json", "country": "FR"}}


@pytest.mark.parametrize(
    ("region", "universe", "account"),
    [
        ("u-france-east1", "s3nsapis.fr", "s3ns:loomstead-prod"),
        ("u-germany-northeast1", "apis-berlin-build0.goog", "eu0:loomstead-prod"),
    ],
)
def test_a_universe_of_its_own_has_no_hardware_keys_and_no_models(region: str, universe: str, account: str) -> None:
    graph = made(ground(region=region, account=account, models=MODEL, core_systems=CORE))
    (provider,) = graph.of("pulumi:providers:gcp")
    levels = {each.properties["versionTemplate"]["protectionLevel"] for each in graph.of("gcp:kms/cryptoKey:CryptoKey")}

    assert provider.properties["universeDomain"] == universe
    assert levels == {"SOFTWARE"}
    assert graph.named("fabric-guardrails-vertexai-allowedModels").properties["spec"]["rules"] == [{"denyAll": "TRUE"}]
    assert graph.of("gcp:vertex/aiCacheConfig:AiCacheConfig") == []
    assert reviewed(graph, "eu-strict", region) == []


def managed(**other: Any) -> dict[str, Any]:
    found = {"provider": "vertex", "model": "gemini-2.5-flash", "region": "europe-west3", **other}
    return {"chat": {"candidates": {"x": {"managed": found}}}}


def network(**own: Any) -> dict[str, Any]:
    return {"network": {"cidr": "10.64.0.0/16", "own": {**OWN, **own}}}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"account": "Corp"}, "account: expected the id of a project, got Corp"),
        ({"network": {"own": OWN}}, r"network\.cidr: expected a private /16"),
        ({"network": {"cidr": "10.64.0.0/20"}}, r"^network\.cidr: expected a private IPv4 /16"),
        ({"network": {"cidr": "172.17.0.0/16"}}, "Cloud SQL does not answer"),
        ({"network": {"cidr": "10.64.0.0/16", "zones": ["a"]}}, r"network\.zones"),
        ({"network": {"cidr": "10.64.0.0/16", "addresses": {"a.example": []}}}, r"network\.addresses"),
        (network(workloads=["a", "b"]), r"network\.own: expected workloads of one subnetwork"),
        (network(replica=[]), "primary and replica of one peered range each"),
        (network(endpoints=["a"]), r"network\.own\.endpoints"),
        ({"cluster": {"version": "1.35"}}, "cluster: not built yet on gcp"),
        ({"cache": {"machine": "m"}}, "cache: not built yet on gcp"),
        ({"orchestrator": {"engine": "temporal"}}, "orchestrator: not built yet on gcp"),
        ({"guardrail": {}}, "guardrail: Amazon Bedrock's"),
        ({"directory": {"tenant": "0" * 36, "administrators": "0" * 36, "administrators_name": "a"}}, "Azure's"),
        ({"keys": {"region": "europe-west9"}}, r"keys\.region: on gcp it is the stack's"),
        ({"keys": {"replicas": ["europe-west9"]}}, r"keys\.replicas"),
        ({"keys": {"custody": "external"}}, r"keys\.custody: .*name it as keys\.encryption"),
        ({"keys": {"encryption": KEY.replace("west3", "west9")}}, "is no KMS key in europe-west3"),
        ({"backup": {"redundancy": "geo"}}, r"backup\.redundancy"),
        ({"backup": {"region": "europe-west9"}}, r"backup\.region"),
        ({"logs": {"days": 3653}}, "1 to 3650 days, got 3653"),
        ({"logs": {"region": "europe-west9"}}, r"logs\.region"),
        ({"postgres": {"version": "18.1"}}, r"postgres\.version"),
        ({"postgres": {"authority": "ca.pem"}}, r"postgres\.authority"),
        ({"postgres": {"machine": "db-f1-micro"}}, r"db-f1-micro is no db-custom"),
        ({"models": managed(region="eu")}, r"models\.chat\.candidates\.x\.managed\.region: eu is no region"),
        ({"scope_classes": {"a" * 40: said(FRANKFURT)["scope_classes"]["orders-ro"]}, "stack": "s" * 90}, "127 bytes"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is(changed: dict[str, Any], reason: str) -> None:
    asked = ground(**{key: value for key, value in changed.items() if key != "stack"})
    asked = Ground(changed.get("stack", FRANKFURT), asked.spec, asked.boundary, asked.catalogue)

    with pytest.raises(GcpFabricError, match=reason):
        check(asked)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Refused) as refused:
        check(ground(postgres={"machine": "db-f1-micro"}, logs={"days": 3653}, models=managed(region="global")))

    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == [
        "models.chat.candidates.x.managed.region",
        "postgres.machine",
        "logs.days",
    ]


@pytest.mark.parametrize(
    ("changed", "capability"),
    [
        ({"budget": {"monthly": 1, "notify": ["a@corp.example"]}}, "budget on gcp"),
        ({"extent": "fabric"}, "cluster on gcp"),
    ],
)
def test_what_is_not_built_is_refused_by_name(changed: dict[str, Any], capability: str) -> None:
    with pytest.raises(NotSupported, match=capability):
        check(ground(**changed))
