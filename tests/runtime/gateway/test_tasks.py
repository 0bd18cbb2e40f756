"""``/tasks`` over HTTP, the orchestrator's side played by the test: what is taken, and what only with a row."""

from typing import Any

import pytest

from tests.fakes.model_server import turn
from tests.fixtures.desk import Desk


def row(seq: int, step: int, source: str, event: str, target: str, reason: str = "") -> dict[str, Any]:
    return {"seq": seq, "step": step, "from": source, "event": event, "to": target, "reason": reason}


STARTED = row(1, 1, "opened", "started", "thinking")


async def report(desk: Desk, txn: str, *rows: dict[str, Any]) -> None:
    for one in rows:
        (await desk.as_worker("POST", f"/tasks/{txn}/transitions", one)).raise_for_status()


async def refused(desk: Desk, txn: str, one: dict[str, Any]) -> str:
    return (await desk.as_worker("POST", f"/tasks/{txn}/transitions", one)).json()["code"]


async def handed_over(desk: Desk) -> str:
    txn = await desk.mail("4711")
    await report(desk, txn, STARTED, row(2, 1, "thinking", "refused", "handed_over", "tool_not_granted"))
    return txn


async def test_a_transition_is_taken_once_and_recorded_once(desk: Desk) -> None:
    txn = await desk.mail("4711")
    await report(desk, txn, STARTED, STARTED, row(2, 1, "thinking", "proposed", "acting"))
    assert [record["kind"] for record in await desk.get(f"/tasks/{txn}/trace")] == [
        "task_opened",
        "transition",
        "transition",
    ]
    shown = await desk.get(f"/tasks/{txn}")
    assert (shown["state"], shown["step"]) == ("acting", 1)


@pytest.mark.parametrize(
    "wrong",
    [
        row(3, 1, "thinking", "proposed", "acting"),
        row(2, 2, "thinking", "proposed", "acting"),
        row(2, 1, "acting", "succeeded", "thinking"),
        row(2, 1, "thinking", "proposed", "finished"),
        row(2, 1, "thinking", "approved", "acting"),
    ],
)
async def test_a_transition_that_the_table_does_not_give_is_refused(desk: Desk, wrong: dict[str, Any]) -> None:
    txn = await desk.mail("4711")
    await report(desk, txn, STARTED)
    assert await refused(desk, txn, wrong) == "task_not_waiting"


@pytest.mark.parametrize(("event", "target"), [("approved", "acting"), ("declined", "thinking")])
async def test_a_decision_that_no_person_made_is_refused(desk: Desk, event: str, target: str) -> None:
    txn = await desk.mail("4711")
    await report(
        desk,
        txn,
        STARTED,
        row(2, 1, "thinking", "proposed", "acting"),
        row(3, 1, "acting", "approval_required", "awaiting_approval"),
    )
    step = 2 if target == "thinking" else 1
    assert await refused(desk, txn, row(4, step, "awaiting_approval", event, target)) == "task_not_waiting"


@pytest.mark.parametrize(
    ("event", "target", "step"),
    [
        ("continued", "thinking", 2),
        ("resumed", "acting", 1),
        ("taken_over", "taken_over", 1),
        ("stopped", "stopped", 1),
    ],
)
async def test_a_choice_that_no_person_made_is_refused(desk: Desk, event: str, target: str, step: int) -> None:
    txn = await handed_over(desk)
    assert await refused(desk, txn, row(3, step, "handed_over", event, target)) == "task_not_waiting"


async def test_a_revocation_that_no_person_made_is_refused(desk: Desk) -> None:
    txn = await desk.mail("4711")
    await report(desk, txn, STARTED)
    revoked = row(2, 1, "thinking", "revoked", "handed_over", "token_revoked")
    assert await refused(desk, txn, revoked) == "task_not_waiting"
    await desk.post(f"/tasks/{txn}/revoke", {})
    await report(desk, txn, revoked)


async def test_another_choice_than_the_person_made_is_refused(desk: Desk) -> None:
    txn = await handed_over(desk)
    assert (await desk.post(f"/tasks/{txn}/choice", {"choice": "stop"})).json() == {"txn": txn, "choice": "stop"}
    assert await refused(desk, txn, row(3, 2, "handed_over", "continued", "thinking")) == "task_not_waiting"
    await report(desk, txn, row(3, 1, "handed_over", "stopped", "stopped"))
    assert await desk.stack.pool.fetchval("SELECT state FROM grants WHERE txn = $1", txn) == "closed"


