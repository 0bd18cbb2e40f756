import asyncio
import hashlib
import hmac
from contextlib import suppress
from itertools import groupby, pairwise

import asyncpg
import pytest

from runtime.ledger.record import Entry, Kind, parse
from runtime.ledger.writer import Ledger
from tests.runtime.ledger.conftest import LEDGER_KEY


def step(txn: str, n: int = 0, rule: str | None = None) -> Entry:
    return Entry(txn=txn, kind=Kind.TRANSITION, actor="worker", step=n, rule=rule, body={"n": n})


async def stored(pool: asyncpg.Pool) -> list[asyncpg.Record]:
    return await pool.fetch("SELECT * FROM ledger ORDER BY txn, seq")


async def assert_chained(pool: asyncpg.Pool) -> None:
    for _, rows in groupby(await stored(pool), lambda row: row["txn"]):
        chain = list(rows)
        assert [row["seq"] for row in chain] == list(range(1, len(chain) + 1))
        for row in chain:
            assert row["hash"] == hashlib.sha256(row["record"].encode()).digest()
            assert row["mac"] == hmac.digest(LEDGER_KEY, row["hash"], "sha256")
        for before, row in pairwise(chain):
            assert parse(row["record"]).prev == before["hash"].hex()


async def test_many_tasks_at_once_each_get_one_unbroken_chain(ledger: Ledger, pool: asyncpg.Pool) -> None:
    await asyncio.gather(*(ledger.append(step(f"t{n % 7}", n), step(f"t{n % 5}", n)) for n in range(200)))
    assert len(await stored(pool)) == 400
    await assert_chained(pool)


async def test_an_append_in_a_transaction_shares_its_fate(ledger: Ledger, pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        with suppress(ZeroDivisionError):
            async with conn.transaction():
                await ledger.append(step("gone"), conn=conn)
                raise ZeroDivisionError
        async with conn.transaction():
            await ledger.append(step("kept"), conn=conn)
    assert [row["txn"] for row in await stored(pool)] == ["kept"]


async def test_an_append_with_a_connection_needs_its_transaction(ledger: Ledger, pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        with pytest.raises(RuntimeError, match="open transaction"):
            await ledger.append(step("t"), conn=conn)


async def test_what_cannot_be_stored_fails_alone(ledger: Ledger, pool: asyncpg.Pool) -> None:
    results = await asyncio.gather(
        ledger.append(step("good")),
        ledger.append(step("nul\0")),
        ledger.append(step("surrogate", rule="\ud800")),
        ledger.append(step("also good")),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [
        type(None),
        asyncpg.CharacterNotInRepertoireError,
        UnicodeEncodeError,
        type(None),
    ]
    assert [row["txn"] for row in await stored(pool)] == ["also good", "good"]
