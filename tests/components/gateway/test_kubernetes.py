"""The runtime's objects on a cluster: what they are, and that a real API server takes them where it is fenced."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from kubernetes import client, config

from components.gateway.kubernetes import SIZES, KubernetesGateway, KubernetesGatewayArgs
from components.infrastructure import Refused
from components.kubernetes.parts import REGION_LABEL, Part
from scripts.kubernetes.server import ApiServer
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.recording import Graph, conforms, reviewed
from tests.fixtures.workloads import CLOUD, IMAGE, REGION, STACK, Cell, namespace, on_cluster, pods, unmet

HOST = "agents.corp.example"
ARGS: KubernetesGatewayArgs = {
    "stack": STACK,
    "region": REGION,
    "namespace": namespace(Part.RUNTIME),
    "image": IMAGE,
    "host": HOST,
    "size": "small",
    "manifest": '{"manifest": {}, "signature": {}}',
    "manifest_key": '{"kty": "EC"}',
    "issuer": f"https://{HOST}",
    "secrets": "secrets",
    "store": "kubernetes",
    "credentials": ["mistral"],
    "translator": False,
    "environment": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.fenced-observability.svc:4317"},
    "gateway_account": "gateway",
    "worker_account": "worker",
    "provision_account": "provision",
    "provision_namespace": namespace(Part.PRIMARY),
    "provision_part": Part.PRIMARY,
    "administrator": "primary-superuser",
    "authority": "primary-ca",
    "provision_environment": {"LOOMSTEAD_AGENT_SESSIONS": "20"},
    "orchestrator_namespace": namespace(Part.ORCHESTRATOR),
    "orchestrator_secret": "temporal",
    "gateway_class": "cilium",
    "certificate_issuer": "corp-ca",
    "revision": "1",
    "after": [],
}
ONPREM_ALONE = (
    "orchestrator_namespace",
    "orchestrator_secret",
    "administrator",
    "authority",
    "gateway_class",
    "certificate_issuer",
)
IN_CLOUD: KubernetesGatewayArgs = {
    **{key: value for key, value in ARGS.items() if key not in ONPREM_ALONE},
    "database_ca": "-----BEGIN CERTIFICATE-----",
    "store": "aws-secrets-manager",
    "provision_namespace": namespace(Part.RUNTIME),
    "provision_part": Part.RUNTIME,
    "translator": True,
}  # ty: ignore[missing-typed-dict-key]

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
CONTAINER = "spec.template.spec.containers.0"
CELL_GATEWAY: Cell = [
    (
        DEPLOYMENT,
        "-gateway",
        {
            f"{CONTAINER}.image": IMAGE,
            f"{CONTAINER}.command": ["python", "-m", "runtime.gateway"],
            f"{CONTAINER}.readinessProbe.httpGet.path": "/readyz",
            f"{CONTAINER}.livenessProbe.httpGet.path": "/healthz",
            f"{CONTAINER}.startupProbe": ...,
            f"{CONTAINER}.securityContext.readOnlyRootFilesystem": True,
            f"{CONTAINER}.resources.limits.memory": ...,
            "spec.strategy.rollingUpdate.maxUnavailable": 0,
            "spec.template.spec.nodeSelector": {REGION_LABEL: REGION},
            "spec.template.spec.securityContext.runAsNonRoot": True,
            "spec.template.spec.automountServiceAccountToken": False,
            "spec.template.spec.topologySpreadConstraints": ...,
        },
    ),
    (DEPLOYMENT, "-worker", {"spec.replicas": 2, f"{CONTAINER}.command": ["python", "-m", "runtime.worker"]}),
    (
        "kubernetes:batch/v1:Job",
        "-provision",
        {
            f"{CONTAINER}.command": ["python", "-m", "runtime.provision"],
            "metadata.annotations": {"pulumi.com/replaceUnready": "true"},
        },
    ),
    (
        "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
        "-scaling",
        {"spec.minReplicas": 2, "spec.maxReplicas": 4, "spec.metrics.0.resource.name": "cpu"},
    ),
    ("kubernetes:policy/v1:PodDisruptionBudget", "-gateway-disruption", {"spec.maxUnavailable": 1}),
    ("kubernetes:policy/v1:PodDisruptionBudget", "-worker-disruption", {"spec.maxUnavailable": 1}),
    ("kubernetes:core/v1:Service", "-service", {"spec.type": "ClusterIP", "spec.ports.0.port": 8080}),
    ("kubernetes:core/v1:ConfigMap", "-manifest", {"immutable": True, "data": ...}),
]
CELL_GATEWAY_API: Cell = [
    (
        "kubernetes:gateway.networking.k8s.io/v1:Gateway",
        "-gateway",
        {
            "spec.listeners.0.protocol": "HTTPS",
            "spec.listeners.0.tls.mode": "Terminate",
            "spec.listeners.0.hostname": HOST,
        },
    ),
    ("kubernetes:gateway.networking.k8s.io/v1:HTTPRoute", "-route", {"spec.rules.0.backendRefs.0.name": "gateway"}),
    ("kubernetes:cert-manager.io/v1:Certificate", "-certificate", {"spec.dnsNames": [HOST]}),
]


def gateway(args: KubernetesGatewayArgs = ARGS, *, preview: bool = False) -> Graph:
    return on_cluster(lambda opts: KubernetesGateway("fabric-runtime", args, opts), preview=preview)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return gateway()


@pytest.mark.parametrize("args", [ARGS, IN_CLOUD])
@pytest.mark.parametrize("preview", [True, False])
def test_every_object_has_its_parent_and_an_explicit_provider(args: KubernetesGatewayArgs, preview: bool) -> None:
    conforms(gateway(args, preview=preview), "loomstead:gateway:Gateway")


@pytest.mark.parametrize("args", [ARGS, IN_CLOUD])
def test_no_residency_rule_has_anything_against_it(args: KubernetesGatewayArgs) -> None:
    assert reviewed(gateway(args), "eu-gdpr", "onprem") == []


def test_it_is_what_the_table_claims(graph: Graph) -> None:
    assert unmet(graph, [*CELL_GATEWAY, *CELL_GATEWAY_API]) == []


def test_behind_a_clouds_load_balancer_there_is_no_route_and_no_certificate_of_its_own() -> None:
    cloud = gateway(IN_CLOUD)
    assert unmet(cloud, CELL_GATEWAY) == []
    assert not [each for each in cloud.resources if "networking" in each.type or "cert-manager" in each.type]


def test_callers_know_it_by_its_host_and_a_load_balancer_by_its_service(graph: Graph) -> None:
    outputs = graph.outputs[graph.component("loomstead:gateway:Gateway").urn]
    assert outputs == {"url": f"https://{HOST}", "service": "gateway", "port": 8080}


def test_nothing_secret_passes_through_pulumi(graph: Graph) -> None:
    assert graph.of("kubernetes:core/v1:Secret") == []
    assert [each.name for each in graph.resources if each.secrets] == []


def test_the_job_comes_first_then_the_gateway_then_the_worker(graph: Graph) -> None:
    job, gate = graph.named("fabric-runtime-provision"), graph.named("fabric-runtime-gateway")
    assert graph.named("fabric-runtime-writer-bound").urn in job.dependencies
    assert job.urn in gate.dependencies
    assert gate.urn in graph.named("fabric-runtime-worker").dependencies


def container(graph: Graph, workload: str, kind: str = "containers") -> Mapping[str, Any]:
    (found,) = graph.named(f"fabric-runtime-{workload}").properties["spec"]["template"]["spec"][kind]
    return found


def variables(found: Mapping[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in found["env"]}


def volumes(graph: Graph, workload: str) -> dict[str, Any]:
    spec = graph.named(f"fabric-runtime-{workload}").properties["spec"]["template"]["spec"]
    return {each["name"]: each for each in spec["volumes"]}


def mounted(graph: Graph, workload: str, kind: str = "containers") -> set[str]:
    return {each["name"] for each in container(graph, workload, kind)["volumeMounts"]}


def test_the_processes_are_told_what_the_contract_says(graph: Graph) -> None:
    every = {"LOOMSTEAD_STACK": STACK, "LOOMSTEAD_REGION": REGION, **ARGS["environment"]}
    for workload in ("gateway", "worker", "provision"):
        assert every.items() <= variables(container(graph, workload)).items()
    told = variables(container(graph, "gateway"))
    assert told["LOOMSTEAD_LISTEN"] == "0.0.0.0:8080"
    assert told["LOOMSTEAD_MANIFEST"] == "/etc/loomstead/manifest/manifest.json"
    assert told["LOOMSTEAD_MANIFEST_KEY"] == "/etc/loomstead/manifest-key/manifest.public.jwk"
    assert told["LOOMSTEAD_DATABASE_CA"] == "/etc/loomstead/database-ca/database.ca.crt"
    assert "LOOMSTEAD_TRANSLATOR" not in told
    worker = variables(container(graph, "worker"))
    assert worker["LOOMSTEAD_GATEWAY"] == "http://gateway.fenced-runtime.svc.cluster.local:8080"
    job = variables(container(graph, "provision"))
    assert job["LOOMSTEAD_SECRET"] == "fenced-runtime/secrets"
    assert job["LOOMSTEAD_SECRET_STORE"] == "kubernetes"
    assert job["LOOMSTEAD_AGENT_SESSIONS"] == "20"
    assert "LOOMSTEAD_AGENT_SESSIONS" not in told
    assert job["LOOMSTEAD_ORCHESTRATOR_SECRET"] == "fenced-orchestrator/temporal"
    assert job["LOOMSTEAD_ADMINISTRATOR"] == "/var/run/loomstead/administrator"


def test_calls_under_way_end_before_the_pod_is_killed(graph: Graph) -> None:
    pod = graph.named("fabric-runtime-gateway").properties["spec"]["template"]["spec"]
    (found,) = pod["containers"]
    (route,) = graph.of("kubernetes:gateway.networking.k8s.io/v1:HTTPRoute")
    call = int(variables(found)["LOOMSTEAD_GRACE_SECONDS"])
    assert route.properties["spec"]["rules"][0]["timeouts"]["request"] == f"{call}s"
    waits = found["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= waits + call + 20


def test_the_workers_identity_is_its_token_for_the_issuer_and_it_has_no_secret(graph: Graph) -> None:
    assert mounted(graph, "worker") == {"manifest", "manifest-key", "identity", "scratch"}
    (source,) = volumes(graph, "worker")["identity"]["projected"]["sources"]
    assert source["serviceAccountToken"] == {
        "path": "token",
        "audience": f"https://{HOST}",
        "expirationSeconds": 600,
    }
    assert variables(container(graph, "worker"))["LOOMSTEAD_TOKEN"] == "/var/run/loomstead/identity/token"


def test_the_gateway_gets_the_secrets_it_reads_and_no_other(graph: Graph) -> None:
    always, lent = (each["secret"] for each in volumes(graph, "gateway")["secrets"]["projected"]["sources"])
    assert always["name"] == lent["name"] == "secrets"
    assert {each["key"] for each in always["items"]} == {
        "issuer.jwk",
        "ledger.key",
        "subjects.key",
        "webhook.key",
        "gateway.pgpass",
    }
    assert not always.get("optional")
    assert {each["key"] for each in lent["items"]} == {"issuer.previous.jwk", "upstream.mistral.key"}
    assert lent["optional"] is True


def test_the_gateway_alone_asks_the_api_server_for_its_keys() -> None:
    cloud = gateway(IN_CLOUD)
    spec = cloud.named("fabric-runtime-gateway").properties["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False, "it would be the translator's too"
    assert "account" in mounted(cloud, "gateway")
    assert "account" not in mounted(cloud, "gateway", "initContainers")
    assert variables(container(cloud, "gateway"))["LOOMSTEAD_SERVICE_ACCOUNT"] == "/var/run/loomstead/account"
    paths = [
        each.get("serviceAccountToken", {}).get("path")
        or (each.get("configMap") or each.get("downwardAPI"))["items"][0]["path"]
        for each in volumes(cloud, "gateway")["account"]["projected"]["sources"]
    ]
    assert paths == ["token", "ca.crt", "namespace"]


def test_the_translator_stands_beside_the_gateway_and_has_the_models_credentials_alone() -> None:
    cloud = gateway(IN_CLOUD)
    translator = container(cloud, "gateway", "initContainers")
    assert translator["restartPolicy"] == "Always"
    assert mounted(cloud, "gateway", "initContainers") == {
        "manifest",
        "manifest-key",
        "credentials",
        "socket",
        "scratch",
    }
    (source,) = volumes(cloud, "gateway")["credentials"]["projected"]["sources"]
    assert source["secret"]["items"] == [{"key": "upstream.mistral.key", "path": "upstream.mistral.key"}]
    socket = "/var/run/loomstead/translator/socket"
    assert variables(translator)["LOOMSTEAD_TRANSLATOR"] == socket
    assert variables(container(cloud, "gateway"))["LOOMSTEAD_TRANSLATOR"] == socket
    assert volumes(cloud, "gateway")["socket"]["emptyDir"]["medium"] == "Memory"


def test_without_a_credential_the_translator_gets_nothing_of_the_secret() -> None:
    bare = gateway({**IN_CLOUD, "credentials": []})
    assert "emptyDir" in volumes(bare, "gateway")["credentials"]
    for source in volumes(bare, "gateway")["secrets"]["projected"]["sources"]:
        assert source["secret"]["items"], "no items would be all of them"


def test_another_manifest_is_another_pod_template_and_a_new_config_map(graph: Graph) -> None:
    other = gateway({**ARGS, "manifest": '{"manifest": {"version": 1}}'})
    name = "fabric-runtime-manifest"
    assert graph.named(name).properties["metadata"]["name"] != other.named(name).properties["metadata"]["name"]
    for workload in ("gateway", "worker", "provision"):
        before, after = volumes(graph, workload)["manifest"], volumes(other, workload)["manifest"]
        assert before["configMap"]["name"] != after["configMap"]["name"]


def test_the_sizes_grow_and_replicas_given_are_kept_by_autoscaler_and_workers() -> None:
    assert [size.replicas for size in SIZES.values()] == sorted(size.replicas for size in SIZES.values())
    many = gateway({**ARGS, "replicas": 7})
    assert many.named("fabric-runtime-gateway-scaling").properties["spec"]["minReplicas"] == 7
    assert many.named("fabric-runtime-gateway-scaling").properties["spec"]["maxReplicas"] == 7
    assert many.named("fabric-runtime-worker").properties["spec"]["replicas"] == 7
    assert "replicas" not in many.named("fabric-runtime-gateway").properties["spec"], "the autoscaler says how many"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"size": "huge"}, "no size 'huge'; sizes are small, medium, large"),
        ({"image": "registry.internal/loomstead:1"}, "gateway.image: .* is not named by its digest"),
        ({"replicas": 1}, "gateway.replicas: 1 is not 2 at least"),
        ({"store": "files"}, "no store 'files'"),
        ({"database_ca": "PEM"}, "either database_ca or authority"),
        ({"stack": "A"}, "stack: 'A' is no label's value"),
    ],
)
def test_arguments_that_fit_no_gateway_are_refused_before_anything_is_made(wrong: Any, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        gateway({**ARGS, **wrong})


@pytest.mark.parametrize(
    ("lacking", "reason"),
    [
        ("certificate_issuer", "a gateway_class needs a certificate_issuer"),
        ("orchestrator_namespace", "an orchestrator_secret needs an orchestrator_namespace"),
        ("authority", "either database_ca or authority"),
    ],
)
def test_half_of_what_belongs_together_is_refused(lacking: str, reason: str) -> None:
    args: Any = {key: value for key, value in ARGS.items() if key != lacking}
    with pytest.raises(Refused, match=reason):
        gateway(args)


@pytest.mark.parametrize("args", [ARGS, IN_CLOUD])
def test_the_real_api_server_takes_every_object(fenced: Cluster, args: KubernetesGatewayArgs) -> None:
    for each in manifests(gateway(args)):
        assert fenced.apply(each)["metadata"]["name"] == each["metadata"]["name"]


@pytest.mark.parametrize("args", [ARGS, IN_CLOUD])
def test_every_pod_is_let_into_its_fenced_namespace(fenced: Cluster, args: KubernetesGatewayArgs) -> None:
    stack = CLOUD if args is IN_CLOUD else STACK
    asked = list(pods(gateway(args)))
    for each in asked:
        each["metadata"]["namespace"] = each["metadata"]["namespace"].replace(f"{STACK}-", f"{stack}-")
    assert len(asked) == 3
    assert {each["metadata"]["name"]: fenced.refusal(each) for each in asked} == {
        "provision-job": None,
        "gateway-deployment": None,
        "worker-deployment": None,
    }


def test_the_fence_refuses_the_same_pod_with_root_or_from_elsewhere(fenced: Cluster, graph: Graph) -> None:
    for pod in pods(graph):
        own = pod["spec"]["serviceAccountName"]
        rooted = json.loads(json.dumps(pod))
        rooted["spec"]["containers"][0]["securityContext"] = {"privileged": True}
        assert 'violates PodSecurity "restricted:v1.35"' in (fenced.refusal(rooted) or "")
        foreign = json.loads(json.dumps(pod))
        foreign["spec"]["containers"][0]["image"] = IMAGE.replace("registry.internal", "docker.io/library")
        said = fenced.refusal(foreign) or ""
        assert "images come from registry.internal alone" in said or (own == "provision" and "image" in said)


class Account:
    """A ServiceAccount's own view of the API server."""

    def __init__(self, server: ApiServer, name: str, place: str) -> None:
        api = config.new_client_from_config(config_file=str(server.kubeconfig))
        api.set_default_header("Impersonate-User", f"system:serviceaccount:{place}:{name}")
        self._secrets = client.CoreV1Api(api)

    def writes(self, name: str, place: str = namespace(Part.RUNTIME)) -> int | None:
        """What the server says of a server-side apply."""
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {"a": "YQ=="}}
        try:
            self._secrets.patch_namespaced_secret(
                name, place, body, field_manager="provision", _content_type="application/apply-patch+yaml"
            )
        except client.ApiException as refused:
            return refused.status
        return 200

    def creates(self, name: str) -> int | None:
        body = client.V1Secret(metadata=client.V1ObjectMeta(name=name))
        try:
            self._secrets.create_namespaced_secret(namespace(Part.RUNTIME), body)
        except client.ApiException as refused:
            return refused.status
        return 201


def test_the_job_alone_writes_the_one_secret_and_no_other(fenced: Cluster, api_server: ApiServer, graph: Graph) -> None:
    for each in manifests(graph):
        fenced.apply(each)
    job = Account(api_server, "provision", namespace(Part.PRIMARY))
    assert job.writes("secrets") == 200
    assert job.writes("secrets") == 200, "again, where it is there"
    assert job.writes("temporal", namespace(Part.ORCHESTRATOR)) == 200
    assert job.writes("others") == 403
    assert job.writes("secrets", namespace(Part.PRIMARY)) == 403
    assert job.creates("secrets") == 403, "a POST names nothing to the authoriser"
    for other in ("gateway", "worker", "provision"):
        assert Account(api_server, other, namespace(Part.RUNTIME)).writes("secrets") == 403
