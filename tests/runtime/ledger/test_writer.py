import asyncio
import hashlib
import hmac
from contextlib import suppress
from itertools import groupby, pairwise

import asyncpg
import pytest

from runtime.ledger.content import SubjectKeys
from runtime.ledger.record import Entry, Kind, parse
from runtime.ledger.writer import Ledger
from tests.runtime.ledger.conftest import LEDGER_KEY, SUBJECTS_KEY, step


async def stored(pool: asyncpg.Pool) -> dict[str, list[int]]:
    """Of every task the ``n`` of its records, in order; each chain is checked."""
    rows = await pool.fetch("SELECT * FROM ledger ORDER BY txn, seq")
    heads = {row["txn"]: row for row in await pool.fetch("SELECT * FROM ledger_heads")}
    chains = {txn: list(chain) for txn, chain in groupby(rows, lambda row: row["txn"])}
    for txn, chain in chains.items():
        assert [row["seq"] for row in chain] == list(range(1, len(chain) + 1))
        assert (heads[txn]["seq"], heads[txn]["hash"]) == (chain[-1]["seq"], chain[-1]["hash"])
        for row in chain:
            assert row["hash"] == hashlib.sha256(row["record"].encode()).digest()
            assert row["mac"] == hmac.digest(LEDGER_KEY, row["hash"], "sha256")
        assert parse(chain[0]["record"]).prev == "0" * 64
        for before, row in pairwise(chain):
            assert parse(row["record"]).prev == before["hash"].hex()
    return {txn: [parse(row["record"]).body["n"] for row in chain] for txn, chain in chains.items()}


async def test_a_task_has_its_records_in_the_order_they_were_submitted(ledger: Ledger, pool: asyncpg.Pool) -> None:
    await asyncio.gather(*(ledger.submit(step(f"t{n % 7}", n), step(f"u{n % 5}", n)) for n in range(700)))
    assert await stored(pool) == {
        **{f"t{task}": list(range(task, 700, 7)) for task in range(7)},
        **{f"u{task}": list(range(task, 700, 5)) for task in range(5)},
    }


async def test_several_gateways_extend_the_same_chains_without_deadlock(pool: asyncpg.Pool) -> None:
    gateways = [Ledger(pool, LEDGER_KEY, SubjectKeys(SUBJECTS_KEY)) for _ in range(3)]
    for gateway in gateways:
        await gateway.start()

    async def in_transaction(gateway: Ledger, n: int) -> None:
        async with pool.acquire() as conn, conn.transaction():
            await gateway.append(step(f"t{n % 11}", n, b"x"), step(f"t{(n + 4) % 11}", n, b"y"), conn=conn)

    async def append(gateway: Ledger, n: int) -> None:
        await gateway.append(step(f"t{n % 11}", n, b"x"), step(f"t{(n + 7) % 11}", n, b"y"))

    work = [job(gateway, n) for n in range(60) for gateway in gateways for job in (append, in_transaction)]
    await asyncio.gather(*work)
    for gateway in gateways:
        await gateway.close()
    chains = await stored(pool)
    assert sum(map(len, chains.values())) == 2 * len(work)


async def test_an_append_in_a_transaction_shares_its_fate(ledger: Ledger, pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        with suppress(ZeroDivisionError):
            async with conn.transaction():
                await ledger.append(step("gone", 1, b"content"), conn=conn)
                raise ZeroDivisionError
        async with conn.transaction():
            await ledger.append(step("kept", 2, b"content"), conn=conn)
    await ledger.append(step("gone", 3, b"content"))
    assert await stored(pool) == {"gone": [3], "kept": [2]}


async def test_an_append_with_a_connection_needs_its_transaction(ledger: Ledger, pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        with pytest.raises(RuntimeError, match="open transaction"):
            await ledger.append(step("t"), conn=conn)


async def test_what_cannot_be_stored_fails_alone(ledger: Ledger, pool: asyncpg.Pool) -> None:
    surrogate = Entry(txn="surrogate", kind=Kind.TRANSITION, actor="\ud800")
    no_json = Entry(txn="no json", kind=Kind.TRANSITION, actor="worker", body={"n": object()})
    nul, half = step("good", 2, b"", "nul\0"), step("good", 3, b"", "\ud800")
    appends = [step("good", 1), step("nul\0"), surrogate, no_json, nul, half, step("good", 4)]
    results = await asyncio.gather(*map(ledger.append, appends), return_exceptions=True)
    assert [type(result) for result in results] == [
        type(None),
        asyncpg.CharacterNotInRepertoireError,
        UnicodeEncodeError,
        TypeError,
        asyncpg.CharacterNotInRepertoireError,
        asyncpg.DataError,
        type(None),
    ]
    assert await stored(pool) == {"good": [1, 4]}


async def test_entries_of_one_append_are_written_all_or_none(ledger: Ledger, pool: asyncpg.Pool) -> None:
    with pytest.raises(asyncpg.CharacterNotInRepertoireError):
        await ledger.append(step("t", 1), step("nul\0", 2))
    assert await stored(pool) == {}


async def test_a_caller_who_goes_away_does_not_take_the_record_along(ledger: Ledger, pool: asyncpg.Pool) -> None:
    waiting = asyncio.create_task(ledger.append(step("t", 1)))
    await asyncio.sleep(0)
    waiting.cancel()
    await ledger.append(step("t", 2))
    assert await stored(pool) == {"t": [1, 2]}


async def test_close_writes_what_is_pending_and_nothing_is_taken_after(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool, LEDGER_KEY, SubjectKeys(SUBJECTS_KEY))
    await ledger.start()
    pending = [ledger.submit(step("t", n)) for n in range(600)]
    await ledger.close()
    assert all(future.done() and not future.exception() for future in pending)
    assert await stored(pool) == {"t": list(range(600))}
    with pytest.raises(RuntimeError, match="does not run"):
        ledger.submit(step("t"))


async def test_a_writer_that_dies_tells_everybody(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(pool, LEDGER_KEY, SubjectKeys(SUBJECTS_KEY))
    await ledger.start()

    await ledger.append(step("t"))

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ledger, "_commit", broken)
    results = await asyncio.gather(*(ledger.submit(step("t", n)) for n in range(300)), return_exceptions=True)
    assert {str(result) for result in results} == {"the ledger's writer died: ZeroDivisionError()"}
    assert not ledger.running
    with pytest.raises(RuntimeError, match="does not run"):
        ledger.submit(step("t"))
    with pytest.raises(ZeroDivisionError):
        await ledger.close()
    assert pool.get_idle_size() == pool.get_size()


async def test_the_gateway_may_not_change_or_remove_what_is_recorded(ledger: Ledger, pool: asyncpg.Pool) -> None:
    await ledger.append(step("t", 1, b"content"))
    for statement in (
        "UPDATE ledger SET record = ''",
        "DELETE FROM ledger",
        "DELETE FROM ledger_heads",
        "UPDATE ledger_content SET nonce = ''",
        "DELETE FROM ledger_content",
        "DELETE FROM ledger_checkpoints",
        "UPDATE subject_keys SET wrapped = ''",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(statement)
