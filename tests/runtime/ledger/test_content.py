import asyncio
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.ledger.content import ContentError, SubjectKey, SubjectKeys
from runtime.ledger.trace import ContentState, trace
from runtime.ledger.writer import Ledger
from tests.runtime.ledger.conftest import LEDGER_KEY, SUBJECTS_KEY, step

CANARY = "Ann Ångström, 12 Harbour Lane"


async def contents(pool: asyncpg.Pool, txn: str) -> list[tuple[ContentState, object]]:
    records = await trace(pool, txn, SubjectKeys(SUBJECTS_KEY))
    return [(record.content_state, record.content) for record in records]


@given(st.binary(max_size=200), st.integers(min_value=0), st.integers(1, 255))
def test_content_opens_only_as_it_was_sealed(plaintext: bytes, position: int, flip: int) -> None:
    key = SubjectKey(uuid4(), bytes(32))
    sealed = key.seal("t", 7, plaintext)
    assert key.open("t", 7, sealed.commitment.digest, sealed.nonce, sealed.ciphertext) == plaintext
    changed = bytearray(sealed.ciphertext)
    changed[position % len(changed)] ^= flip
    for txn, seq, digest, ciphertext in (
        ("t", 7, sealed.commitment.digest, bytes(changed)),
        ("t", 8, sealed.commitment.digest, sealed.ciphertext),
        ("u", 7, sealed.commitment.digest, sealed.ciphertext),
        ("t", 7, key.seal("t", 7, plaintext).commitment.digest, sealed.ciphertext),
    ):
        with pytest.raises(ContentError):
            key.open(txn, seq, digest, sealed.nonce, ciphertext)


async def test_no_personal_data_is_readable_anywhere_in_the_database(ledger: Ledger, pool: asyncpg.Pool) -> None:
    await ledger.append(step("t", 1, CANARY.encode(), subject="ann@example.com"))
    assert await contents(pool, "t") == [(ContentState.PRESENT, CANARY)]
    for table in ("ledger", "ledger_heads", "ledger_content", "ledger_checkpoints"):
        for row in await pool.fetch(f"TABLE {table}"):
            stored = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in row.values())
            assert CANARY.encode() not in stored
            assert b"ann@example.com" not in stored


async def test_erasing_a_person_erases_what_was_recorded_of_them_only(ledger: Ledger, pool: asyncpg.Pool) -> None:
    await ledger.append(step("t", 1, b'{"to": "Ann"}', "ann"), step("t", 2, b'{"to": "Bo"}', "bo"), step("t", 3))
    async with pool.acquire() as conn:
        assert await SubjectKeys(SUBJECTS_KEY).erase(conn, "ann")
        assert not await SubjectKeys(SUBJECTS_KEY).erase(conn, "ann")
    assert await contents(pool, "t") == [
        (ContentState.ERASED, None),
        (ContentState.PRESENT, {"to": "Bo"}),
        (ContentState.NONE, None),
    ]


async def test_a_gateway_that_remembers_an_erased_key_does_not_use_it_again(ledger: Ledger, pool: asyncpg.Pool) -> None:
    for n in range(2):  # the second finds the key stored, and remembers it
        await ledger.append(step("t", n, b"before", "ann"))
    async with pool.acquire() as conn:
        await SubjectKeys(SUBJECTS_KEY).erase(conn, "ann")
    await ledger.append(step("t", 2, b"after", "ann"), step("t", 3, b"other", "bo"))
    assert await contents(pool, "t") == [
        (ContentState.ERASED, None),
        (ContentState.ERASED, None),
        (ContentState.PRESENT, "after"),
        (ContentState.PRESENT, "other"),
    ]


async def test_many_who_need_a_persons_first_key_get_the_same_one(pool: asyncpg.Pool) -> None:
    ledgers = [Ledger(pool, LEDGER_KEY, SubjectKeys(SUBJECTS_KEY)) for _ in range(4)]
    for ledger in ledgers:
        await ledger.start()
    await asyncio.gather(*(ledger.append(step(f"t{n}", 1, b"hello", "ann")) for n, ledger in enumerate(ledgers)))
    for ledger in ledgers:
        await ledger.close()
    assert await pool.fetchval("SELECT count(*) FROM subject_keys") == 1
    for n in range(4):
        assert await contents(pool, f"t{n}") == [(ContentState.PRESENT, "hello")]


async def test_keys_in_memory_are_bounded_and_come_back(pool: asyncpg.Pool) -> None:
    keys = SubjectKeys(SUBJECTS_KEY, capacity=2)
    names = [f"s{n}" for n in range(5)]
    async with pool.acquire() as conn:
        first = await keys.of(conn, names)
        again = await keys.of(conn, names)
        assert {name: key.id for name, key in first.items()} == {name: key.id for name, key in again.items()}
        one = await keys.of(conn, ["s4"])
        assert one["s4"] is again["s4"]
        assert (await keys.of(conn, ["s0"]))["s0"] is not again["s0"]


async def test_another_fabrics_key_opens_nothing(ledger: Ledger, pool: asyncpg.Pool) -> None:
    await ledger.append(step("t", 1, b"content", "ann"))
    with pytest.raises(ContentError, match=r"another subjects\.key"):
        await trace(pool, "t", SubjectKeys(bytes(32)))


async def test_keys_of_two_people_cannot_be_swapped(
    ledger: Ledger, pool: asyncpg.Pool, owner_pool: asyncpg.Pool
) -> None:
    await ledger.append(step("t", 1, b"content", "ann"), step("t", 2, b"content", "bo"))
    await owner_pool.execute("UPDATE subject_keys SET subject = 'x' || subject")
    with pytest.raises(ContentError):
        await trace(pool, "t", SubjectKeys(SUBJECTS_KEY))
