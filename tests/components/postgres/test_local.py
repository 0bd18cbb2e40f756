"""PostgreSQL raised by the real engine, and attacked as the agents' role with the psql that ships with it."""

import asyncio
import os
import shutil
import signal

import asyncpg
import psutil
import pytest

from components.local.orphans import marked
from components.postgres import access, server
from tests.components.postgres.conftest import Raised
from tests.fixtures.postgres import Database
from tests.fixtures.psql import answer, refusal

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def orders(raised: Raised) -> Raised:
    """With a core system's table, and a view of it that it grants."""
    answer(
        raised.at("primary"),
        "core_writer",
        "CREATE TABLE public.orders (id int PRIMARY KEY, note text)",
        "CREATE TABLE public.salaries (cents int)",
        "INSERT INTO public.orders VALUES (4711, 'delayed')",
        "CREATE VIEW agent.orders AS SELECT id FROM public.orders",
        "CREATE VIEW agent.not_granted AS SELECT note FROM public.orders",
        "GRANT SELECT ON agent.orders TO agent_reader",
    )
    return raised


@pytest.fixture
def replica(orders: Raised) -> Database:
    return orders.at("replica")


def test_the_agents_role_reads_a_granted_view_on_the_replica(replica: Database) -> None:
    assert answer(replica, "agent_reader", "SELECT id FROM agent.orders") == "4711"


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("INSERT INTO agent.orders VALUES (1)", "permission denied"),
        ("INSERT INTO public.orders VALUES (1)", "permission denied"),
        ("UPDATE agent.orders SET id = 1", "permission denied"),
        ("DELETE FROM agent.orders", "permission denied"),
        ("CREATE TABLE agent.mine (n int)", "read-only transaction"),
        ("CREATE TEMP TABLE mine (n int)", "read-only transaction"),
        ("SELECT * INTO TEMP mine FROM agent.orders", "read-only transaction"),
        ("SELECT lo_create(0)", "read-only transaction|during recovery"),
        ("SELECT nextval('pg_catalog.x')", "does not exist"),
        ("SELECT * FROM public.orders", "permission denied"),
        ("SELECT * FROM agent.not_granted", "permission denied"),
        ("SELECT * FROM salaries", "does not exist"),
        ("SELECT rolpassword FROM pg_authid", "permission denied"),
        ("SELECT pg_read_file('postgresql.conf')", "permission denied"),
        ("COPY agent.orders TO PROGRAM 'cat'", "permission denied"),
        ("COPY (SELECT 1) TO '/tmp/out'", "permission denied"),
        ("SET ROLE core_writer", "permission denied"),
        ("SET SESSION AUTHORIZATION core_writer", "permission denied"),
        ("SELECT pg_promote()", "permission denied"),
        ("ALTER ROLE agent_reader CONNECTION LIMIT -1", "read-only transaction"),
        ("SELECT pg_sleep(2)", "statement timeout"),
    ],
)
def test_the_agents_role_is_refused_everything_else(replica: Database, statement: str, reason: str) -> None:
    said = refusal(replica, "agent_reader", statement)

    assert any(part in said for part in reason.split("|")), said


@pytest.mark.parametrize("unlock", ["SET default_transaction_read_only = off", "SET transaction_read_only = off"])
def test_the_agents_role_cannot_talk_itself_into_writing(replica: Database, unlock: str) -> None:
    for write in ("CREATE TEMP TABLE mine (n int)", "INSERT INTO agent.orders VALUES (1)", "CREATE SCHEMA mine"):
        assert "ERROR" in refusal(replica, "agent_reader", "BEGIN", unlock, write)
        assert "ERROR" in refusal(replica, "agent_reader", unlock, write)


@pytest.mark.parametrize("database", ["orders", "loomstead", "vectors", "postgres", "template1"])
def test_the_primary_refuses_the_agents_role(orders: Raised, database: str) -> None:
    assert "pg_hba.conf rejects connection" in refusal(orders.at("primary", database), "agent_reader", "SELECT 1")


@pytest.mark.parametrize("database", ["loomstead", "vectors", "postgres", "template1"])
def test_the_replica_shows_the_agents_role_no_other_database(orders: Raised, database: str) -> None:
    assert "no pg_hba.conf entry" in refusal(orders.at("replica", database), "agent_reader", "SELECT 1")


@pytest.mark.parametrize("role", ["postgres", "gateway_owner", "gateway", "auditor", "core_writer", "replicator"])
def test_the_replica_admits_nobody_but_the_agents_role(replica: Database, role: str) -> None:
    assert "no pg_hba.conf entry" in refusal(replica, role, "SELECT 1")


@pytest.mark.parametrize(
    ("role", "database"), [("core_writer", "loomstead"), ("gateway", "orders"), ("auditor", "vectors")]
)
def test_a_role_gets_into_its_own_databases_only(orders: Raised, role: str, database: str) -> None:
    assert "no pg_hba.conf entry" in refusal(orders.at("primary", database), role, "SELECT 1")


async def test_the_agents_role_gets_no_more_sessions_than_its_limit(replica: Database) -> None:
    sessions = [await asyncpg.connect(replica.dsn("agent_reader")) for _ in range(3)]
    with pytest.raises(asyncpg.TooManyConnectionsError):
        await asyncpg.connect(replica.dsn("agent_reader"))
    for session in sessions:
        await session.close()


