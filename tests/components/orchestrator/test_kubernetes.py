"""Temporal's objects on a cluster, and that a fenced API server takes them.

That its own program reads the configuration was seen once with config.Load of temporalio/temporal 1.31.2, whose sources
the module names; that program is not here.
"""

import json
from typing import Any

import pytest

from components.infrastructure import Refused
from components.kubernetes.parts import REGION_LABEL, TEMPORAL_SERVICES, Part
from components.orchestrator.kubernetes import (
    SERVER,
    SIZES,
    TOOLS,
    KubernetesOrchestrator,
    KubernetesOrchestratorArgs,
)
from components.orchestrator.temporal import HISTORY_SHARDS, Database, config_text
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.recording import Graph, conforms, reviewed
from tests.fixtures.workloads import REGION, REGISTRY, STACK, Cell, namespace, on_cluster, pods, unmet

ARGS: KubernetesOrchestratorArgs = {
    "stack": STACK,
    "region": REGION,
    "namespace": namespace(Part.ORCHESTRATOR),
    "registry": REGISTRY,
    "size": "small",
    "database_host": "primary-rw.fenced-primary.svc.cluster.local",
    "database_port": 5432,
    "secret": "temporal",
    "after": [],
}
CONTAINER = "spec.template.spec.containers.0"
JOB = "kubernetes:batch/v1:Job"
CELL_ORCHESTRATOR: Cell = [
    *(
        (
            "kubernetes:apps/v1:Deployment",
            f"-{service}",
            {
                f"{CONTAINER}.image": f"{REGISTRY}/{SERVER}",
                f"{CONTAINER}.readinessProbe": ...,
                f"{CONTAINER}.livenessProbe": ...,
                f"{CONTAINER}.startupProbe": ...,
                f"{CONTAINER}.securityContext.readOnlyRootFilesystem": True,
                "spec.replicas": 2,
                "spec.strategy.rollingUpdate.maxUnavailable": 0,
                "spec.template.spec.nodeSelector": {REGION_LABEL: REGION},
                "spec.template.spec.securityContext.runAsNonRoot": True,
            },
        )
        for service in TEMPORAL_SERVICES
    ),
    *(
        ("kubernetes:policy/v1:PodDisruptionBudget", f"-{service}-disruption", {"spec.maxUnavailable": 1})
        for service in TEMPORAL_SERVICES
    ),
    (JOB, "-schema", {f"{CONTAINER}.image": f"{REGISTRY}/{TOOLS}"}),
    (JOB, "-namespace", {f"{CONTAINER}.image": f"{REGISTRY}/{TOOLS}"}),
    ("kubernetes:core/v1:ConfigMap", "-config", {"immutable": True, "data": ...}),
    ("kubernetes:core/v1:Service", "-service", {"spec.type": "ClusterIP", "spec.ports.0.port": 7233}),
]


def orchestrator(args: KubernetesOrchestratorArgs = ARGS, *, preview: bool = False) -> Graph:
    return on_cluster(lambda opts: KubernetesOrchestrator("fabric-temporal", args, opts), preview=preview)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return orchestrator()


@pytest.mark.parametrize("preview", [True, False])
def test_every_object_has_its_parent_and_an_explicit_provider(preview: bool) -> None:
    conforms(orchestrator(preview=preview), "loomstead:orchestrator:Orchestrator")


def test_no_residency_rule_has_anything_against_it(graph: Graph) -> None:
    assert reviewed(graph, "eu-gdpr", "onprem") == []


def test_it_is_what_the_table_claims(graph: Graph) -> None:
    assert unmet(graph, CELL_ORCHESTRATOR) == []


def test_the_manifest_is_told_its_name_before_it_answers(graph: Graph) -> None:
    """The gateway is ready once Temporal is, so nothing that the gateway needs may wait for Temporal's pods."""
    outputs = graph.outputs[graph.component("loomstead:orchestrator:Orchestrator").urn]
    address = "temporal.fenced-orchestrator.svc.cluster.local:7233"
    assert outputs == {"endpoint": {"kind": "temporal", "address": address, "ui": ""}, "ui": ""}


def test_the_schema_comes_first_and_the_namespace_last(graph: Graph) -> None:
    schema = graph.named("fabric-temporal-schema").urn
    for service in TEMPORAL_SERVICES:
        server = graph.named(f"fabric-temporal-{service}")
        assert schema in server.dependencies
        assert server.urn in graph.named("fabric-temporal-namespace").dependencies


def config(graph: Graph) -> dict[str, Any]:
    first, _, rest = graph.named("fabric-temporal-config").properties["data"]["config.yaml"].partition("\n")
    assert first == "# enable-template"
    return json.loads(rest)


