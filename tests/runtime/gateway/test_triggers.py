"""Signed events over HTTP; nothing runs the tasks here."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.fixtures.desk import Desk


async def test_a_signed_event_opens_one_task_with_grant_message_and_ledger_record(desk: Desk) -> None:
    txn = await desk.mail("Please cancel order 4711")
    (shown,) = await desk.get("/tasks")
    assert (shown["txn"], shown["state"], shown["agent"], shown["trigger"]) == (txn, "opened", "order-desk", "mail")
    (record,) = await desk.get(f"/tasks/{txn}/trace")
    assert record["kind"] == "task_opened"
    assert record["content"]["text"] == "Please cancel order 4711"
    assert await desk.stack.pool.fetchval("SELECT state FROM grants WHERE txn = $1", txn) == "active"


async def test_the_same_webhook_again_answers_the_same_task(desk: Desk) -> None:
    first = await desk.event("hello", webhook_id="msg_1")
    again = await desk.event("hello", webhook_id="msg_1")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert len(await desk.get("/tasks")) == 1


async def test_the_same_webhook_id_with_another_event_is_refused(desk: Desk) -> None:
    await desk.event("hello", webhook_id="msg_1")
    assert (await desk.event("other", webhook_id="msg_1")).json()["code"] == "idempotency_conflict"


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "no"},
        {"webhook-id": "msg_other"},
        {"webhook-timestamp": str(int((datetime.now(UTC) - timedelta(hours=1)).timestamp()))},
        {"webhook-timestamp": "soon"},
    ],
)
async def test_an_event_that_is_not_signed_so_is_refused_and_opens_nothing(desk: Desk, headers: dict[str, str]) -> None:
    answer = await desk.send(json.dumps({"text": "hello"}).encode(), **headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "webhook_signature_invalid")
    assert await desk.get("/tasks") == []


async def test_an_old_event_is_refused_though_its_signature_fits(desk: Desk) -> None:
    content, then = b'{"text":"hello"}', datetime.now(UTC) - timedelta(minutes=6)
    signed = {
        "webhook-timestamp": str(int(then.timestamp())),
        "webhook-signature": desk.webhook.sign("msg_1", then, content.decode()),
    }
    assert (await desk.send(content, webhook_id="msg_1", **signed)).status_code == 401


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b'{"text":""}',
        b'{"txt":"hello"}',
        b'{"text":"a","text":"b"}',
        b'{"text":"a","data_subject":"a\\u0000b"}',
    ],
)
async def test_a_signed_event_of_another_shape_is_refused(desk: Desk, content: bytes) -> None:
    answer = await desk.send(content)
    assert (answer.status_code, answer.json()["code"]) == (422, "body_invalid")


async def test_an_event_that_is_too_large_is_refused(desk: Desk) -> None:
    assert (await desk.event("x" * 70_000)).json()["code"] == "body_too_large"


@pytest.mark.parametrize(
    ("path", "code"),
    [("/triggers/nobody/mail", "agent_unknown"), ("/triggers/order-desk/fax", "trigger_unknown")],
)
async def test_an_event_for_nobody_is_refused(desk: Desk, path: str, code: str) -> None:
    answer = await desk.send(b'{"text":"hello"}', path=path)
    assert (answer.status_code, answer.json()["code"]) == (404, code)
