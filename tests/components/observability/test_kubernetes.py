"""The collector: what it takes, what it takes out, where it sends the rest; its objects on the real API server.

No collector runs here: its configuration is read as data, and the patterns in it by Python's own expressions, which
mean the same as Go's where these are used.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest

from components.infrastructure import Refused
from components.kubernetes.parts import Part
from components.observability.kubernetes import (
    CONTENT,
    IMAGE,
    SIZES,
    KubernetesObservability,
    KubernetesObservabilityArgs,
)
from tests.fixtures import workloads
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.recording import Graph, conforms, record, reviewed
from tests.fixtures.workloads import unmet

STACK = "observability-test"
NAMESPACE = f"{STACK}-observability"
ARGS: KubernetesObservabilityArgs = {
    "stack": STACK,
    "region": "onprem",
    "namespace": NAMESPACE,
    "registry": "registry.internal",
    "size": "small",
    "telemetry": {"metrics": "https://otlp.corp.example"},
    "sinks": {"siem": "https://siem.corp.example:4318"},
    "content": False,
}
CELL_OBSERVABILITY: list[tuple[str, str, Mapping[str, Any]]] = [
    (
        "kubernetes:apps/v1:Deployment",
        "collector",
        {
            "spec.replicas": 2,
            "spec.template.spec.containers.0.image": ...,
            "spec.template.spec.nodeSelector": ...,
            "spec.template.spec.automountServiceAccountToken": False,
        },
    ),
    ("kubernetes:core/v1:ConfigMap", "config", {"immutable": True, "data": ...}),
    ("kubernetes:core/v1:Service", "service", {"spec.type": "ClusterIP"}),
    ("kubernetes:policy/v1:PodDisruptionBudget", "disruption", {"spec.maxUnavailable": 1}),
]


def observability(*, preview: bool = False, **more: Any) -> Graph:
    def program() -> None:
        provider = pulumi_kubernetes.Provider("cluster", context="test")
        args: KubernetesObservabilityArgs = {**ARGS, **more}
        KubernetesObservability("fabric-observability", args, pulumi.ResourceOptions(provider=provider))

    return record(program, preview=preview)


def configured(graph: Graph) -> dict[str, Any]:
    return json.loads(graph.named("fabric-observability-config").properties["data"]["collector.yaml"])


def told(graph: Graph) -> Mapping[str, Any]:
    return graph.outputs[graph.component("loomstead:observability:Observability").urn]


@pytest.mark.parametrize("preview", [True, False])
def test_every_object_has_its_parent_and_an_explicit_provider(preview: bool) -> None:
    graph = observability(preview=preview)
    conforms(graph, "loomstead:observability:Observability")
    assert reviewed(graph, "eu-gdpr", "onprem") == []


def test_the_outputs_say_where_each_signal_goes() -> None:
    assert told(observability()) == {
        "logs": "https://siem.corp.example:4318",
        "traces": "https://otlp.corp.example",
        "metrics": "https://otlp.corp.example",
        "alarms": [],
        "endpoint": f"http://collector.{NAMESPACE}.svc.cluster.local:4318",
    }


def test_it_sends_to_declared_hosts_alone_and_nothing_to_nobody() -> None:
    said = configured(observability())
    assert {name: exporter["endpoint"] for name, exporter in said["exporters"].items()} == {
        "otlphttp/metrics": "https://otlp.corp.example",
        "otlphttp/siem": "https://siem.corp.example:4318",
    }
    assert {name: each["exporters"] for name, each in said["service"]["pipelines"].items()} == {
        "traces": ["otlphttp/metrics"],
        "metrics": ["otlphttp/metrics"],
        "logs": ["otlphttp/siem"],
    }
    assert "logs" not in configured(observability(sinks={}))["service"]["pipelines"]


@pytest.mark.parametrize("content", [True, False])
def test_every_part_of_the_configuration_is_used_and_there(content: bool) -> None:
    said = configured(observability(content=content, pipelines={"logs/gateway": ["debug"]}, exporters={"debug": {}}))
    pipelines = said["service"]["pipelines"].values()
    assert {each for found in pipelines for each in found["processors"]} == said["processors"].keys()
    assert {each for found in pipelines for each in found["exporters"]} == said["exporters"].keys()
    assert {each for found in pipelines for each in found["receivers"]} == said["receivers"].keys()
    assert set(said["service"]["extensions"]) == said["extensions"].keys()


def test_what_models_were_told_and_said_is_taken_out_before_anything_leaves() -> None:
    said = configured(observability())
    for pipeline in said["service"]["pipelines"].values():
        order = pipeline["processors"]
        assert order[0] == "memory_limiter"
        assert {"attributes/content", "filter/content"} <= {*order[: order.index("batch")]}
    assert said["processors"]["attributes/content"] == {"actions": [{"pattern": CONTENT, "action": "delete"}]}
    events = said["processors"]["filter/content"]
    assert events["error_mode"] == "propagate"
    for (condition,) in (events["traces"]["spanevent"], events["logs"]["log_record"]):
        (pattern,) = re.findall(r'"(.*)"', condition)
        assert re.match(pattern.replace("\\\\", "\\"), "gen_ai.client.inference.operation.details")


def test_with_content_allowed_nothing_is_taken_out() -> None:
    said = configured(observability(content=True))
    assert not [name for name in said["processors"] if "content" in name]


@pytest.mark.parametrize(
    "attribute",
    [
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "gen_ai.tool.definitions",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "gen_ai.prompt",
        "gen_ai.prompt.0.content",
        "gen_ai.completion.0.content",
    ],
)
def test_each_attribute_that_holds_content_is_one_that_is_deleted(attribute: str) -> None:
    assert re.search(CONTENT, attribute)


@pytest.mark.parametrize(
    "attribute", ["gen_ai.request.model", "gen_ai.usage.input_tokens", "gen_ai.tool.name", "gen_ai.tool.call.id"]
)
def test_what_says_nothing_of_content_stays(attribute: str) -> None:
    assert not re.search(CONTENT, attribute)


def test_a_clouds_own_exporters_get_what_is_said_and_a_services_logs_theirs_alone() -> None:
    graph = observability(
        telemetry={},
        sinks={},
        exporters={"awsxray": {"region": "eu-central-1"}, "awscloudwatchlogs/gateway": {"region": "eu-central-1"}},
        extensions={"sigv4auth": {"region": "eu-central-1"}},
        pipelines={"traces": ["awsxray"], "logs/gateway": ["awscloudwatchlogs/gateway"]},
        account="collector-of-the-cloud",
    )
    said = configured(graph)
    assert said["service"]["extensions"] == ["health_check", "sigv4auth"]
    assert said["service"]["pipelines"]["logs/gateway"]["processors"][-2:] == ["filter/gateway", "batch"]
    assert said["processors"]["filter/gateway"]["logs"] == {
        "log_record": ['resource.attributes["service.name"] != "gateway"']
    }
    assert told(graph)["logs"] == "awscloudwatchlogs/gateway"
    pod = graph.named("fabric-observability-collector").properties["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "collector-of-the-cloud"
    assert not [each for each in graph.resources if each.type.endswith(":ServiceAccount")]


def test_another_configuration_is_another_pod_template() -> None:
    def mounted(graph: Graph) -> str:
        pod = graph.named("fabric-observability-collector").properties["spec"]["template"]["spec"]
        (name,) = [each["configMap"]["name"] for each in pod["volumes"] if "configMap" in each]
        assert name == graph.named("fabric-observability-config").properties["metadata"]["name"]
        return name

    assert mounted(observability()) == mounted(observability())
    assert mounted(observability()) != mounted(observability(content=True))


def test_an_image_comes_from_the_stacks_registry_by_its_digest() -> None:
    pod = observability().named("fabric-observability-collector").properties["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"registry.internal/{IMAGE}"


@pytest.mark.parametrize("size", sorted(SIZES))
def test_a_size_says_how_many(size: str) -> None:
    found = observability(size=size).named("fabric-observability-collector").properties
    assert found["spec"]["replicas"] == SIZES[size].replicas


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"size": "huge"}, "no size 'huge'"),
        ({"image": "otel/collector:1"}, "observability.image: .* is not named by its digest"),
        ({"telemetry": {}, "sinks": {}}, "a cluster keeps none of it by itself"),
        ({"sinks": {"metrics": "https://a.example"}}, "logs.sinks.metrics: telemetry has one of that name too"),
        ({"pipelines": {"profiles": ["a"]}}, "'profiles' is no pipeline"),
        ({"pipelines": {"traces/gateway": ["a"]}}, "'traces/gateway' is no pipeline"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        observability(**wrong)


def test_the_real_api_server_takes_every_object(cluster: Cluster) -> None:
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    kept = [cluster.apply(each) for each in manifests(observability())]
    assert {each["kind"] for each in kept} == {
        "ConfigMap",
        "Deployment",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    }


def test_it_is_what_its_cell_of_capabilities_says() -> None:
    assert unmet(observability(), CELL_OBSERVABILITY) == []


def test_a_fenced_api_server_lets_every_pod_in(fenced: Cluster) -> None:
    graph = observability(stack=workloads.STACK, namespace=workloads.namespace(Part.OBSERVABILITY))
    found = [*workloads.pods(graph)]
    assert found
    for pod in found:
        assert fenced.refusal(pod) is None
