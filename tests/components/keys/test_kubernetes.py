"""Keys on Kubernetes: the deployer's two key pairs are files, and Pulumi has the value of no secret."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest
from joserfc.jwk import ECKey

from components.infrastructure import Refused
from components.keys.kubernetes import SIGNERS, KubernetesKeys, KubernetesKeysArgs
from components.keys.local import MANIFEST_KEY, SecretFilesProvider
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.recording import Graph, record, reviewed
from tests.fixtures.workloads import unmet

STACK = "keys-test"
ARGS: KubernetesKeysArgs = {
    "stack": STACK,
    "home": "/home/of/the stack",
    "namespace": f"{STACK}-primary",
    "encryption": "kms-plugin vault-transit/k8s-etcd",
}
PUBLIC = {name: {"kty": "EC", "crv": "P-256", "x": name, "y": "y", "kid": name} for name in SIGNERS}
FILES = "pulumi-python:dynamic/local:SecretFiles"
CELL_KEYS: list[tuple[str, str, Mapping[str, Any]]] = [
    ("kubernetes:core/v1:ServiceAccount", "provision", {"automountServiceAccountToken": False}),
    (FILES, "files", {"signers": ["manifest", "operator"]}),
]


def made_up(type_: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    if type_ != FILES:
        return {}
    return {"secrets": f"{inputs['home']}/secrets", "public": PUBLIC, "generation": 1}


def keys(*, preview: bool = False, **more: str) -> Graph:
    def program() -> None:
        provider = pulumi_kubernetes.Provider("cluster", context="test")
        args: KubernetesKeysArgs = {**ARGS, **more}
        KubernetesKeys("fabric-keys", args, pulumi.ResourceOptions(provider=provider))

    return record(program, answers=made_up, preview=preview)


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Any]:
    return {"home": str(tmp_path / "a home"), "signers": [*SIGNERS]}


def test_every_object_has_its_parent_and_the_clusters_an_explicit_provider() -> None:
    graph = keys()
    (root,) = graph.of("loomstead:keys:Keys")
    assert {each.name for each in graph.children(root)} == {"fabric-keys-files", "fabric-keys-provision"}
    assert graph.named("fabric-keys-provision").provider == "cluster"


def test_no_residency_rule_has_anything_against_it() -> None:
    graph = keys()
    of_the_cluster = [each for each in graph.resources if each.type != FILES]
    assert reviewed(Graph(tuple(of_the_cluster), graph.outputs), "eu-gdpr", "onprem") == []


def test_pulumi_makes_no_secret_and_is_told_none() -> None:
    graph = keys()
    assert not [each for each in graph.resources if each.type.endswith((":Secret", ":Role"))]
    outputs = graph.outputs[graph.component("loomstead:keys:Keys").urn]
    assert outputs == {
        "secrets": "secrets",
        "public": PUBLIC,
        "manifest_key": json.dumps(PUBLIC["manifest"], sort_keys=True),
        "generation": 1,
        "signer": "/home/of/the stack/secrets/manifest.jwk",
        "provision": "provision",
        "encryption": ARGS["encryption"],
    }


def test_the_deployer_has_two_key_pairs_and_nothing_else(inputs: dict[str, Any]) -> None:
    outputs = SecretFilesProvider().create(inputs).outs
    assert outputs is not None
    folder = Path(outputs["secrets"])
    assert {path.name for path in folder.iterdir()} == {"manifest.jwk", "operator.jwk", MANIFEST_KEY}
    assert outputs["public"].keys() == {*SIGNERS}
    for name in SIGNERS:
        private = ECKey.import_key(json.loads((folder / f"{name}.jwk").read_bytes()))
        assert outputs["public"][name]["kid"] == private.thumbprint()
        assert str(private.as_dict(private=True)["d"]) not in json.dumps(outputs)


def test_keys_that_are_there_are_kept_and_a_lost_one_is_made_anew(inputs: dict[str, Any]) -> None:
    provider = SecretFilesProvider()
    outputs = provider.create(inputs).outs
    assert outputs is not None
    (Path(outputs["secrets"]) / "operator.jwk").unlink()
    assert not provider.healthy(inputs, provider.read("id", outputs).outs or {})
    again = provider.update("id", outputs, inputs).outs
    assert again is not None
    assert again["public"]["manifest"] == outputs["public"]["manifest"]
    assert again["public"]["operator"] != outputs["public"]["operator"]
    assert (outputs["generation"], again["generation"]) == (1, 2)
    assert provider.healthy(inputs, again)


def test_a_cluster_without_a_key_outside_it_is_refused() -> None:
    with pytest.raises(Refused, match=r"cluster\.key: expected a reference to the key"):
        keys(encryption="")


def test_the_real_api_server_takes_every_object(cluster: Cluster) -> None:
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ARGS["namespace"]}})
    (account,) = [cluster.apply(each) for each in manifests(keys())]
    assert account["automountServiceAccountToken"] is False


def test_it_is_what_its_cell_of_capabilities_says() -> None:
    assert unmet(keys(), CELL_KEYS) == []
