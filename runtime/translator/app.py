"""OpenAI's three endpoints, answered by LiteLLM for the endpoints of the Manifest that are to be translated.

create_app(wires, credentials)   both by name of endpoint
POST /chat/completions, /completions, /embeddings; ``model`` is the name of an endpoint
GET  /healthz
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import litellm
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runtime.translator.egress import ASKED, Elsewhere, OnlyTo
from runtime.translator.request import Unanswerable, members
from runtime.translator.wire import Wire

log = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(300, connect=5)
"""Seconds, as the gateway has them for upstreams that it calls itself."""
CREDENTIAL_ARGUMENTS = {"vertex_ai": "vertex_credentials"}
"""LiteLLM's argument for a provider's credential where it is not ``api_key``."""

Ask = Callable[..., Awaitable[Any]]


class Translator:
    """Asks LiteLLM, by a client that reaches no place but the endpoint's."""

    def __init__(self, wires: Mapping[str, Wire], credentials: Mapping[str, str], transport: OnlyTo) -> None:
        self._wires, self._credentials = wires, credentials
        self._client = AsyncHTTPHandler(timeout=TIMEOUT, transport=transport, follow_redirects=False)

    async def ask(self, ask: Ask, body: Any, required: str) -> Response:
        """The answer, or the error, both in OpenAI's format."""
        try:
            passed = members(body, required)
            answer = await ask(**passed, **self._arguments(body["model"]))
        except Exception as error:  # noqa: BLE001  LiteLLM lets through whatever a provider's code raises
            return _failed(error)
        if passed.get("stream"):
            return StreamingResponse(_events(answer), media_type="text/event-stream")
        return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")

    def _arguments(self, name: str) -> dict[str, Any]:
        wire = self._wires.get(name)
        if wire is None:
            raise Unanswerable(404, f"no endpoint {name!r}; here are {', '.join(sorted(self._wires)) or 'none'}")
        ASKED.set(wire)
        arguments: dict[str, Any] = {
            "model": wire.model,
            "client": self._client,
            "timeout": TIMEOUT,
            "num_retries": 0,
            "max_retries": 0,
            "drop_params": True,
            **wire.arguments,
        }
        if name in self._credentials:
            provider = wire.model.partition("/")[0]
            arguments[CREDENTIAL_ARGUMENTS.get(provider, "api_key")] = self._credentials[name]
        return arguments


def create_app(wires: Mapping[str, Wire], credentials: Mapping[str, str]) -> Starlette:
    """``credentials``: by endpoint; one that has none uses what the machine has."""
    transport = OnlyTo()
    _quiet(transport)
    translator = Translator(wires, credentials, transport)

    def route(path: str, ask: Ask, required: str) -> Route:
        async def answer(request: Request) -> Response:
            try:
                body = await request.json()
            except ValueError:
                return _error(400, "invalid_request_error", "the body is not JSON")
            return await translator.ask(ask, body, required)

        return Route(path, answer, methods=["POST"])

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        log.info("translator ready")
        yield
        await transport.close()

    routes = [
        route("/chat/completions", litellm.acompletion, "messages"),
        route("/completions", litellm.atext_completion, "prompt"),
        route("/embeddings", litellm.aembedding, "input"),
        Route("/healthz", _healthz),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def _quiet(transport: OnlyTo) -> None:
    """Keep LiteLLM to the call: no word to its makers, no callbacks, no log of what was said, no second try elsewhere.

    Some of its providers, Vertex's embeddings among them, leave the client aside that they are given and make their
    own: those get the same transport.
    """
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.turn_off_message_logging = True
    litellm.num_retries = 0
    litellm.default_fallbacks = None
    for callbacks in (litellm.callbacks, litellm.input_callback, litellm.success_callback, litellm.failure_callback):
        callbacks.clear()
    handler: Any = AsyncHTTPHandler
    handler.create_async_transport = staticmethod(lambda **_: transport)


async def _healthz(_: Request) -> Response:
    return JSONResponse({"status": "alive"})


async def _events(chunks: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    """Server-sent events; an answer that breaks off ends without ``[DONE]`` and without its HTTP end."""
    async for chunk in chunks:
        yield b"data: " + chunk.model_dump_json(exclude_none=True).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


def _failed(error: Exception) -> Response:
    if isinstance(error, Unanswerable):
        return _error(error.status, "invalid_request_error", str(error))
    elsewhere = _cause(error, Elsewhere)
    if elsewhere is not None:
        log.error("refused: %s", elsewhere)
        return _error(451, "outside_boundary", str(elsewhere))
    status = int(getattr(error, "status_code", None) or 502)
    if isinstance(error, litellm.Timeout):
        status = 504
    elif isinstance(error, litellm.APIConnectionError):
        status = 502
    log.warning("upstream: %s %d", type(error).__name__, status)
    told, _, _traceback = str(getattr(error, "message", None) or type(error).__name__).partition("\nTraceback")
    return _error(status, type(error).__name__, told)


def _cause(error: BaseException | None, kind: type[Exception]) -> BaseException | None:
    """The error of this kind that led to another; LiteLLM wraps what its client raises several times."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": code, "code": code, "param": None}}, status)
