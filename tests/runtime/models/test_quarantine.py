"""A reply that shows another place or another version takes its endpoint out of use, here and on every gateway."""

import asyncio
import json
from typing import Any

import asyncpg
import httpx
import pytest

from regions.catalogue import Signal
from regions.manifest import ModelEndpoint
from runtime.errors import Refused
from runtime.ledger.record import Kind
from runtime.models.quarantine import Quarantine
from runtime.models.record import Call
from runtime.models.reply import Answer
from tests.fixtures.issuer import endpoint
from tests.fixtures.postgres import Database, superuser
from tests.runtime.models.conftest import ANSWER, EVENTS_HEAD, Handler, ModelServer, Served, chunk, whole

STREAMED = b'{"model":"chat-small","messages":[],"stream":true}'
CLAUDE = b'{"model":"claude"}'
HERE: dict[str, Any] = {"x_ms_region": "Sweden Central"}
THERE: dict[str, Any] = {"x_ms_region": "East US 2"}


@pytest.fixture
def models(model: ModelServer, other: ModelServer) -> tuple[ModelEndpoint, ...]:
    return (
        endpoint(
            "chat-small/azure",
            model.url,
            signal=Signal.REGION_HEADER,
            signal_values=("swedencentral",),
            countries=("SE",),
        ),
        endpoint("chat-small/spare", other.url, priority=1),
        endpoint("claude/eu", model.url, signal=Signal.INFERENCE_GEO, signal_values=("eu",)),
        endpoint("plain/here", model.url, upstream_model="alias"),
        endpoint("pinned/here", model.url, version="gpt-1"),
    )


def events(geo: str, region: str = "Sweden Central") -> Handler:
    usage = json.dumps({"choices": [], "usage": {"inference_geo": geo}}).encode()
    told = [b'data: {"model":"m","choices":[{"finish_reason":"stop"}]}\n\n', b"data: %s\n\n" % usage]
    head = EVENTS_HEAD.replace(b"\r\n\r\n", b"\r\nx-ms-region: %s\r\n\r\n" % region.encode())

    async def handle(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head + b"".join(map(chunk, told)) + b"0\r\n\r\n")

    return handle


def answers(model: str) -> Handler:
    return whole(ANSWER.replace(b'"qwen"', json.dumps(model).encode()))


def another(served: Served) -> Quarantine:
    """As a second gateway has it, or this one after a restart."""
    manifest = served.stack.manifest.model_copy(update={"models": served.endpoints})
    return Quarantine(served.stack.pool, served.ledger, manifest)


async def test_what_says_where_it_should_is_passed_on(served: Served, other: ModelServer) -> None:
    served.model.handler = whole(**HERE)
    assert (await served.ask(await served.token("t"))).content == ANSWER
    assert served.quarantine.held == {}
    assert other.bodies == []


@pytest.mark.parametrize(("said", "cause"), [(THERE, "region"), ({}, "region_unsaid")])
async def test_an_answer_from_elsewhere_is_withheld_and_its_endpoint_asked_no_more(
    served: Served, other: ModelServer, said: dict[str, Any], cause: str
) -> None:
    served.model.handler = whole(**said)
    token = await served.token("t", max_steps=1)
    answer = await served.ask(token)
    assert (answer.status_code, answer.json()["code"], answer.json()["rule"]) == (
        502,
        "endpoint_quarantined",
        f"model/{cause}",
    )
    assert "h\\u00e9llo" not in answer.text
    assert (await served.ask(token)).content == ANSWER  # by the other one, and the first call cost no turn
    assert (len(served.model.bodies), len(other.bodies)) == (1, 1)
    call, reply, alarm, *_ = await served.records("t")
    assert (call.body["endpoint"], reply.body["code"]) == ("chat-small/azure", "endpoint_quarantined")
    assert reply.content == json.loads(ANSWER)
    assert (alarm.kind, alarm.rule, alarm.policy) == (
        Kind.ENDPOINT_QUARANTINED,
        f"model/{cause}",
        served.stack.manifest.boundary_digest,
    )
    assert alarm.body == {
        "endpoint": "chat-small/azure",
        "cause": cause,
        "expected": "x-ms-region of swedencentral",
        "seen": said.get("x_ms_region"),
    }


async def test_a_stream_from_elsewhere_is_withheld_whole(served: Served, other: ModelServer) -> None:
    served.model.handler = events("eu", region="East US 2")
    answer = await served.ask(await served.token("t"), STREAMED)
    assert (answer.status_code, answer.json()["code"]) == (502, "endpoint_quarantined")
    assert [record.kind for record in await served.records("t")] == [
        Kind.MODEL_CALL,
        Kind.MODEL_REPLY,
        Kind.ENDPOINT_QUARANTINED,
    ]


