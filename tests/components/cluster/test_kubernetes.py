"""A declared cluster: what it has to have, and the authority that signs for the fabric and nobody else, live."""

import time
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest

from components.cluster.kubernetes import KubernetesCluster, KubernetesClusterArgs
from components.infrastructure import Refused
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.recording import Graph, conforms, record, reviewed
from tests.fixtures.workloads import unmet

STACK = "cluster-test"
INSIDE, OUTSIDE = f"{STACK}-primary", f"{STACK}-of-somebody-else"
ARGS: KubernetesClusterArgs = {
    "stack": STACK,
    "context": "onprem",
    "issuer": "https://kubernetes.default.svc.cluster.local",
    "storage_class": "replicated-encrypted",
    "namespaces": [INSIDE, f"{STACK}-replica"],
    "encrypted_at_rest": True,
    "key": "kms-plugin vault-transit/k8s-etcd",
}
ENOUGH_SECONDS = 20
CELL_CLUSTER: list[tuple[str, str, Mapping[str, Any]]] = [
    (
        "kubernetes:cert-manager.io/v1:Certificate",
        "authority",
        {"spec.isCA": True, "spec.privateKey.algorithm": "ECDSA", "spec.secretName": ...},
    ),
    ("kubernetes:cert-manager.io/v1:ClusterIssuer", "issuer", {"spec.ca.secretName": ...}),
    (
        "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy",
        "certificates",
        {"spec.failurePolicy": "Fail", "spec.matchConstraints.resourceRules.0.resources": ["certificaterequests"]},
    ),
    (
        "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding",
        "certificates-bound",
        {"spec.validationActions": ["Deny", "Audit"]},
    ),
]


def declared(*, preview: bool = False, **more: Any) -> Graph:
    def program() -> None:
        provider = pulumi_kubernetes.Provider("cluster", context="test")
        args: KubernetesClusterArgs = {**ARGS, **more}
        KubernetesCluster("fabric-cluster", args, pulumi.ResourceOptions(provider=provider))

    return record(program, preview=preview)


@pytest.mark.parametrize("preview", [True, False])
def test_every_object_has_its_parent_and_an_explicit_provider(preview: bool) -> None:
    graph = declared(preview=preview)
    conforms(graph, "loomstead:cluster:Cluster")
    assert reviewed(graph, "eu-gdpr", "onprem") == []


def test_the_outputs_are_what_the_fabric_asks_of_a_cluster() -> None:
    graph = declared()
    assert graph.outputs[graph.component("loomstead:cluster:Cluster").urn] == {
        "name": "onprem",
        "storage_class": "replicated-encrypted",
        "issuer": ARGS["issuer"],
        "authority": f"{STACK}-authority",
    }


def test_the_storage_class_is_looked_up_and_not_made() -> None:
    graph = declared()
    assert not [each for each in graph.resources if "StorageClass" in each.type]


def test_the_authoritys_key_is_made_and_kept_by_cert_manager() -> None:
    graph = declared()
    made = graph.named("fabric-cluster-authority").properties
    assert made["metadata"] == {"name": f"{STACK}-authority", "namespace": "cert-manager"}
    assert made["spec"]["isCA"] is True
    assert made["spec"]["issuerRef"]["name"] == graph.named("fabric-cluster-root").properties["metadata"]["name"]
    issuer = graph.named("fabric-cluster-issuer").properties
    assert issuer["spec"] == {"ca": {"secretName": made["spec"]["secretName"]}}
    elsewhere = declared(cert_manager="platform-certificates").named("fabric-cluster-authority").properties
    assert elsewhere["metadata"]["namespace"] == "platform-certificates"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"encrypted_at_rest": False}, "cluster.encrypted_at_rest: .* Configure the API server's encryption"),
        ({"key": None}, "cluster.key: expected a reference to the key outside the cluster"),
        ({"key": ""}, "cluster.key: expected a reference"),
        ({"issuer": "http://kubernetes.default.svc"}, "cluster.issuer: .* is no issuer of tokens"),
        ({"issuer": "kubernetes.default.svc"}, "cluster.issuer: .* is no issuer of tokens"),
    ],
)
def test_what_cannot_be_trusted_is_refused_before_anything_is_made(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told):
        declared(**wrong)


def request(namespace: str, issuer: str) -> dict[str, Any]:
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "CertificateRequest",
        "metadata": {"name": "asked", "namespace": namespace},
        "spec": {"request": "AAAA", "issuerRef": {"name": issuer, "kind": "ClusterIssuer", "group": "cert-manager.io"}},
    }


@pytest.fixture(scope="module")
def fenced(operators: Cluster) -> Cluster:
    for name in ("cert-manager", INSIDE, OUTSIDE):
        operators.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for each in manifests(declared()):
        operators.apply(each)
    until = time.monotonic() + ENOUGH_SECONDS
    while not operators.refusal(request(OUTSIDE, f"{STACK}-authority")):
        assert time.monotonic() < until, "the policy is not in force"
        time.sleep(0.1)
    return operators


def test_the_real_api_server_takes_every_object(fenced: Cluster) -> None:
    for each in manifests(declared()):
        assert fenced.apply(each, dry_run=True)["metadata"]["name"] == each["metadata"]["name"]


def test_the_authority_signs_for_the_fabrics_namespaces_alone(fenced: Cluster) -> None:
    assert fenced.refusal(request(INSIDE, f"{STACK}-authority")) is None
    assert fenced.refusal(request(OUTSIDE, "another")) is None
    said = fenced.refusal(request(OUTSIDE, f"{STACK}-authority")) or ""
    assert "signs for the namespaces of its own fabric alone" in said


def test_it_is_what_its_cell_of_capabilities_says() -> None:
    assert unmet(declared(), CELL_CLUSTER) == []
