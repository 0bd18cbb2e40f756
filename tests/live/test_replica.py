"""The agents' replica of a whole fabric, attacked with psql as their role (docs/verify.md shows the same by hand)."""

import pytest

from tests.fixtures.fabric import LiveFabric
from tests.fixtures.postgres import Database
from tests.fixtures.psql import answer, refusal

ORDER = "SELECT total_cents FROM agent.orders WHERE id = '4711'"


def _replica(fabric: LiveFabric, database: str = "orders") -> Database:
    at = fabric.manifest.endpoints
    return Database(at.replica_host, at.replica_port, database, fabric.home / "secrets")


def test_the_agents_role_reads_what_the_core_system_grants(fabric: LiveFabric) -> None:
    assert int(answer(_replica(fabric), "agent_reader", ORDER)) > 0


def test_the_replica_streams_and_core_writes_wait_for_it(fabric: LiveFabric) -> None:
    state = "SELECT state || ' ' || sync_state FROM pg_stat_replication WHERE application_name = 'replica'"

    assert answer(fabric.primary("postgres"), "postgres", state) == "streaming sync"
    assert answer(fabric.primary("orders"), "core_writer", "SHOW synchronous_commit") == "remote_apply"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO agent.orders (id) VALUES ('1')",
        "UPDATE agent.orders SET total_cents = 1",
        "DELETE FROM agent.orders",
        "CREATE TEMP TABLE mine (n int)",
        "SELECT * FROM public.orders",
        "SELECT * FROM public.refunds",
    ],
)
def test_a_write_and_a_table_not_granted_are_refused(fabric: LiveFabric, statement: str) -> None:
    unlocked = ("SET default_transaction_read_only = off", statement)

    assert "ERROR" in refusal(_replica(fabric), "agent_reader", statement)
    assert "ERROR" in refusal(_replica(fabric), "agent_reader", *unlocked)


@pytest.mark.parametrize("database", ["orders", "loomstead", "vectors", "postgres"])
def test_the_primary_is_refused(fabric: LiveFabric, database: str) -> None:
    assert "pg_hba.conf rejects connection" in refusal(fabric.primary(database), "agent_reader", "SELECT 1")


@pytest.mark.parametrize("database", ["loomstead", "vectors", "postgres"])
def test_no_other_database_of_the_replica_is_open(fabric: LiveFabric, database: str) -> None:
    assert "no pg_hba.conf entry" in refusal(_replica(fabric, database), "agent_reader", "SELECT 1")
