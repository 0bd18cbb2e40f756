"""The guardrails refuse live: each policy is kept by the real API server, which then decides about real pods.

The namespaces here have no pod-security labels, so that what refuses is the policy that is asked.
"""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest

from components.guardrails.contract import Guardrails
from components.guardrails.kubernetes import KubernetesGuardrails, KubernetesGuardrailsArgs
from components.infrastructure import Refused
from components.kubernetes.parts import PART_LABEL, REGION_LABEL, Part
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.recording import Graph, conforms, record, reviewed
from tests.fixtures.workloads import owned, with_interface

STACK = "guard-test"
INSIDE, OUTSIDE = f"{STACK}-tools", f"{STACK}-of-somebody-else"
NAMESPACES = {part: f"{STACK}-{part}" for part in Part}
DIGEST = "@sha256:" + "0123456789abcdef" * 4
IMAGE = f"registry.internal:5000/loomstead/runtime{DIGEST}"
ARGS: KubernetesGuardrailsArgs = {
    "stack": STACK,
    "namespaces": NAMESPACES,
    "registries": ["registry.internal:5000/loomstead", "mirror.internal"],
    "region": "onprem",
    "image": IMAGE,
    "provision": Part.PRIMARY,
    "operator": "cnpg-system",
}
CHECKS = ("images", "host", "region", "workloads", "origin")
ENOUGH_SECONDS = 20
POLICY = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
CELL_GUARDRAILS: list[tuple[str, str, Mapping[str, object]]] = [
    entry
    for check in CHECKS
    for entry in (
        (POLICY, f"-{check}", {"spec.failurePolicy": "Fail", "spec.validations.0.expression": ...}),
        (f"{POLICY}Binding", f"-{check}-bound", {"spec.validationActions.0": "Deny"}),
    )
]

CONTROLLERS = "system:serviceaccount:kube-system:"
CNPG = "system:serviceaccount:cnpg-system:cnpg-manager"
"""CloudNativePG's, by whatever name its chart gives it."""
FORGERS = ("mallory", "system:serviceaccount:default:job-controller")
RIGHTS = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": f"{STACK}-makers"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
        for kind, name in (("Group", "system:serviceaccounts:cnpg-system"), *(("User", each) for each in FORGERS))
    ],
}
"""Whoever may create pods: what they may not is the policies' to say."""

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
    labels = {PART_LABEL: namespace.removeprefix(f"{STACK}-")}
    metadata = {"name": "asked", "namespace": namespace, "labels": labels, "ownerReferences": owned("Deployment", "a")}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**right, **spec}}


def replica_set(name: str) -> Pod:
    """As somebody would make one that his pods are told by."""
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod()["spec"]}
    metadata = {"name": name, "namespace": INSIDE}
    return {"metadata": metadata, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}


@pytest.fixture(scope="module")
def guarded(cluster: Cluster) -> Cluster:
    """The cluster with the policies in force: the API server takes a moment to read them."""
    for name in (*NAMESPACES.values(), OUTSIDE):
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for each in (RIGHTS, *manifests(guardrails())):
        cluster.apply(each)
    forged = {"apiVersion": "apps/v1", "kind": "ReplicaSet", **replica_set("a-5d8c7f6b9")}
    wrong = [
        *(pod(containers=[{"name": "a", "image": "a"}]), pod(hostNetwork=True), pod(nodeSelector={})),
        *({**pod(), "metadata": {**pod()["metadata"], "labels": {}}}, forged),
    ]
    asking = (*FORGERS, CNPG)
    until = time.monotonic() + ENOUGH_SECONDS
    while not all(map(cluster.refusal, wrong)) or any(
        "cannot" in (cluster.refusal(pod(), each) or "") for each in asking
    ):
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
    assert outputs == {"policies": [f"{STACK}-{check}" for check in CHECKS]}
    assert outputs.keys() == Guardrails.__annotations__.keys()
    for role in CHECKS:
        policy = graph.named(f"fabric-guardrails-{role}")
        assert policy.type == "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
        assert policy.properties["metadata"] == {"name": f"{STACK}-{role}"}
        assert policy.properties["spec"]["failurePolicy"] == "Fail"
        matched = policy.properties["spec"]["matchConstraints"]
        assert matched["namespaceSelector"]["matchExpressions"] == [
            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [*NAMESPACES.values()]}
        ]
        rules = matched["resourceRules"]
        looked_at = [["replicasets"], ["jobs"]] if role == "origin" else [["pods", "pods/ephemeralcontainers"]]
        assert [rule["resources"] for rule in rules] == looked_at
        assert all("CREATE" in rule["operations"] for rule in rules)
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
    kept = pod()
    kept["metadata"]["name"] = "kept"
    guarded.create(kept)
    said = guarded.refusal_to_change(kept, {"spec": change}, subresource)
    assert f"'{STACK}-images'" in (said or "")


