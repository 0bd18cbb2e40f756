"""Providers are made for one account, subscription, project or cluster of the stack's list, and for no other."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pulumi
import pytest

from components.providers import NotAllowed, aws_provider, azure_provider, gcp_provider, kubernetes_provider
from tests.fixtures.recording import record

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: elsewhere
contexts:
- {name: fabric, context: {cluster: near, user: me}}
- {name: elsewhere, context: {cluster: far, user: me}}
- {name: dangling, context: {cluster: none, user: me}}
- {name: twice, context: {cluster: near, user: me}}
- {name: twice, context: {cluster: far, user: me}}
clusters:
- {name: near, cluster: {server: mine}}
- {name: far, cluster: {server: other}}
users: []
"""
CONTEXTS = {"mine": "fabric", "other": "elsewhere"}

Maker = Callable[[str], pulumi.ProviderResource]
MAKERS: dict[str, Maker] = {
    "aws": lambda asked: aws_provider("aws", "eu-central-1", asked, {"mine"}, {"stack": "s"}),
    "azure-native": lambda asked: azure_provider("azure", "swedencentral", "public", asked, {"mine"}),
    "gcp": lambda asked: gcp_provider("gcp", "u-france-east1", "s3nsapis.fr", asked, {"mine"}, {"stack": "s"}),
    "kubernetes": lambda asked: kubernetes_provider("k8s", KUBECONFIG, CONTEXTS[asked], {"mine"}),
}
EXPECTED: dict[str, dict[str, str]] = {
    "aws": {
        "region": "eu-central-1",
        "allowedAccountIds": '["mine"]',
        "defaultTags": '{"tags": {"stack": "s"}}',
    },
    "azure-native": {"location": "swedencentral", "subscriptionId": "mine", "disablePulumiPartnerId": "true"},
    "gcp": {
        "region": "u-france-east1",
        "universeDomain": "s3nsapis.fr",
        "project": "mine",
        "defaultLabels": '{"stack": "s"}',
    },
    "kubernetes": {"context": "fabric", "enableServerSideApply": "true"},
}


@pytest.mark.parametrize("package", sorted(MAKERS))
def test_a_provider_says_where_it_works(package: str) -> None:
    graph = record(lambda: MAKERS[package]("mine"))
    (made,) = graph.of(f"pulumi:providers:{package}")

    assert {key: made.properties[key] for key in EXPECTED[package]} == EXPECTED[package]


@pytest.mark.parametrize("package", sorted(MAKERS))
def test_what_is_not_on_the_list_is_refused(package: str) -> None:
    with pytest.raises(NotAllowed, match=r"'other' is not allowed here \(allowed: mine\)"):
        MAKERS[package]("other")


def test_a_context_that_is_named_as_an_allowed_one_is_held_to_its_server() -> None:
    renamed = KUBECONFIG.replace("server: mine", "server: https://production.example:6443")
    with pytest.raises(NotAllowed, match=r"server 'https://production\.example:6443' is not allowed here"):
        kubernetes_provider("k8s", renamed, "fabric", {"fabric", "near", "mine"})


@pytest.mark.parametrize("context", ["unknown", "dangling", "twice", ""])
def test_a_context_of_no_one_server_is_refused(context: str) -> None:
    with pytest.raises(NotAllowed, match=f"context '{context}': the kubeconfig does not say once which server"):
        kubernetes_provider("k8s", KUBECONFIG, context, {"mine", "other"})


@pytest.mark.parametrize("kubeconfig", ["", "/home/me/.kube/config", "contexts: [", "contexts: [1]", "apiVersion: v1"])
def test_what_is_no_kubeconfig_is_refused(kubeconfig: str) -> None:
    with pytest.raises(NotAllowed, match="give the kubeconfig's text"):
        kubernetes_provider("k8s", kubeconfig, "fabric", {"mine"})


def test_a_kubeconfig_stays_secret() -> None:
    graph = record(lambda: MAKERS["kubernetes"]("mine"))

    assert "kubeconfig" in graph.component("pulumi:providers:kubernetes").secrets


def test_no_cloud_is_imported_before_it_is_asked_for() -> None:
    program = "import sys, components.providers; print(*(name for name in sys.modules if name.startswith('pulumi_')))"
    repository = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=repository)
    assert run.stdout.split() == []
