"""Objects of a rehearsed stack on a real API server."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from scripts.kubernetes.definitions import definitions, ensure_definitions
from scripts.kubernetes.server import ApiServer
from scripts.progress import progress
from scripts.rehearsal.cluster import Cluster, Refused
from tests.fixtures.kubernetes import api_server

__all__ = ["api_server"]
IMAGE = "registry.example/x@sha256:" + "0" * 64
VOLUME = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def named(
    kind: str, name: str, namespace: str | None = "rehearsed", version: str = "v1", **more: Any
) -> dict[str, Any]:
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **place}, **more}


def deployment(label: str, replicas: int = 1) -> dict[str, Any]:
    pod = {"metadata": {"labels": {"app": label}}, "spec": {"containers": [{"name": "x", "image": IMAGE}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": label}}, "template": pod}
    return named("Deployment", "gateway", version="apps/v1", spec=spec)


@pytest.fixture(scope="module")
def cluster(api_server: ApiServer) -> Cluster:
    with progress() as report:
        known = list(definitions(ensure_definitions(report)))
    made = Cluster(api_server.kubeconfig, known)
    made.apply("rehearsed", named("Namespace", "rehearsed", None))
    return made


def test_what_the_server_refuses_is_refused_with_its_words(cluster: Cluster) -> None:
    with pytest.raises(Refused, match="not declared in schema"):
        cluster.apply("a", named("ConfigMap", "a", dat={"a": "b"}))
    with pytest.raises(Refused, match="not found"):
        cluster.apply("a", named("ConfigMap", "a", "nowhere"))


def test_an_object_is_there_until_it_is_deleted(cluster: Cluster) -> None:
    config = named("ConfigMap", "a", data={"a": "b"})
    cluster.apply("a", config)
    assert cluster.has("a", config)
    cluster.delete("a", config)
    cluster.delete("a", config)
    assert not cluster.has("a", config)


def test_what_is_there_already_is_looked_up_by_its_type_and_id(cluster: Cluster) -> None:
    cluster.apply("there", named("ConfigMap", "there", data={"a": "b"}))
    cluster.apply("fast", named("StorageClass", "fast", None, "storage.k8s.io/v1", provisioner="rehearsed.example/v"))

    looked_up = cluster.read("kubernetes:core/v1:ConfigMap", "rehearsed/there")
    assert looked_up is not None
    assert looked_up["data"] == {"a": "b"}
    storage = cluster.read("kubernetes:storage.k8s.io/v1:StorageClass", "fast")
    assert storage is not None
    assert storage["provisioner"] == "rehearsed.example/v"
    assert cluster.read("kubernetes:storage.k8s.io/v1:StorageClass", "slow") is None


def test_a_kind_is_learnt_while_others_are_asked_for(api_server: ApiServer) -> None:
    """Discovery is read anew meanwhile, and none of it is known for a moment."""
    with progress() as report:
        known = list(definitions(ensure_definitions(report)))
    fresh = Cluster(api_server.kubeconfig, known)
    asked = [named(each["spec"]["names"]["kind"], "x", version=_version(each)) for each in known]
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(fresh.knows, [*asked, *[named("ConfigMap", "x")] * 200]))
    assert all(found), fresh.unknown


def _version(definition: dict[str, Any]) -> str:
    (kept,) = (each["name"] for each in definition["spec"]["versions"] if each["storage"])
    return f"{definition['spec']['group']}/{kept}"


def test_the_server_says_what_may_change_and_what_only_a_replacement_can(cluster: Cluster) -> None:
    cluster.apply("gateway", deployment("a"))
    assert not cluster.replaces("gateway", deployment("a", replicas=2))
    assert cluster.replaces("gateway", deployment("b"))


def test_what_a_controller_would_finish_is_finished(cluster: Cluster) -> None:
    volume = named("PersistentVolumeClaim", "data", spec=VOLUME)
    assert cluster.apply("data", volume)["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    cluster.delete("data", volume)
    assert not cluster.has("data", volume)
    ending = named("Namespace", "ending", None)
    cluster.apply("ending", ending)
    cluster.delete("ending", ending)
    assert not cluster.has("ending", ending)


def test_a_custom_resource_is_held_to_its_operators_definition(cluster: Cluster) -> None:
    database = named(
        "Cluster", "pg", version="postgresql.cnpg.io/v1", spec={"instances": 3, "storage": {"size": "1Gi"}}
    )
    assert cluster.knows(database)
    cluster.apply("pg", database)
    with pytest.raises(Refused, match="instances"):
        cluster.apply("pg", {**database, "spec": {"instances": 0}})


def test_a_kind_that_nobody_has_defined_is_listed(cluster: Cluster) -> None:
    assert not cluster.knows(named("Thing", "x", version="nobody.example/v1"))
    assert cluster.unknown == {"nobody.example/v1 Thing"}
