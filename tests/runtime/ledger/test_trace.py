import asyncpg

from runtime.ledger.content import SubjectKeys
from runtime.ledger.record import Decision, Entry, Kind
from runtime.ledger.trace import ContentState, trace
from runtime.ledger.writer import Ledger
from tests.runtime.ledger.conftest import SUBJECTS_KEY, step


async def test_a_trace_is_the_task_in_order_with_what_it_read(ledger: Ledger, pool: asyncpg.Pool) -> None:
    call = Entry(
        txn="t",
        kind=Kind.TOOL_CALL,
        actor="agent",
        step=2,
        decision=Decision.REFUSED,
        rule="tool_not_granted",
        policy="sha256:00",
        body={"tool": "orders.refund"},
        content=b'{"amount_cents": 999999}',
        data_subject="ann",
    )
    await ledger.append(step("t", 1), call, step("other", 1), step("t", 3, b"data: [DONE]\n\xff"))
    first, second, third = await trace(pool, "t", SubjectKeys(SUBJECTS_KEY))
    assert (first.seq, first.content_state, first.content) == (1, ContentState.NONE, None)
    assert (second.seq, second.step, second.kind, second.actor) == (2, 2, call.kind, call.actor)
    assert (second.decision, second.rule, second.policy) == (call.decision, call.rule, call.policy)
    assert (second.body, second.content) == (call.body, {"amount_cents": 999999})
    assert (third.content_state, third.content) == (ContentState.PRESENT, "data: [DONE]\n\ufffd")
    assert await trace(pool, "unknown", SubjectKeys(SUBJECTS_KEY)) == []


async def test_damaged_content_is_said_to_be_damaged(
    ledger: Ledger, pool: asyncpg.Pool, owner_pool: asyncpg.Pool
) -> None:
    await ledger.append(*(step("t", n, b"content") for n in range(1, 4)))
    await owner_pool.execute("UPDATE ledger_content SET ciphertext = '' WHERE seq = 1")
    await owner_pool.execute("DELETE FROM ledger_content WHERE seq = 2")
    found = await trace(pool, "t", SubjectKeys(SUBJECTS_KEY))
    assert [record.content_state for record in found] == [
        ContentState.DAMAGED,
        ContentState.DAMAGED,
        ContentState.PRESENT,
    ]
