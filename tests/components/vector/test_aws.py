"""The vector store on AWS is a database of the primary, where its PostgreSQL has pgvector."""

import pytest

from components.infrastructure import Refused
from components.vector.aws import AwsVector
from tests.fixtures.recording import Graph, record


def vector(version: str) -> Graph:
    return record(lambda: AwsVector("vector", {"host": "primary.internal", "port": 5432, "version": version}))


@pytest.mark.parametrize("version", ["15", "15.2", "16.1", "18"])
def test_it_is_a_database_of_its_own_on_the_primary(version: str) -> None:
    graph = vector(version)

    assert graph.outputs[graph.component("loomstead:vector:Vector").urn] == {
        "host": "primary.internal",
        "port": 5432,
        "database": "vectors",
    }


@pytest.mark.parametrize("version", ["14", "14.17", "15.1"])
def test_a_server_without_pgvector_is_refused(version: str) -> None:
    with pytest.raises(Refused, match=rf"{version} of RDS has no pgvector; take 15\.2 or later"):
        vector(version)
