"""The model path: one ASGI wrapper around the application that answers OpenAI's two endpoints itself.

Each call, in order: task token · body · grant · model class inside the grant and the Boundary · a leased turn ·
decision into the ledger · upstream. The decision's commit and the upstream's answer are awaited together: a real model
call hides the commit, and no byte of an answer leaves before its decision is durable. The answer itself is recorded
before its last byte leaves.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from regions.manifest import Manifest
from runtime.errors import Refused
from runtime.grants.grant import Grant, Grants
from runtime.grants.lease import Leases
from runtime.identity.tokens import TaskClaims, Verifier
from runtime.ledger.record import Decision, Entry, Kind
from runtime.ledger.writer import Ledger
from runtime.models.request import ModelRequest, read_request, with_model
from runtime.models.routing import Candidate, Routing
from runtime.models.upstream import Response, Upstream

Scope = Mapping[str, Any]

PATHS = {"/v1/chat/completions": "/chat/completions", "/v1/embeddings": "/embeddings"}
MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request."""
MAX_REPLY = 16 * 1024 * 1024
"""Bytes of an answer: it is held until it is recorded."""
STEP_HEADER = b"loomstead-step"


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Reply(msgspec.Struct):
    """What the ledger's body says of an answer; everything else of it is content."""

    model: str | None = None
    usage: dict[str, Any] | None = None
    choices: list[_Choice] = []


_replies = msgspec.json.Decoder(_Reply)


@dataclass(frozen=True)
class _Call:
    """A call that passed every check. ``actor``: the agent."""

    txn: str
    step: int
    actor: str
    data_subject: str
    policy: str

    def entry(self, kind: Kind, body: dict[str, Any], content: bytes, **decided: Any) -> Entry:
        return Entry(
            txn=self.txn,
            kind=kind,
            actor=self.actor,
            step=self.step,
            policy=self.policy,
            body=body,
            content=content,
            data_subject=self.data_subject,
            **decided,
        )


class ModelCalls:
    """What answers a model call; ``upstreams`` are by endpoint name."""

    def __init__(
        self,
        manifest: Manifest,
        tokens: Verifier[TaskClaims],
        grants: Grants,
        leases: Leases,
        ledger: Ledger,
        upstreams: Mapping[str, Upstream],
    ) -> None:
        self._routing = Routing(manifest)
        self._policy = manifest.boundary_digest
        self._tokens, self._grants, self._leases, self._ledger = tokens, grants, leases, ledger
        self._upstreams = upstreams

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        token, step = _read_headers(scope)
        claims = self._tokens.verify(token)
        body = await _read_body(receive)
        request = read_request(body)
        grant = await self._grants.current(claims.txn)
        call = _Call(claims.txn, step, claims.act.sub, grant.data_subject, self._policy)
        try:
            candidate = self._choose(request, grant)
            await self._leases.take(grant)
        except Refused as refused:
            await self._record_refusal(call, request, body, refused)
            raise
        await self._forward(call, request, body, candidate, PATHS[scope["path"]], receive, send)

    def _choose(self, request: ModelRequest, grant: Grant) -> Candidate:
        if request.model != grant.model_class:
            raise Refused(
                "model_class_unavailable",
                f"The grant is for model class {grant.model_class!r}, not {request.model!r}",
                remedy=f"send `model`: {grant.model_class!r}, or change model_class in agent.yaml and deploy it",
            )
        return self._routing.choose(request.model, grant.data_class)

    async def _record_refusal(self, call: _Call, request: ModelRequest, body: bytes, refused: Refused) -> None:
        described = {"model_class": request.model, "code": refused.code, "stream": request.stream}
        await self._ledger.append(
            call.entry(Kind.MODEL_CALL, described, body, decision=Decision.REFUSED, rule=refused.rule)
        )

    async def _forward(
        self,
        call: _Call,
        request: ModelRequest,
        body: bytes,
        candidate: Candidate,
        path: str,
        receive: Any,
        send: Any,
    ) -> None:
        endpoint = candidate.endpoint
        described = {
            "model_class": request.model,
            "endpoint": endpoint.name,
            "countries": list(endpoint.countries),
            "stream": request.stream,
        }
        sent = body if endpoint.upstream_model == request.model else with_model(body, endpoint.upstream_model)
        decision = self._ledger.submit(
            call.entry(Kind.MODEL_CALL, described, sent, decision=Decision.ALLOWED, rule=candidate.verdict.rule)
        )
        response: Response | None = None
        try:
            response = await self._upstreams[endpoint.name].post(path, sent)
            if response.status >= 500:
                self._leases.release(call.txn)
            answer = _stream if request.stream and response.status < 300 else _whole
            await answer(self._ledger, call, response, decision, receive, send)
        except Refused as refused:
            if response is None:
                self._leases.release(call.txn)
            await decision
            await self._ledger.append(_broken(call, refused))
            raise
        finally:
            if response is not None:
                response.close()
            if not decision.done():
                decision.add_done_callback(_retrieve)


