"""A model call from the caller's socket to the upstream's, and what the ledger has of it afterwards."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import asyncpg
import httpx
import msgspec
import openai
import pytest
from joserfc.jwk import ECKey

from runtime.identity import jws
from runtime.identity.tokens import TaskClaims, mint
from runtime.ledger.record import Decision, Entry, Kind
from runtime.models.asgi import MAX_BODY, MAX_REPLY
from tests.fixtures.issuer import KEYS
from tests.runtime.models.conftest import ANSWER, EVENTS_END, EVENTS_HEAD, Handler, Served, chunk, whole

BODY = b'{ "messages" : [{"role":"user","content":"1.0e0 h\\u00e9"}],  "model" :"chat-small", "temperature":0.10 }'
USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
REPLIED = {"endpoint": "chat-small/1", "status": 200}
EVENTS = [
    b'data: {"model":"qwen","choices":[{"index":0,"delta":{"content":"hel"},"finish_reason":null}]}\n\n',
    b'data: {"model":"qwen","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}\n\n',
    b'data: {"model":"qwen","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}\n\n',
    b"data: [DONE]\n\n",
]
STREAMED = b'{"model":"chat-small","messages":[],"stream":true}'


def problem(answer: Any) -> tuple[int, str, str]:
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["status"] == answer.status_code
    assert told["remedy"]
    assert told["detail"]
    return answer.status_code, told["code"], told["rule"]


def chat(served: Served, token: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=token, base_url=served.url)


def events(*, hold: asyncio.Event | None = None, end: bytes = EVENTS_END) -> Handler:
    """Streams ``EVENTS``; after the first one, waits for ``hold``."""

    async def handle(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS_HEAD + chunk(EVENTS[0]))
        await writer.drain()
        if hold:
            await hold.wait()
        writer.write(b"".join(map(chunk, EVENTS[1:])) + end)

    return handle


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  nothing tells it
            await asyncio.sleep(0.01)


def running() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if not task.done()}


async def test_an_allowed_call_passes_both_bodies_through_unchanged(served: Served) -> None:
    answer = await served.ask(await served.token("t"), BODY)
    assert (answer.status_code, answer.content) == (200, ANSWER)
    assert answer.headers["content-type"] == "application/json"
    assert served.model.bodies == [BODY]


async def test_a_call_and_its_reply_are_recorded_with_their_content(served: Served) -> None:
    await served.ask(await served.token("t"), BODY)
    call, reply = await served.records("t")
    assert (call.kind, call.decision, call.rule) == (Kind.MODEL_CALL, Decision.ALLOWED, "residency/inside")
    assert call.policy == served.stack.manifest.boundary_digest
    assert call.actor == "spiffe://local.loomstead/agent/order-desk/v1"
    assert call.body == {
        "model_class": "chat-small",
        "endpoint": "chat-small/1",
        "countries": ["DE"],
        "attempt": 1,
        "stream": False,
    }
    assert call.content == json.loads(BODY)
    assert reply.kind == Kind.MODEL_REPLY
    assert reply.body == {**REPLIED, "model": "qwen", "usage": USAGE, "finish_reason": "stop"}
    assert reply.content == json.loads(ANSWER)


async def test_the_step_that_the_caller_names_is_recorded(served: Served) -> None:
    headers = {"authorization": f"bearer {await served.token('t')}", "loomstead-step": "7"}
    await served.http.post(f"{served.url}/chat/completions", content=BODY, headers=headers)
    assert [record.step for record in await served.records("t")] == [7, 7]


async def test_only_the_name_of_the_model_changes_where_the_upstream_has_another(served: Served) -> None:
    await served.ask(await served.token("t", model_class="renamed"), BODY.replace(b"chat-small", b"renamed"))
    assert served.model.bodies == [BODY.replace(b'"model" :"chat-small"', b'"model":"qwen"')]
    assert (await served.records("t"))[0].content["model"] == "qwen"


async def test_embeddings_go_the_same_way(served: Served) -> None:
    served.model.handler = whole(b'{"data":[{"embedding":[0.1]}],"usage":{"prompt_tokens":7,"total_tokens":9}}')
    token = await served.token("t", model_class="embed")
    answer = await served.ask(token, b'{"model":"embed","input":"x"}', "/embeddings")
    assert answer.json()["data"] == [{"embedding": [0.1]}]
    assert (await served.records("t"))[1].body["usage"]["total_tokens"] == 9


@pytest.mark.parametrize(
    ("model_class", "path"), [("embed", "/chat/completions"), ("embed", "/completions"), ("chat-small", "/embeddings")]
)
async def test_a_model_class_of_another_kind_is_refused(served: Served, model_class: str, path: str) -> None:
    body = json.dumps({"model": model_class}).encode()
    answer = await served.ask(await served.token("t", model_class=model_class), body, path)
    assert problem(answer)[:2] == (422, "body_invalid")
    assert served.model.bodies == []
    assert (await served.records("t"))[0].body["code"] == "body_invalid"


async def test_completions_go_the_same_way(served: Served) -> None:
    answer = await served.ask(await served.token("t"), b'{"model":"chat-small","prompt":"x"}', "/completions")
    assert answer.content == ANSWER
    assert served.model.heads[0].startswith(b"POST /v1/completions ")


async def test_no_byte_leaves_before_the_decision_is_durable(served: Served, owner_pool: asyncpg.Pool) -> None:
    token = await served.token("t")
    await served.ask(token)
    async with owner_pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT FROM ledger_heads WHERE txn = 't' FOR UPDATE")
        served.model.handler = events()
        asked = asyncio.create_task(served.ask(token, STREAMED))
        await until(lambda: len(served.model.bodies) == 2)  # the upstream is asked meanwhile
        done, _ = await asyncio.wait([asked], timeout=0.5)
        assert not done
        assert len(await served.records("t")) == 2
    assert (await asked).content == b"".join(EVENTS)


async def test_the_eleventh_turn_is_refused_for_good(served: Served) -> None:
    token = await served.token("t", max_steps=10)
    async with chat(served, token) as client:
        for _ in range(10):
            await client.chat.completions.create(model="chat-small", messages=[{"role": "user", "content": "hi"}])
        with pytest.raises(openai.RateLimitError) as limited:  # which the SDK would ask again, were it not told
            await client.chat.completions.create(model="chat-small", messages=[{"role": "user", "content": "hi"}])
    assert problem(limited.value.response) == (429, "iteration_limit", "iteration_limit")
    assert limited.value.response.headers["x-should-retry"] == "false"
    assert len(served.model.bodies) == 10
    *answered, refused = await served.records("t")
    assert len(answered) == 20
    assert (refused.kind, refused.decision, refused.rule) == (Kind.MODEL_CALL, Decision.REFUSED, "iteration_limit")
    assert refused.body == {"model_class": "chat-small", "code": "iteration_limit", "stream": False}
    assert refused.content["messages"] == [{"role": "user", "content": "hi"}]


def _changed(token: str, key: ECKey = KEYS["issuer"], **changes: Any) -> str:
    claims = msgspec.convert(jws.parse(token.encode(), required=frozenset({"typ", "kid"})).claims, TaskClaims)
    return mint(msgspec.structs.replace(claims, **changes), key)


def _tampered(token: str) -> str:
    head, payload, signature = token.split(".")
    return f"{head}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(lambda token: token[: len(token) // 2], "token_malformed", id="half"),
        pytest.param(_tampered, "token_tampered", id="tampered"),
        pytest.param(lambda token: _changed(token, KEYS["worker"]), "token_foreign", id="another key"),
        pytest.param(lambda token: _changed(token, iss="http://elsewhere"), "token_foreign", id="another issuer"),
        pytest.param(lambda token: _changed(token, aud="orders"), "token_wrong_audience", id="for somebody else"),
        pytest.param(lambda token: _changed(token, exp=1), "token_expired", id="expired"),
    ],
)
async def test_without_a_good_token_nothing_happens(served: Served, change: Callable[[str], str], code: str) -> None:
    answer = await served.ask(change(await served.token("t")))
    assert problem(answer) == (401, code, code)
    assert served.model.bodies == []
    assert await served.records("t") == []


@pytest.mark.parametrize("headers", [[], ["Basic {}"], ["Bearer"], ["Bearer {}", "Bearer {}"]])
async def test_exactly_one_bearer_token_is_wanted(served: Served, headers: list[str]) -> None:
    token = await served.token("t")
    sent = [("authorization", header.format(token)) for header in headers]
    answer = await served.http.post(f"{served.url}/chat/completions", content=BODY, headers=sent)
    assert problem(answer) == (401, "token_missing", "token_missing")


async def test_a_revoked_task_is_refused_within_a_second(served: Served) -> None:
    token = await served.token("t")
    await served.ask(token)
    await served.stack.revoke("t")
    await asyncio.sleep(1)
    assert problem(await served.ask(token)) == (401, "token_revoked", "grant_revoked")
    assert len(served.model.bodies) == 1


async def test_a_model_class_outside_the_grant_is_refused_and_its_name_is_no_readable_record(served: Served) -> None:
    answer = await served.ask(await served.token("t"), b'{"model":"Ann Smith, Bonn"}')
    assert problem(answer)[:2] == (451, "model_class_unavailable")
    assert answer.headers["x-should-retry"] == "false"
    (refused,) = await served.records("t")
    assert (refused.decision, refused.body["model_class"]) == (Decision.REFUSED, None)
    assert refused.content == {"model": "Ann Smith, Bonn"}
    assert served.model.bodies == []


async def test_an_endpoint_outside_the_boundary_is_refused_with_rule_and_countries(served: Served) -> None:
    answer = await served.ask(await served.token("t", model_class="far"), b'{"model":"far"}')
    assert problem(answer) == (451, "outside_boundary", "eu-gdpr/process")
    assert answer.json()["countries"] == ["US"]
    (refused,) = await served.records("t")
    assert (refused.decision, refused.rule) == (Decision.REFUSED, "eu-gdpr/process")
    reason = refused.body.pop("reason")
    assert refused.body == {"model_class": "far", "code": "outside_boundary", "stream": False}
    assert "process in US is outside eu-gdpr" in reason
    assert served.model.bodies == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (422, "body_invalid")),
        (b'{"messages":[]}', (422, "body_invalid")),
        (b'{"model":"chat-small","model":"far"}', (422, "body_invalid")),
        (b'{"model":"chat-small","x":"%s"}' % (b"x" * MAX_BODY), (413, "body_too_large")),
    ],
    ids=["empty", "no model", "two models", "too large"],
)
async def test_a_body_that_cannot_be_asked_is_refused(served: Served, body: bytes, expected: tuple[int, str]) -> None:
    assert problem(await served.ask(await served.token("t"), body))[:2] == expected
    assert served.model.bodies == []


async def test_a_step_that_is_no_number_is_refused(served: Served) -> None:
    headers = {"authorization": f"Bearer {await served.token('t')}", "loomstead-step": "-1"}
    answer = await served.http.post(f"{served.url}/chat/completions", content=BODY, headers=headers)
    assert problem(answer)[:2] == (422, "body_invalid")


async def test_an_upstream_that_is_down_costs_no_turn(served: Served) -> None:
    token = await served.token("t", max_steps=1)
    await served.model.stop()
    assert problem(await served.ask(token))[:2] == (503, "upstream_unavailable")
    await served.model.start()
    assert (await served.ask(token)).status_code == 200
    broken, answered = [record.body for record in await served.records("t") if record.kind == Kind.MODEL_REPLY]
    assert broken == {"endpoint": "chat-small/1", "status": 503, "code": "upstream_unavailable"}
    assert answered["status"] == 200


async def test_an_upstream_that_breaks_off_costs_no_turn(served: Served) -> None:
    token = await served.token("t", max_steps=1)
    served.model.handler = whole(b"short", **{"content-length": "10"})
    asked = asyncio.create_task(served.ask(token))
    await until(lambda: len(served.model.bodies) == 1)  # it waits for the rest
    await served.model.stop()
    assert problem(await asked)[:2] == (502, "upstream_failed")
    served.model.handler = whole()
    await served.model.start()
    assert (await served.ask(token)).status_code == 200


@pytest.mark.parametrize("status", ["429 Too Many Requests", "500 Internal Server Error", "503 Service Unavailable"])
async def test_an_upstream_that_answers_nothing_is_passed_on_and_costs_no_turn(served: Served, status: str) -> None:
    token = await served.token("t", max_steps=1)
    served.model.handler = whole(b'{"error":"busy"}', status, retry_after="3")
    for body in (BODY, STREAMED):
        answer = await served.ask(token, body)
        assert (f"{answer.status_code} {answer.reason_phrase}", answer.content) == (status, b'{"error":"busy"}')
        assert answer.headers["retry-after"] == "3"
    served.model.handler = whole()
    assert (await served.ask(token)).status_code == 200
    replies = [record for record in await served.records("t") if record.kind == Kind.MODEL_REPLY]
    assert [reply.body["status"] for reply in replies] == [answer.status_code] * 2 + [200]
    assert replies[0].content == {"error": "busy"}


async def test_a_refusal_of_the_upstream_costs_its_turn(served: Served) -> None:
    token = await served.token("t", max_steps=1)
    served.model.handler = whole(b'{"error":"context"}', "400 Bad Request")
    assert (await served.ask(token)).status_code == 400
    assert problem(await served.ask(token))[1] == "iteration_limit"


async def test_chunks_arrive_one_by_one_and_are_recorded_together(served: Served) -> None:
    hold = asyncio.Event()
    served.model.handler = events(hold=hold)
    headers = {"authorization": f"Bearer {await served.token('t')}"}
    async with served.http.stream("POST", f"{served.url}/chat/completions", content=STREAMED, headers=headers) as told:
        assert told.headers["content-type"] == "text/event-stream"
        chunks = told.aiter_raw()
        assert await anext(chunks) == EVENTS[0]
        hold.set()
        assert b"".join([part async for part in chunks]) == b"".join(EVENTS[1:])
    call, reply = await served.records("t")
    assert call.body["stream"] is True
    assert reply.body == {**REPLIED, "model": "qwen", "usage": USAGE, "finish_reason": "stop"}
    assert reply.content == b"".join(EVENTS).decode()


async def test_a_stock_client_streams(served: Served) -> None:
    served.model.handler = events()
    async with chat(served, await served.token("t")) as client:
        stream = await client.chat.completions.create(
            model="chat-small", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        pieces = [part.choices[0].delta.content async for part in stream if part.choices]
    assert pieces == ["hel", "lo"]


async def test_a_stock_client_asks_and_is_told_of_refusals(served: Served) -> None:
    async with chat(served, await served.token("t")) as client:
        answer = await client.chat.completions.create(model="chat-small", messages=[{"role": "user", "content": "hi"}])
        assert answer.choices[0].message.content == "héllo"
        with pytest.raises(openai.APIStatusError) as refused:
            await client.chat.completions.create(model="other", messages=[])
    assert problem(refused.value.response)[:2] == (451, "model_class_unavailable")


async def test_a_caller_that_leaves_stops_the_upstream_and_leaves_nothing_behind(served: Served) -> None:
    stopped = asyncio.Event()

    async def silent_after_the_first(_: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS_HEAD + chunk(EVENTS[0]))
        await writer.drain()
        await reader.read()
        stopped.set()

    served.model.handler = silent_after_the_first
    token = await served.token("t")
    before = running()
    async with httpx.AsyncClient() as http:
        headers = {"authorization": f"Bearer {token}"}
        async with http.stream("POST", f"{served.url}/chat/completions", content=STREAMED, headers=headers) as told:
            assert await anext(told.aiter_raw()) == EVENTS[0]
    await asyncio.wait_for(stopped.wait(), 10)
    await until(lambda: running() == before)
    reply = (await served.records("t"))[1]
    assert reply.body == {
        **REPLIED,
        "model": "qwen",
        "usage": None,
        "finish_reason": None,
        "code": "caller_left",
    }
    assert reply.content == EVENTS[0].decode()
    served.model.handler = whole()
    assert (await served.ask(token)).status_code == 200


async def test_a_stream_that_the_upstream_cuts_does_not_end_well_and_is_recorded(served: Served) -> None:
    served.model.handler = events(end=b"zz\r\n")
    token = await served.token("t")
    with pytest.raises(httpx.RemoteProtocolError):
        await served.ask(token, STREAMED)
    reply = (await served.records("t"))[1]
    assert (reply.body["status"], reply.body["code"]) == (200, "upstream_failed")
    assert reply.content.startswith(EVENTS[0].decode())


async def test_an_answer_too_large_to_be_recorded_does_not_leave(served: Served) -> None:
    served.model.handler = whole(b"x" * (MAX_REPLY + 1))
    answer = await served.ask(await served.token("t"))
    assert problem(answer)[:2] == (502, "upstream_failed")
    assert (await served.records("t"))[1].body == {**REPLIED, "status": 502, "code": "upstream_failed"}


async def test_an_answer_that_is_no_json_is_passed_on_and_recorded_as_it_is(served: Served) -> None:
    served.model.handler = whole(b"<html>", kind="text/html")
    answer = await served.ask(await served.token("t"))
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"<html>", "text/html")
    assert (await served.records("t"))[1].body == {**REPLIED, "unreadable": True}


@pytest.mark.parametrize("body", [BODY, STREAMED], ids=["whole", "streamed"])
async def test_an_answer_that_cannot_be_recorded_does_not_leave_whole(served: Served, body: bytes) -> None:
    async def cut_then_answer(sent: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not await served.records("t"):  # noqa: ASYNC110  the database tells nobody
            await asyncio.sleep(0)
        served.way.cut()
        await (whole() if body is BODY else events())(sent, reader, writer)

    served.model.handler = cut_then_answer
    token = await served.token("t")
    if body is BODY:
        assert problem(await served.ask(token, body))[:2] == (503, "database_unavailable")
    else:
        with pytest.raises(httpx.RemoteProtocolError):
            await served.ask(token, body)
    (decision,) = await served.records("t")
    assert decision.kind == Kind.MODEL_CALL


async def test_an_answer_whose_decision_failed_does_not_leave_though_it_could_be_recorded(
    served: Served, owner_pool: asyncpg.Pool
) -> None:
    async def repair_then_answer(sent: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):  # the decision's turn to fail came before this one's
            await served.ledger.append(Entry(txn="other", kind=Kind.TRANSITION, actor="test"))
        await owner_pool.execute("GRANT INSERT ON ledger TO gateway")
        await whole()(sent, reader, writer)

    served.model.handler = repair_then_answer
    token = await served.token("t")
    await owner_pool.execute("REVOKE INSERT ON ledger FROM gateway")
    assert problem(await served.ask(token))[:2] == (500, "internal")
    assert Kind.MODEL_CALL not in [record.kind for record in await served.records("t")]


async def test_a_ledger_that_may_not_write_lets_no_answer_out(served: Served, owner_pool: asyncpg.Pool) -> None:
    token = await served.token("t")
    await owner_pool.execute("REVOKE INSERT ON ledger FROM gateway")
    for body in (BODY, STREAMED):
        answer = await served.ask(token, body)
        assert problem(answer)[:2] == (500, "internal")
        assert "InsufficientPrivilegeError" in answer.json()["detail"]
        assert "ledger_content" not in answer.text


async def test_everything_else_goes_to_the_application(served: Served) -> None:
    keys = await served.http.get(f"{served.stack.identity.issuer}/jwks.json")
    assert [key["kid"] for key in keys.json()["keys"]] == [KEYS["issuer"].thumbprint()]
    for method, path in (("GET", "/chat/completions"), ("POST", "/chat/completions/"), ("POST", "/models")):
        assert (await served.http.request(method, f"{served.url}{path}")).status_code == 404
