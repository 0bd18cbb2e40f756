"""What a real API server says of its cluster."""

from collections.abc import Iterator

import pytest
import yaml
from kubernetes.client import ApiClient, AppsV1Api, CoreV1Api, StorageV1Api, V1ObjectMeta, V1StorageClass
from kubernetes.config import new_client_from_config
from kubernetes.utils import create_from_dict

from components.loading import load_spec
from components.naming import REPOSITORY
from components.spec import FabricSpec
from scripts.kubernetes.server import ApiServer
from scripts.preflight.facts import Operator
from scripts.preflight.kubernetes import collect
from scripts.preflight.operators import secrets
from scripts.preflight.wanted import actions


@pytest.fixture
def spec(api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> FabricSpec:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(api_server.kubeconfig))
    shipped = load_spec(REPOSITORY / "stacks" / "Pulumi.kubernetes-onprem.yaml")
    return shipped.model_copy(update={"cluster": shipped.cluster.model_copy(update={"context": None})})


def test_it_says_its_version_apis_classes_and_what_may_be_made(api_server: ApiServer, spec: FabricSpec) -> None:
    client: ApiClient = new_client_from_config(str(api_server.kubeconfig))
    there = V1StorageClass(metadata=V1ObjectMeta(name="seen-by-preflight"), provisioner="csi.example")
    StorageV1Api(client).create_storage_class(there)

    facts = collect(spec, "seen", actions(spec))

    assert facts is not None
    assert facts.versions is not None
    assert facts.versions["kubernetes"].startswith("v1.35")
    assert "apps" in (facts.apis or ())
    assert "seen-by-preflight" in (facts.storage_classes or ())
    assert facts.permissions == dict.fromkeys(actions(spec), True)
    assert facts.regions == {}, "it has no nodes"


def test_without_the_context_nothing_is_asked(spec: FabricSpec) -> None:
    nowhere = spec.model_copy(update={"cluster": spec.cluster.model_copy(update={"context": "no-such-context"})})

    assert collect(nowhere, "seen", ()) is None


BY_DIGEST = "registry.example/cloudnative-pg/cloudnative-pg@sha256:" + "4e" * 32
SIDECAR = "registry.example/cloudnative-pg/plugin-barman-cloud-sidecar@sha256:" + "9c" * 32
INSTALLED = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: seen-operators}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: seen-config, namespace: seen-operators}}
data: {{OPERATOR_IMAGE_NAME: "{BY_DIGEST}"}}
---
apiVersion: v1
kind: Secret
metadata: {{name: seen-sidecar, namespace: seen-operators}}
stringData: {{SIDECAR_IMAGE: "{SIDECAR}\\n"}}
"""


def deployment(name: str, image: str, labels: dict[str, str], **container: object) -> dict[str, object]:
    metadata = {"name": name, "namespace": "seen-operators", "labels": labels}
    running = {"name": "manager", "image": image, **container}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [running]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


DEPLOYMENTS = (
    deployment(
        "cnpg-controller-manager",
        "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.1",
        {"app.kubernetes.io/name": "cloudnative-pg"},
        args=["controller", "--config-map-name=seen-config"],
        env=[{"name": "OPERATOR_IMAGE_NAME", "value": "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.1"}],
    ),
    deployment(
        "barman-cloud",
        "ghcr.io/cloudnative-pg/plugin-barman-cloud:v0.15.0",
        {"app": "barman-cloud"},
        env=[
            {"name": "SIDECAR_IMAGE", "valueFrom": {"secretKeyRef": {"name": "seen-sidecar", "key": "SIDECAR_IMAGE"}}}
        ],
    ),
    deployment(
        "keda-operator",
        "ghcr.io/kedacore/keda@sha256:" + "5a" * 32,
        {"app": "keda-operator", "app.kubernetes.io/name": "keda-operator", "app.kubernetes.io/version": "2.20.0"},
    ),
    deployment("cert-manager", "quay.io/jetstack/cert-manager-controller@sha256:" + "5b" * 32, {"app": "cert-manager"}),
    deployment("cert-manager-webhook", "quay.io/jetstack/cert-manager-webhook:v1.21.2", {"app": "webhook"}),
)
"""Labelled and set as their publishers' manifests have them."""


@pytest.fixture(scope="module")
def operators(api_server: ApiServer) -> Iterator[ApiClient]:
    client: ApiClient = new_client_from_config(str(api_server.kubeconfig))
    for each in (*yaml.safe_load_all(INSTALLED), *DEPLOYMENTS):
        create_from_dict(client, each)
    yield client
    AppsV1Api(client).delete_collection_namespaced_deployment("seen-operators")
    CoreV1Api(client).delete_namespace("seen-operators")


def test_operators_are_seen_with_their_versions_and_what_they_put_into_pods(
    operators: ApiClient, spec: FabricSpec
) -> None:
    """The operator's ConfigMap goes before its environment; the plugin's variable is in a Secret."""
    facts = collect(spec, "seen", ())

    assert facts is not None
    assert facts.operators == {
        "cloudnative-pg": Operator(version="1.30.1", image=BY_DIGEST),
        "plugin-barman-cloud": Operator(version="0.15.0", image=SIDECAR),
        "keda": Operator(version="2.20.0"),
        "cert-manager": Operator(),
    }


def test_of_a_secret_its_keys_are_kept_and_its_namespace_is_told_from_it(operators: ApiClient) -> None:
    there, not_there, nowhere = "seen-operators/seen-sidecar", "seen-operators/backup", "no-such-namespace/backup"

    assert secrets(operators, (there, not_there, nowhere)) == {there: ("SIDECAR_IMAGE",), not_there: (), nowhere: None}


def test_secrets_that_a_person_brings_are_looked_for_in_the_stack_s_namespaces(spec: FabricSpec) -> None:
    facts = collect(spec, "unheard-of", ())

    assert facts is not None
    assert facts.secrets == {"unheard-of-primary/backup": None, "unheard-of-models/weights": None}
