"""The model server's objects on a cluster, and that a fenced API server, which knows KEDA's definitions, takes them."""

import re
from typing import Any

import pytest

from components.infrastructure import Refused
from components.kubernetes.parts import REGION_LABEL, Part
from components.model_host.kubernetes import SERVER, SIZES, KubernetesModelHost, KubernetesModelHostArgs
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.recording import Graph, conforms, reviewed
from tests.fixtures.workloads import IMAGE, REGION, REGISTRY, STACK, Cell, namespace, on_cluster, pods, unmet

ARGS: KubernetesModelHostArgs = {
    "stack": STACK,
    "region": REGION,
    "namespace": namespace(Part.MODELS),
    "registry": REGISTRY,
    "image": IMAGE,
    "size": "small",
    "model": "mistral-7b-instruct-v0.3",
    "digest": "sha256:" + "0" * 64,
    "model_class": "chat",
    "candidate": "here",
    "context_tokens": 16_384,
    "bucket": "weights",
    "gpu": "l40s",
    "per_node": 2,
    "nodes": 3,
    "runtime": namespace(Part.RUNTIME),
    "operators": True,
    "endpoint": "https://s3.corp.example",
    "credentials": "weights",
    "after": [],
}
POD = "spec.template.spec"
RELEASE = "kubernetes:helm.sh/v3:Release"
CELL_MODEL_HOST: Cell = [
    (
        "kubernetes:apps/v1:Deployment",
        "-server",
        {
            f"{POD}.containers.0.image": f"{REGISTRY}/{SERVER}",
            f"{POD}.containers.0.startupProbe.failureThreshold": 180,
            f"{POD}.containers.0.readinessProbe.httpGet.path": "/health",
            f"{POD}.containers.0.livenessProbe.httpGet.path": "/health",
            f"{POD}.containers.0.resources.limits": {"memory": "24Gi", "nvidia.com/gpu": "2"},
            f"{POD}.containers.0.securityContext.readOnlyRootFilesystem": True,
            f"{POD}.initContainers.0.command": ["python", "-m", "runtime.models.staged"],
            f"{POD}.nodeSelector": {REGION_LABEL: REGION, "loomstead/gpu": "l40s"},
            f"{POD}.tolerations.0.key": "nvidia.com/gpu",
            f"{POD}.securityContext.runAsNonRoot": True,
        },
    ),
    ("kubernetes:policy/v1:PodDisruptionBudget", "-disruption", {"spec.maxUnavailable": 1}),
    ("kubernetes:core/v1:Service", "-service", {"spec.type": "ClusterIP", "spec.ports.0.port": 8000}),
    (
        "kubernetes:keda.sh/v1alpha1:ScaledObject",
        "-scaling",
        {
            "spec.minReplicaCount": 0,
            "spec.maxReplicaCount": 3,
            "spec.scaleTargetRef.name": "model",
            "spec.triggers.0.type": "metrics-api",
            "spec.triggers.0.metadata.valueLocation": "calls",
        },
    ),
    (RELEASE, "-keda", {"version": "2.20.0", "repositoryOpts.repo": ..., "atomic": True}),
    (RELEASE, "-nvidia-device-plugin", {"version": "0.17.4", "repositoryOpts.repo": ..., "atomic": True}),
]


def host(args: KubernetesModelHostArgs = ARGS, *, preview: bool = False) -> Graph:
    return on_cluster(lambda opts: KubernetesModelHost("fabric-model", args, opts), preview=preview)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return host()


@pytest.mark.parametrize("preview", [True, False])
def test_every_object_has_its_parent_and_an_explicit_provider(preview: bool) -> None:
    conforms(host(preview=preview), "loomstead:model_host:ModelHost")


def test_no_residency_rule_has_anything_against_it(graph: Graph) -> None:
    assert reviewed(graph, "eu-gdpr", "onprem") == []


def test_it_is_what_the_table_claims(graph: Graph) -> None:
    assert unmet(graph, CELL_MODEL_HOST) == []


def test_the_manifest_is_told_its_url_before_it_answers(graph: Graph) -> None:
    outputs = graph.outputs[graph.component("loomstead:model_host:ModelHost").urn]
    assert outputs == {"url": "http://model.fenced-models.svc.cluster.local:8000/v1"}


def server(graph: Graph, kind: str = "containers") -> dict[str, Any]:
    (found,) = graph.named("fabric-model-server").properties["spec"]["template"]["spec"][kind]
    return found


def options(graph: Graph) -> dict[str, str]:
    command = server(graph)["command"]
    assert command[:3] == ["vllm", "serve", "/models"]
    return dict(zip(command[3::2], command[4::2], strict=True))


def test_it_serves_the_staged_weights_under_their_name_and_runs_no_code_of_theirs(graph: Graph) -> None:
    told = options(graph)
    assert told["--served-model-name"] == "mistral-7b-instruct-v0.3"
    assert told["--max-model-len"] == "16384"
    assert told["--tensor-parallel-size"] == "2"
    assert told["--load-format"] == "safetensors"
    assert "--trust-remote-code" not in server(graph)["command"]