async def test_a_stream_that_tells_at_its_end_does_not_end_well(served: Served) -> None:
    token = await served.token("t", model_class="claude")
    body = STREAMED.replace(b"chat-small", b"claude")
    served.model.handler = events("eu")
    assert (await served.ask(token, body)).status_code == 200
    assert b"include_usage" in served.model.bodies[0]
    served.model.handler = events("us")
    with pytest.raises(httpx.RemoteProtocolError):
        await served.ask(token, body)
    refused = await served.ask(token, body)
    assert (refused.status_code, refused.json()["code"]) == (503, "endpoints_quarantined")
    assert "'us'" in refused.json()["detail"]
    *_, reply, alarm, decision = await served.records("t")
    assert reply.body["code"] == "endpoint_quarantined"
    assert (alarm.body["cause"], alarm.body["seen"]) == ("region", "us")
    assert (decision.decision, decision.body["code"]) == ("refused", "endpoints_quarantined")


async def test_the_body_of_a_whole_answer_tells_too(served: Served) -> None:
    served.model.handler = whole(b'{"model":"m","choices":[],"usage":{"inference_geo":"us"}}')
    answer = await served.ask(await served.token("t", model_class="claude"), CLAUDE)
    assert answer.json()["code"] == "endpoint_quarantined"


async def test_a_moved_alias_is_told_and_its_answer_passes(served: Served) -> None:
    token = await served.token("t", model_class="plain")
    served.model.handler = answers("gpt-1-2026-01-01")
    assert (await served.ask(token, b'{"model":"plain"}')).status_code == 200
    served.model.handler = answers("gpt-1-2026-11-20")
    assert (await served.ask(token, b'{"model":"plain"}')).status_code == 200
    assert (await served.ask(token, b'{"model":"plain"}')).json()["code"] == "endpoints_quarantined"
    alarm = next(record for record in await served.records("t") if record.kind == Kind.ENDPOINT_QUARANTINED)
    assert alarm.body == {
        "endpoint": "plain/here",
        "cause": "version",
        "expected": "gpt-1-2026-01-01",
        "seen": "gpt-1-2026-11-20",
    }


async def test_other_gateways_and_the_next_start_keep_off_it(served: Served) -> None:
    running = another(served)
    assert await running.current() == {}
    served.model.handler = whole(**THERE)
    await served.ask(await served.token("t"))
    await asyncio.sleep(1)
    assert set(await running.current()) == set(await another(served).current()) == {"chat-small/azure"}


async def test_the_version_seen_first_is_that_of_all_gateways(served: Served) -> None:
    await served.stack.open("t")
    first, second = another(served), another(served)
    call, plain = Call("t", 1, "a", "s", "p"), served.endpoints[3]
    assert await first.check_end(call, plain, Answer(model="gpt-1"), whole=True) is None
    found = await second.check_end(call, plain, Answer(model="gpt-2"), whole=True)
    assert found is not None
    assert (found.expected, found.seen) == ("gpt-1", "gpt-2")


async def test_two_gateways_that_find_it_at_once_raise_one_alarm(served: Served) -> None:
    await served.stack.open("t")
    gateways = [another(served) for _ in range(4)]
    for gateway in gateways:
        gateway.check_head(Call("t", 1, "a", "s", "p"), served.endpoints[0], [], success=True)
    await asyncio.gather(*(gateway.save() for gateway in gateways))
    assert [record.kind for record in await served.records("t")] == [Kind.ENDPOINT_QUARANTINED]


async def test_another_place_weighs_more_than_another_version(served: Served) -> None:
    await served.stack.open("t")
    gateway, azure = another(served), served.endpoints[0].model_copy(update={"version": "gpt-1"})
    call = Call("t", 1, "a", "s", "p")
    await gateway.check_end(call, azure, Answer(model="gpt-2"), whole=True)
    await gateway.save()
    gateway.check_head(call, azure, [], success=True)
    await gateway.save()
    assert (await another(served).current())[azure.name].finding.cause == "region_unsaid"


async def test_what_the_database_does_not_take_holds_here_and_is_written_later(
    served: Served, database: Database
) -> None:
    await served.stack.open("t")
    gateway, admin = another(served), await superuser(database)
    await admin.execute(f"ALTER DATABASE {database.name} CONNECTION LIMIT 0")
    await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gateway'")
    gateway.check_head(Call("t", 1, "a", "s", "p"), served.endpoints[0], [], success=True)
    await gateway.save()
    assert set(gateway.held) == {"chat-small/azure"}
    with pytest.raises(Refused, match="database_unavailable"):  # no call is decided on what may be old
        await gateway.current()
    await admin.execute(f"ALTER DATABASE {database.name} CONNECTION LIMIT -1")
    await admin.close()
    assert set(await gateway.current()) == {"chat-small/azure"}
    assert set(await another(served).current()) == {"chat-small/azure"}