async def test_a_second_choice_is_refused(desk: Desk) -> None:
    txn = await handed_over(desk)
    await desk.post(f"/tasks/{txn}/choice", {"choice": "continue"})
    assert (await desk.post(f"/tasks/{txn}/choice", {"choice": "stop"})).json()["code"] == "task_not_waiting"


async def test_continue_gives_turns(desk: Desk) -> None:
    txn = await handed_over(desk)
    await desk.post(f"/tasks/{txn}/choice", {"choice": "continue", "iterations": 3})
    assert await desk.stack.pool.fetchval("SELECT max_steps FROM grants WHERE txn = $1", txn) == 13


async def test_continue_becomes_resume_where_a_write_is_not_settled(desk: Desk) -> None:
    txn = await handed_over(desk)
    await desk.stack.pool.execute(
        """INSERT INTO tool_calls (key, txn, step, tool, effect, arguments, arguments_digest, bound, state)
        VALUES ('key', $1, 1, 'orders.refund', 'write', '{}', '', '{}', 'started')""",
        txn,
    )
    assert (await desk.post(f"/tasks/{txn}/choice", {"choice": "continue"})).json()["choice"] == "resume"
    await report(desk, txn, row(3, 1, "handed_over", "resumed", "acting"))


async def test_the_first_message_of_a_key_stays(desk: Desk) -> None:
    txn = await desk.mail("4711")
    path = f"/tasks/{txn}/messages"
    first = await desk.as_worker("POST", path, {"key": "think:1", "role": "assistant", "content": "a"})
    again = await desk.as_worker("POST", path, {"key": "think:1", "role": "assistant", "content": "b"})
    assert first.json() == again.json() == {"seq": 2, "key": "think:1", "role": "assistant", "content": "a"}


async def test_the_context_holds_definition_tools_and_messages(desk: Desk) -> None:
    txn = await desk.mail("4711")
    context = (await desk.as_worker("GET", f"/tasks/{txn}/context")).json()
    assert context["agent"]["name"] == "order-desk"
    assert set(context["tools"]) == {"orders.get", "stock.check", "orders.cancel", "orders.refund"}
    assert context["tools"]["orders.refund"]["effect"] == "write"
    assert [message["key"] for message in context["messages"]] == ["mail"]


async def test_the_hand_over_shows_the_action_that_has_no_result(desk: Desk) -> None:
    txn = await desk.mail("4711")
    proposed = turn("orders.get", order_id="4711")
    await desk.as_worker("POST", f"/tasks/{txn}/messages", {"key": "think:1", "role": "assistant", "content": proposed})
    await report(desk, txn, STARTED, row(2, 1, "thinking", "proposed", "acting"))
    await report(desk, txn, row(3, 1, "acting", "failed", "handed_over", "upstream_unavailable"))
    packet = await desk.get(f"/tasks/{txn}/hand-over")
    assert packet["pending"] == {
        "reason": "as the script says",
        "tool": "orders.get",
        "arguments": {"order_id": "4711"},
    }
    assert packet["reason"] == "upstream_unavailable"


async def test_people_and_workers_have_different_doors(desk: Desk) -> None:
    txn = await desk.mail("4711")
    assert (await desk.as_worker("GET", f"/tasks/{txn}")).json()["code"] == "kind_not_allowed"
    assert (await desk.as_worker("POST", f"/tasks/{txn}/choice", {"choice": "stop"})).status_code == 403
    assert (await desk.post(f"/tasks/{txn}/transitions", STARTED)).json()["code"] == "kind_not_allowed"
    assert (await desk.http.get(f"/tasks/{txn}")).json()["code"] == "token_missing"


@pytest.mark.parametrize("path", ["", "/trace", "/hand-over"])
async def test_an_unknown_task_is_not_found(desk: Desk, path: str) -> None:
    answer = await desk.http.get(f"/tasks/01J{path}", auth=desk.person.auth())
    assert (answer.status_code, answer.json()["code"]) == (404, "task_unknown")
