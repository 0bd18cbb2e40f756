"""What every pod has, whoever asks for it; the workloads prove that the restricted standard takes it."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi_kubernetes.apps.v1 import Deployment, DeploymentSpecArgs

from components.infrastructure import Refused
from components.kubernetes.pods import USER, Container, Needs, Pod, Pods, folder, image_by_digest, probe
from tests.fixtures.workloads import DIGEST, IMAGE, on_cluster

PODS = Pods("fenced", "onprem", "runtime", "app", "fenced-runtime")
BARE = Container(name="app", image=IMAGE, needs=Needs("1", "1Gi"), command=["run"])


def spec(pod: Pod, pods: Pods = PODS) -> dict[str, Any]:
    """Of the pod that the SDK sends."""

    def create(opts: Any) -> None:
        template = DeploymentSpecArgs(selector=pods.selected, template=pods.template(pod))
        Deployment("app", metadata=pods.metadata(), spec=template, opts=opts)

    return on_cluster(create).named("app").properties["spec"]["template"]["spec"]


def test_no_pod_is_root_or_has_what_it_does_not_need() -> None:
    told = spec(Pod(containers=[BARE]))
    assert told["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert told["automountServiceAccountToken"] is False
    assert told["enableServiceLinks"] is False
    assert told["nodeSelector"] == {"topology.kubernetes.io/region": "onprem"}
    assert told["topologySpreadConstraints"][0]["topologyKey"] == "topology.kubernetes.io/zone"
    (app,) = told["containers"]
    assert app["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert app["resources"] == {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}


def test_a_container_writes_to_its_own_tmp_and_to_what_is_named_alone() -> None:
    app = Container(
        name="app", image=IMAGE, needs=Needs("1", "1Gi"), command=["run"], mounts={"a": "/a"}, writes={"b": "/b"}
    )
    told = spec(Pod(containers=[app], volumes=[folder("a", "1Mi"), folder("b", "1Mi")]))
    mounts = {each["mountPath"]: each.get("readOnly", False) for each in told["containers"][0]["volumeMounts"]}
    assert mounts == {"/a": True, "/b": False, "/tmp": False}


def test_who_calls_the_api_server_and_who_ends_says_so() -> None:
    told = spec(Pod(containers=[BARE], calls_server=True, once=True, account="job"))
    assert told["automountServiceAccountToken"] is True
    assert told["serviceAccountName"] == "job"
    assert told["restartPolicy"] == "Never"


def test_a_probe_asks_by_http_by_a_connection_or_by_a_command() -> None:
    app = Container(
        name="app",
        image=IMAGE,
        needs=Needs("1", "1Gi"),
        command=["run"],
        starts=probe(command=["true"]),
        ready=probe("/readyz", port=1),
        alive=probe(port=2),
    )
    (told,) = spec(Pod(containers=[app]))["containers"]
    assert told["startupProbe"]["exec"] == {"command": ["true"]}
    assert told["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": 1}
    assert told["livenessProbe"]["tcpSocket"] == {"port": 2}


@pytest.mark.parametrize("image", ["", "a", "a:1", "a:1@sha256:00", f"A{DIGEST}", f"a{DIGEST}0", f"a b{DIGEST}"])
def test_an_image_that_no_digest_names_is_refused_by_its_key(image: str) -> None:
    with pytest.raises(Refused, match=r"^gateway\.image: .* is not named by its digest"):
        image_by_digest(image, "gateway.image")


@given(st.text("abc./:@", min_size=1), st.text("0123456789abcdef", min_size=64, max_size=64))
def test_what_passes_ends_with_a_digest(name: str, digest: str) -> None:
    image = f"{name}@sha256:{digest}"
    if re.fullmatch(r"[a-z0-9][a-z0-9.:/_-]*", name):
        assert image_by_digest(image, "image") == image
    else:
        with pytest.raises(Refused):
            image_by_digest(image, "image")


@pytest.mark.parametrize("region", ["", "A", "a_b", "-a", "a" * 64])
def test_what_is_no_labels_value_is_refused(region: str) -> None:
    with pytest.raises(Refused, match=r"region: .* is no label's value"):
        Pods("fenced", region, "runtime", "app", "fenced-runtime")
