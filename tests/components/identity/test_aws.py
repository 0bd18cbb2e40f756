"""Identity on AWS: what anybody reads of the issuer, whom each role trusts, and what its policies allow, simulated."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.guardrails.aws_documents import fence, permission_boundary
from components.identity.aws import AUDIENCE, DOCUMENTS, AwsIdentity, AwsIdentityArgs, issuer_url
from components.identity.aws_pods import Arns
from components.infrastructure import Refused
from regions.boundary import compile_boundary
from regions.catalogue import load_catalogue
from regions.manifest import Client
from regions.residency import DataClass, DataClassRules, Residency
from runtime.identity.documents import DISCOVERY, JWKS
from scripts.rehearsal.answers import ACCOUNT
from tests.fixtures.iam import Policy, Request, allowed, granted, policies_of, wildcard_pairs
from tests.fixtures.recording import Graph, aws_calls, conforms, record, reviewed

REGION, HOME = "eu-central-1", f"eu-central-1:{ACCOUNT}"
HOMES = (("eu-central-1", "eu-gdpr"), ("eusc-de-east-1", "eu-strict"), ("us-east-1", "us-hipaa"))
ROLE, BUCKET = "aws:iam/role:Role", "aws:s3/bucket:Bucket"
KEY = f"arn:aws:kms:{HOME}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PRIMARY, REPLICA = f"arn:aws:rds:{HOME}:db:s-primary", "db-REPLICA"
CLUSTER = f"arn:aws:eks:{HOME}:cluster/s"
MODEL = "arn:aws:bedrock:eu-west-1::foundation-model/claude"
PROFILE = f"arn:aws:bedrock:{HOME}:inference-profile/eu.claude"
MODELS = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": PROFILE},
        {
            "Effect": "Allow",
            "Action": "bedrock:InvokeModel",
            "Resource": MODEL,
            "Condition": {"StringEquals": {"bedrock:InferenceProfileArn": PROFILE}},
        },
    ],
}
"""As components.models.aws writes them."""
LOGS = f"arn:aws:logs:{HOME}:log-group:/loomstead"
QUEUE = f"arn:aws:sqs:{HOME}:s-steps"
STEPS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": QUEUE}]}
TOLD = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": f"{LOGS}/s/gateway:*"},
        {"Effect": "Allow", "Action": "xray:PutTraceSegments", "Resource": "*"},
    ],
}
ORDERS = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"arn:aws:execute-api:{HOME}:abc/prod/*"}
ISSUER = f"loomstead-s-{ACCOUNT}-issuer"
CELL_IDENTITY: list[tuple[str, str, Mapping[str, Any]]] = [
    ("aws:iam/openIdConnectProvider:OpenIdConnectProvider", "provider", {"url": ..., "clientIdLists": [AUDIENCE]}),
    (ROLE, "scope-orders-rw", {"assumeRolePolicy": ..., "permissionsBoundary": ..., "maxSessionDuration": 3600}),
    (ROLE, "gateway", {"assumeRolePolicy": ..., "permissionsBoundary": ...}),
    ("aws:eks/podIdentityAssociation:PodIdentityAssociation", "gateway-pods", {"serviceAccount": "gateway"}),
    ("aws:s3/bucketPolicy:BucketPolicy", "issuer-policy", {"policy": ...}),
]
JWK = {"kty": "EC", "crv": "P-256", "x": "x", "y": "y"}


def identity(region: str = REGION, on_a_cluster: bool = True, preview: bool = False, **more: Any) -> Graph:
    partition = load_catalogue().regions[region].partition

    def program() -> None:
        args: AwsIdentityArgs = {
            "stack": "s",
            "region": region,
            "account": ACCOUNT,
            "partition": partition,
            "boundary": f"arn:{partition}:iam::{ACCOUNT}:policy/s-boundary",
            "public": {"manifest": JWK, "operator": JWK},
            "scope_classes": {"orders-rw": [ORDERS], "files-read": []},
        }
        if on_a_cluster:
            args |= {
                "cluster": "s",
                "cluster_arn": CLUSTER,
                "runtime": "s-runtime",
                "tools": "s-tools",
                "observability": "s-observability",
                "pods": {
                    "gateway": [json.dumps(MODELS)],
                    "worker": [json.dumps(STEPS)],
                    "collector": [json.dumps(TOLD)],
                    "arns": Arns(partition, region, ACCOUNT),
                    "secrets": "loomstead/s/",
                    "key": KEY,
                    "primary": PRIMARY,
                    "replica_resource": REPLICA,
                },
            }
        options = pulumi.ResourceOptions(providers=[aws.Provider("aws", region=region)])
        AwsIdentity("identity", {**args, **more}, options)

    return record(program, calls=aws_calls(region), preview=preview)


@pytest.fixture(scope="module")
def made() -> Graph:
    return identity()


def test_the_documents_are_those_that_the_runtime_publishes() -> None:
    assert DOCUMENTS == (DISCOVERY, JWKS)


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("on_a_cluster", [False, True])
def test_parents_providers_and_names_are_as_decided(preview: bool, on_a_cluster: bool) -> None:
    conforms(identity(on_a_cluster=on_a_cluster, preview=preview), "loomstead:identity:Identity")


@pytest.mark.parametrize(("type_", "name", "claimed"), CELL_IDENTITY)
def test_the_graph_has_what_the_cell_claims(made: Graph, type_: str, name: str, claimed: Mapping[str, Any]) -> None:
    found = made.named(f"identity-{name}")

    assert found.type == type_
    assert all(found.properties[key] == value or value is ... for key, value in claimed.items())


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_no_rule_has_anything_against_it(region: str, regime: str) -> None:
    assert reviewed(identity(region), regime, region) == []


def test_no_policy_allows_many_actions_on_everything_and_every_role_is_bounded(made: Graph) -> None:
    assert [name for name, policy in policies_of(made) if wildcard_pairs(policy)] == []
    assert {each.properties["permissionsBoundary"] for each in made.of(ROLE)} == {
        f"arn:aws:iam::{ACCOUNT}:policy/s-boundary"
    }


def test_outputs_are_the_contracts(made: Graph) -> None:
    told = made.outputs[made.component("loomstead:identity:Identity").urn]

    assert told["issuer"] == f"https://{ISSUER}.s3.eu-central-1.amazonaws.com"
    assert told["documents"] == f"s3://{ISSUER}"
    assert set(told["roles"]) == {"orders-rw", "files-read"}
    assert set(told["pod_roles"]) == {"gateway", "worker", "provision", "tools", "collector"}
    assert [Client(**client).id for client in told["clients"]] == ["operator"]


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("eusc-de-east-1", f"https://{ISSUER}.s3.eusc-de-east-1.amazonaws.eu"),
        ("us-east-1", f"https://{ISSUER}.s3.us-east-1.amazonaws.com"),
    ],
)
def test_the_issuer_is_called_as_its_partition_has_it(region: str, url: str) -> None:
    assert identity(region).named("identity-provider").properties["url"] == url


def test_an_issuer_that_no_bucket_can_be_called_after_is_refused() -> None:
    with pytest.raises(Refused, match="33 letters, digits and - at most"):
        issuer_url("a-stack-with-a-name-that-is-far-too-long", REGION, ACCOUNT, "aws")
    with pytest.raises(Refused, match="partition aws-cn"):
        issuer_url("s", "cn-north-1", ACCOUNT, "aws-cn")


def test_the_issuers_name_is_never_given_up(made: Graph) -> None:
    bucket = made.named("identity-issuer")

    assert (bucket.protect, bucket.retain_on_delete) == (True, True)


NOBODY = "arn:aws:iam::999999999999:role/anybody"


@pytest.mark.parametrize(
    ("action", "path", "tls", "decided"),
    [
        *(("s3:GetObject", f"/{path}", "true", True) for path in DOCUMENTS),
        *(("s3:GetObject", f"/{path}", "false", False) for path in DOCUMENTS),
        ("s3:GetObject", "/anything-else", "true", False),
        ("s3:GetObject", f"/{DOCUMENTS[1]}.old", "true", False),
        ("s3:PutObject", f"/{DOCUMENTS[1]}", "true", False),
        ("s3:DeleteObject", f"/{DOCUMENTS[1]}", "true", False),
        ("s3:ListBucket", "", "true", False),
        ("s3:GetObjectVersion", f"/{DOCUMENTS[1]}", "true", False),
    ],
)
def test_anybody_reads_two_objects_over_tls_and_nothing_else(
    made: Graph, action: str, path: str, tls: str, decided: bool
) -> None:
    policy = json.loads(made.named("identity-issuer-policy").properties["policy"])
    bucket = made.named("identity-issuer").state["arn"]
    request = Request(action, f"{bucket}{path}", {"aws:SecureTransport": tls}, principal=NOBODY)

    assert granted(policy, request) is decided


HOST = f"{ISSUER}.s3.eu-central-1.amazonaws.com"
WEB = "sts:AssumeRoleWithWebIdentity"


@pytest.mark.parametrize(
    ("action", "context", "decided"),
    [
        (WEB, {"sub": "scope:s:orders-rw", "aud": AUDIENCE}, True),
        ("sts:TagSession", {"sub": "scope:s:orders-rw", "aud": AUDIENCE}, True),
        (WEB, {"sub": "scope:s:files-read", "aud": AUDIENCE}, False),
        (WEB, {"sub": "scope:other:orders-rw", "aud": AUDIENCE}, False),
        (WEB, {"sub": "scope:s:orders-rw-2", "aud": AUDIENCE}, False),
        (WEB, {"sub": "spiffe://s.loomstead/worker", "aud": AUDIENCE}, False),
        (WEB, {"sub": "scope:s:orders-rw", "aud": "https://gateway.example"}, False),
        (WEB, {"aud": AUDIENCE}, False),
        ("sts:AssumeRole", {"sub": "scope:s:orders-rw", "aud": AUDIENCE}, False),
    ],
)
def test_a_scope_class_trusts_its_own_subject_of_the_issuer_alone(
    made: Graph, action: str, context: Mapping[str, str], decided: bool
) -> None:
    trust = json.loads(made.named("identity-scope-orders-rw").properties["assumeRolePolicy"])
    provider = made.named("identity-provider").state["arn"]
    keys = {f"{HOST}:{key}": value for key, value in context.items()}

    assert granted(trust, Request(action, context=keys, principal=provider)) is decided
    assert not granted(trust, Request(action, context=keys, principal=f"{provider}-2"))


def test_a_scope_class_may_do_nothing_that_is_not_declared(made: Graph) -> None:
    assert [each.name for each in made.resources if each.name.startswith("identity-scope-files-read")] == [
        "identity-scope-files-read"
    ]


@pytest.mark.parametrize(
    ("whose", "decided"),
    [
        ({}, True),
        ({"kubernetes-namespace": "default"}, False),
        ({"kubernetes-service-account": "worker"}, False),
        ({"eks-cluster-arn": CLUSTER.replace("cluster/s", "cluster/t")}, False),
    ],
)
def test_a_pods_role_is_for_one_service_account_of_one_cluster(
    made: Graph, whose: Mapping[str, str], decided: bool
) -> None:
    trust = json.loads(made.named("identity-gateway").properties["assumeRolePolicy"])
    own = {
        "eks-cluster-arn": CLUSTER,
        "kubernetes-namespace": "s-runtime",
        "kubernetes-service-account": "gateway",
        **whose,
    }
    context = {f"aws:RequestTag/{key}": value for key, value in own.items()}

    assert granted(trust, Request("sts:AssumeRole", context=context, principal="pods.eks.amazonaws.com")) is decided


def bounds() -> Policy:
    residency = Residency(regimes=("eu-gdpr",), data_classes={DataClass.PERSONAL: DataClassRules()})
    catalogue = load_catalogue()
    boundary = compile_boundary(residency, catalogue, host="DE")
    return permission_boundary(fence(boundary, catalogue, REGION, date(2026, 11, 23)), ACCOUNT)


SECRET = f"arn:aws:secretsmanager:{HOME}:secret:loomstead"
BY_PROFILE = {"bedrock:InferenceProfileArn": PROFILE}
BUCKET_ARN = "arn:aws:s3:::identity-issuer"
SIGN_IN = f"arn:aws:rds-db:{HOME}:dbuser"


def asks(action: str, resource: str, region: str = REGION, owner: str = ACCOUNT, **context: str) -> Request:
    return Request(action, resource, {"aws:RequestedRegion": region, **context}, owner=owner)


REQUESTS: list[tuple[str, Request, bool]] = [
    ("gateway", asks("bedrock:InvokeModel", PROFILE), True),
    ("gateway", asks("bedrock:InvokeModel", MODEL, "eu-west-1", **BY_PROFILE), True),
    ("gateway", asks("bedrock:InvokeModel", MODEL, "eu-west-1"), False),  # past its profile
    ("gateway", asks("bedrock:InvokeModel", PROFILE.replace("eu.", "global.")), False),
    ("gateway", asks("bedrock:InvokeModel", MODEL.replace("eu-west-1", "us-east-1"), "us-east-1", **BY_PROFILE), False),
    ("gateway", asks("bedrock:InvokeModel", MODEL.replace("claude", "other"), "eu-west-1", **BY_PROFILE), False),
    ("gateway", asks("secretsmanager:GetSecretValue", f"{SECRET}/s/ledger-a1"), False),
    ("gateway", asks("s3:PutObject", f"{BUCKET_ARN}/{JWKS}"), False),
    ("worker", asks("sqs:ReceiveMessage", QUEUE), True),
    ("worker", asks("sqs:ReceiveMessage", f"{QUEUE}-2"), False),
    ("worker", asks("sqs:ReceiveMessage", QUEUE, "us-east-1"), False),
    ("worker", asks("bedrock:InvokeModel", PROFILE), False),
    ("provision", asks("secretsmanager:PutSecretValue", f"{SECRET}/s/ledger-a1b2c3"), True),
    ("provision", asks("secretsmanager:CreateSecret", f"{SECRET}/s/new"), True),
    ("provision", asks("secretsmanager:GetSecretValue", f"{SECRET}/other/ledger-a1b2c3"), False),
    ("provision", asks("secretsmanager:PutSecretValue", f"{SECRET}/s/ledger-a1", "us-east-1"), False),
    ("provision", asks("secretsmanager:DeleteSecret", f"{SECRET}/s/ledger-a1b2c3"), False),
    ("provision", asks("rds:ModifyDBInstance", PRIMARY), True),
    ("provision", asks("rds:ModifyDBInstance", PRIMARY.replace("primary", "replica")), False),
    ("provision", asks("rds:DeleteDBInstance", PRIMARY), False),
    ("provision", asks("kms:Decrypt", KEY), True),
    ("provision", asks("kms:Decrypt", KEY.replace("1234abcd", "ffffffff")), False),
    ("provision", asks("kms:Decrypt", KEY.replace(ACCOUNT, "999999999999"), owner="999999999999"), False),
    ("provision", asks("s3:PutObject", f"{BUCKET_ARN}/{JWKS}"), True),
    ("provision", asks("s3:PutObject", f"{BUCKET_ARN}/{JWKS}.old"), False),
    ("tools", asks("rds-db:connect", f"{SIGN_IN}:{REPLICA}/agent_reader"), True),
    ("tools", asks("rds-db:connect", f"{SIGN_IN}:db-PRIMARY/agent_reader"), False),
    ("tools", asks("rds-db:connect", f"{SIGN_IN}:{REPLICA}/postgres"), False),
    ("tools", asks("rds-db:connect", f"{SIGN_IN}:{REPLICA}/agent_reader", "us-east-1"), False),
    ("tools", asks("bedrock:InvokeModel", PROFILE), False),
    ("tools", asks("secretsmanager:GetSecretValue", f"{SECRET}/s/ledger-a1b2c3"), False),
    ("collector", asks("logs:PutLogEvents", f"{LOGS}/s/gateway:log-stream:a"), True),
    ("collector", asks("logs:PutLogEvents", f"{LOGS}/other/gateway:log-stream:a"), False),
    ("collector", asks("logs:DeleteLogGroup", f"{LOGS}/s/gateway"), False),
    ("collector", asks("xray:PutTraceSegments", "*"), True),
    ("collector", asks("xray:PutTraceSegments", "*", "us-east-1"), False),
    ("scope-orders-rw", asks("execute-api:Invoke", f"arn:aws:execute-api:{HOME}:abc/prod/GET/orders"), True),
    ("scope-orders-rw", asks("execute-api:Invoke", f"arn:aws:execute-api:{HOME}:xyz/prod/GET/orders"), False),
    ("scope-orders-rw", asks("secretsmanager:GetSecretValue", f"{SECRET}/s/ledger-a1b2c3"), False),
    ("scope-orders-rw", asks("rds-db:connect", f"{SIGN_IN}:{REPLICA}/agent_reader"), False),
]


@pytest.mark.parametrize(("role", "request_", "decided"), REQUESTS)
def test_each_role_does_its_part_and_nothing_beside_it(
    made: Graph, role: str, request_: Request, decided: bool
) -> None:
    named = made.named(f"identity-{role}").state["name"]
    own = [
        json.loads(each.properties["policy"])
        for each in made.of("aws:iam/rolePolicy:RolePolicy")
        if each.properties["role"] == named
    ]

    assert allowed(request_, identity=own, boundary=bounds()) is decided


def test_a_session_ends_when_the_task_does_though_sts_gives_a_quarter_of_an_hour(made: Graph) -> None:
    own = json.loads(made.named("identity-tools-policy").properties["policy"])
    until: Policy = {
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "rds-db:connect",
                "Resource": "*",
                "Condition": {"DateLessThan": {"aws:CurrentTime": "2026-11-23T12:05:00Z"}},
            }
        ]
    }
    told = [
        allowed(
            asks("rds-db:connect", f"{SIGN_IN}:{REPLICA}/agent_reader", **{"aws:CurrentTime": now}),
            identity=[own],
            session=until,
            boundary=bounds(),
        )
        for now in ("2026-11-23T12:04:59Z", "2026-11-23T12:05:00Z")
    ]

    assert told == [True, False]


def test_iam_learns_of_the_issuer_once_anybody_may_read_its_documents() -> None:
    graph = identity()

    assert graph.named("identity-issuer-policy").urn in graph.named("identity-provider").dependencies
