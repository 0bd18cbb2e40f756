"""Every bucket of ours is private, over TLS alone, encrypted and versioned, and stays so after its stack is gone."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.aws.bucket import BucketArgs, PrivateBucket
from components.aws.documents import Statement
from tests.fixtures.recording import Graph, aws_calls, record, reviewed

KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
READ = "s3:GetObject"


class Holder(pulumi.ComponentResource):
    def __init__(self, args: BucketArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__("loomstead:test:Holder", "parent", None, opts)
        PrivateBucket(self, "parent-kept", args)
        self.register_outputs({})


def bucket(args: BucketArgs) -> Graph:
    def program() -> None:
        Holder(args, pulumi.ResourceOptions(providers=[aws.Provider("aws", region="eu-central-1")]))

    return record(program, calls=aws_calls("eu-central-1"))


def properties(graph: Graph, role: str) -> Any:
    return graph.named(f"parent-kept-{role}").properties


def test_nobody_outside_reaches_it_and_nothing_that_is_not_encrypted() -> None:
    graph = bucket(BucketArgs(KEY))

    private = properties(graph, "private")
    assert all(private[key] for key in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls"))
    assert private["restrictPublicBuckets"]
    assert properties(graph, "owner")["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    assert properties(graph, "versions")["versioningConfiguration"] == {"status": "Enabled"}
    (denied,) = json.loads(properties(graph, "policy")["policy"])["Statement"]
    assert (denied["Effect"], denied["Principal"], denied["Action"]) == ("Deny", "*", "s3:*")
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert reviewed(graph, "eu-gdpr", "eu-central-1") == []


@pytest.mark.parametrize(
    ("key", "by"),
    [(KEY, {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY}), (None, {"sseAlgorithm": "AES256"})],
)
def test_it_is_encrypted_by_the_key_or_by_s3s_own(key: str | None, by: dict[str, str]) -> None:
    (rule,) = properties(bucket(BucketArgs(key)), "encryption")["rules"]

    assert rule["applyServerSideEncryptionByDefault"] == by


def test_it_and_what_makes_it_private_outlive_the_stack() -> None:
    parts = [each for each in bucket(BucketArgs(KEY)).resources if each.name.startswith("parent-kept")]

    assert len(parts) == 7
    assert all(each.retain_on_delete for each in parts)
    assert [each.name for each in parts if each.protect] == ["parent-kept"]


def test_it_forgets_what_it_is_told_to_forget() -> None:
    (kept,) = properties(bucket(BucketArgs(KEY)), "lifecycle")["rules"]
    (forgotten,) = properties(bucket(BucketArgs(KEY, days=90)), "lifecycle")["rules"]

    assert "expiration" not in kept
    assert forgotten["expiration"] == {"days": 90}
    assert forgotten["noncurrentVersionExpiration"] == {"noncurrentDays": 30}


def test_who_else_is_let_in_is_told_by_the_buckets_own_arn() -> None:
    def reader(arn: pulumi.Output[str]) -> list[Statement]:
        return [{"Effect": "Allow", "Principal": {"Service": "x"}, "Action": READ, "Resource": arn}]

    _, allowed = json.loads(properties(bucket(BucketArgs(KEY, allowed=reader)), "policy")["policy"])["Statement"]

    assert allowed["Resource"] == "arn:aws:s3:::parent-kept"
