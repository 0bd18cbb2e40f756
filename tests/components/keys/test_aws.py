"""Keys on AWS: what they claim is in the graph, in each partition, and no secret passes through Pulumi."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from joserfc.jwk import ECKey

from components.infrastructure import Refused
from components.keys.aws import FILES, SECRETS, SENDERS, SERVICES, AwsKeys, AwsKeysArgs, jwk
from components.keys.local import SecretFilesProvider
from tests.fixtures.iam import Request, granted
from tests.fixtures.recording import AWS_ACCOUNT, Graph, aws_calls, conforms, record, reviewed
from tests.fixtures.workloads import unmet

HOMES = (("eu-central-1", "eu-gdpr"), ("eusc-de-east-1", "eu-gdpr"), ("us-east-1", "us-hipaa"))
SIGNER = ECKey.generate_key("P-256")
PEM = SIGNER.as_pem(private=False).decode()
KEY, SECRET = "aws:kms/key:Key", "aws:secretsmanager/secret:Secret"
SECRET_FILES = "pulumi-python:dynamic/local:SecretFiles"
HOME = "/home/of/the stack"
OPERATOR = {"kty": "EC", "crv": "P-256", "x": "x", "y": "y", "kid": "operator"}
SIGNS: dict[str, Any] = {"multiRegion": False, "keyUsage": "SIGN_VERIFY", "customerMasterKeySpec": "ECC_NIST_P256"}
CLAIMS: Mapping[str, Mapping[str, Any]] = {
    "keys-encryption": {"multiRegion": False, "enableKeyRotation": True, "rotationPeriodInDays": 365},
    "keys-manifest": SIGNS,
    **{f"keys-{secret}": {"name": f"loomstead/s/{secret}", "recoveryWindowInDays": 30} for secret in SECRETS},
}
CELL_KEYS: list[tuple[str, str, dict[str, Any]]] = [
    (KEY, "-encryption", {"multiRegion": False, "enableKeyRotation": True, "policy": ...}),
    (KEY, "-manifest", SIGNS),
    (SECRET_FILES, "-files", {"signers": ["operator"], "home": ...}),
    *((SECRET, f"-{secret}", {"kmsKeyId": ..., "recoveryWindowInDays": 30}) for secret in SECRETS),
]


def keys(region: str = "eu-central-1", preview: bool = False, **more: str) -> Graph:
    def program() -> None:
        provider = aws.Provider("aws", region=region)
        args: AwsKeysArgs = {"stack": "s", "region": region, "account": AWS_ACCOUNT, "home": HOME}
        AwsKeys("keys", {**args, **more}, pulumi.ResourceOptions(providers=[provider]))

    calls = {**aws_calls(region), "aws:kms/getPublicKey:getPublicKey": {"id": "k", "publicKeyPem": PEM}}
    return record(program, answers=made_here, calls=calls, preview=preview)


def made_here(type_: str, _name: str, _inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"public": {"operator": OPERATOR}} if type_ == SECRET_FILES else {}


def policy(graph: Graph, name: str) -> dict[str, dict[str, Any]]:
    read = json.loads(graph.named(name).properties["policy"])
    return {statement["Sid"]: statement for statement in read["Statement"]}


@pytest.mark.parametrize("preview", [False, True])
def test_parents_providers_and_names_are_as_decided(preview: bool) -> None:
    graph = keys(preview=preview)
    of_aws = tuple(each for each in graph.resources if each.type != SECRET_FILES)
    conforms(Graph(of_aws, graph.outputs), "loomstead:keys:Keys")


@pytest.mark.parametrize(("name", "claimed"), CLAIMS.items())
def test_each_key_and_secret_is_what_it_claims(name: str, claimed: Mapping[str, Any]) -> None:
    found = keys().named(name)

    assert {key: found.properties.get(key) for key in claimed} == claimed
    assert found.protect
    assert found.retain_on_delete


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(keys(), CELL_KEYS) == []


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_no_rule_has_anything_against_it(region: str, regime: str) -> None:
    graph = keys(region)
    of_aws = tuple(each for each in graph.resources if each.type != SECRET_FILES)
    assert reviewed(Graph(of_aws, graph.outputs), regime, region) == []


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_every_arn_and_service_is_of_the_regions_partition(region: str, regime: str) -> None:
    partition, suffix = ("aws-eusc", "amazonaws.eu") if region.startswith("eusc") else ("aws", "amazonaws.com")
    read = policy(keys(region), "keys-encryption")

    assert read["Administration"]["Principal"] == {"AWS": f"arn:{partition}:iam::123456789012:root"}
    assert read["Logs"]["Principal"] == {"Service": f"logs.{region}.{suffix}"}
    assert read["Services"]["Condition"]["StringEquals"]["kms:ViaService"] == [
        f"{service}.{region}.{suffix}" for service in SERVICES
    ]


@pytest.mark.parametrize("name", ["keys-encryption", "keys-manifest"])
def test_who_administers_a_key_neither_reads_nor_signs_with_it(name: str) -> None:
    actions = policy(keys(), name)["Administration"]["Action"]

    assert not {"kms:*", "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Sign"} & {
        *actions
    }


def test_encryption_is_used_through_services_of_this_account_alone() -> None:
    read = policy(keys(), "keys-encryption")

    assert all("kms:ViaService" in read[sid]["Condition"]["StringEquals"] for sid in ("Services", "ServicesGrants"))
    assert read["ServicesGrants"]["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}
    assert read["Logs"]["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"].endswith(
        ":logs:eu-central-1:123456789012:log-group:*"
    )


def test_secrets_have_no_value_and_no_copy_and_are_encrypted_by_the_stacks_key() -> None:
    graph = keys()
    key = graph.named("keys-encryption").state["arn"]

    assert graph.of("aws:secretsmanager/secretVersion:SecretVersion") == []
    assert [found.properties["kmsKeyId"] for found in graph.of(SECRET)] == [key] * len(SECRETS)
    assert not any("replicas" in found.properties for found in graph.of(SECRET))


def test_an_own_key_is_taken_instead_of_one_made_here() -> None:
    own = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    graph = keys(encryption=own)

    assert {found.properties["kmsKeyId"] for found in graph.of(SECRET)} == {own}
    assert {found.name for found in graph.of(KEY)} == {"keys-manifest"}


@pytest.mark.parametrize(
    "own",
    [
        "alias/mine",
        "arn:aws:kms:us-east-1:123456789012:key/1234abcd",
        "arn:aws:kms:eu-central-1:999988887777:key/1234abcd",
    ],
)
def test_an_own_key_elsewhere_is_refused(own: str) -> None:
    with pytest.raises(Refused, match=r"keys\.encryption: .* is no KMS key in eu-central-1 and account 123456789012"):
        keys(encryption=own)


def test_outputs_are_the_contracts() -> None:
    graph = keys()
    told = graph.outputs[graph.component("loomstead:keys:Keys").urn]

    assert told["secrets"] == "loomstead/s/"
    assert told["public"] == {"manifest": jwk(PEM), "operator": OPERATOR}
    assert told["manifest_key"] == graph.named("keys-manifest").state["arn"]


def test_the_operators_key_is_a_file_beside_the_manifests_public_key_that_others_keep_there(tmp_path: Path) -> None:
    provider = SecretFilesProvider()
    inputs = {"home": str(tmp_path / "s"), "signers": [*FILES]}
    outputs = provider.create(inputs).outs
    assert outputs is not None
    folder = tmp_path / "s" / "secrets"
    kept = folder / "manifest.public.jwk"

    assert [path.name for path in folder.iterdir()] == ["operator.jwk"]
    assert outputs["public"].keys() == {"operator"}
    kept.write_text("of KMS")
    kept.chmod(0o600)
    assert provider.read("id", outputs).outs == outputs
    assert provider.diff("id", outputs, inputs).changes is False
    assert provider.update("id", outputs, inputs).outs == outputs
    assert kept.read_text() == "of KMS"


def test_a_public_key_is_told_as_local_tells_it() -> None:
    told = jwk(PEM)

    assert set(told) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert (told["kid"], told["alg"]) == (SIGNER.thumbprint(), "ES256")


def test_what_writes_of_its_own_accord_does_so_for_this_account_alone() -> None:
    senders = policy(keys(), "keys-encryption")["Senders"]

    assert senders["Principal"] == {"Service": [f"{service}.amazonaws.com" for service in SENDERS]}
    assert senders["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert senders["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


MACHINE = f"arn:aws:iam::{AWS_ACCOUNT}:role/s-tasks"
STARTER = f"arn:aws:iam::{AWS_ACCOUNT}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"


@pytest.mark.parametrize(
    ("action", "principal", "account", "decided"),
    [
        ("kms:GenerateDataKeyWithoutPlaintext", STARTER, AWS_ACCOUNT, True),
        ("kms:CreateGrant", STARTER, AWS_ACCOUNT, True),
        ("kms:ScheduleKeyDeletion", STARTER, AWS_ACCOUNT, False),
        ("kms:Decrypt", STARTER.replace("aws-service-role/", ""), AWS_ACCOUNT, False),
        ("kms:Decrypt", STARTER.replace(AWS_ACCOUNT, "999999999999"), "999999999999", False),
    ],
)
def test_auto_scaling_alone_uses_the_key_for_nodes_volumes_beside_the_services(
    action: str, principal: str, account: str, decided: bool
) -> None:
    statements = policy(keys(), "keys-encryption")
    nodes = {"Statement": [statements["Nodes"], statements["NodesGrants"]]}
    context = {"kms:CallerAccount": account, "kms:GrantIsForAWSResource": "true"}

    assert granted(nodes, Request(action, context=context, principal=principal)) is decided


@pytest.mark.parametrize(
    ("principal", "context", "decided"),
    [
        (MACHINE, f"arn:aws:logs:eu-central-1:{AWS_ACCOUNT}:*", True),
        ("delivery.logs.amazonaws.com", f"arn:aws:logs:eu-central-1:{AWS_ACCOUNT}:*", True),
        (MACHINE, f"arn:aws:logs:us-east-1:{AWS_ACCOUNT}:*", False),
        ("delivery.logs.amazonaws.com", "arn:aws:logs:eu-central-1:999999999999:*", False),
    ],
)
def test_a_state_machines_log_is_encrypted_for_the_logs_of_this_account_and_region(
    principal: str, context: str, decided: bool
) -> None:
    request = Request("kms:GenerateDataKey", principal=principal, context={"kms:EncryptionContext:SourceArn": context})
    assert granted(json.loads(keys().named("keys-encryption").properties["policy"]), request) is decided