def test_it_calls_nobody_outside(graph: Graph) -> None:
    told = {each["name"]: each["value"] for each in server(graph)["env"]}
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "VLLM_NO_USAGE_STATS", "DO_NOT_TRACK"):
        assert told[name] == "1"


def test_the_weights_are_compared_before_the_server_starts_which_cannot_change_them(graph: Graph) -> None:
    fetcher = server(graph, "initContainers")
    told = {each["name"]: each["value"] for each in fetcher["env"]}
    assert fetcher["image"] == IMAGE
    assert told["LOOMSTEAD_WEIGHTS_DIGEST"] == ARGS["digest"]
    assert told["LOOMSTEAD_WEIGHTS_NAME"] == ARGS["model"]
    assert told["LOOMSTEAD_WEIGHTS_ENDPOINT"] == "https://s3.corp.example"
    assert told["AWS_SHARED_CREDENTIALS_FILE"] == "/var/run/loomstead/bucket/credentials"
    (weights,) = [each for each in server(graph)["volumeMounts"] if each["name"] == "weights"]
    assert weights["readOnly"] is True
    assert "bucket" not in {each["name"] for each in server(graph)["volumeMounts"]}


def test_the_deployment_starts_with_no_pod_and_is_never_told_how_many_again(graph: Graph) -> None:
    found = graph.named("fabric-model-server")
    assert found.properties["spec"]["replicas"] == 0
    assert found.ignore_changes == {"spec.replicas"}
    assert found.properties["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}
    service = graph.named("fabric-model-service").properties["metadata"]
    assert service["annotations"] == {"pulumi.com/skipAwait": "true"}, "without a pod it would be waited for"


def test_keda_adds_up_what_every_gateway_was_asked(graph: Graph) -> None:
    """KEDA reads the Service and its namespace from the URL's host, and the pods' port from its port."""
    (trigger,) = graph.named("fabric-model-scaling").properties["spec"]["triggers"]
    told = trigger["metadata"]
    assert told["aggregateFromKubeServiceEndpoints"] == "true"
    assert told["aggregationType"] == "sum"
    assert re.fullmatch(
        r"http://gateway\.fenced-runtime\.svc\.cluster\.local:8080/models/chat/here/demand", told["url"]
    )


def test_operators_that_run_already_are_not_put_there_again() -> None:
    without = host({**ARGS, "operators": False})
    assert without.of(RELEASE) == []
    assert without.named("fabric-model-scaling")


def test_a_cloud_reads_the_bucket_by_the_pods_account() -> None:
    cloud: Any = {key: value for key, value in ARGS.items() if key not in ("credentials", "endpoint")}
    graph = host({**cloud, "account": "model", "storage_gib": 300})
    spec = graph.named("fabric-model-server").properties["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == "model"
    assert "AWS_SHARED_CREDENTIALS_FILE" not in {each["name"] for each in server(graph, "initContainers")["env"]}
    volumes = {each["name"]: each for each in spec["volumes"]}
    assert "bucket" not in volumes
    assert volumes["weights"]["emptyDir"]["sizeLimit"] == "300Gi"


@pytest.mark.parametrize("size", SIZES)
def test_every_size_is_made(size: Any) -> None:
    assert server(host({**ARGS, "size": size}))["resources"]["limits"]["memory"] == SIZES[size].needs[1]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"size": "huge"}, "no size 'huge'"),
        ({"image": "registry.internal/loomstead:1"}, r"gateway\.image: .* by its digest"),
        ({"server_image": "vllm/vllm-openai:latest"}, r"server_image: .* by its digest"),
        ({"account": "model"}, "either an account or credentials"),
        ({"gpu": ""}, r"cluster\.gpu\.family"),
        ({"nodes": 0}, "nodes 0 is below 1"),
        ({"per_node": 0}, "per_node 0 is below 1"),
        ({"context_tokens": 1}, "context_tokens 1 is below 512"),
    ],
)
def test_arguments_that_fit_no_server_are_refused_before_anything_is_made(wrong: Any, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        host({**ARGS, **wrong})


def test_the_real_api_server_takes_every_object_and_lets_the_pod_in(fenced: Cluster, graph: Graph) -> None:
    sent = [each for each in manifests(graph) if "chart" not in each]
    assert {each["kind"] for each in sent} == {"Deployment", "PodDisruptionBudget", "ScaledObject", "Service"}
    for each in sent:
        assert fenced.apply(each)["metadata"]["name"] == each["metadata"]["name"]
    (pod,) = pods(graph)
    assert fenced.refusal(pod) is None


def test_the_fence_refuses_a_server_from_elsewhere_or_on_another_regions_gpu(fenced: Cluster) -> None:
    (elsewhere,) = pods(host({**ARGS, "registry": "docker.io"}))
    assert "images come from registry.internal alone" in (fenced.refusal(elsewhere) or "")
    (abroad,) = pods(host({**ARGS, "region": "us-east-1"}))
    assert "pods run in onprem alone" in (fenced.refusal(abroad) or "")
