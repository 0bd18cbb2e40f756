"""Copies to endpoints that are compared: recorded beside the real answer, and never in its way."""

import asyncio
import json
from typing import Any

import pytest

from regions.manifest import ModelEndpoint
from regions.residency import DataClass
from runtime.ledger.record import Decision, Kind
from runtime.models import shadows
from tests.fixtures.issuer import endpoint
from tests.runtime.models.conftest import ANSWER, ModelServer, Served, whole
from tests.runtime.models.test_calls import EVENTS, STREAMED, events, until


@pytest.fixture
def models(model: ModelServer, other: ModelServer) -> tuple[ModelEndpoint, ...]:
    return (
        endpoint("chat-small/main", model.url),
        endpoint("chat-small/new", other.url, shadow_percent=100, upstream_model="new"),
        endpoint("chat-small/far", other.url, shadow_percent=100, countries=("US",)),
        endpoint("chat-small/public", other.url, shadow_percent=100, data_classes=(DataClass.PUBLIC,)),
        endpoint("chat-small/never", other.url, weight=0),
    )


async def copied(served: Served, txn: str, copies: int = 1) -> list[Any]:
    """The records of copies, once all their replies are there."""
    async with asyncio.timeout(10):
        while True:
            found = [record for record in await served.records(txn) if record.body.get("shadow")]
            if len(found) == 2 * copies:
                return found
            await asyncio.sleep(0.01)


async def test_a_copy_is_recorded_beside_the_answer_and_goes_nowhere_else(served: Served, other: ModelServer) -> None:
    other.handler = whole(b'{"model":"n","choices":[{"finish_reason":"length"}]}')
    token = await served.token("t", max_steps=1)
    assert (await served.ask(token)).content == ANSWER
    call, reply = await copied(served, "t")
    assert (call.kind, call.decision, call.body["endpoint"], call.body["countries"]) == (
        Kind.MODEL_CALL,
        Decision.ALLOWED,
        "chat-small/new",
        ["DE"],
    )
    assert (reply.body["finish_reason"], reply.content["model"]) == ("length", "n")
    assert [json.loads(body)["model"] for body in other.bodies] == ["new"]
    main = [record for record in await served.records("t") if not record.body.get("shadow")]
    assert [record.body["endpoint"] for record in main] == ["chat-small/main"] * 2
    assert (await served.ask(token)).json()["code"] == "iteration_limit"  # the copy spent no turn


async def test_a_stream_is_copied_too(served: Served, other: ModelServer) -> None:
    served.model.handler = other.handler = events()
    assert (await served.ask(await served.token("t"), STREAMED)).content == b"".join(EVENTS)
    _, reply = await copied(served, "t")
    assert reply.content == b"".join(EVENTS).decode()


async def test_a_copy_that_hangs_delays_nobody_and_there_are_only_so_many(
    served: Served, other: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadows, "MAX_RUNNING", 2)
    hold = asyncio.Event()

    async def hangs(body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hold.wait()
        await whole()(body, reader, writer)

    other.handler = hangs
    token = await served.token("t")
    for _ in range(5):
        assert (await served.ask(token)).content == ANSWER
    await until(lambda: len(other.bodies) == 2)
    hold.set()
    await copied(served, "t", copies=2)


@pytest.mark.parametrize("status", ["500 Internal Server Error", None])
async def test_a_copy_that_fails_fails_alone(served: Served, other: ModelServer, status: str | None) -> None:
    if status is None:
        await other.stop()
    else:
        other.handler = whole(b"{}", status)
    assert (await served.ask(await served.token("t"))).content == ANSWER
    _, reply = await copied(served, "t")
    assert reply.body["status"] == (500 if status else 503)
    assert reply.body["shadow"] is True


async def test_a_call_that_nobody_answers_is_not_copied(served: Served, other: ModelServer) -> None:
    await served.model.stop()
    assert (await served.ask(await served.token("t"))).status_code == 503
    assert other.bodies == []


async def test_what_a_copys_reply_shows_counts(served: Served, other: ModelServer) -> None:
    token = await served.token("t")
    for copies, version in enumerate(("one", "two"), 1):
        other.handler = whole(json.dumps({"model": version, "choices": []}).encode())
        await served.ask(token)
        await copied(served, "t", copies)
    await until(lambda: "chat-small/new" in served.quarantine.held)
    await served.ask(token)
    assert len(other.bodies) == 2