def test_other_namespaces_are_left_alone(guarded: Cluster) -> None:
    assert guarded.refusal(pod_in(OUTSIDE, hostNetwork=True, nodeSelector={})) is None


def owned_pod(part: Part, owner: tuple[str, str], account: str | None = None, image: str = IMAGE) -> Pod:
    """What the owner's controller would send."""
    given = {"serviceAccountName": account} if account else {}
    made = pod_in(NAMESPACES[part], containers=[{"name": "a", "image": image}], **given)
    return {**made, "metadata": {**made["metadata"], "ownerReferences": owned(*owner)}}


def relabelled(made: Pod, labels: Mapping[str, str]) -> Pod:
    return {**made, "metadata": {**made["metadata"], "labels": {**labels}}}


def test_a_database_operators_pods_are_let_in_with_the_label_and_without(guarded: Cluster) -> None:
    """Instances are its own; its Jobs' pods have no labels of the fabric's (cloudnative-pg, pkg/specs/jobs.go)."""
    for part, cluster in ((Part.PRIMARY, "primary"), (Part.PRIMARY, "restored"), (Part.REPLICA, "replica")):
        instance = owned_pod(part, ("Cluster", cluster), cluster)
        assert guarded.refusal(instance, CNPG) is None
        assert guarded.refusal(relabelled(instance, {"cnpg.io/cluster": cluster}), CNPG) is None
        for role in ("1-initdb", "2-join", "1-full-recovery", "1-major-upgrade"):
            joins = owned_pod(part, ("Job", f"{cluster}-{role}"), cluster)
            assert guarded.refusal(relabelled(joins, {"cnpg.io/cluster": cluster})) is None


@pytest.mark.parametrize("part", Part)
def test_a_pod_under_another_parts_label_is_refused(guarded: Cluster, part: Part) -> None:
    other = Part.TOOLS if part is Part.RUNTIME else Part.RUNTIME
    wrong = [{PART_LABEL: str(other)}, {PART_LABEL: ""}]
    for labels in [*wrong, *([] if part in (Part.PRIMARY, Part.REPLICA) else [{}])]:
        said = guarded.refusal(relabelled(pod_in(NAMESPACES[part]), labels)) or ""
        assert f"'{STACK}-workloads'" in said
        assert "the network knows a pod by its label loomstead/part" in said


def test_a_bare_pod_is_refused(guarded: Cluster) -> None:
    bare = pod()
    del bare["metadata"]["ownerReferences"]
    referring = {
        **bare,
        "metadata": {**bare["metadata"], "ownerReferences": [{**owned("Job", "a")[0], "controller": False}]},
    }
    for made in (bare, referring):
        for asks in (None, f"{CONTROLLERS}job-controller"):
            assert "a pod without a controller is held to no network policy" in (guarded.refusal(made, asks) or "")


