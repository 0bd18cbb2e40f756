"""Identity on Kubernetes: accounts without rights, asked of the real API server, and clients of the Manifest."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest
from kubernetes import client

from components.identity.kubernetes import JWKS, KubernetesIdentity, KubernetesIdentityArgs
from components.infrastructure import Refused
from regions.manifest import Client
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.recording import Graph, conforms, record, reviewed
from tests.fixtures.workloads import unmet

STACK = "identity-test"
RUNTIME, TOOLS = f"{STACK}-runtime", f"{STACK}-tools"
OPERATOR = {"kty": "EC", "crv": "P-256", "x": "a", "y": "b", "kid": "c", "alg": "ES256", "use": "sig"}
ARGS: KubernetesIdentityArgs = {
    "stack": STACK,
    "gateway": "https://agents.corp.example",
    "runtime": RUNTIME,
    "tools": TOOLS,
    "cluster_issuer": "https://kubernetes.default.svc.cluster.local",
    "public": {"operator": OPERATOR},
}
ACCOUNT = "kubernetes:core/v1:ServiceAccount"
CELL_IDENTITY: list[tuple[str, str, Mapping[str, Any]]] = [
    *(
        (ACCOUNT, name, {"automountServiceAccountToken": False, "metadata.namespace": ...})
        for name in ("gateway", "worker", "tools")
    ),
    (
        "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding",
        "discovery",
        {"roleRef.name": "system:service-account-issuer-discovery", "subjects.0.name": "gateway"},
    ),
]


def identity(*, preview: bool = False, **more: Any) -> Graph:
    def program() -> None:
        provider = pulumi_kubernetes.Provider("cluster", context="test")
        args: KubernetesIdentityArgs = {**ARGS, **more}
        KubernetesIdentity("fabric-identity", args, pulumi.ResourceOptions(provider=provider))

    return record(program, preview=preview)


def told(graph: Graph) -> Mapping[str, Any]:
    return graph.outputs[graph.component("loomstead:identity:Identity").urn]


@pytest.mark.parametrize("preview", [True, False])
def test_every_object_has_its_parent_and_an_explicit_provider(preview: bool) -> None:
    graph = identity(preview=preview)
    conforms(graph, "loomstead:identity:Identity")
    assert reviewed(graph, "eu-gdpr", "onprem") == []


def test_the_outputs_name_accounts_issuer_and_audience() -> None:
    outputs = dict(told(identity()))
    del outputs["clients"]
    assert outputs == {
        "issuer": "https://agents.corp.example",
        "audience": "https://agents.corp.example",
        "gateway": "gateway",
        "worker": "worker",
        "tools": "tools",
    }


def test_the_worker_is_who_its_cluster_says_and_the_operator_has_a_key() -> None:
    worker, operator = (Client(**each) for each in told(identity())["clients"])
    assert worker.service_account is not None
    assert worker.service_account.model_dump() == {
        "issuer": "https://kubernetes.default.svc.cluster.local",
        "jwks": JWKS,
        "subject": f"system:serviceaccount:{RUNTIME}:worker",
    }
    assert (worker.id, worker.subject, worker.kind) == ("worker", f"spiffe://{STACK}.loomstead/worker", "workload")
    assert (operator.id, operator.kind, operator.jwk) == ("operator", "person", OPERATOR)


def test_published_keys_elsewhere_are_taken_by_https_alone() -> None:
    (worker, _) = told(identity(jwks="https://keys.corp.example/jwks.json"))["clients"]
    assert worker["service_account"]["jwks"] == "https://keys.corp.example/jwks.json"
    with pytest.raises(Refused, match=r"identity\.jwks: .* is no https URL"):
        identity(jwks="http://keys.corp.example")
    with pytest.raises(Refused, match=r"identity\.gateway: .* is no https URL"):
        identity(gateway="http://agents.corp.example")


@pytest.fixture(scope="module")
def made(cluster: Cluster) -> Cluster:
    for name in (RUNTIME, TOOLS):
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for each in manifests(identity()):
        cluster.apply(each)
    return cluster


def may(cluster: Cluster, account: str, namespace: str, **asked: Any) -> bool:
    """What the API server's authorizer says of a ServiceAccount that is in no group beyond its namespace's own."""
    review = client.V1SubjectAccessReview(
        spec=client.V1SubjectAccessReviewSpec(user=f"system:serviceaccount:{namespace}:{account}", **asked)
    )
    answer = client.AuthorizationV1Api(cluster.client.client).create_subject_access_review(review)
    return answer.status is not None and answer.status.allowed


KEYS = {"non_resource_attributes": client.V1NonResourceAttributes(path="/openid/v1/jwks", verb="get")}


def test_the_gateway_alone_may_read_the_clusters_keys(made: Cluster) -> None:
    assert may(made, "gateway", RUNTIME, **KEYS)
    assert not may(made, "worker", RUNTIME, **KEYS)
    assert not may(made, "tools", TOOLS, **KEYS)


@pytest.mark.parametrize(("account", "namespace"), [("gateway", RUNTIME), ("worker", RUNTIME), ("tools", TOOLS)])
@pytest.mark.parametrize("verb", ["get", "list", "create", "patch"])
def test_no_account_may_do_anything_with_secrets_or_pods(
    made: Cluster, account: str, namespace: str, verb: str
) -> None:
    for resource in ("secrets", "pods", "serviceaccounts/token"):
        asked = client.V1ResourceAttributes(verb=verb, resource=resource, namespace=namespace)
        assert not may(made, account, namespace, resource_attributes=asked)


def test_it_is_what_its_cell_of_capabilities_says() -> None:
    assert unmet(identity(), CELL_IDENTITY) == []
