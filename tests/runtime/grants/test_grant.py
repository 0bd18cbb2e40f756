"""The row that holds what a task may do: opened, read through the cache, revoked, closed, extended."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from runtime.errors import Refused
from runtime.grants.grant import Grant, Grants
from tests.fixtures.issuer import DETAILS, POLICY, Stack

PAST = datetime.now(UTC) - timedelta(seconds=1)


class CountedReads(Grants):
    """Counts how often the database is asked."""

    reads = 0

    async def load(self, conn: Any, txn: str, *, lock: bool = False) -> Grant:
        self.reads += 1
        return await super().load(conn, txn, lock=lock)


async def code_or_nothing(of: Any) -> str:
    try:
        await of
    except Refused as refusal:
        return refusal.code
    return ""


async def code(of: Any) -> str:
    found = await code_or_nothing(of)
    assert found, "nothing was refused"
    return found


async def test_an_opened_grant_is_read_as_it_was_given(stack: Stack) -> None:
    opened = await stack.open("t1")
    assert await stack.grants.load(stack.pool, "t1") == opened
    assert (await stack.grants.current("t1")).authorization_details == DETAILS


async def test_an_unknown_task_is_refused(stack: Stack) -> None:
    assert await code(stack.grants.current("nobody")) == "task_unknown"
    assert await code(stack.revoke("nobody")) == "task_unknown"


async def test_a_task_past_its_deadline_is_refused(stack: Stack) -> None:
    await stack.open("t1", deadline=PAST)
    assert await code(stack.grants.current("t1")) == "deadline_passed"


async def test_many_readers_ask_the_database_once(stack: Stack) -> None:
    await stack.open("t1")
    grants = CountedReads(stack.pool, stack.ledger)
    found = await asyncio.gather(*(grants.current("t1") for _ in range(50)))
    assert {grant.txn for grant in found} == {"t1"}
    await grants.current("t1")
    assert grants.reads == 1


async def test_a_row_revoked_by_somebody_else_is_refused_within_a_second(
    stack: Stack, owner_pool: asyncpg.Pool
) -> None:
    await stack.open("t1")
    await stack.grants.current("t1")
    revoked = time.monotonic()
    await owner_pool.execute("UPDATE grants SET state = 'revoked' WHERE txn = 't1'")
    outcome = ""
    while not outcome and time.monotonic() < revoked + 1:
        outcome = await code_or_nothing(stack.grants.current("t1"))
    assert outcome == "token_revoked"


async def test_a_revocation_is_recorded_once_and_for_ever(stack: Stack) -> None:
    await stack.open("t1")
    assert await stack.revoke("t1")
    assert not await stack.revoke("t1")
    async with stack.pool.acquire() as conn, conn.transaction():
        assert not await stack.grants.close(conn, "t1", "gateway")
    [record] = await stack.records("t1")
    assert record["kind"] == "grant_changed"
    assert record["policy"] == POLICY
    assert record["body"] == {"what": "revoked", "by": "person:operator"}
    assert await stack.pool.fetchval("SELECT revoked_at IS NOT NULL FROM grants WHERE txn = 't1'")


async def test_a_revocation_that_is_rolled_back_left_no_trace(stack: Stack) -> None:
    await stack.open("t1")
    with suppress(ZeroDivisionError):
        async with stack.pool.acquire() as conn, conn.transaction():
            await stack.grants.revoke(conn, "t1", "person:operator")
            raise ZeroDivisionError
    assert (await stack.grants.current("t1")).state == "active"
    assert await stack.records("t1") == []


async def test_a_closed_grant_is_refused_and_says_so(stack: Stack) -> None:
    await stack.open("t1")
    async with stack.pool.acquire() as conn, conn.transaction():
        assert await stack.grants.close(conn, "t1", "gateway")
    with pytest.raises(Refused) as caught:
        await stack.grants.current("t1")
    assert (caught.value.code, caught.value.rule) == ("token_revoked", "grant_closed")
    assert await stack.pool.fetchval("SELECT revoked_at FROM grants WHERE txn = 't1'") is None


async def extend(stack: Stack, txn: str) -> Grant:
    async with stack.pool.acquire() as conn, conn.transaction():
        await stack.grants.extend(conn, txn, 5, 3600, "person:operator")
    return await stack.grants.load(stack.pool, txn)


async def test_an_extension_adds_turns_and_clears_the_stall_but_keeps_a_deadline_that_is_not_over(stack: Stack) -> None:
    opened = await stack.open("t1")
    await stack.pool.execute("UPDATE grants SET stalled = 4, last_outcome = 'same' WHERE txn = 't1'")
    extended = await extend(stack, "t1")
    assert (extended.max_steps, extended.stalled, extended.deadline) == (15, 0, opened.deadline)
    assert [record["body"]["what"] for record in await stack.records("t1")] == ["extended"]


async def test_an_extension_moves_a_passed_deadline_on(stack: Stack) -> None:
    await stack.open("t1", deadline=PAST)
    extended = await extend(stack, "t1")
    assert timedelta(minutes=59) < extended.deadline - datetime.now(UTC) <= timedelta(hours=1)


async def test_a_revoked_grant_is_not_extended(stack: Stack) -> None:
    await stack.open("t1")
    await stack.revoke("t1")
    assert await code(extend(stack, "t1")) == "token_revoked"
    assert (await stack.grants.load(stack.pool, "t1")).max_steps == 10