def test_the_number_of_shards_is_one_that_no_size_changes(graph: Graph) -> None:
    """A server with another number than its database was made with does not start."""
    assert HISTORY_SHARDS == 512
    for size in SIZES:
        told = config(orchestrator({**ARGS, "size": size}))
        assert told["persistence"]["numHistoryShards"] == 512


def test_every_session_with_postgresql_is_encrypted_and_its_server_known_by_name(graph: Graph) -> None:
    for store in config(graph)["persistence"]["datastores"].values():
        assert store["sql"]["tls"] == {
            "enabled": True,
            "caFile": "/var/run/loomstead/database/database.ca.crt",
            "enableHostVerification": True,
            "serverName": ARGS["database_host"],
        }
    (schema,) = graph.named("fabric-temporal-schema").properties["spec"]["template"]["spec"]["containers"]
    told = {each["name"]: each["value"] for each in schema["env"]}
    assert told["SQL_TLS"] == "true"
    assert told["SQL_TLS_SERVER_NAME"] == ARGS["database_host"]
    assert "SQL_TLS_DISABLE_HOST_VERIFICATION" not in told


def test_the_password_is_in_no_variable_and_in_no_configuration(graph: Graph) -> None:
    assert graph.of("kubernetes:core/v1:Secret") == []
    for store in config(graph)["persistence"]["datastores"].values():
        assert "password" not in store["sql"]
        assert store["sql"]["passwordCommand"]["args"] == ["/var/run/loomstead/database/password"]
    for pod in pods(graph):
        for container in pod["spec"]["containers"]:
            assert not [each for each in container["env"] if "PASSWORD" in each["name"]]


def test_each_service_binds_to_its_pods_address_where_the_others_find_it(graph: Graph) -> None:
    told = config(graph)
    assert told["global"]["membership"]["broadcastAddress"] == "{{ env `POD_IP` }}"
    for service, (port, membership) in TEMPORAL_SERVICES.items():
        assert told["services"][service]["rpc"] == {
            "grpcPort": port,
            "membershipPort": membership,
            "bindOnIP": "{{ env `POD_IP` }}",
        }
        (server,) = graph.named(f"fabric-temporal-{service}").properties["spec"]["template"]["spec"]["containers"]
        assert server["env"] == [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
        assert server["command"][-2:] == ["--service", service]


def test_another_database_is_another_config_map_and_another_pod_template(graph: Graph) -> None:
    other = orchestrator({**ARGS, "database_host": "elsewhere.fenced-primary.svc"})
    for name in ("frontend", "history"):
        before, after = (
            each.named(f"fabric-temporal-{name}").properties["spec"]["template"]["spec"]["volumes"]
            for each in (graph, other)
        )
        assert before != after


def test_a_pods_sessions_grow_with_the_size() -> None:
    def sessions(size: str) -> int:
        found = SIZES[size]
        return sum(found.connections.values()) * found.replicas * len(TEMPORAL_SERVICES)

    assert sessions("small") < 100, "PostgreSQL's own default, of which others take some"
    assert sessions("small") < sessions("medium") < sessions("large")


def test_the_text_is_the_same_for_the_same_database() -> None:
    database = Database("db", 5432, "temporal", "/password", "/ca", {"default": 1, "visibility": 1})
    assert config_text(database, "temporal:7233") == config_text(database, "temporal:7233")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"size": "huge"}, "no size 'huge'; sizes are small, medium, large"),
        ({"replicas": 1}, r"orchestrator\.replicas: 1 is not 2 at least"),
        ({"server_image": "registry.internal/temporal:1"}, r"orchestrator\.server_image: .* by its digest"),
        ({"tools_image": "registry.internal/temporal:1"}, r"orchestrator\.tools_image: .* by its digest"),
        ({"registry": ""}, r"orchestrator\.server_image"),
    ],
)
def test_arguments_that_fit_no_temporal_are_refused_before_anything_is_made(wrong: Any, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        orchestrator({**ARGS, **wrong})


def test_the_real_api_server_takes_every_object_and_lets_every_pod_in(fenced: Cluster, graph: Graph) -> None:
    for each in manifests(graph):
        assert fenced.apply(each)["metadata"]["name"] == each["metadata"]["name"]
    asked = list(pods(graph))
    assert len(asked) == len(TEMPORAL_SERVICES) + 2
    assert [refusal for pod in asked if (refusal := fenced.refusal(pod))] == []


def test_the_fence_refuses_the_same_image_from_elsewhere(fenced: Cluster) -> None:
    elsewhere = orchestrator({**ARGS, "registry": "docker.io"})
    for pod in pods(elsewhere):
        assert "images come from registry.internal alone" in (fenced.refusal(pod) or "")
