"""The model path: one ASGI wrapper around the application that answers OpenAI's two endpoints itself.

Each call, in order: task token · grant · body · model class inside the grant and the Boundary · a leased turn ·
decision into the ledger · upstream. The decision's commit and the upstream's answer are awaited together: a real model
call hides the commit, and no byte of an answer leaves before its decision is durable. The answer itself is recorded
before its last byte leaves. A call that gave its caller nothing costs no turn.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from regions.manifest import Manifest
from runtime.errors import Refused
from runtime.grants.grant import Grant, Grants
from runtime.grants.lease import Leases
from runtime.identity.tokens import TaskClaims, Verifier
from runtime.ledger.record import Decision, Entry, Kind
from runtime.ledger.writer import Ledger
from runtime.models.asgi import Scope, head, read_body, read_headers, send_problem
from runtime.models.reply import describe
from runtime.models.request import ModelRequest, read_request, with_model
from runtime.models.routing import Candidate, Routing
from runtime.models.upstream import Response, Upstream

log = logging.getLogger(__name__)

PATHS = {"/v1/chat/completions": "/chat/completions", "/v1/embeddings": "/embeddings"}
MAX_REPLY = 16 * 1024 * 1024
"""Bytes of an answer: it is held until it is recorded."""
CALLER_LEFT = "caller_left"
"""Beside the error codes: why a recorded reply is not whole."""
_NO_ANSWER = frozenset({429, *range(500, 600)})
"""Statuses by which an upstream says that its model answered nothing."""


@dataclass(frozen=True)
class _Call:
    """A call whose caller is known. ``actor``: the agent."""

    txn: str
    step: int
    actor: str
    data_subject: str
    policy: str

    def entry(self, kind: Kind, body: dict[str, Any], content: bytes | None, **decided: Any) -> Entry:
        return Entry(
            txn=self.txn,
            kind=kind,
            actor=self.actor,
            step=self.step,
            policy=self.policy,
            body=body,
            content=content,
            data_subject=None if content is None else self.data_subject,
            **decided,
        )

    def reply(self, status: int, content: bytes, *, stream: bool, code: str | None = None) -> Entry:
        """``code``: why it is not whole."""
        described = describe(status, content, stream=stream)
        return self.entry(Kind.MODEL_REPLY, described if code is None else {**described, "code": code}, content)

    def no_reply(self, refused: Refused) -> Entry:
        return self.entry(Kind.MODEL_REPLY, {"status": refused.status, "code": refused.code}, None, rule=refused.rule)


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
        """Answer, or raise ``Refused``; after the answer's head nothing is raised but what nobody foresaw."""
        token, step = read_headers(scope)
        claims = self._tokens.verify(token)
        grant = await self._grants.current(claims.txn)
        body = await read_body(receive)
        request = read_request(body)
        call = _Call(claims.txn, step, claims.act.sub, grant.data_subject, self._policy)
        try:
            candidate = self._choose(request, grant)
            await self._leases.take(grant)
        except Refused as refused:
            if refused.status < 500:
                await self._record_refusal(call, request, body, refused)
            raise
        await self._forward(call, request, body, candidate, PATHS[scope["path"]], receive, send)

    def _choose(self, request: ModelRequest, grant: Grant) -> Candidate:
        if request.model != grant.model_class:
            raise Refused(
                "model_class_unavailable",
                f"the grant is for model class {grant.model_class!r}, not {request.model!r}",
                remedy=f"send `model`: {grant.model_class!r}, or change model_class in agent.yaml and deploy it",
            )
        return self._routing.choose(request.model, grant.data_class)

    async def _record_refusal(self, call: _Call, request: ModelRequest, body: bytes, refused: Refused) -> None:
        # Where it is no name of ours it is the caller's text, which belongs in the content alone.
        model_class = request.model if request.model in self._routing.classes else None
        described = {"model_class": model_class, "code": refused.code, "stream": request.stream}
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
        sent = body if endpoint.upstream_model == request.model else with_model(body, endpoint.upstream_model)
        decision = self._ledger.submit(_allowed(call, request, candidate, sent))
        response: Response | None = None
        try:
            response = await self._upstreams[endpoint.name].post(path, sent)
            if request.stream and response.status < 300:
                await self._stream(call, response, decision, receive, send)
            else:
                await self._whole(call, response, decision, send)
        except Refused as refused:
            self._leases.release(call.txn)
            await decision
            await self._ledger.append(call.no_reply(refused))
            raise
        finally:
            if response is not None:
                response.close()
            _let_go(decision)

    async def _whole(self, call: _Call, response: Response, decision: asyncio.Future[None], send: Any) -> None:
        body = bytearray()
        async for chunk in response.chunks():
            body += chunk
            _check_size(body)
        content = bytes(body)
        recorded = self._ledger.submit(call.reply(response.status, content, stream=False))
        try:
            await decision
            await recorded
        finally:
            _let_go(recorded)
        if response.status in _NO_ANSWER:
            self._leases.release(call.txn)
        await send(head(response, len(content)))
        await send({"type": "http.response.body", "body": content})

    async def _stream(
        self, call: _Call, response: Response, decision: asyncio.Future[None], receive: Any, send: Any
    ) -> None:
        """Chunks go out as they come; a caller that leaves stops the upstream, and what it had got is recorded.

        Once the head is out nothing is ``Refused``: an answer that does not end tells the caller that it is not whole.
        """
        await decision
        await send(head(response))
        left = asyncio.ensure_future(receive())
        left.add_done_callback(response.abort)
        body, code = bytearray(), "internal"
        try:
            async for chunk in response.chunks():
                body += chunk
                _check_size(body)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            code = None
        except Refused as refused:
            code = CALLER_LEFT if left.done() else refused.code
        finally:
            left.remove_done_callback(response.abort)
            left.cancel()
            recorded = await self._keep(call.reply(response.status, bytes(body), stream=True, code=code))
        if recorded and code is None:
            await send({"type": "http.response.body", "body": b""})

    async def _keep(self, reply: Entry) -> bool:
        try:
            await self._ledger.append(reply)
        except Refused as refused:
            log.error("a streamed reply of task %s is not in the ledger: %s", reply.txn, refused)
            return False
        return True


def _allowed(call: _Call, request: ModelRequest, candidate: Candidate, sent: bytes) -> Entry:
    endpoint = candidate.endpoint
    body = {
        "model_class": request.model,
        "endpoint": endpoint.name,
        "countries": endpoint.countries,
        "stream": request.stream,
    }
    return call.entry(Kind.MODEL_CALL, body, sent, decision=Decision.ALLOWED, rule=candidate.verdict.rule)


def _check_size(body: bytearray) -> None:
    if len(body) > MAX_REPLY:
        raise Refused(
            "upstream_failed",
            f"the answer is larger than {MAX_REPLY} bytes, which is what can be recorded",
            remedy="ask for less with `max_tokens`",
        )


def _let_go(future: asyncio.Future[None]) -> None:
    """Nobody waits for it any more; its error, if it has one, was somebody's answer already."""
    if not future.done():
        future.add_done_callback(_let_go)
    elif not future.cancelled():
        future.exception()


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
        except Exception as error:
            if started:
                raise
            await send_problem(error if isinstance(error, Refused) else _internal(error), send)


def _internal(error: Exception) -> Refused:
    log.error("a model call failed", exc_info=error)
    return Refused(
        "internal",
        f"{type(error).__name__} inside the gateway",
        remedy="see the gateway's log; no answer left that is not in the ledger",
    )
