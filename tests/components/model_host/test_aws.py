"""Weights on AWS: a bucket of the stack's own, and who reads it."""

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
import pytest

from components.model_host.aws import AwsWeights, AwsWeightsArgs
from scripts.rehearsal.answers import ACCOUNT
from tests.fixtures.iam import Request, allowed, policies_of, wildcard_pairs
from tests.fixtures.recording import Graph, aws_calls, conforms, record

REGION, HOME = "eu-central-1", f"eu-central-1:{ACCOUNT}"
KEY = f"arn:aws:kms:{HOME}:key/1234abcd"
CELL_MODEL_HOST: list[tuple[str, str, Mapping[str, Any]]] = [
    ("aws:s3/bucket:Bucket", "bucket", {}),
    (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "bucket-encryption",
        {"rules.0.applyServerSideEncryptionByDefault.kmsMasterKeyId": ...},
    ),
    ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "bucket-private", {"restrictPublicBuckets": True}),
    ("aws:eks/podIdentityAssociation:PodIdentityAssociation", "models-pods", {"serviceAccount": "models"}),
]


def weights(preview: bool = False) -> Graph:
    def program() -> None:
        cloud = aws.Provider("aws", region=REGION)
        cluster = kubernetes.Provider("kubernetes", kubeconfig="{}", context="s")
        args: AwsWeightsArgs = {
            "stack": "s",
            "namespace": "s-models",
            "cluster": "s",
            "cluster_arn": f"arn:aws:eks:{HOME}:cluster/s",
            "key": KEY,
            "boundary": f"arn:aws:iam::{ACCOUNT}:policy/s-boundary",
        }
        AwsWeights("weights", args, pulumi.ResourceOptions(providers=[cloud, cluster]))

    return record(program, calls=aws_calls(REGION), preview=preview)


def at(properties: Any, path: str) -> Any:
    for part in path.split("."):
        properties = properties[int(part)] if isinstance(properties, list) else properties[part]
    return properties


@pytest.mark.parametrize("preview", [False, True])
def test_parents_providers_and_names_are_as_decided(preview: bool) -> None:
    conforms(weights(preview=preview), "loomstead:model_host:Weights")


@pytest.mark.parametrize(("type_", "name", "claimed"), CELL_MODEL_HOST)
def test_the_graph_has_what_the_cell_claims(type_: str, name: str, claimed: Mapping[str, Any]) -> None:
    found = weights().named(f"weights-{name}")

    assert found.type == type_
    assert all(at(found.properties, path) == value or value is ... for path, value in claimed.items())


def test_weights_outlive_their_stack() -> None:
    bucket = weights().named("weights-bucket")

    assert (bucket.protect, bucket.retain_on_delete) == (True, True)


BUCKET = "arn:aws:s3:::weights-bucket"


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
    graph = weights()
    own = json.loads(graph.named("weights-models-policy").properties["policy"])

    assert allowed(Request(action, resource), identity=[own]) is decided
    assert [name for name, policy in policies_of(graph) if wildcard_pairs(policy)] == []
