"""EKS runs the fabric's own pods and no others: its admission policies, on a real API server."""

import time
from typing import Any

import pytest

from components.kubernetes.parts import PART_LABEL, Part
from tests.conformance.fabrics import fabric
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.workloads import owned, pods, with_interface

STACK = "aws-eu-central-1"
SECONDS = 20
FENCES = ("Namespace", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


@pytest.fixture(scope="module")
def fenced(cluster: Cluster) -> Cluster:
    """What EKS alone knows, security groups of pods and target groups, is left out."""
    for each in manifests(fabric(STACK)):
        if each.get("kind") in FENCES:
            cluster.apply(each)
    until = time.monotonic() + SECONDS
    while "-workloads'" not in (cluster.refusal(unlabelled(asked()["gateway-deployment"])) or ""):
        assert time.monotonic() < until, "the guardrails are not in force"
        time.sleep(0.1)
    return cluster


def asked() -> dict[str, Any]:
    """As EKS sends them on to its policies."""
    return {pod["metadata"]["name"]: with_interface(pod) for pod in pods(fabric(STACK))}


def unlabelled(pod: dict[str, Any]) -> dict[str, Any]:
    return {**pod, "metadata": {**pod["metadata"], "labels": {}}}


def test_the_fabrics_own_pods_are_let_in(fenced: Cluster) -> None:
    assert {name: fenced.refusal(pod) for name, pod in asked().items()} == dict.fromkeys(
        ["gateway-deployment", "worker-deployment", "provision-job", "collector-deployment", "model-deployment"]
    )


def test_a_pod_that_eks_gave_no_interface_of_its_own_is_refused(fenced: Cluster) -> None:
    """Its webhook lets a pod pass while it is down, and the pod would have its node's groups."""
    unseen = {pod["metadata"]["name"]: fenced.refusal(pod) or "" for pod in pods(fabric(STACK))}
    assert unseen.keys() == asked().keys()
    assert [name for name, said in unseen.items() if f"'{STACK}-interface'" not in said] == []


def test_nobody_else_takes_the_role_that_sets_the_databases_password(fenced: Cluster) -> None:
    """By a Job of another name, in another part, as a pod of one's own, or with another image."""
    own = asked()["provision-job"]
    metadata, spec = own["metadata"], own["spec"]
    container = {**spec["containers"][0], "image": spec["containers"][0]["image"].replace("@", "/another@")}
    elsewhere = {"namespace": f"{STACK}-{Part.TOOLS}", "labels": {PART_LABEL: str(Part.RUNTIME)}}
    wrong = [
        {**own, "metadata": {**metadata, "ownerReferences": owned("Job", "migrate")}},
        {**own, "metadata": {**metadata, **elsewhere}},
        {**own, "metadata": {**metadata, "ownerReferences": []}},
        {**own, "spec": {**spec, "containers": [container]}},
    ]
    assert [f"'{STACK}-workloads'" in (fenced.refusal(pod) or "") for pod in wrong] == [True] * len(wrong)
