"""An id is used once over all processes, and forgotten when nobody would take it any more."""

import asyncio
import time

import asyncpg
import pytest

from runtime.errors import Refused
from runtime.identity.used import UsedIds


def soon() -> int:
    """Counted from when it is asked: a whole run of the tests takes longer than a proof lives."""
    return int(time.time()) + 60


async def outcome(used: UsedIds, owner: str, jti: str) -> str:
    try:
        await used.spend(owner, jti, soon())
    except Refused as refusal:
        return refusal.code
    return "spent"


async def test_of_many_at_once_in_two_processes_one_gets_it(pool: asyncpg.Pool) -> None:
    processes = [UsedIds(pool), UsedIds(pool)]
    outcomes = await asyncio.gather(*(outcome(processes[n % 2], "key k", "j") for n in range(20)))
    assert sorted(outcomes) == ["replayed"] * 19 + ["spent"]


async def test_each_owner_has_ids_of_its_own(pool: asyncpg.Pool) -> None:
    used = UsedIds(pool)
    owners = ["key k", "key l", "client k"]
    assert [await outcome(used, owner, "j") for owner in owners] == ["spent"] * 3
    assert [await outcome(used, owner, "j") for owner in owners] == ["replayed"] * 3


@pytest.mark.parametrize("jti", ["x" * 10_000, "' OR 1=1 --", "é", "\n"])
async def test_an_id_may_be_any_text(pool: asyncpg.Pool, jti: str) -> None:
    used = UsedIds(pool)
    assert [await outcome(used, "k", jti) for _ in range(2)] == ["spent", "replayed"]


async def test_ids_that_nobody_would_take_any_more_are_swept(pool: asyncpg.Pool) -> None:
    await UsedIds(pool).spend("k", "old", int(time.time()) - 120)
    await UsedIds(pool).spend("k", "just over", int(time.time()) - 1)
    await UsedIds(pool).spend("k", "new", soon())
    assert await pool.fetchval("SELECT count(*) FROM used_jti") == 2
    assert await outcome(UsedIds(pool), "k", "just over") == "replayed"
