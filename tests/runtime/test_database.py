import asyncpg
import pytest


async def test_json_columns_are_python_values(pool: asyncpg.Pool) -> None:
    assert await pool.fetchval("SELECT $1::jsonb", {"a": [1, "ü", None]}) == {"a": [1, "ü", None]}


async def test_the_gateway_may_not_touch_written_ledger_rows(pool: asyncpg.Pool) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute("DELETE FROM ledger")
