"""The vector store on Kubernetes: provisioning makes the database that it names, with the extension."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes

from components.postgres.kubernetes import PRIMARY_HBA
from components.vector.kubernetes import DATABASE, KubernetesVector
from runtime.provision import access
from tests.fixtures.recording import record

CELL_VECTOR: list[tuple[str, str, Mapping[str, Any]]] = []
"""Nothing of its own: a database on the primary, whose image the cell of postgres says."""


def test_it_is_a_database_with_pgvector_on_the_primary() -> None:
    def program() -> None:
        provider = pulumi_kubernetes.Provider("cluster", context="test")
        args = {"host": "primary-rw.s-primary.svc.cluster.local", "port": 5432}
        KubernetesVector("fabric-vector", args, pulumi.ResourceOptions(provider=provider))  # ty: ignore[invalid-argument-type]

    graph = record(program)
    told = graph.outputs[graph.component("loomstead:vector:Vector").urn]
    assert told == {"host": "primary-rw.s-primary.svc.cluster.local", "port": 5432, "database": "vectors"}
    (made,) = [each for each in access.DATABASES if each.name == DATABASE]
    assert made.extensions == ("vector",)
    assert any(rule.split()[1] == DATABASE and made.owner in rule.split()[2].split(",") for rule in PRIMARY_HBA)
