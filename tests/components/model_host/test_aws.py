"""The model host on AWS: weights in a bucket of the stack's own, and who reads it."""

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
import pytest

from components.model_host.aws import AwsModelHost, AwsModelHostArgs
from scripts.rehearsal.answers import ACCOUNT
from tests.fixtures.iam import Request, allowed, policies_of, wildcard_pairs
from tests.fixtures.recording import Graph, aws_calls, conforms, record

REGION, HOME = "eu-central-1", f"eu-central-1:{ACCOUNT}"
KEY = f"arn:aws:kms:{HOME}:key/1234abcd"
CELL_MODEL_HOST: list[tuple[str, str, Mapping[str, Any]]] = [
    ("aws:s3/bucket:Bucket", "weights", {}),
    (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "weights-encryption",
        {"rules.0.applyServerSideEncryptionByDefault.kmsMasterKeyId": ...},
    ),
    ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "weights-private", {"restrictPublicBuckets": True}),
    ("aws:eks/podIdentityAssociation:PodIdentityAssociation", "reader-pods", {"serviceAccount": "models"}),
]


def host(preview: bool = False) -> Graph:
    def program() -> None:
        cloud = aws.Provider("aws", region=REGION)
        cluster = kubernetes.Provider("kubernetes", kubeconfig="{}", context="s")
        args: AwsModelHostArgs = {
            "stack": "s",
            "region": REGION,
            "namespace": "s-models",
            "registry": f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com",
            "image": f"registry.example/loomstead@sha256:{'0' * 64}",
            "size": "small",
            "model": "mistral-7b-instruct-v0.3",
            "digest": f"sha256:{'0' * 64}",
            "model_class": "chat",
            "candidate": "here",
            "context_tokens": 16_384,
            "bucket": "",
            "gpu": "g6",
            "per_node": 1,
            "nodes": 2,
            "runtime": "s-runtime",
            "operators": True,
            "after": [],
            "cluster": "s",
            "cluster_arn": f"arn:aws:eks:{HOME}:cluster/s",
            "key": KEY,
            "boundary": f"arn:aws:iam::{ACCOUNT}:policy/s-boundary",
        }
        AwsModelHost("model", args, pulumi.ResourceOptions(providers=[cloud, cluster]))

    return record(program, calls=aws_calls(REGION), preview=preview)


def at(properties: Any, path: str) -> Any:
    for part in path.split("."):
        properties = properties[int(part)] if isinstance(properties, list) else properties[part]
    return properties


@pytest.mark.parametrize("preview", [False, True])
def test_parents_providers_and_names_are_as_decided(preview: bool) -> None:
    conforms(host(preview=preview), "loomstead:model_host:ModelHost")


@pytest.mark.parametrize(("type_", "name", "claimed"), CELL_MODEL_HOST)
def test_the_graph_has_what_the_cell_claims(type_: str, name: str, claimed: Mapping[str, Any]) -> None:
    found = host().named(f"model-{name}")

    assert found.type == type_
    assert all(at(found.properties, path) == value or value is ... for path, value in claimed.items())


def test_weights_outlive_their_stack() -> None:
    bucket = host().named("model-weights")

    assert (bucket.protect, bucket.retain_on_delete) == (True, True)


BUCKET = "arn:aws:s3:::model-weights"


@pytest.mark.parametrize(
    ("action", "resource", "decided"),
    [
        ("s3:GetObject", f"{BUCKET}/mistral/model.safetensors", True),
        ("s3:ListBucket", BUCKET, True),
        ("kms:Decrypt", KEY, True),
        ("s3:PutObject", f"{BUCKET}/mistral/model.safetensors", False),
        ("s3:GetObject", f"{BUCKET}-2/mistral/model.safetensors", False),
        ("kms:Decrypt", KEY.replace("1234", "ffff"), False),
        ("bedrock:InvokeModel", "*", False),
    ],
)
def test_the_model_server_reads_its_weights_and_does_nothing_else(action: str, resource: str, decided: bool) -> None:
    graph = host()
    own = json.loads(graph.named("model-reader-policy").properties["policy"])

    assert allowed(Request(action, resource), identity=[own]) is decided
    assert [name for name, policy in policies_of(graph) if wildcard_pairs(policy)] == []


def test_the_pods_are_those_of_the_account_and_fetch_from_the_bucket() -> None:
    graph = host()
    pod = graph.named("model-server").properties["spec"]["template"]["spec"]
    told = {each["name"]: each.get("value") for each in pod["initContainers"][0]["env"]}

    assert pod["serviceAccountName"] == "models"
    assert told["LOOMSTEAD_WEIGHTS_BUCKET"] == graph.named("model-weights").state["bucket"]
    assert graph.named("model-reader").urn in graph.named("model-server").dependencies
