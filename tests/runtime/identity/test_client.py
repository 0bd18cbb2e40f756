"""Worker and command line get tokens by themselves, once, and again when the gateway wants new ones."""

import asyncio
import time
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from runtime.errors import Refused
from runtime.identity import client as module
from runtime.identity.client import IdentityClient, refusal
from tests.fixtures.issuer import KEYS, SUBJECTS, Served


class Journal:
    """The requests that went out."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.requests: list[httpx.Request] = []
        http.event_hooks["request"] = [self._note]

    async def _note(self, request: httpx.Request) -> None:
        self.requests.append(request)

    @property
    def paths(self) -> list[str]:
        return [request.url.path for request in self.requests]


@pytest.fixture
def journal(served: Served) -> Journal:
    return Journal(served.http)


async def test_a_worker_calls_as_itself_and_as_its_task(served: Served) -> None:
    await served.stack.open("t1")
    worker = served.client("worker")
    own = await served.http.get(f"{served.issuer}/worker", auth=worker.auth())
    assert (own.status_code, own.json()) == (200, SUBJECTS["worker"])
    write = await served.http.post(f"{served.issuer}/write", auth=worker.task_auth("t1"))
    assert (write.status_code, write.json()) == (200, "t1")


async def test_a_person_calls_as_itself(served: Served) -> None:
    answer = await served.http.get(f"{served.issuer}/person", auth=served.client("operator").auth())
    assert answer.json() == SUBJECTS["operator"]


async def test_without_a_proof_a_task_reads_and_may_not_write(served: Served) -> None:
    await served.stack.open("t1")
    auth = served.client("worker").task_auth("t1", prove=False)
    assert (await served.http.get(f"{served.issuer}/task", auth=auth)).status_code == 200
    refused = await served.http.post(f"{served.issuer}/write", auth=auth)
    assert (refused.status_code, refused.json()["code"]) == (401, "proof_missing")


async def test_many_calls_at_once_need_one_token_of_each_kind(served: Served, journal: Journal) -> None:
    await served.stack.open("t1")
    worker = served.client("worker")
    tokens = await asyncio.gather(*(worker.task_token("t1") for _ in range(20)))
    assert len(set(tokens)) == 1
    assert journal.paths == ["/oauth/token", "/oauth/token"]


async def test_each_request_has_a_proof_of_its_own(served: Served, journal: Journal) -> None:
    worker = served.client("worker")
    for _ in range(2):
        assert (await served.http.get(f"{served.issuer}/worker", auth=worker.auth())).status_code == 200
    first, second = (request.headers["dpop"] for request in journal.requests if request.url.path == "/worker")
    assert first != second


async def test_a_token_is_replaced_thirty_seconds_before_it_expires(
    served: Served,
) -> None:
    now = [0]
    worker = IdentityClient(served.http, served.issuer, "worker", KEYS["worker"], lambda: now[0])
    first = await worker.identity_token()
    now[0] += 600 - 31
    assert await worker.identity_token() == first
    now[0] += 2
    assert await worker.identity_token() != first


async def test_a_token_that_the_gateway_refuses_is_replaced_once(served: Served, journal: Journal) -> None:
    worker = served.client("worker")
    worker._tokens[""] = module._Token("an.old.one", time.monotonic() + 60)
    assert (await served.http.get(f"{served.issuer}/worker", auth=worker.auth())).status_code == 200
    assert journal.paths == ["/worker", "/oauth/token", "/worker"]


async def test_a_call_that_stays_refused_is_not_repeated_for_ever(served: Served, journal: Journal) -> None:
    await served.stack.open("t1")
    auth = served.client("worker").task_auth("t1")
    answer = await served.http.get(f"{served.issuer}/worker", auth=auth)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_wrong_audience")
    assert journal.paths.count("/worker") == 2


async def test_an_exchange_with_a_dead_identity_token_works_at_the_next_attempt(served: Served) -> None:
    await served.stack.open("t1")
    worker = served.client("worker")
    worker._tokens[""] = module._Token("an.old.one", time.monotonic() + 60)
    with pytest.raises(Refused) as caught:
        await worker.task_token("t1")
    assert caught.value.code == "token_malformed"
    assert await worker.task_token("t1")


async def test_a_refusal_reaches_the_caller_with_code_and_remedy(served: Served) -> None:
    with pytest.raises(Refused) as caught:
        await served.client("worker").task_token("nobody")
    assert (caught.value.code, caught.value.status) == ("task_unknown", 404)
    assert "loomstead task" in caught.value.remedy


async def test_a_key_that_the_manifest_does_not_know_gets_nothing(served: Served) -> None:
    stranger = IdentityClient(served.http, served.issuer, "worker", ECKey.generate_key("P-256"))
    with pytest.raises(Refused) as caught:
        await stranger.identity_token()
    assert caught.value.code == "assertion_invalid"


async def test_the_kept_tokens_are_bounded(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    worker = served.client("worker")
    for txn in ("t1", "t2", "t3"):
        await served.stack.open(txn)
        await worker.task_token(txn)
    assert len(worker._tokens) == 2


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'{"code": "token_expired"}', b'{"code": "no such", "detail": 1}']
)
def test_an_answer_that_is_no_problem_document_is_an_upstream_failure(body: bytes) -> None:
    response = httpx.Response(500, content=body, request=httpx.Request("GET", "http://127.0.0.1:1/x"))
    assert refusal(response).code == "upstream_failed"


def test_a_problem_document_comes_back_as_the_refusal_it_was() -> None:
    sent = Refused("argument_not_recorded", "what", remedy="do", rule="late", recorded={"a": [1]})
    request = httpx.Request("GET", "http://127.0.0.1:1/x")
    received: Any = refusal(httpx.Response(sent.status, json=sent.problem(), request=request))
    assert received.problem() == sent.problem()
