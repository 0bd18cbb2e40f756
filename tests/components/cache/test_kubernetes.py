"""A cache on Kubernetes: one Valkey, encrypted, that keeps nothing; its objects on the real API server."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest

from components.cache.kubernetes import IMAGE, SIZES, KubernetesCache, KubernetesCacheArgs
from components.infrastructure import Refused
from components.kubernetes.parts import Part
from tests.fixtures import workloads
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.recording import Graph, conforms, record, reviewed
from tests.fixtures.workloads import unmet

STACK = "cache-test"
NAMESPACE = f"{STACK}-cache"
ARGS: KubernetesCacheArgs = {
    "stack": STACK,
    "region": "onprem",
    "namespace": NAMESPACE,
    "registry": "registry.internal",
    "authority": f"{STACK}-authority",
    "size": "small",
}
CELL_CACHE: list[tuple[str, str, Mapping[str, Any]]] = [
    (
        "kubernetes:apps/v1:StatefulSet",
        "valkey",
        {
            "spec.replicas": 1,
            "spec.template.spec.containers.0.image": ...,
            "spec.template.spec.nodeSelector": ...,
            "spec.template.spec.containers.0.securityContext.readOnlyRootFilesystem": True,
        },
    ),
    ("kubernetes:cert-manager.io/v1:Certificate", "certificate", {"spec.dnsNames": ..., "spec.issuerRef.name": ...}),
    ("kubernetes:core/v1:Service", "service", {"spec.type": "ClusterIP"}),
]


def cache(*, preview: bool = False, **more: Any) -> Graph:
    def program() -> None:
        provider = pulumi_kubernetes.Provider("cluster", context="test")
        args: KubernetesCacheArgs = {**ARGS, **more}
        KubernetesCache("fabric-cache", args, pulumi.ResourceOptions(provider=provider))

    return record(program, preview=preview)


def server(graph: Graph) -> Mapping[str, Any]:
    (container,) = graph.named("fabric-cache-valkey").properties["spec"]["template"]["spec"]["containers"]
    return container


def options(graph: Graph) -> dict[str, str]:
    _, *words = server(graph)["command"]
    return dict(zip((name.removeprefix("--") for name in words[::2]), words[1::2], strict=True))


@pytest.mark.parametrize("preview", [True, False])
def test_every_object_has_its_parent_and_an_explicit_provider(preview: bool) -> None:
    graph = cache(preview=preview)
    conforms(graph, "loomstead:cache:Cache")
    assert reviewed(graph, "eu-gdpr", "onprem") == []


def test_the_outputs_are_its_service_by_a_name_that_its_certificate_answers_for() -> None:
    graph = cache()
    host = f"valkey.{NAMESPACE}.svc.cluster.local"
    assert graph.outputs[graph.component("loomstead:cache:Cache").urn] == {"host": host, "port": 6379}
    assert host in graph.named("fabric-cache-certificate").properties["spec"]["dnsNames"]


def test_it_answers_encrypted_alone_and_writes_nothing_down() -> None:
    said = options(cache())
    assert (said["port"], said["tls-port"], said["tls-protocols"]) == ("0", "6379", "TLSv1.3")
    assert (said["save"], said["appendonly"]) == ("", "no")
    pod = cache().named("fabric-cache-valkey").properties["spec"]
    assert "volumeClaimTemplates" not in pod
    assert {volume["name"] for volume in pod["template"]["spec"]["volumes"]} == {"scratch", "tls"}


@pytest.mark.parametrize("size", sorted(SIZES))
def test_what_it_holds_fits_in_its_memory(size: str) -> None:
    graph = cache(size=size)
    memory = server(graph)["resources"]["limits"]["memory"]
    mib = int(memory[:-2]) * {"Mi": 1, "Gi": 1024}[memory[-2:]]
    assert int(options(graph)["maxmemory"]) == mib * 2**20 * 3 // 4


def test_an_image_comes_from_the_stacks_registry_by_its_digest() -> None:
    assert server(cache())["image"] == f"registry.internal/{IMAGE}"
    own = "mirror.internal/valkey@sha256:" + "0" * 64
    assert server(cache(image=own))["image"] == own


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"size": "huge"}, "no size 'huge'"), ({"image": "valkey:9"}, "cache.image: .* is not named by its digest")],
)
def test_what_cannot_be_is_refused_before_anything_is_made(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told):
        cache(**wrong)


def test_the_real_api_server_takes_every_object(operators: Cluster) -> None:
    operators.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    kept = [operators.apply(each) for each in manifests(cache())]
    assert {each["kind"] for each in kept} == {"Certificate", "Service", "StatefulSet"}


def test_it_is_what_its_cell_of_capabilities_says() -> None:
    assert unmet(cache(), CELL_CACHE) == []


def test_a_fenced_api_server_lets_every_pod_in(fenced: Cluster) -> None:
    graph = cache(stack=workloads.STACK, namespace=workloads.namespace(Part.CACHE))
    found = [*workloads.pods(graph)]
    assert found
    for pod in found:
        assert fenced.refusal(pod) is None
