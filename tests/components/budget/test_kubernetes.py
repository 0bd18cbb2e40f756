"""Budget on Kubernetes: a quota and a range for each namespace, on the real API server.

No controller runs there that counts, so a quota refuses nothing here.
"""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest

from components.budget.kubernetes import SIZES, KubernetesBudget, KubernetesBudgetArgs
from components.infrastructure import Refused
from components.kubernetes.parts import Part
from components.postgres import kubernetes as postgres
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.recording import Graph, conforms, record, reviewed
from tests.fixtures.workloads import unmet

STACK = "budget-test"
ARGS: KubernetesBudgetArgs = {
    "stack": STACK,
    "namespaces": {part: f"{STACK}-{part}" for part in Part},
    "size": "small",
    "gpus": 2,
}
QUOTA = "kubernetes:core/v1:ResourceQuota"
CELL_BUDGET: list[tuple[str, str, Mapping[str, Any]]] = [
    *((QUOTA, str(part), {"spec.hard": ..., "metadata.namespace": ...}) for part in Part),
    *(("kubernetes:core/v1:LimitRange", f"{part}-range", {"spec.limits.0.type": "Container"}) for part in Part),
]


def budget(*, preview: bool = False, **more: Any) -> Graph:
    def program() -> None:
        provider = pulumi_kubernetes.Provider("cluster", context="test")
        args: KubernetesBudgetArgs = {**ARGS, **more}
        KubernetesBudget("fabric-budget", args, pulumi.ResourceOptions(provider=provider))

    return record(program, preview=preview)


def hard(graph: Graph, part: Part) -> Mapping[str, str]:
    return graph.named(f"fabric-budget-{part}").properties["spec"]["hard"]


@pytest.mark.parametrize("preview", [True, False])
def test_every_object_has_its_parent_and_an_explicit_provider(preview: bool) -> None:
    graph = budget(preview=preview)
    conforms(graph, "loomstead:budget:Budget")
    assert reviewed(graph, "eu-gdpr", "onprem") == []
    if not preview:
        assert graph.outputs[graph.component("loomstead:budget:Budget").urn] == {"id": "fabric"}


@pytest.mark.parametrize("size", sorted(SIZES))
def test_each_namespace_has_a_quota_and_only_the_models_get_accelerators(size: str) -> None:
    graph = budget(size=size)
    assert SIZES[size].keys() == {*Part}
    for part in Part:
        said = hard(graph, part)
        assert said["requests.nvidia.com/gpu"] == ("2" if part is Part.MODELS else "0")
        assert (said["services.loadbalancers"], said["services.nodeports"]) == ("0", "0")
        assert int(said["pods"]) > 0


@pytest.mark.parametrize("size", sorted(SIZES))
def test_the_databases_of_a_size_fit_in_its_quota(size: str) -> None:
    graph, meant = budget(size=size), postgres.SIZES[size]
    for part, instances in ((Part.PRIMARY, 1 + meant.standbys), (Part.REPLICA, meant.replicas)):
        said = hard(graph, part)
        assert instances * int(meant.cpu) < int(said["requests.cpu"])
        assert instances * meant.memory < int(said["requests.memory"].removesuffix("Gi"))
        assert instances * (meant.storage + meant.log) < int(said["requests.storage"].removesuffix("Gi"))


def test_another_maker_of_accelerators_has_its_own_name() -> None:
    said = hard(budget(gpu="amd.com/gpu"), Part.MODELS)
    assert said["requests.amd.com/gpu"] == "2"
    assert "requests.nvidia.com/gpu" not in said


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"size": "huge"}, "no size 'huge'"),
        ({"gpus": -1}, "expected 0 or more"),
        ({"namespaces": {Part.RUNTIME: "a"}}, "this fabric hosts no model"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told):
        budget(**wrong)


def test_the_real_api_server_takes_every_object(cluster: Cluster) -> None:
    for part in Part:
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{STACK}-{part}"}})
    kept = [cluster.apply(each) for each in manifests(budget())]
    assert {each["kind"] for each in kept} == {"ResourceQuota", "LimitRange"}


def test_it_is_what_its_cell_of_capabilities_says() -> None:
    assert unmet(budget(), CELL_BUDGET) == []
