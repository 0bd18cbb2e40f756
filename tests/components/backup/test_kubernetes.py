"""Backup on Kubernetes: where the log goes and what is taken at night, by the operators' own definitions."""

import re
from collections.abc import Mapping
from textwrap import dedent
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest
import yaml

from components.backup.kubernetes import PLUGIN, STORE, KubernetesBackup, KubernetesBackupArgs
from components.infrastructure import Refused
from components.naming import REPOSITORY
from components.postgres import kubernetes as postgres
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.recording import Graph, conforms, record, reviewed
from tests.fixtures.workloads import unmet

STACK = "backup-test"
NAMESPACE = f"{STACK}-primary"
ARGS: KubernetesBackupArgs = {
    "stack": STACK,
    "namespace": NAMESPACE,
    "bucket": "s3://loomstead-backup/onprem",
    "endpoint": "https://objects.corp.example:9000",
    "days": 14,
}
CELL_BACKUP: list[tuple[str, str, Mapping[str, Any]]] = [
    (
        "kubernetes:barmancloud.cnpg.io/v1:ObjectStore",
        "store",
        {
            "spec.retentionPolicy": ...,
            "spec.configuration.destinationPath": ...,
            "spec.configuration.wal.encryption": "AES256",
            "spec.configuration.data.encryption": "AES256",
        },
    ),
    (
        "kubernetes:postgresql.cnpg.io/v1:ScheduledBackup",
        "nightly",
        {"spec.cluster.name": "primary", "spec.method": "plugin", "spec.schedule": ...},
    ),
]


def backup(*, preview: bool = False, **more: Any) -> Graph:
    def program() -> None:
        provider = pulumi_kubernetes.Provider("cluster", context="test")
        args: KubernetesBackupArgs = {**ARGS, **more}
        KubernetesBackup("fabric-backup", args, pulumi.ResourceOptions(provider=provider))

    return record(program, preview=preview)


@pytest.mark.parametrize("preview", [True, False])
def test_every_object_has_its_parent_and_an_explicit_provider(preview: bool) -> None:
    graph = backup(preview=preview)
    conforms(graph, "loomstead:backup:Backup")
    assert reviewed(graph, "eu-gdpr", "onprem") == []
    if not preview:
        assert graph.outputs[graph.component("loomstead:backup:Backup").urn] == {"store": ARGS["bucket"]}


def test_it_is_the_primary_that_is_backed_up_by_the_plugin_that_archives_its_log() -> None:
    nightly = backup().named("fabric-backup-nightly").properties["spec"]
    assert nightly["cluster"] == {"name": postgres.PRIMARY}
    assert nightly["pluginConfiguration"] == {"name": PLUGIN}
    assert postgres.PLUGIN == PLUGIN
    store = backup().named("fabric-backup-store")
    assert store.properties["metadata"]["name"] == STORE
    assert store.protect
    assert store.retain_on_delete


def test_the_buckets_key_is_only_referred_to() -> None:
    said = backup(authority="objects-ca").named("fabric-backup-store").properties["spec"]
    assert said["retentionPolicy"] == "14d"
    configuration = said["configuration"]
    assert configuration["s3Credentials"] == {
        "accessKeyId": {"name": "backup", "key": "access-key-id"},
        "secretAccessKey": {"name": "backup", "key": "secret-access-key"},
    }
    assert configuration["endpointCA"] == {"name": "objects-ca", "key": "ca.crt"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"bucket": "loomstead-backup"}, "is no bucket: expected as s3://bucket/path"),
        ({"bucket": "s3://A"}, "is no bucket"),
        ({"endpoint": "http://objects.corp.example"}, "is no https URL"),
        ({"days": 0}, "none of 1 to 35"),
        ({"days": 36}, "none of 1 to 35"),
        ({"schedule": "30 2 * * *"}, "expected six fields"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told):
        backup(**wrong)


def test_the_real_api_server_takes_every_object_by_the_operators_definitions(operators: Cluster) -> None:
    operators.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    kept = [operators.apply(each) for each in manifests(backup(authority="objects-ca"))]
    assert {each["kind"] for each in kept} == {"ObjectStore", "ScheduledBackup"}


RUNBOOK = REPOSITORY / "docs" / "runbooks" / "restore-kubernetes.md"


def test_the_runbooks_manifests_are_such_that_the_real_api_server_takes(operators: Cluster) -> None:
    operators.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    text = RUNBOOK.read_text().replace("<stack>", STACK)
    for placeholder, value in {"<region>": "onprem", "<storage class>": "replicated-encrypted"}.items():
        text = text.replace(placeholder, value)
    found = [yaml.safe_load(dedent(each)) for each in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    assert [each["metadata"]["name"] for each in found] == ["restored", postgres.PRIMARY]
    for each in found:
        assert operators.refusal(each) is None
        (source,) = each["spec"]["externalClusters"]
        assert source["plugin"]["name"] == PLUGIN
        assert source["plugin"]["parameters"]["barmanObjectName"] == STORE


def test_it_is_what_its_cell_of_capabilities_says() -> None:
    assert unmet(backup(), CELL_BACKUP) == []
