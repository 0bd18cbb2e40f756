"""Guardrails on Google Cloud: what the organisation policies refuse of recorded resources, and that they refuse nothing
of the fabric's.

``refusing`` reads a policy as Google's documentation of its constraint does: what is asked is a location, a host, a
model, a service without an own key, or a switch.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from components.guardrails.gcp import GcpGuardrails, GcpGuardrailsArgs
from components.guardrails.gcp_policies import Policy, allowed_regions, documents, policies
from components.naming import REPOSITORY
from regions.catalogue import load_catalogue
from regions.rules.rule import Resource
from tests.fixtures.gcp import PROJECT, built
from tests.fixtures.recording import Graph, Recorded, conforms, reviewed
from tests.fixtures.resources import ON, plan, resource
from tests.fixtures.workloads import unmet

GOLDEN = REPOSITORY / "tests" / "golden" / "guardrails"
REGIMES = [("eu-strict", "europe-west3"), ("host-country", "europe-west9"), ("eu-strict", "u-france-east1")]
POLICY = "gcp:orgpolicy/policy:Policy"
MODELS = ("publishers/google/models/gemini-2.5-flash:predict",)
LISTS = (
    "gcp.resourceLocations",
    "gcp.restrictEndpointUsage",
    "gcp.restrictNonCmekServices",
    "compute.vmExternalIpAccess",
    "vertexai.allowedModels",
)
SWITCHES = ("iam.disableServiceAccountKeyCreation", "sql.restrictPublicIp", "storage.publicAccessPrevention")
NAMED: Mapping[str, Mapping[str, Any]] = {
    "gcp.resourceLocations": {"spec.rules.0.values.allowedValues": ...},
    "gcp.restrictEndpointUsage": {"spec.rules.0.values.deniedValues": ..., "spec.inheritFromParent": True},
    "gcp.restrictNonCmekServices": {"spec.rules.0.values.deniedValues": ..., "spec.inheritFromParent": True},
    "compute.vmExternalIpAccess": {"spec.rules.0.denyAll": "TRUE"},
    "vertexai.allowedModels": {"spec.rules.0.values.allowedValues": ...},
    **{switch: {"spec.rules.0.enforce": "TRUE"} for switch in SWITCHES},
}
CELL_GUARDRAILS: list[tuple[str, str, dict[str, Any]]] = [
    *((POLICY, name.replace(".", "-"), {"name": ..., "parent": ..., **asked}) for name, asked in NAMED.items()),
    ("gcp:compute/snapshotSettings:SnapshotSettings", "-snapshots", {"storageLocation.policy": "LOCAL_REGION"}),
]


def guardrails(
    regime: str = "eu-strict", region: str = "europe-west3", models: tuple[str, ...] = MODELS, *, preview: bool = False
) -> Graph:
    args: GcpGuardrailsArgs = {"project": PROJECT, "plan": plan(regime, region), "models": models}
    return built(lambda opts: GcpGuardrails("guardrails", args, opts), region, preview=preview)


def refusing(found: tuple[Policy, ...], made: Recorded | Resource) -> set[str]:
    """The constraints by which one is refused."""
    return {each.constraint for each in found if any(_denied(each, value) for value in _asked(each.constraint, made))}


def _denied(policy: Policy, value: str) -> bool:
    if policy.rule.get("denyAll") or policy.rule.get("enforce"):
        return True
    values = policy.rule["values"]
    if "deniedValues" in values:
        return value in values["deniedValues"]
    return value not in values["allowedValues"]


def _asked(constraint: str, made: Recorded | Resource) -> Iterator[str]:
    """What a constraint is asked about this resource; nothing, where it is none of its affair."""
    yield from _QUESTIONS[constraint](made.type.removeprefix("gcp:"), made.properties)


def _locations(_: str, said: Mapping[str, Any]) -> Iterator[str]:
    for where in (said.get(key) for key in ("location", "region")):
        if where:
            yield f"in:{where}-locations"


def _endpoints(type_: str, said: Mapping[str, Any]) -> Iterator[str]:
    if type_ == "call":
        yield said["host"]


def _models(type_: str, said: Mapping[str, Any]) -> Iterator[str]:
    if type_ == "call":
        yield f"{said['model']}:predict"


_KEYED = {
    "sql/databaseInstance:DatabaseInstance": ("sqladmin", "encryptionKeyName"),
    "secretmanager/regionalSecret:RegionalSecret": ("secretmanager", "customerManagedEncryption"),
    "storage/bucket:Bucket": ("storage", "encryption"),
    "bigquery/dataset:Dataset": ("bigquery", "defaultEncryptionConfiguration"),
    "pubsub/topic:Topic": ("pubsub", "kmsKeyName"),
    "logging/projectBucketConfig:ProjectBucketConfig": ("logging", "cmekSettings"),
    "artifactregistry/repository:Repository": ("artifactregistry", "kmsKeyName"),
}


def _keyless(type_: str, said: Mapping[str, Any]) -> Iterator[str]:
    service, key = _KEYED.get(type_, ("", ""))
    if service and not said.get(key):
        yield f"{service}.googleapis.com"


def _addressed(type_: str, said: Mapping[str, Any]) -> Iterator[str]:
    if type_ == "compute/instance:Instance" and any("accessConfigs" in each for each in said["networkInterfaces"]):
        yield "address"


def _public_database(type_: str, said: Mapping[str, Any]) -> Iterator[str]:
    if type_ == "sql/databaseInstance:DatabaseInstance" and said["settings"]["ipConfiguration"].get(
        "ipv4Enabled", True
    ):
        yield "public"


def _account_key(type_: str, _: Mapping[str, Any]) -> Iterator[str]:
    if type_ == "serviceaccount/key:Key":
        yield "key"


def _public_bucket(type_: str, said: Mapping[str, Any]) -> Iterator[str]:
    if type_ == "storage/bucketIAMMember:BucketIAMMember" and said["member"] in ("allUsers", "allAuthenticatedUsers"):
        yield said["member"]


_QUESTIONS: Mapping[str, Callable[[str, Mapping[str, Any]], Iterator[str]]] = {
    "gcp.resourceLocations": _locations,
    "gcp.restrictEndpointUsage": _endpoints,
    "vertexai.allowedModels": _models,
    "gcp.restrictNonCmekServices": _keyless,
    "compute.vmExternalIpAccess": _addressed,
    "sql.restrictPublicIp": _public_database,
    "iam.disableServiceAccountKeyCreation": _account_key,
    "storage.publicAccessPrevention": _public_bucket,
}


@pytest.mark.parametrize("preview", [False, True])
def test_it_keeps_what_every_component_keeps(preview: bool) -> None:
    conforms(guardrails(preview=preview), "loomstead:guardrails:Guardrails")


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(guardrails(), CELL_GUARDRAILS) == []


@pytest.mark.parametrize(("regime", "region"), REGIMES)
def test_the_documents_are_those_that_were_looked_at(regime: str, region: str) -> None:
    made = {each.constraint: each.spec for each in policies(plan(regime, region), MODELS)}

    assert made == json.loads((GOLDEN / f"gcp-{region}-{regime}.json").read_text())


def test_each_is_set_on_the_project_as_its_document_has_it() -> None:
    found = policies(plan("eu-strict", "europe-west3"), MODELS)
    made = {each.properties["name"]: each.properties["spec"] for each in guardrails().of(POLICY)}
    switched = {True: "TRUE"}

    assert made == {
        f"projects/{PROJECT}/policies/{each.constraint}": {
            "inheritFromParent": each.inherits,
            "rules": [{key: value if key == "values" else switched[value] for key, value in each.rule.items()}],
        }
        for each in found
    }
    assert {each.constraint for each in found} == {*LISTS, *SWITCHES}


def test_without_a_model_every_model_is_denied() -> None:
    graph = guardrails(models=())
    (policy,) = [each for each in graph.of(POLICY) if each.name.endswith("allowedModels")]

    assert policy.properties["spec"]["rules"] == [{"denyAll": "TRUE"}]
    assert reviewed(graph, "eu-strict", "europe-west3") == []


def test_those_above_the_project_get_what_the_boundary_alone_decides() -> None:
    told = documents(plan("eu-strict", "europe-west3").boundary, load_catalogue(), "europe-west3", ON)

    assert {*told} == {*LISTS, *SWITCHES} - {"vertexai.allowedModels"}
    assert told["sql.restrictPublicIp"] == {
        "name": "policies/sql.restrictPublicIp",
        "spec": {"inheritFromParent": False, "rules": [{"enforce": True}]},
    }


DATABASE = "gcp:sql/databaseInstance:DatabaseInstance"
PRIVATE = {"settings": {"tier": "db-custom-2-8192", "ipConfiguration": {"ipv4Enabled": False}}}
SQL = {"databaseVersion": "POSTGRES_18", "region": "europe-west3", "encryptionKeyName": "k"}
BUCKET = "gcp:storage/bucket:Bucket"
KEYED = {"encryption": {"defaultKmsKeyName": "k"}}
MACHINE = "gcp:compute/instance:Instance"
ADDRESS = {"accessConfigs": [{}]}
READER = "gcp:storage/bucketIAMMember:BucketIAMMember"


def call(host: str, model: str) -> Resource:
    return Resource("gcp:call", "call", {"host": host, "model": model})


def planted(type_: str, **properties: Any) -> Resource:
    return resource(type_, "planted", properties)


FLASH = "publishers/google/models/gemini-2.5-flash"
HERE = "europe-west3-aiplatform.googleapis.com"


@pytest.mark.parametrize(
    "right",
    [
        planted(DATABASE, **SQL, **PRIVATE),
        planted(BUCKET, location="europe-west9", **KEYED),
        planted(MACHINE, machineType="e2-small", networkInterfaces=[{"network": "n"}]),
        planted(READER, bucket="b", role="roles/storage.objectViewer", member="serviceAccount:a@example"),
        planted("gcp:compute/network:Network"),
        call(HERE, FLASH),
    ],
    ids=lambda found: found.type,
)
def test_what_is_right_is_let_through(right: Resource) -> None:
    assert refusing(policies(plan("eu-strict", "europe-west3"), MODELS), right) == set()


@pytest.mark.parametrize(
    ("wrong", "by"),
    [
        (planted(BUCKET, location="us-central1", **KEYED), "gcp.resourceLocations"),
        (planted(BUCKET, location="eu", **KEYED), "gcp.resourceLocations"),
        (planted(BUCKET, location="europe-west2", **KEYED), "gcp.resourceLocations"),
        (planted(BUCKET, location="europe-west6", **KEYED), "gcp.resourceLocations"),
        (planted("gcp:kms/keyRing:KeyRing", location="global"), "gcp.resourceLocations"),
        (call("aiplatform.googleapis.com", FLASH), "gcp.restrictEndpointUsage"),
        (call(HERE, "publishers/google/models/gemini-3.5-flash"), "vertexai.allowedModels"),
        (call(HERE, "publishers/anthropic/models/claude-opus-4-8"), "vertexai.allowedModels"),
        (planted(BUCKET, location="europe-west3"), "gcp.restrictNonCmekServices"),
        (planted(DATABASE, **{**SQL, "encryptionKeyName": ""}, **PRIVATE), "gcp.restrictNonCmekServices"),
        (
            planted(
                "gcp:logging/projectBucketConfig:ProjectBucketConfig",
                project="p",
                location="europe-west3",
                bucketId="b",
            ),
            "gcp.restrictNonCmekServices",
        ),
        (
            planted(MACHINE, machineType="e2-small", networkInterfaces=[{"network": "n", **ADDRESS}]),
            "compute.vmExternalIpAccess",
        ),
        (
            planted(DATABASE, **SQL, settings={"tier": "db-custom-2-8192", "ipConfiguration": {"ipv4Enabled": True}}),
            "sql.restrictPublicIp",
        ),
        (planted("gcp:serviceaccount/key:Key", serviceAccountId="a"), "iam.disableServiceAccountKeyCreation"),
        (
            planted(READER, bucket="b", role="roles/storage.objectViewer", member="allUsers"),
            "storage.publicAccessPrevention",
        ),
    ],
    ids=lambda found: found.type if isinstance(found, Resource) else found,
)
def test_what_is_planted_is_refused(wrong: Resource, by: str) -> None:
    assert refusing(policies(plan("eu-strict", "europe-west3"), MODELS), wrong) == {by}


@pytest.mark.parametrize(("regime", "region"), REGIMES)
def test_what_is_allowed_is_what_the_boundary_allows(regime: str, region: str) -> None:
    catalogue, asked = load_catalogue(), plan(regime, region)

    assert region in allowed_regions(asked)
    for name in allowed_regions(asked):
        assert catalogue.regions[name].partition == catalogue.regions[region].partition
    assert not {"europe-west2", "europe-west6", "us-central1"} & {*allowed_regions(asked)}


def test_a_universe_denies_its_own_global_endpoint() -> None:
    found = {each.constraint: each for each in policies(plan("eu-strict", "u-france-east1"), ())}

    assert found["gcp.restrictEndpointUsage"].rule == {"values": {"deniedValues": ["aiplatform.s3nsapis.fr"]}}


@pytest.mark.parametrize(("regime", "region"), REGIMES)
def test_the_rules_have_nothing_against_it(regime: str, region: str) -> None:
    assert reviewed(guardrails(regime, region), regime, region) == []
