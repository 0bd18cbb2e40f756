"""Turns are counted on the row: no interleaving and no number of processes gets one more than `max_steps`."""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.database import connect
from runtime.errors import Refused
from runtime.grants import lease
from runtime.grants.grant import Grants
from runtime.grants.lease import Leases
from tests.fixtures.issuer import Stack, grant, open_task
from tests.fixtures.postgres import Database
from tests.runtime.grants import gateway_process
from tests.runtime.grants.gateway_process import NoLedger


def leases(stack: Stack) -> Leases:
    return Leases(stack.pool, stack.grants)


async def attempt(of: Leases, txn: str, **changes: Any) -> str:
    return await gateway_process.attempt(of, grant(txn, **changes))


async def leased(stack: Stack, txn: str = "t1") -> int:
    return await stack.pool.fetchval("SELECT steps_leased FROM grants WHERE txn = $1", txn)


@pytest.mark.parametrize("max_steps", [10, 100])
async def test_three_processes_with_fifty_callers_each_get_exactly_the_turns_there_are(
    stack: Stack, database: Database, max_steps: int
) -> None:
    await stack.open("t1", max_steps=max_steps)
    with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as processes:
        loop = asyncio.get_running_loop()
        where = (database.host, database.port, database.name, database.passfile("gateway"))
        runs = [loop.run_in_executor(processes, gateway_process.race, *where, "t1", 50) for _ in range(3)]
        outcomes = [outcome for run in await asyncio.gather(*runs) for outcome in run]
    assert set(outcomes) == {"taken", "iteration_limit"}
    assert outcomes.count("taken") <= max_steps
    assert await leased(stack) == max_steps
    if max_steps < 40:  # no chunks, so nothing is left unspent in a process
        assert outcomes.count("taken") == max_steps


ACTIONS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["take", "fail", "stop"])), max_size=70)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(max_steps=st.integers(1, 60), actions=ACTIONS)
def test_any_interleaving_of_three_gateways_stays_under_the_limit(
    database: Database, max_steps: int, actions: list[tuple[int, str]]
) -> None:
    asyncio.run(_interleave(database, max_steps, actions))


async def _interleave(database: Database, max_steps: int, actions: list[tuple[int, str]]) -> None:
    txn = uuid4().hex
    passfile = database.passfile("gateway")
    async with await connect(database.host, database.port, database.name, "gateway", passfile) as pool:
        grants = Grants(pool, NoLedger())
        await open_task(pool, grants, txn, max_steps=max_steps)
        gateways = [Leases(pool, grants) for _ in range(3)]
        spent = 0
        for number, action in actions:
            if action == "stop":
                await gateways[number].give_back()
            elif await attempt(gateways[number], txn) == "taken":
                if action == "fail":
                    gateways[number].release(txn)
                else:
                    spent += 1
            assert spent <= max_steps
        for gateway in gateways:
            await gateway.give_back()
        assert (await grants.load(pool, txn)).steps_leased == spent


async def test_the_eleventh_of_ten_turns_is_refused_and_stays_refused(stack: Stack) -> None:
    await stack.open("t1")
    own = leases(stack)
    assert [await attempt(own, "t1") for _ in range(10)] == ["taken"] * 10
    assert [await attempt(own, "t1") for _ in range(3)] == ["iteration_limit"] * 3
    assert await attempt(leases(stack), "t1") == "iteration_limit"


async def test_who_waits_for_another_process_sees_what_that_one_took(stack: Stack) -> None:
    await stack.open("t1")
    async with stack.pool.acquire() as other, other.transaction():
        await other.execute("UPDATE grants SET steps_leased = max_steps")
        waiting = asyncio.create_task(attempt(leases(stack), "t1"))
        while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await waiting == "iteration_limit"


async def test_more_turns_by_a_person_are_given_at_once(stack: Stack) -> None:
    await stack.open("t1", max_steps=1)
    own = leases(stack)
    assert [await attempt(own, "t1") for _ in range(2)] == ["taken", "iteration_limit"]
    async with stack.pool.acquire() as conn, conn.transaction():
        await stack.grants.extend(conn, "t1", 1, 60, "person:operator")
    assert [await attempt(own, "t1") for _ in range(2)] == ["taken", "iteration_limit"]


async def test_a_chunk_is_a_twentieth_of_what_is_left(stack: Stack) -> None:
    await stack.open("t1", max_steps=100)
    await leases(stack).take(grant("t1"))
    assert await leased(stack) == 5
    await leases(stack).take(grant("t1"))
    assert await leased(stack) == 9


async def test_a_huge_limit_is_leased_a_thousand_at_a_time(stack: Stack) -> None:
    await stack.open("t1", max_steps=1_000_000)
    await leases(stack).take(grant("t1"))
    assert await leased(stack) == 1000


async def test_a_turn_whose_upstream_failed_is_used_again(stack: Stack) -> None:
    await stack.open("t1", max_steps=1)
    own = leases(stack)
    await own.take(grant("t1"))
    own.release("t1")
    assert [await attempt(own, "t1") for _ in range(2)] == ["taken", "iteration_limit"]


async def test_unspent_turns_go_back_at_shutdown_and_a_crash_loses_them(stack: Stack) -> None:
    await stack.open("t1", max_steps=100)
    stopped, crashed = leases(stack), leases(stack)
    await stopped.take(grant("t1"))
    await stopped.give_back()
    assert await leased(stack) == 1
    await crashed.take(grant("t1"))
    del crashed
    assert await leased(stack) == 1 + 4


async def test_a_process_holds_a_bounded_number_of_leases(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "HELD", 2)
    own = leases(stack)
    for txn in ("t1", "t2", "t3"):
        await stack.open(txn, max_steps=1)
        await own.take(grant(txn))
        own.release(txn)
    assert [await attempt(own, txn) for txn in ("t3", "t2", "t1")] == ["taken", "taken", "iteration_limit"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("state = 'revoked'", "token_revoked"),
        ("state = 'closed'", "token_revoked"),
        ("stalled = 4", "no_progress"),
        ("deadline = now() - interval '1 second'", "deadline_passed"),
    ],
)
async def test_the_row_has_the_last_word_where_the_cached_grant_is_stale(stack: Stack, change: str, code: str) -> None:
    stale = await stack.open("t1")
    await stack.pool.execute(f"UPDATE grants SET {change} WHERE txn = 't1'")  # noqa: S608
    with pytest.raises(Refused) as caught:
        await leases(stack).take(stale)
    assert caught.value.code == code
    assert await leased(stack) == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": "revoked"}, "token_revoked"),
        ({"stalled": 4}, "no_progress"),
        ({"deadline": datetime.now(UTC) - timedelta(seconds=1)}, "deadline_passed"),
    ],
)
async def test_a_leased_turn_is_not_spent_on_a_grant_that_is_over(
    stack: Stack, changes: dict[str, Any], code: str
) -> None:
    await stack.open("t1", max_steps=100)
    own = leases(stack)
    await own.take(grant("t1"))
    assert await attempt(own, "t1", **changes) == code
    assert await attempt(own, "t1") == "taken"


async def test_three_fruitless_results_are_not_yet_a_stall(stack: Stack) -> None:
    await stack.open("t1")
    await stack.pool.execute("UPDATE grants SET stalled = 3 WHERE txn = 't1'")
    assert await attempt(leases(stack), "t1", stalled=3) == "taken"