@pytest.mark.parametrize("asks", [*FORGERS, CNPG])
@pytest.mark.parametrize(
    ("part", "owner", "account"),
    [
        (Part.RUNTIME, ("Deployment", "gateway"), "gateway"),
        (Part.TOOLS, ("StatefulSet", "mine"), "tools"),
        (Part.PRIMARY, ("Job", "provision"), "provision"),
    ],
)
def test_a_pod_that_names_a_controller_and_is_made_by_somebody_else_is_refused(
    guarded: Cluster, part: Part, owner: tuple[str, str], account: str, asks: str
) -> None:
    """``CNPG`` makes its databases' pods, and is trusted with no other."""
    made = owned_pod(part, owner, account)
    assert guarded.refusal(made) is None
    said = guarded.refusal(made, asks) or ""
    assert f"'{STACK}-workloads'" in said
    assert "pods are made by the cluster's controllers and nobody else" in said


@pytest.mark.parametrize("asks", FORGERS)
def test_a_database_is_made_by_its_operator_alone(guarded: Cluster, asks: str) -> None:
    said = guarded.refusal(owned_pod(Part.PRIMARY, ("Cluster", "primary"), "primary"), asks) or ""
    assert "pods are made by the cluster's controllers and nobody else" in said


@pytest.mark.parametrize(
    ("part", "owner", "account"),
    [
        (Part.RUNTIME, ("Deployment", "gateway"), "worker"),
        (Part.RUNTIME, ("Deployment", "gateway"), None),
        (Part.RUNTIME, ("Deployment", "gateway-2"), "gateway"),
        (Part.RUNTIME, ("StatefulSet", "gateway"), "gateway"),
        (Part.RUNTIME, ("Job", "provision"), "provision"),
        (Part.RUNTIME, ("Deployment", "reads-secrets"), None),
        (Part.PRIMARY, ("Deployment", "provision"), "provision"),
        (Part.PRIMARY, ("Job", "provision-2"), "provision"),
        (Part.PRIMARY, ("Job", "provision"), "primary"),
        (Part.PRIMARY, ("Job", "primary"), "primary"),
        (Part.PRIMARY, ("StatefulSet", "primary-2-join"), "primary"),
        (Part.REPLICA, ("Job", "provision"), "provision"),
        (Part.CACHE, ("Deployment", "valkey"), None),
        (Part.OBSERVABILITY, ("Deployment", "collector"), None),
        (Part.MODELS, ("Deployment", "model"), "gateway"),
    ],
)
def test_a_workload_that_is_not_the_fabrics_or_has_another_account_is_refused(
    guarded: Cluster, part: Part, owner: tuple[str, str], account: str | None
) -> None:
    said = guarded.refusal(owned_pod(part, owner, account)) or ""
    assert f"'{STACK}-workloads'" in said
    assert "the fabric's own workloads alone run here, each under its own ServiceAccount" in said


def test_what_runs_the_tools_is_whoevers_raises_it(guarded: Cluster) -> None:
    assert guarded.refusal(owned_pod(Part.TOOLS, ("StatefulSet", "mine"), "tools")) is None


def test_the_account_of_provisioning_is_for_the_runtimes_image_alone(guarded: Cluster) -> None:
    provision, other = ("Job", "provision"), f"mirror.internal/shell{DIGEST}"
    assert guarded.refusal(owned_pod(Part.PRIMARY, provision, "provision")) is None
    foreign = owned_pod(Part.PRIMARY, provision, "provision", other)
    first = owned_pod(Part.PRIMARY, provision, "provision")
    first["spec"]["initContainers"] = [{"name": "b", "image": other}]
    mounts = owned_pod(Part.PRIMARY, provision, "provision")
    mounts["spec"]["volumes"] = mounting(other)
    for made in (foreign, first, mounts):
        said = guarded.refusal(made) or ""
        assert f"the ServiceAccount provision is for the Job provision and the image {IMAGE} alone" in said


