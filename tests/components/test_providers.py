"""Providers are made for one account, subscription, project or cluster of the stack's list, and for no other."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pulumi
import pytest

from components.providers import NotAllowed, aws_provider, azure_provider, gcp_provider, kubernetes_provider
from tests.fixtures.recording import record

Maker = Callable[[str], pulumi.ProviderResource]
MAKERS: dict[str, Maker] = {
    "aws": lambda asked: aws_provider("aws", "eu-central-1", asked, {"mine"}, {"stack": "s"}),
    "azure-native": lambda asked: azure_provider("azure", "swedencentral", "public", asked, {"mine"}),
    "gcp": lambda asked: gcp_provider("gcp", "u-france-east1", "s3nsapis.fr", asked, {"mine"}, {"stack": "s"}),
    "kubernetes": lambda asked: kubernetes_provider("k8s", "apiVersion: v1", asked, {"mine"}),
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
    "kubernetes": {"context": "mine", "enableServerSideApply": "true"},
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


def test_a_kubeconfig_stays_secret() -> None:
    graph = record(lambda: MAKERS["kubernetes"]("mine"))

    assert "kubeconfig" in graph.component("pulumi:providers:kubernetes").secrets


def test_no_cloud_is_imported_before_it_is_asked_for() -> None:
    program = "import sys, components.providers; print(*(name for name in sys.modules if name.startswith('pulumi_')))"
    repository = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=repository)
    assert run.stdout.split() == []
