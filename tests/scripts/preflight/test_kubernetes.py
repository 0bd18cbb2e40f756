"""What a real API server says of its cluster."""

import pytest
from kubernetes.client import ApiClient, StorageV1Api, V1ObjectMeta, V1StorageClass
from kubernetes.config import new_client_from_config

from components.loading import load_spec
from components.naming import REPOSITORY
from components.spec import FabricSpec
from scripts.kubernetes.server import ApiServer
from scripts.preflight.kubernetes import collect
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

    facts = collect(spec, (), actions(spec))

    assert facts is not None
    assert facts.versions is not None
    assert facts.versions["kubernetes"].startswith("v1.35")
    assert "apps" in (facts.apis or ())
    assert "seen-by-preflight" in (facts.storage_classes or ())
    assert facts.permissions == dict.fromkeys(actions(spec), True)
    assert facts.regions == {}, "it has no nodes"


def test_without_the_context_nothing_is_asked(spec: FabricSpec) -> None:
    nowhere = spec.model_copy(update={"cluster": spec.cluster.model_copy(update={"context": "no-such-context"})})

    assert collect(nowhere, (), ()) is None