def test_what_was_let_in_keeps_its_part_its_controller_and_its_image(guarded: Cluster) -> None:
    """Its finalizers go all the same, as its Job's controller takes them off."""
    made = owned_pod(Part.PRIMARY, ("Job", "provision"), "provision")
    made["metadata"]["name"] = "changes"
    guarded.create(made)
    other = f"mirror.internal/shell{DIGEST}"
    ephemeral = {"spec": {"ephemeralContainers": [{"name": "c", "image": other}]}}
    for change, subresource, reason in (
        ({"metadata": {"labels": {PART_LABEL: "runtime"}}}, None, "the network knows a pod by its label"),
        (
            {"metadata": {"ownerReferences": [{"uid": "b1a6c4", "$patch": "delete"}]}},
            None,
            "a pod without a controller",
        ),
        ({"spec": {"containers": [{"name": "a", "image": other}]}}, None, "the ServiceAccount provision is for"),
        (ephemeral, "ephemeralcontainers", "the ServiceAccount provision is for"),
    ):
        assert reason in (guarded.refusal_to_change(made, change, subresource) or "")
    assert guarded.refusal_to_change(made, {"metadata": {"annotations": {"a": "b"}}}) is None


@contextmanager
def enforced(guarded: Cluster, args: KubernetesGuardrailsArgs, wrong: Pod) -> Generator[None]:
    """Other guardrails, which refuse what those before let in."""
    for each in manifests(guardrails(args)):
        guarded.apply(each)
    until = time.monotonic() + ENOUGH_SECONDS
    while guarded.refusal(wrong) is None:
        assert time.monotonic() < until, "the other guardrails are not in force"
        time.sleep(0.1)
    try:
        yield
    finally:
        for each in manifests(guardrails()):
            guarded.apply(each)
    until = time.monotonic() + ENOUGH_SECONDS
    while guarded.refusal(wrong) is not None:
        assert time.monotonic() < until, "the guardrails are not in force again"
        time.sleep(0.1)


def test_a_pod_of_the_image_before_is_let_go(guarded: Cluster) -> None:
    made = owned_pod(Part.PRIMARY, ("Job", "provision"), "provision")
    made["metadata"]["name"] = "ends"
    guarded.create(made)
    newer = IMAGE.replace("0123", "3210")
    with enforced(guarded, {**ARGS, "image": newer}, owned_pod(Part.PRIMARY, ("Job", "provision"), "provision")):
        assert guarded.refusal_to_change(made, {"metadata": {"annotations": {"a": "b"}}}) is None
        assert guarded.refusal(owned_pod(Part.PRIMARY, ("Job", "provision"), "provision", newer)) is None


def test_a_pod_of_the_registry_before_is_let_go_and_gets_no_other_image_of_it(guarded: Cluster) -> None:
    made = pod(containers=[{"name": "a", "image": IMAGE}, {"name": "b", "image": IMAGE}])
    made["metadata"] |= {"name": "stays", "finalizers": ["batch.kubernetes.io/job-tracking"]}
    guarded.create(made)
    with enforced(guarded, {**ARGS, "registries": ["mirror.internal"]}, pod()):
        labels, finalizers = {"cnpg.io/instanceRole": "primary"}, made["metadata"]["finalizers"]
        for change in ({"labels": labels}, {"$deleteFromPrimitiveList/finalizers": finalizers}):
            assert guarded.refusal_to_change(made, {"metadata": change}) is None
        beside = {"containers": [{"name": "b", "image": IMAGE.replace("0123", "3210")}]}
        assert "images come from mirror.internal alone" in (guarded.refusal_to_change(made, {"spec": beside}) or "")
        known = {"containers": [{"name": "b", "image": f"mirror.internal/a{DIGEST}"}]}
        assert guarded.refusal_to_change(made, {"spec": known}) is None


