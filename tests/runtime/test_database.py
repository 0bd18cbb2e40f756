import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from runtime.database import connect
from runtime.errors import Refused
from tests.fixtures.postgres import Database, Server, free_port, superuser


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that tests may kill, and leave running."""
    server = Server(tmp_path_factory.mktemp("own server"))
    server.start()
    yield server
    server.stop()


async def _pool(database: Database, *, size: int = 2) -> asyncpg.Pool:
    await (await superuser(database)).close()
    return await connect(
        database.host, database.port, database.name, "postgres", database.passfile("postgres"), size=size
    )


async def _until(pool: asyncpg.Pool, condition: str) -> None:
    while not await pool.fetchval(condition):
        await pool.execute("SELECT pg_sleep(0.01)")


async def _write_while_it_dies(pool: asyncpg.Pool, server: Server) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("INSERT INTO written VALUES (1)")
        server.kill()
        await connection.executemany("INSERT INTO written VALUES ($1)", [(2,)])


@pytest.mark.parametrize("value", [{"a": [1, "ü", None, 0.5]}, [], "text", None, 2**53])
async def test_json_columns_are_python_values(pool: asyncpg.Pool, value: object) -> None:
    assert await pool.fetchval("SELECT $1::jsonb", value) == value
    assert await pool.fetchval("SELECT $1::json", value) == value


async def test_the_gateway_may_not_touch_written_ledger_rows(pool: asyncpg.Pool) -> None:
    for statement in ("DELETE FROM ledger", "UPDATE ledger SET record = ''", "TRUNCATE ledger"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(statement)


async def test_no_more_connections_are_opened_than_the_size_says(database: Database) -> None:
    async with await _pool(database) as pool:
        await asyncio.gather(*(pool.execute("SELECT pg_sleep(0.05)") for _ in range(6)))
        assert pool.get_size() == 2


async def test_an_unreachable_server_is_a_refusal(database: Database) -> None:
    with pytest.raises(Refused, match="database_unavailable"):
        await connect(database.host, free_port(), database.name, "gateway", database.passfile("gateway"))


async def test_a_wrong_password_is_not_called_unreachable(database: Database, tmp_path: Path) -> None:
    passfile = tmp_path / "gateway.pgpass"
    passfile.touch(mode=0o600)
    passfile.write_text("*:*:*:gateway:wrong\n")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect(database.host, database.port, database.name, "gateway", passfile)


async def test_a_constraint_stays_the_databases_own_error(pool: asyncpg.Pool) -> None:
    await pool.execute("INSERT INTO used_jti VALUES ('a', now())")
    with pytest.raises(asyncpg.UniqueViolationError):
        await pool.execute("INSERT INTO used_jti VALUES ('a', now())")


async def test_a_misused_connection_is_not_called_unreachable(pool: asyncpg.Pool) -> None:
    with pytest.raises(asyncpg.InterfaceError, match="expects 1 argument"):
        await pool.fetchval("SELECT $1::int")


@pytest.mark.parametrize("method", ["execute", "fetch", "fetchrow", "fetchval"])
async def test_a_server_killed_during_a_query_is_a_refusal_and_the_pool_comes_back(
    own_server: Server, method: str
) -> None:
    async with await _pool(own_server.database) as pool:
        query = asyncio.create_task(getattr(pool, method)("SELECT pg_sleep(30)"))
        await _until(pool, "SELECT count(*) > 0 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)'")
        own_server.kill()
        with pytest.raises(Refused, match="database_unavailable"):
            await query
        with pytest.raises(Refused, match="database_unavailable"):
            await pool.fetchval("SELECT 1")
        own_server.start()
        await (await superuser(own_server.database)).close()
        assert await pool.fetchval("SELECT 1") == 1


async def test_a_transaction_cut_by_a_dying_server_is_a_refusal_and_leaves_nothing(own_server: Server) -> None:
    async with await _pool(own_server.database) as pool:
        await pool.execute("CREATE TABLE written (n int)")
        with pytest.raises(Refused, match="database_unavailable"):
            await _write_while_it_dies(pool, own_server)
        own_server.start()
        await (await superuser(own_server.database)).close()
        assert await pool.fetchval("SELECT count(*) FROM written") == 0