async def _whole(
    ledger: Ledger, call: _Call, response: Response, decision: asyncio.Future[None], _receive: Any, send: Any
) -> None:
    body = bytearray()
    async for chunk in response.chunks():
        body += chunk
        _check_size(body)
    content = bytes(body)
    recorded = ledger.submit(_reply(call, response.status, content, parse=True))
    await decision
    await recorded
    await send(_head(response, len(content)))
    await send({"type": "http.response.body", "body": content})


async def _stream(
    ledger: Ledger, call: _Call, response: Response, decision: asyncio.Future[None], receive: Any, send: Any
) -> None:
    """Chunks go out as they come; a caller that leaves stops the upstream, and what it had got is recorded."""
    await decision
    await send(_head(response, None))
    left = asyncio.ensure_future(receive())
    body = bytearray()
    try:
        async for chunk in response.chunks():
            if left.done():
                break
            body += chunk
            _check_size(body)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        left.cancel()
        await ledger.append(_reply(call, response.status, bytes(body), parse=False))
    await send({"type": "http.response.body", "body": b""})


def _check_size(body: bytearray) -> None:
    if len(body) > MAX_REPLY:
        raise Refused(
            "upstream_failed",
            f"The answer is larger than {MAX_REPLY} bytes, which is what can be recorded",
            remedy="ask for less with `max_tokens`",
        )


def _reply(call: _Call, status: int, content: bytes, *, parse: bool) -> Entry:
    described: dict[str, Any] = {"status": status}
    if parse and status < 300:
        try:
            reply = _replies.decode(content)
        except msgspec.DecodeError:
            described["unreadable"] = True
        else:
            described |= {
                "model": reply.model,
                "usage": reply.usage,
                "finish_reason": reply.choices[0].finish_reason if reply.choices else None,
            }
    return call.entry(Kind.MODEL_REPLY, described, content)


def _broken(call: _Call, refused: Refused) -> Entry:
    return Entry(
        txn=call.txn,
        kind=Kind.MODEL_REPLY,
        actor=call.actor,
        step=call.step,
        policy=call.policy,
        rule=refused.rule,
        body={"status": refused.status, "code": refused.code},
    )


def _retrieve(future: asyncio.Future[None]) -> None:
    """Nobody waits for it any more; its error was somebody else's answer already."""
    if not future.cancelled():
        future.exception()


def _read_headers(scope: Scope) -> tuple[bytes, int]:
    """The token's bytes and the step (0 where the caller is no orchestrator and names none)."""
    authorization, step = b"", b"0"
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value
        elif name == STEP_HEADER:
            step = value
    scheme, _, token = authorization.partition(b" ")
    if not token or scheme.lower() not in (b"bearer", b"dpop"):
        raise Refused(
            "token_missing",
            "The request carries no task token",
            remedy="send `Authorization: Bearer <task token>`; /oauth/token exchanges a grant into one",
        )
    if not step.isdigit() or len(step) > 6:
        raise Refused("body_invalid", "The header Loomstead-Step is not a number", remedy="send the turn's number")
    return token, int(step)


async def _read_body(receive: Any) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            break
    if len(body) > MAX_BODY:
        raise Refused(
            "body_too_large", f"The request is larger than {MAX_BODY} bytes", remedy="send a shorter conversation"
        )
    return body


_PASSED_ON = frozenset({b"content-type", b"retry-after"})


def _head(response: Response, length: int | None) -> dict[str, Any]:
    headers = [(name, value) for name, value in response.headers if name in _PASSED_ON]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    return {"type": "http.response.start", "status": response.status, "headers": headers}


class ModelPath:
    """ASGI: answers the two model paths with the ``ModelCalls`` that the application's start puts here, and hands
    everything else to the application."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.calls: ModelCalls | None = None

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] not in PATHS or scope["method"] != "POST" or self.calls is None:
            await self._app(scope, receive, send)
            return
        started = False

        async def noted(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.calls(scope, receive, noted)
        except Refused as refused:
            if started:
                return  # the head is out: an answer that does not end tells the caller that it is not whole
            await _send_problem(refused, send)


async def _send_problem(refused: Refused, send: Any) -> None:
    body = msgspec.json.encode(refused.problem())
    headers = [(name.encode(), value.encode()) for name, value in refused.headers().items()]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