async def test_a_candidate_that_gets_another_model_starts_anew(served: Served) -> None:
    served.model.handler = whole(**THERE)
    await served.ask(await served.token("t"))
    changed = served.endpoints[0].model_copy(update={"upstream_model": "another"})
    manifest = served.stack.manifest.model_copy(update={"models": (changed,)})
    assert await Quarantine(served.stack.pool, served.ledger, manifest).current() == {}


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def release(served: Served, name: str = "chat-small/azure", **body: Any) -> httpx.Response:
    return await served.manage("POST", f"/models/{name}/release", json=body or {"reason": "moved back"})


async def test_a_person_puts_it_back_with_a_reason_that_is_recorded(served: Served) -> None:
    token = await served.token("t")
    served.model.handler = whole(**THERE)
    await served.ask(token)
    told = (await served.told("chat-small/azure"))["quarantined"]
    assert (told["cause"], told["seen"], told["txn"]) == ("region", "East US 2", "t")
    assert (await release(served)).status_code == 200
    assert (await served.told("chat-small/azure"))["quarantined"] is None
    served.model.handler = whole(**HERE)
    assert (await served.ask(token)).status_code == 200
    released = next(record for record in await served.records("t") if record.kind == Kind.ENDPOINT_RELEASED)
    assert (released.actor, released.body["reason"]) == ("person:operator", "moved back")
    assert len(served.model.bodies) == 2


async def test_a_moved_alias_is_released_when_it_was_compared_and_not_before(served: Served) -> None:
    token, plain = await served.token("t", model_class="plain"), served.endpoints[3]
    for version in ("gpt-1", "gpt-2"):
        served.model.handler = answers(version)
        await served.ask(token, b'{"model":"plain"}')
    assert problem(await release(served, plain.name)) == (409, "endpoint_not_compared")
    await served.quarantine.compared(plain, "gpt-3")
    assert problem(await release(served, plain.name)) == (409, "endpoint_not_compared")
    await served.quarantine.compared(plain, "gpt-2")
    assert (await release(served, plain.name)).json()["seen_version"] == "gpt-2"
    assert (await served.ask(token, b'{"model":"plain"}')).status_code == 200
    told = await served.told(plain.name)
    assert (told["seen_version"], told["compared"]["version"], told["quarantined"]) == ("gpt-2", "gpt-2", None)


async def test_a_comparison_from_before_it_moved_does_not_count(served: Served) -> None:
    token, plain = await served.token("t", model_class="plain"), served.endpoints[3]
    await served.quarantine.compared(plain, "gpt-2")
    for version in ("gpt-1", "gpt-2"):
        served.model.handler = answers(version)
        await served.ask(token, b'{"model":"plain"}')
    assert problem(await release(served, plain.name)) == (409, "endpoint_not_compared")


async def test_a_pinned_version_is_the_stack_files_to_change(served: Served) -> None:
    served.model.handler = answers("gpt-2")
    answer = await served.ask(await served.token("t", model_class="pinned"), b'{"model":"pinned"}')
    assert answer.status_code == 200
    await served.quarantine.compared(served.endpoints[4], "gpt-2")
    assert problem(await release(served, "pinned/here")) == (409, "endpoint_pinned")


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("chat-small/azure", {"reason": "x"}, (409, "endpoint_not_quarantined")),
        ("chat-small/nobody", {"reason": "x"}, (404, "endpoint_unknown")),
        ("chat-small/azure", {"reason": " "}, (422, "body_invalid")),
        ("chat-small/azure", {"reason": 1}, (422, "body_invalid")),
        ("chat-small/azure", {"why": "x"}, (422, "body_invalid")),
        ("chat-small/azure", {"reason": "x" * 1001}, (422, "body_invalid")),
    ],
)
async def test_a_release_that_does_not_fit_is_refused(
    served: Served, name: str, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert problem(await release(served, name, **body)) == expected


async def test_only_a_person_manages_models(served: Served) -> None:
    headers = {"authorization": f"Bearer {await served.token('t')}"}
    issuer = served.stack.identity.issuer
    assert (await served.http.get(f"{issuer}/models", headers=headers)).status_code == 401
    assert (await served.http.post(f"{issuer}/models/a/b/release", headers=headers)).status_code == 401


async def test_the_models_are_told_with_todays_verdicts(served: Served) -> None:
    told = await served.told("chat-small/azure")
    assert (told["model_class"], told["countries"], told["weight"], told["priority"]) == ("chat-small", ["SE"], 1, 0)
    assert (told["quarantined"], told["seen_version"], told["compared"]) == (None, None, None)
    assert told["verdicts"]["personal"]["allowed"] is True


async def test_the_gateway_may_not_forget_an_endpoint_and_the_auditor_reads_only(
    served: Served, pool: asyncpg.Pool
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute("DELETE FROM model_endpoints")
