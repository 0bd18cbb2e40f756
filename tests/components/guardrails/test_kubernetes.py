"""The guardrails refuse live: each policy is kept by the real API server, which then decides about real pods.

The namespaces here have no pod-security labels, so that what refuses is the policy that is asked.
"""

import time
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest

from components.guardrails.contract import Guardrails
from components.guardrails.kubernetes import REGION_LABEL, KubernetesGuardrails, KubernetesGuardrailsArgs
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.recording import Graph, conforms, record, reviewed

STACK = "guard-test"
INSIDE, OUTSIDE = f"{STACK}-tools", f"{STACK}-of-somebody-else"
ARGS: KubernetesGuardrailsArgs = {
    "stack": STACK,
    "namespaces": [INSIDE, f"{STACK}-runtime"],
    "registries": ["registry.internal:5000/loomstead", "mirror.internal"],
    "region": "onprem",
}
DIGEST = "@sha256:" + "0123456789abcdef" * 4
IMAGE = f"registry.internal:5000/loomstead/runtime{DIGEST}"
ENOUGH_SECONDS = 20
POLICY = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
CELL_GUARDRAILS: list[tuple[str, str, Mapping[str, object]]] = [
    entry
    for check in ("images", "host", "region")
    for entry in (
        (POLICY, f"-{check}", {"spec.failurePolicy": "Fail", "spec.validations.0.expression": ...}),
        (f"{POLICY}Binding", f"-{check}-bound", {"spec.validationActions.0": "Deny"}),
    )
]

Pod = dict[str, Any]


def guardrails(args: KubernetesGuardrailsArgs = ARGS, *, preview: bool = False) -> Graph:
    def program() -> None:
        provider = pulumi_kubernetes.Provider("cluster", context="test")
        KubernetesGuardrails("fabric-guardrails", args, pulumi.ResourceOptions(provider=provider))

    return record(program, preview=preview)


def pod(**spec: Any) -> Pod:
    """A pod that is right, but for what is given."""
    return pod_in(INSIDE, **spec)


def pod_in(namespace: str, **spec: Any) -> Pod:
    right = {"containers": [{"name": "a", "image": IMAGE}], "nodeSelector": {REGION_LABEL: "onprem"}}
    metadata = {"name": "asked", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**right, **spec}}


@pytest.fixture(scope="module")
def guarded(cluster: Cluster) -> Cluster:
    """The cluster with the policies in force: the API server takes a moment to read them."""
    for name in (INSIDE, OUTSIDE):
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for each in manifests(guardrails()):
        cluster.apply(each)
    wrong = [pod(containers=[{"name": "a", "image": "a"}]), pod(hostNetwork=True), pod(nodeSelector={})]
    until = time.monotonic() + ENOUGH_SECONDS
    while not all(map(cluster.refusal, wrong)):
        assert time.monotonic() < until, "the policies are not in force"
        time.sleep(0.1)
    return cluster


@pytest.mark.parametrize("preview", [True, False])
def test_every_object_has_its_parent_and_an_explicit_provider(preview: bool) -> None:
    graph = guardrails(preview=preview)
    conforms(graph, "loomstead:guardrails:Guardrails")
    assert {each.provider for each in graph.resources if each.type.startswith("kubernetes:")} == {"cluster"}
    assert reviewed(graph, "eu-gdpr", "onprem") == []


def test_each_policy_fails_closed_and_denies_in_every_namespace_of_the_fabric() -> None:
    graph = guardrails()
    outputs = graph.outputs[graph.component("loomstead:guardrails:Guardrails").urn]
    assert outputs == {"policies": [f"{STACK}-images", f"{STACK}-host", f"{STACK}-region"]}
    assert outputs.keys() == Guardrails.__annotations__.keys()
    for role in ("images", "host", "region"):
        policy = graph.named(f"fabric-guardrails-{role}")
        assert policy.type == "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
        assert policy.properties["metadata"] == {"name": f"{STACK}-{role}"}
        assert policy.properties["spec"]["failurePolicy"] == "Fail"
        matched = policy.properties["spec"]["matchConstraints"]
        assert matched["namespaceSelector"]["matchExpressions"] == [
            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [INSIDE, f"{STACK}-runtime"]}
        ]
        (rule,) = matched["resourceRules"]
        assert rule["resources"] == ["pods", "pods/ephemeralcontainers"]
        assert "CREATE" in rule["operations"]
        binding = graph.named(f"fabric-guardrails-{role}-bound")
        assert binding.type == "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding"
        assert binding.properties["spec"] == {
            "policyName": f"{STACK}-{role}",
            "validationActions": ["Deny", "Audit"],
        }


def test_the_real_api_server_takes_every_object(guarded: Cluster) -> None:
    for each in manifests(guardrails()):
        assert guarded.apply(each, dry_run=True)["metadata"]["name"] == each["metadata"]["name"]