def test_a_replica_set_is_made_by_its_deployments_controller_alone(guarded: Cluster) -> None:
    forged = {"apiVersion": "apps/v1", "kind": "ReplicaSet", **replica_set("gateway-5d8c7f6b9")}
    assert "make a Deployment" in (guarded.refusal(forged) or "")
    assert guarded.refusal(forged, f"{CONTROLLERS}deployment-controller") is None
    elsewhere = {**forged, "metadata": {"name": "a", "namespace": OUTSIDE}}
    assert guarded.refusal(elsewhere) is None


def test_a_databases_jobs_are_its_operators(guarded: Cluster) -> None:
    template = {"spec": {**pod()["spec"], "restartPolicy": "Never"}}
    for part, name, asks, let in (
        (Part.PRIMARY, "primary-2-join", None, False),
        (Part.REPLICA, "replica-1-pgbasebackup", f"{CONTROLLERS}cronjob-controller", False),
        (Part.PRIMARY, "primary-2-join", CNPG, True),
        (Part.PRIMARY, "provision", None, True),
        (Part.TOOLS, "mine", None, True),
    ):
        metadata = {"name": name, "namespace": NAMESPACES[part]}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template}}
        said = guarded.refusal(job, asks)
        assert said is None if let else "there are Jobs of its operator and provision, and no others" in (said or "")


CLOUD, INTERFACE = "guard-eks", "vpc.amazonaws.com/pod-eni"
INTERFACED: KubernetesGuardrailsArgs = {
    **ARGS,
    "stack": CLOUD,
    "namespaces": {Part.TOOLS: f"{CLOUD}-tools"},
    "interface": INTERFACE,
}


def limited(first: Mapping[str, str], second: Mapping[str, str]) -> Pod:
    limits = {"a": first, "b": second}
    return pod(containers=[{"name": name, "image": IMAGE, "resources": {"limits": limits[name]}} for name in limits])


def of_eks(made: Pod) -> Pod:
    return {**made, "metadata": {**made["metadata"], "namespace": f"{CLOUD}-tools"}}


def test_a_pod_needs_an_interface_of_its_own_where_the_cluster_gives_it_one(guarded: Cluster) -> None:
    """The node looks at the first container's limits alone."""
    kept, none, one = of_eks(pod()), dict[str, str](), {INTERFACE: "1"}
    kept["metadata"]["name"] = "before"
    guarded.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{CLOUD}-tools"}})
    guarded.create(kept)
    for each in manifests(guardrails(INTERFACED)):
        guarded.apply(each)
    others = limited(none, none), limited(none, one), limited({INTERFACE: "0"}, one), limited({"cpu": "1"}, one)
    until = time.monotonic() + ENOUGH_SECONDS
    while guarded.refusal(of_eks(others[0])) is None:
        assert time.monotonic() < until, "the guardrails are not in force"
        time.sleep(0.1)
    for each in others:
        said = guarded.refusal(of_eks(each)) or ""
        assert f"'{CLOUD}-interface'" in said
        assert f"the cluster gave this pod no {INTERFACE}" in said
        assert guarded.refusal(each) is None
    for each in (with_interface(others[0]), limited(one, none), limited({**one, "cpu": "1"}, none)):
        assert guarded.refusal(of_eks(each)) is None
    assert guarded.refusal_to_change(kept, {"metadata": {"annotations": {"a": "b"}}}) is None


def test_an_image_that_no_digest_names_is_no_runtimes() -> None:
    with pytest.raises(Refused, match=r"gateway\.image"):
        guardrails({**ARGS, "image": "registry.internal:5000/loomstead/runtime:1"})


@pytest.mark.parametrize("registry", ["", "a b", "https://a", "a/", 'a"] + ["', "A"])
def test_what_is_no_registry_is_refused(registry: str) -> None:
    with pytest.raises(Refused, match=r"^registries: expected as registry\.example or"):
        guardrails({**ARGS, "registries": [registry]})


def test_no_registry_at_all_is_refused() -> None:
    with pytest.raises(Refused, match="got none"):
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