async def test_a_core_systems_write_is_on_the_replica_when_it_returns(orders: Raised, replica: Database) -> None:
    writer = await asyncpg.connect(orders.at("primary").dsn("core_writer"))
    reader = await asyncpg.connect(replica.dsn("agent_reader"))
    for number in range(100):
        await writer.execute("INSERT INTO orders VALUES ($1)", number)
        assert await reader.fetchval("SELECT count(*) FROM agent.orders WHERE id = $1", number) == 1
    await writer.close()
    await reader.close()


def test_the_runtimes_database_has_its_schema_and_vectors_its_extension(raised: Raised) -> None:
    assert answer(raised.at("primary", "loomstead"), "gateway", "SELECT count(*) FROM tasks") == "0"
    assert answer(raised.at("primary", "vectors"), "gateway_owner", "SELECT '[1,2]'::vector <-> '[1,4]'") == "2"


async def _returns(database: Database, role: str, query: str, value: object) -> None:
    """Wait until ``query`` answers ``value``."""
    while True:
        try:
            session = await asyncpg.connect(database.dsn(role), timeout=5)
            try:
                if await session.fetchval(query) == value:
                    return
            finally:
                await session.close()
        except (OSError, asyncpg.PostgresError):
            pass
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("killed", ["primary", "replica"])
async def test_a_killed_server_comes_back_with_its_data_and_replication_goes_on(orders: Raised, killed: str) -> None:
    answer(orders.at("primary"), "core_writer", "DELETE FROM orders WHERE id < 0", "INSERT INTO orders VALUES (-1)")

    os.kill(orders.supervisor.status(killed).pid, signal.SIGKILL)

    await _returns(orders.at("primary"), "core_writer", "SELECT id FROM orders WHERE id = -1", -1)
    answer(orders.at("primary"), "core_writer", "INSERT INTO orders VALUES (-2)")
    await _returns(orders.at("replica"), "agent_reader", "SELECT id FROM agent.orders WHERE id = -2", -2)


async def test_a_lock_file_with_the_number_of_another_live_process_does_not_keep_a_server_down(orders: Raised) -> None:
    orders.supervisor.halt("primary")
    lock = orders.home / "postgres" / "primary" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{lock.parent}\n1\n1\n\n127.0.0.1\n1 1\nready\n")

    assert orders.up() == 1
    await _returns(orders.at("primary"), "core_writer", "SELECT 1", 1)


def test_a_second_up_changes_nothing(orders: Raised) -> None:
    orders.up()
    orders.up("--expect-no-changes")


def test_new_limits_are_in_force_after_up_without_a_restart(orders: Raised) -> None:
    pids = {process.pid for process in marked(orders.home)}
    before, orders.limits = orders.limits, access.Limits(connection_limit=2, statement_timeout_ms=750)

    assert orders.up() == 1
    assert answer(orders.at("replica"), "agent_reader", "SHOW statement_timeout") == "750ms"
    limit = "SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user"
    assert answer(orders.at("replica"), "agent_reader", limit) == "2"
    orders.limits = before
    orders.up()
    assert {process.pid for process in marked(orders.home)} == pids


def test_rights_that_somebody_loosened_are_tightened_by_up(orders: Raised) -> None:
    answer(orders.at("primary", "postgres"), "postgres", "ALTER ROLE agent_reader CONNECTION LIMIT -1")

    assert orders.up() == 1
    limit = "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'agent_reader'"
    assert answer(orders.at("primary", "postgres"), "postgres", limit) == "3"


@pytest.mark.parametrize("loss", ["files", "slot"])
def test_a_replica_that_cannot_follow_any_more_is_copied_anew(orders: Raised, loss: str) -> None:
    orders.supervisor.halt("replica")
    if loss == "files":
        shutil.rmtree(orders.home / "postgres" / "replica")
    else:
        dropped = f"SELECT pg_drop_replication_slot('{server.SLOT}')"
        answer(orders.at("primary", "postgres"), "postgres", dropped)

    orders.up()

    assert answer(orders.at("replica"), "agent_reader", "SELECT id FROM agent.orders WHERE id = 4711") == "4711"


def test_refresh_sees_a_dead_server_and_up_heals_it(orders: Raised) -> None:
    orders.supervisor.halt("replica")
    orders.pulumi("refresh", "--yes", "--skip-preview", "--stack", "test")
    replica = next(resource for resource in orders.state() if resource["urn"].endswith("::postgres-replica"))

    assert replica["outputs"]["state"] == "stopped"
    assert orders.up() == 1
    assert answer(orders.at("replica"), "agent_reader", "SELECT 1") == "1"


def test_no_password_is_in_state_logs_or_arguments(orders: Raised) -> None:
    passwords = [server.password(path) for path in (orders.home / "secrets").glob("*.pgpass")]
    told = str(orders.state())
    told += "".join(path.read_text() for path in (orders.home / "logs").iterdir())
    told += "".join(" ".join(process.cmdline()) for process in psutil.process_iter())

    assert len(passwords) == len(access.ROLES) + 1
    assert not [password for password in passwords if password in told]


def test_only_loopback_is_listened_on_and_no_socket_file_is_made(orders: Raised) -> None:
    listening = {
        connection.laddr.ip
        for name in ("primary", "replica")
        for connection in psutil.Process(orders.supervisor.status(name).pid).net_connections("all")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_a_lost_superuser_password_is_named_with_its_file(orders: Raised) -> None:
    passfile = orders.home / "secrets" / "postgres.pgpass"
    kept = passfile.read_text()
    passfile.write_text("*:*:*:postgres:another\n")
    try:
        with pytest.raises(AssertionError, match=r"another password than .*postgres\.pgpass"):
            orders.up()
    finally:
        passfile.write_text(kept)
    orders.up()
