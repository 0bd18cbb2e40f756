"""What fails before its first byte has left is followed by the next endpoint, each decision recorded for itself."""

import asyncio
from typing import Any

import httpx
import pytest

from regions.manifest import ModelEndpoint
from runtime.ledger.record import Kind
from tests.fixtures.issuer import endpoint
from tests.runtime.models.conftest import ANSWER, EVENTS_HEAD, Handler, ModelServer, Served, chunk, whole

STREAMED = b'{"model":"chat-small","messages":[],"stream":true}'
EVENT = b'data: {"model":"qwen","choices":[{"index":0,"delta":{"content":"hel"},"finish_reason":"stop"}]}\n\n'


@pytest.fixture
def models(model: ModelServer, other: ModelServer) -> tuple[ModelEndpoint, ...]:
    return (
        endpoint("chat-small/second", other.url, priority=1, upstream_model="b"),
        endpoint("chat-small/first", model.url, upstream_model="a"),
        endpoint("chat-small/far", "http://127.0.0.1:1/v1", priority=2, countries=("US",)),
    )


def streams(*, cut: bool = False) -> Handler:
    async def handle(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS_HEAD + chunk(EVENT) + (b"zz\r\n" if cut else b"0\r\n\r\n"))

    return handle


async def breaks_off(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort")
    writer.close()


async def hangs_up(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def told(records: list[Any]) -> list[tuple[Any, ...]]:
    return [
        (record.kind, record.body["endpoint"], record.body.get("attempt"), record.body.get("code"))
        for record in records
    ]


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        pytest.param(None, "upstream_unavailable", id="down"),
        pytest.param(hangs_up, "upstream_failed", id="hangs up"),
        pytest.param(breaks_off, "upstream_failed", id="breaks off"),
        pytest.param(whole(b"{}", "429 Too Many Requests"), "upstream_failed", id="429"),
        pytest.param(whole(b"{}", "503 Service Unavailable"), "upstream_failed", id="503"),
    ],
)
async def test_the_next_endpoint_answers_and_both_are_recorded(
    served: Served, other: ModelServer, handler: Handler | None, code: str
) -> None:
    if handler is None:
        await served.model.stop()
    else:
        served.model.handler = handler
    token = await served.token("t", max_steps=1)
    answer = await served.ask(token)
    assert (answer.status_code, answer.content) == (200, ANSWER)
    assert b'"b"' in other.bodies[0]
    records = await served.records("t")
    assert told(records) == [
        (Kind.MODEL_CALL, "chat-small/first", 1, None),
        (Kind.MODEL_REPLY, "chat-small/first", None, code),
        (Kind.MODEL_CALL, "chat-small/second", 2, None),
        (Kind.MODEL_REPLY, "chat-small/second", None, None),
    ]
    assert [record.body["countries"] for record in records if record.kind == Kind.MODEL_CALL] == [["DE"], ["DE"]]
    assert (await served.ask(token)).json()["code"] == "iteration_limit"  # one turn for the whole call


async def test_what_did_not_answer_was_asked_all_the_same_and_anybody_may_know_how_often(
    served: Served, other: ModelServer
) -> None:
    """By this a model server that is not there is started."""
    await served.model.stop()
    await served.ask(await served.token("t"))
    for name, calls in {"first": 1, "second": 1, "far": 0}.items():
        answer = await served.http.get(f"{served.stack.identity.issuer}/models/chat-small/{name}/demand")
        assert (answer.status_code, answer.json()) == (200, {"calls": calls})
    unknown = await served.http.get(f"{served.stack.identity.issuer}/models/chat-small/nobody/demand")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "endpoint_unknown")


async def test_a_stream_goes_to_the_next_before_its_head_has_left(served: Served, other: ModelServer) -> None:
    served.model.handler, other.handler = whole(b"{}", "500 Internal Server Error"), streams()
    answer = await served.ask(await served.token("t"), STREAMED)
    assert answer.content == EVENT
    assert [record.body.get("code") for record in await served.records("t")] == [None, "upstream_failed", None, None]


async def test_a_stream_that_has_begun_is_nobody_elses(served: Served, other: ModelServer) -> None:
    served.model.handler = streams(cut=True)
    with pytest.raises(httpx.RemoteProtocolError):
        await served.ask(await served.token("t"), STREAMED)
    assert other.bodies == []
    assert [record.body.get("code") for record in await served.records("t")] == [None, "upstream_failed"]


async def test_the_last_ones_failure_is_the_answer_and_costs_no_turn(served: Served, other: ModelServer) -> None:
    served.model.handler = other.handler = whole(b'{"error":"busy"}', "429 Too Many Requests", retry_after="3")
    token = await served.token("t", max_steps=1)
    answer = await served.ask(token)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    served.model.handler = whole()
    assert (await served.ask(token)).status_code == 200


async def test_a_refusal_of_the_model_is_an_answer(served: Served, other: ModelServer) -> None:
    served.model.handler = whole(b'{"error":"context"}', "400 Bad Request")
    assert (await served.ask(await served.token("t"))).status_code == 400
    assert other.bodies == []


async def test_a_ledger_that_may_not_write_is_nobodys_to_make_good(
    served: Served, other: ModelServer, owner_pool: Any
) -> None:
    token = await served.token("t")
    await owner_pool.execute("REVOKE INSERT ON ledger FROM gateway")
    assert (await served.ask(token)).status_code == 500
    assert other.bodies == []
