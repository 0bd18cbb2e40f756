"""A person's word: on exactly one action, not on one's own, once, and not for ever."""

import pytest

from runtime.approvals import Approval, ApprovalState, Choice
from runtime.errors import Refused
from tests.fixtures.bench import TXN, Bench

DEAR = {"order_id": "4711", "amount_cents": 12900}
CHIEF = "person:chief"


@pytest.fixture
async def waiting(bench: Bench) -> Approval:
    await bench.read("4711")
    asked = await bench.call("orders.refund", DEAR, 2)
    return await bench.approvals.get(asked.body["approval"]["id"])


async def refused(bench: Bench, approval: Approval, *, by: str = CHIEF, digest: str | None = None) -> str:
    with pytest.raises(Refused) as refusal:
        await bench.approvals.decide(approval.id, Choice.APPROVE, digest or approval.digest, by)
    return refusal.value.code


async def test_what_waits_is_listed_with_the_exact_action(bench: Bench, waiting: Approval) -> None:
    (listed,) = await bench.approvals.list(ApprovalState.WAITING)

    told = listed.told()
    assert listed == waiting
    assert told["action"]["arguments"] == DEAR
    assert told["reason"] == "amount_cents is 12900, above 5000"
    assert told["requested_by"] == "trigger:order-desk/mail"
    assert await bench.approvals.list(ApprovalState.APPROVED) == []


@pytest.mark.parametrize(
    ("choice", "state", "decision"),
    [
        (Choice.APPROVE, ApprovalState.APPROVED, "allowed"),
        (Choice.DECLINE, ApprovalState.DECLINED, "refused"),
    ],
)
async def test_a_decision_is_recorded_and_waits_for_delivery(
    bench: Bench, waiting: Approval, choice: Choice, state: ApprovalState, decision: str
) -> None:
    decided = await bench.approvals.decide(waiting.id, choice, waiting.digest, CHIEF)

    assert (decided.state, decided.decided_by) == (state, CHIEF)
    row = await bench.pool.fetchrow("SELECT decided_at, delivered_at FROM approvals WHERE id = $1", waiting.id)
    assert row["decided_at"] is not None
    assert row["delivered_at"] is None
    (record,) = await bench.records("approval_decided")
    assert (record["actor"], record["decision"], record["step"]) == (CHIEF, decision, 2)
    assert record["body"] == {"approval": waiting.id, "rule": "approval", "by": CHIEF, "decision": choice}


async def test_a_decision_stands(bench: Bench, waiting: Approval) -> None:
    await bench.approvals.decide(waiting.id, Choice.DECLINE, waiting.digest, CHIEF)

    assert await refused(bench, waiting) == "approval_decided"
    assert (await bench.approvals.get(waiting.id)).state is ApprovalState.DECLINED


async def test_the_digest_must_be_that_of_the_action(bench: Bench, waiting: Approval) -> None:
    assert await refused(bench, waiting, digest="sha256:" + "0" * 64) == "approval_digest_mismatch"
    assert await bench.records("approval_decided") == []


@pytest.mark.parametrize(
    "who",
    [
        "trigger:order-desk/mail",
        "spiffe://local.loomstead/agent/order-desk/v1",
        "spiffe://local.loomstead/worker",
    ],
)
async def test_nobody_in_the_acting_chain_approves(bench: Bench, waiting: Approval, who: str) -> None:
    assert await refused(bench, waiting, by=who) == "approver_is_requester"


async def test_what_expired_is_told_so_and_cannot_be_approved(bench: Bench, waiting: Approval) -> None:
    await bench.pool.execute("UPDATE approvals SET expires_at = now()")

    assert await refused(bench, waiting) == "approval_decided"
    assert (await bench.approvals.get(waiting.id)).state is ApprovalState.EXPIRED
    await bench.approvals.list()
    assert await bench.pool.fetchval("SELECT state FROM approvals") == "expired"


async def test_a_revoked_task_has_nothing_to_approve(bench: Bench, waiting: Approval) -> None:
    async with bench.pool.acquire() as conn, conn.transaction():
        await bench.grants.revoke(conn, TXN, CHIEF)

    assert await refused(bench, waiting) == "task_not_waiting"


async def test_an_unknown_approval_is_told(bench: Bench) -> None:
    with pytest.raises(Refused, match="approval_unknown"):
        await bench.approvals.get("nothing")