def test_a_pod_that_keeps_to_the_rules_is_let_in(guarded: Cluster) -> None:
    assert guarded.refusal(pod()) is None
    other = f"mirror.internal/team/valkey:9.1{DIGEST}"
    init = [{"name": "b", "image": other, "securityContext": {"privileged": False}, "ports": [{"containerPort": 1}]}]
    volumes = [{"name": "c", "emptyDir": {}}, *mounting(IMAGE)]
    assert guarded.refusal(pod(initContainers=init, volumes=volumes, hostNetwork=False)) is None


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        f"nginx{DIGEST}",
        f"docker.io/library/nginx{DIGEST}",
        f"registry.internal:5000/loomstead-of-mine/a{DIGEST}",
        f"registry.internal/loomstead/a{DIGEST}",
        f"mirror.internal.example/a{DIGEST}",
    ],
)
@pytest.mark.parametrize("kind", ["containers", "initContainers"])
def test_an_image_of_another_registry_is_refused(guarded: Cluster, kind: str, image: str) -> None:
    given = {"containers": [{"name": "a", "image": IMAGE}], kind: [{"name": "b", "image": image}]}
    said = guarded.refusal(pod(**given)) or ""
    assert f"'{STACK}-images'" in said
    assert "images come from mirror.internal, registry.internal:5000/loomstead alone" in said


def mounting(image: str) -> list[dict[str, Any]]:
    return [{"name": "d", "image": {"reference": image}}]


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (f"docker.io/library/nginx{DIGEST}", "images come from mirror.internal, registry.internal:5000/"),
        ("mirror.internal/a:latest", "images are named by digest"),
    ],
)
def test_an_image_that_is_mounted_as_a_volume_is_held_to_the_same(guarded: Cluster, image: str, reason: str) -> None:
    said = guarded.refusal(pod(volumes=mounting(image))) or ""
    assert f"'{STACK}-images'" in said
    assert reason in said


@pytest.mark.parametrize("tag", ["", ":latest", ":v1@sha256:0123", DIGEST.upper(), f"{DIGEST}0"])
def test_an_image_that_no_digest_names_is_refused(guarded: Cluster, tag: str) -> None:
    said = guarded.refusal(pod(containers=[{"name": "a", "image": f"mirror.internal/a{tag}"}])) or ""
    assert f"'{STACK}-images'" in said
    assert "images are named by digest" in said


def container(**more: Any) -> list[dict[str, Any]]:
    return [{"name": "b", "image": IMAGE, **more}]


PRIVILEGED = container(securityContext={"privileged": True})
ON_THE_NODE = container(ports=[{"containerPort": 80, "hostPort": 80}])


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"hostNetwork": True}, "hostNetwork, hostPID and hostIPC go round"),
        ({"hostPID": True}, "hostNetwork, hostPID and hostIPC go round"),
        ({"hostIPC": True}, "hostNetwork, hostPID and hostIPC go round"),
        ({"volumes": [{"name": "c", "hostPath": {"path": "/etc"}}]}, "a hostPath volume reaches the node's files"),
        ({"containers": PRIVILEGED}, "privileged containers are the node's root"),
        ({"initContainers": PRIVILEGED}, "privileged containers are the node's root"),
        ({"containers": ON_THE_NODE}, "a hostPort opens the node"),
    ],
)
def test_a_pod_that_takes_of_its_node_is_refused(guarded: Cluster, spec: dict[str, Any], reason: str) -> None:
    said = guarded.refusal(pod(**spec)) or ""
    assert f"'{STACK}-host'" in said
    assert reason in said


@pytest.mark.parametrize("selector", [{}, {REGION_LABEL: "us-east-1"}, {"region": "onprem"}, {REGION_LABEL: ""}])
def test_a_pod_that_may_run_in_another_region_is_refused(guarded: Cluster, selector: dict[str, str]) -> None:
    said = guarded.refusal(pod(nodeSelector=selector)) or ""
    assert f"'{STACK}-region'" in said
    assert f"pods run in onprem alone: set nodeSelector {REGION_LABEL}: onprem" in said


FOREIGN = f"docker.io/library/nginx{DIGEST}"


@pytest.mark.parametrize(
    ("subresource", "change"),
    [
        (None, {"containers": [{"name": "a", "image": FOREIGN}]}),
        ("ephemeralcontainers", {"ephemeralContainers": [{"name": "c", "image": FOREIGN}]}),
    ],
)
def test_a_pod_that_was_let_in_gets_no_other_image(
    guarded: Cluster, subresource: str | None, change: dict[str, Any]
) -> None:
    guarded.apply(pod())
    said = guarded.refusal_to_change(pod(), {"spec": change}, subresource)
    assert f"'{STACK}-images'" in (said or "")


def test_other_namespaces_are_left_alone(guarded: Cluster) -> None:
    assert guarded.refusal(pod_in(OUTSIDE, hostNetwork=True, nodeSelector={})) is None


@pytest.mark.parametrize("registry", ["", "a b", "https://a", "a/", 'a"] + ["', "A"])
def test_what_is_no_registry_is_refused(registry: str) -> None:
    with pytest.raises(ValueError, match=r"^registries: expected as registry\.example or"):
        guardrails({**ARGS, "registries": [registry]})


def test_no_registry_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="got none"):
        guardrails({**ARGS, "registries": []})


@pytest.mark.parametrize("region", ["", 'a" || true || "', "A"])
def test_what_is_no_region_is_refused(region: str) -> None:
    with pytest.raises(ValueError, match="region: expected a label's value"):
        guardrails({**ARGS, "region": region})


@pytest.mark.parametrize(("token", "suffix", "wanted"), CELL_GUARDRAILS)
def test_the_cell_is_what_it_claims(token: str, suffix: str, wanted: Mapping[str, object]) -> None:
    (found,) = (each for each in guardrails().of(token) if each.name.endswith(suffix))
    for path, value in wanted.items():
        told: Any = found.properties
        for step in path.split("."):
            told = told[int(step)] if isinstance(told, list) else told[step]
        assert told if value is ... else told == value
