"""Whole tasks by Step Functions: real gateway, outbox, worker, PostgreSQL and order system; AWS is moto."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from regions.manifest import StepFunctions
from runtime.tasks.activities import Activities
from runtime.tasks.dispatch import Dispatcher, NotTaken
from runtime.tasks.messages import ApprovalDecision, HandOverChoice
from runtime.tasks.step_functions import StepFunctionsOrchestrator
from runtime.tasks.step_functions_worker import polling
from tests.fakes.model_server import finish, turn
from tests.fixtures.desk import CONTEXT_TOKENS, Desk, delivering
from tests.fixtures.step_functions import REGION, Machine

CANCEL_AND_REFUND = "order 4711 is delayed, the customer wants it cancelled and the money back"


@pytest.fixture
def orchestrator(desk: Desk, machine: Machine) -> StepFunctionsOrchestrator:
    found = StepFunctionsOrchestrator(machine.endpoint, desk.manifest.limits.approval_seconds, desk.stack.pool)
    desk.dispatcher = Dispatcher(desk.stack.pool, found)
    return found


@pytest.fixture
async def office(desk: Desk, machine: Machine, orchestrator: StepFunctionsOrchestrator) -> AsyncGenerator[Desk]:
    activities = Activities(desk.http, desk.worker, {"chat-small": CONTEXT_TOKENS})
    async with delivering(desk), polling(machine.endpoint, activities):
        yield desk


async def test_a_mail_becomes_a_cancellation_and_after_approval_one_refund(office: Desk) -> None:
    txn = await office.mail(CANCEL_AND_REFUND)
    await office.until(txn, "awaiting_approval")
    assert await office.orders.refunds() == []
    await office.decide(txn, "approve")
    await office.until(txn, "finished")
    assert await office.orders.refunds() == [("4711", 12900)]
    assert await office.orders.status("4711") == "cancelled"


async def test_a_declined_refund_is_told_to_the_model_and_not_made(office: Desk) -> None:
    txn = await office.mail(CANCEL_AND_REFUND)
    await office.until(txn, "awaiting_approval")
    await office.decide(txn, "decline")
    await office.until(txn, "finished")
    assert await office.orders.refunds() == []
    assert "declined" in office.model.requests[-1]["messages"][-1]["content"]


async def test_a_task_that_does_not_end_is_handed_over_and_goes_on_when_a_person_says_so(office: Desk) -> None:
    office.model.script["loop"] = [turn("orders.get", order_id="4711"), turn("stock.check", sku="PUMP-3")] * 6
    txn = await office.mail("loop 4711")
    handed = await office.until(txn, "handed_over")
    assert handed["reason"] in ("iteration_limit", "no_progress")
    office.model.script["loop"] = [finish("done now")]
    (await office.post(f"/tasks/{txn}/choice", {"choice": "continue"})).raise_for_status()
    await office.until(txn, "finished")


@pytest.mark.parametrize(("choice", "state"), [("take_over", "taken_over"), ("stop", "stopped")])
async def test_a_handed_over_task_ends_when_a_person_says_so(office: Desk, choice: str, state: str) -> None:
    office.model.script["loop"] = [turn("orders.get", order_id="4711")]
    txn = await office.mail("loop 4711")
    await office.until(txn, "handed_over")
    (await office.post(f"/tasks/{txn}/choice", {"choice": choice})).raise_for_status()
    await office.until(txn, state)


async def test_a_revoked_task_waits_for_nobody_any_more(office: Desk) -> None:
    txn = await office.mail(CANCEL_AND_REFUND)
    await office.until(txn, "awaiting_approval")
    assert (await office.post(f"/tasks/{txn}/revoke", {})).json() == {"txn": txn, "revoked": True}
    assert (await office.until(txn, "handed_over"))["reason"] == "token_revoked"
    assert await office.orders.refunds() == []


async def test_a_revocation_from_before_a_wait_is_heard_when_the_wait_begins(
    desk: Desk, orchestrator: StepFunctionsOrchestrator, machine: Machine
) -> None:
    """It was delivered while nothing waited; who leaves a token afterwards is answered at once."""
    txn = await desk.mail(CANCEL_AND_REFUND)
    rows = [
        (1, 1, "started", "opened", "thinking"),
        (2, 1, "proposed", "thinking", "acting"),
        (3, 1, "approval_required", "acting", "awaiting_approval"),
    ]
    await desk.dispatcher.deliver()
    (await desk.post(f"/tasks/{txn}/revoke", {})).raise_for_status()
    await desk.dispatcher.deliver()
    undelivered = "SELECT count(*) FROM grants WHERE revoke_delivered_at IS NULL AND txn = $1"
    assert await desk.stack.pool.fetchval(undelivered, txn) == 0
    for seq, step, event, source, target in rows:
        row = {"seq": seq, "step": step, "from": source, "event": event, "to": target}
        (await desk.as_worker("POST", f"/tasks/{txn}/transitions", row)).raise_for_status()
    wait = {"seq": 3, "token": "a token", "approval": "apr_1", "digest": "sha256:1"}
    (await desk.as_worker("PUT", f"/tasks/{txn}/wait", wait)).raise_for_status()
    assert await desk.stack.pool.fetchval(undelivered, txn) == 1
    with pytest.raises(NotTaken, match="InvalidToken"):
        await orchestrator.revoke(txn)


async def test_a_task_is_started_once_however_often_it_is_brought(
    desk: Desk, orchestrator: StepFunctionsOrchestrator, machine: Machine
) -> None:
    await asyncio.gather(*(orchestrator.start("01TXN") for _ in range(3)))
    started = machine.states.list_executions(stateMachineArn=machine.endpoint.state_machine)["executions"]
    assert [execution["name"] for execution in started] == ["01TXN"]


async def test_words_for_a_task_that_does_not_wait_are_brought_again(
    desk: Desk, orchestrator: StepFunctionsOrchestrator
) -> None:
    txn = await desk.mail(CANCEL_AND_REFUND)
    with pytest.raises(NotTaken, match="does not wait"):
        await orchestrator.decide(txn, "d", ApprovalDecision("apr_1", "sha256:1", "approve"))
    with pytest.raises(NotTaken, match="does not wait"):
        await orchestrator.choose(txn, "c", HandOverChoice("stop"))
    await orchestrator.revoke(txn)


@pytest.mark.parametrize("seq", [1, 4])
async def test_a_wait_of_another_row_than_the_last_is_refused(desk: Desk, seq: int) -> None:
    txn = await desk.mail(CANCEL_AND_REFUND)
    rows = [(1, "started", "opened", "thinking"), (2, "refused", "thinking", "handed_over")]
    for number, event, source, target in rows:
        row = {"seq": number, "step": 1, "from": source, "event": event, "to": target}
        (await desk.as_worker("POST", f"/tasks/{txn}/transitions", row)).raise_for_status()
    refused = await desk.as_worker("PUT", f"/tasks/{txn}/wait", {"seq": seq, "token": "t"})
    assert refused.json()["code"] == "task_not_waiting"
    by_a_person = await desk.http.put(f"/tasks/{txn}/wait", json={"seq": 2, "token": "t"}, auth=desk.person.auth())
    assert by_a_person.json()["code"] == "kind_not_allowed"


async def test_readiness_is_the_state_machines(desk: Desk, orchestrator: StepFunctionsOrchestrator) -> None:
    assert await orchestrator.ready()
    gone = StepFunctions(
        state_machine=f"arn:aws:states:{REGION}:123456789012:stateMachine:gone", queue="https://sqs.example/q", ui=""
    )
    assert not await StepFunctionsOrchestrator(gone, 60, desk.stack.pool).ready()
    with pytest.raises(NotTaken, match="StateMachineDoesNotExist"):
        await StepFunctionsOrchestrator(gone, 60, desk.stack.pool).start("01TXN")
