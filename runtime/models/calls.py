"""The model path: one ASGI wrapper around the application that answers OpenAI's endpoints itself.

Each call, in order: task token · grant · body · model class inside the grant · endpoints inside the Boundary and not
quarantined · a leased turn · decision into the ledger · upstream · what the reply shows of its origin. The decision's
commit and the upstream's answer are awaited together: a real model call hides the commit, and no byte of an answer
leaves before its decision is durable. The answer itself is recorded before its last byte leaves. An endpoint that fails
before its first byte has left is followed by the next one. A call that gave its caller nothing costs no turn.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from regions.catalogue import Kind as ModelKind
from regions.manifest import Manifest, ModelEndpoint
from runtime.errors import Refused
from runtime.grants.grant import Grant, Grants
from runtime.grants.lease import Leases
from runtime.identity.tokens import TaskClaims, Verifier
from runtime.ledger.writer import Ledger
from runtime.models.asgi import Scope, check_size, head, read_body, read_headers, read_reply, send_problem
from runtime.models.outgoing import Outgoing
from runtime.models.quarantine import Quarantine
from runtime.models.record import Attempt, Call
from runtime.models.reply import read_answer
from runtime.models.request import ModelRequest, read_request
from runtime.models.routing import Candidate, Routing
from runtime.models.shadows import Shadows
from runtime.models.signals import Finding
from runtime.models.upstream import Response, Upstream

log = logging.getLogger(__name__)

PATHS = {
    "/v1/chat/completions": ModelKind.CHAT,
    "/v1/completions": ModelKind.CHAT,
    "/v1/embeddings": ModelKind.EMBEDDINGS,
}
"""And the kind of model that each is for."""
CALLER_LEFT = "caller_left"
"""Beside the error codes: why a recorded reply is not whole."""
WITHHELD = "endpoint_quarantined"
_NO_ANSWER = frozenset({429, *range(500, 600)})
"""Statuses by which an upstream says that its model answered nothing."""
_FAILED = frozenset({"upstream_failed", "upstream_unavailable", "upstream_timeout"})
"""Codes after which the next endpoint is asked."""


class _Exchange(msgspec.Struct, frozen=True):
    """The caller's side of a call."""

    call: Call
    outgoing: Outgoing
    receive: Any
    send: Any


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
        routing: Routing,
        quarantine: Quarantine,
    ) -> None:
        self._policy = manifest.boundary_digest
        self._tokens, self._grants, self._leases, self._ledger = tokens, grants, leases, ledger
        self._upstreams, self._routing, self._quarantine = upstreams, routing, quarantine
        self._shadows = Shadows(upstreams, ledger, quarantine)

    async def close(self) -> None:
        """Ends the copies that nobody waits for."""
        await self._shadows.close()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer, or raise ``Refused``; after the answer's head nothing is raised but what nobody foresaw."""
        token, step = read_headers(scope)
        claims = self._tokens.verify(token)
        grant = await self._grants.current(claims.txn)
        await self._quarantine.current()
        body = await read_body(receive)
        request = read_request(body)
        call = Call(claims.txn, step, claims.act.sub, grant.data_subject, self._policy)
        outgoing = Outgoing(request, body, scope["path"].removeprefix("/v1"))
        try:
            route = self._route(PATHS[scope["path"]], request, grant)
            bodies = [outgoing.body(candidate.endpoint) for candidate in route]
            await self._leases.take(grant)
        except Refused as refused:
            await self._record_refusal(call, request, body, refused)
            raise
        await self._forward(_Exchange(call, outgoing, receive, send), list(zip(route, bodies, strict=True)))
        shadows = self._routing.shadows(request.model, grant.data_class, call.txn, step, self._quarantine.held)
        self._shadows.start(call, outgoing, shadows)

    def _route(self, kind: ModelKind, request: ModelRequest, grant: Grant) -> tuple[Candidate, ...]:
        if request.model != grant.model_class:
            raise Refused(
                "model_class_unavailable",
                f"the grant is for model class {grant.model_class!r}, not {request.model!r}",
                remedy=f"send `model`: {grant.model_class!r}, or change model_class in agent.yaml and deploy it",
            )
        route = self._routing.choose(request.model, grant.data_class, grant.txn, self._quarantine.held)
        offered = self._routing.kinds[request.model]
        if offered is not kind:
            fitting = " or ".join(path for path, fits in PATHS.items() if fits is offered)
            raise Refused(
                "body_invalid",
                f"model class {request.model!r} is for {offered}, and this address for {kind}",
                remedy=f"ask {fitting}" if fitting else "deploy the agent with another model class",
            )
        return route

    async def _record_refusal(self, call: Call, request: ModelRequest, body: bytes, refused: Refused) -> None:
        """Decisions; what failed on this side (the database) is none."""
        if refused.status < 500 or refused.code == "endpoints_quarantined":
            model_class = request.model if request.model in self._routing.kinds else None
            await self._ledger.append(call.refused(model_class, request, body, refused))

    async def _forward(self, exchange: _Exchange, route: Sequence[tuple[Candidate, bytes]]) -> None:
        """Ask one after the other until one answers; the last one's failure is the caller's answer."""
        try:
            for number, (candidate, sent) in enumerate(route, 1):
                last = number == len(route)
                self._routing.demand.asked(candidate.endpoint.name)
                refused = await self._ask(exchange, Attempt(exchange.call, candidate, number), sent, last=last)
                if refused is None:
                    return
                if last or refused.code not in _FAILED:
                    raise refused
        except Refused:
            self._leases.release(exchange.call.txn)
            raise

    async def _ask(self, exchange: _Exchange, attempt: Attempt, sent: bytes, *, last: bool) -> Refused | None:
        """Why this endpoint gave the caller nothing; None: the caller has its answer. Either is recorded."""
        request = exchange.outgoing.request
        decision = self._ledger.submit(attempt.allowed(request, sent))
        response: Response | None = None
        try:
            response = await self._upstreams[attempt.endpoint.name].post(exchange.outgoing.path, sent)
            content = None if request.stream and response.status < 300 else await read_reply(response)
        except Refused as refused:
            await decision
            await self._ledger.append(attempt.no_reply(refused))
            return refused
        else:
            if content is None:
                return await self._stream(exchange, attempt, response, decision)
            return await self._whole(exchange, attempt, response, content, decision, last=last)
        finally:
            if response is not None:
                response.close()
            _let_go(decision)

    async def _whole(
        self,
        exchange: _Exchange,
        attempt: Attempt,
        response: Response,
        content: bytes,
        decision: asyncio.Future[None],
        *,
        last: bool,
    ) -> Refused | None:
        endpoint, status = attempt.endpoint, response.status
        answer = read_answer(content, stream=False) if status < 300 else None
        finding = self._quarantine.check_head(exchange.call, endpoint, response.headers, success=answer is not None)
        if finding is None and answer is not None:
            finding = await self._quarantine.check_end(exchange.call, endpoint, answer, whole=True)
        refused = _unusable(endpoint, status, finding, last=last)
        recorded = self._ledger.submit(
            attempt.reply(status, answer, content, None if refused is None else refused.code)
        )
        try:
            await decision
            await recorded
        finally:
            _let_go(recorded)
        if finding is not None:
            await self._quarantine.save()
        if refused is not None:
            return refused
        if status in _NO_ANSWER:
            self._leases.release(exchange.call.txn)
        await exchange.send(head(response, len(content)))
        await exchange.send({"type": "http.response.body", "body": content})
        return None

    async def _stream(
        self, exchange: _Exchange, attempt: Attempt, response: Response, decision: asyncio.Future[None]
    ) -> Refused | None:
        """Chunks go out as they come; a caller that leaves stops the upstream, and what it had got is recorded.

        Once the head is out nothing is ``Refused``: an answer that does not end tells the caller that it is not whole.
        """
        finding = self._quarantine.check_head(exchange.call, attempt.endpoint, response.headers, success=True)
        await decision
        if finding is not None:
            await self._ledger.append(attempt.reply(response.status, None, b"", WITHHELD))
            await self._quarantine.save()
            return _withheld(attempt.endpoint, finding)
        await exchange.send(head(response))
        left = asyncio.ensure_future(exchange.receive())
        left.add_done_callback(response.abort)
        body, code = bytearray(), "internal"
        try:
            async for chunk in response.chunks():
                body += chunk
                check_size(body)
                await exchange.send({"type": "http.response.body", "body": chunk, "more_body": True})
            code = None
        except Refused as refused:
            code = CALLER_LEFT if left.done() else refused.code
        finally:
            left.remove_done_callback(response.abort)
            left.cancel()
            ended = await self._end(attempt, response.status, bytes(body), code)
        if ended:
            await exchange.send({"type": "http.response.body", "body": b""})
        return None

    async def _end(self, attempt: Attempt, status: int, content: bytes, code: str | None) -> bool:
        """Record what was streamed; whether the caller may have its end. ``code``: why it is not whole."""
        answer = read_answer(content, stream=True)
        try:
            finding = await self._quarantine.check_end(attempt.call, attempt.endpoint, answer, whole=code is None)
            code = code or (WITHHELD if finding is not None and finding.withholds else None)
            await self._ledger.append(attempt.reply(status, answer, content, code))
        except Refused as refused:
            log.error("a streamed reply of task %s is not in the ledger: %s", attempt.call.txn, refused)
            return False
        await self._quarantine.save()
        return code is None


def _unusable(endpoint: ModelEndpoint, status: int, finding: Finding | None, *, last: bool) -> Refused | None:
    """Why the caller does not get this whole answer, where it does not."""
    if finding is not None and finding.withholds:
        return _withheld(endpoint, finding)
    if status in _NO_ANSWER and not last:
        return Refused("upstream_failed", f"{endpoint.name} answered {status}", remedy="the next one is asked")
    return None


def _withheld(endpoint: ModelEndpoint, finding: Finding) -> Refused:
    return Refused(
        WITHHELD,
        f"model endpoint {endpoint.name}: {finding}",
        remedy="it is quarantined, and its answer is not given out: `loomstead models status` shows it; try again for "
        "another endpoint, where there is one",
        rule=f"model/{finding.cause}",
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
