"""The model path as a gateway serves it: uvicorn in front, PostgreSQL behind, and a model server that a test scripts.

ModelServer   answers what the test's handler writes, byte for byte; `model` is one, `other` another
models        the endpoints; a test module with others has a fixture of this name
Database path `Way`: between the ledger and PostgreSQL, so that a test can cut it
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from regions.catalogue import Kind
from regions.manifest import ModelEndpoint
from runtime.database import connect
from runtime.errors import Refused
from runtime.gateway import models as models_router
from runtime.gateway import oauth
from runtime.grants.grant import Grants
from runtime.grants.lease import Leases
from runtime.identity.client import IdentityClient
from runtime.ledger.content import SubjectKeys
from runtime.ledger.trace import TraceRecord, trace
from runtime.ledger.writer import Ledger
from runtime.models.calls import ModelCalls, ModelPath
from runtime.models.outgoing import open_upstreams
from runtime.models.quarantine import Quarantine
from runtime.models.routing import Routing
from tests.fixtures.issuer import KEYS, Stack, endpoint
from tests.fixtures.postgres import Database

Handler = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

ANSWER = (
    b'{ "id":"c-1", "model":"qwen", "choices":[{"index":0,"finish_reason":"stop","message":{"content":"h\\u00e9llo"}}],'
    b' "usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9} }'
)


def whole(content: bytes = ANSWER, status: str = "200 OK", kind: str = "application/json", **headers: str) -> Handler:
    """A handler that answers with one body."""
    lines = {"content-type": kind, "content-length": str(len(content)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())

    async def handle(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + content)

    return handle


EVENTS_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENTS_END = b"0\r\n\r\n"


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


@dataclass
class ModelServer:
    """``handler`` answers every request; ``bodies`` and ``heads`` are what came. ``socket``: a Unix socket instead."""

    handler: Handler = field(default_factory=whole)
    bodies: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    port: int = 0
    socket: Path | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> None:
        self._tasks: set[asyncio.Task[None] | None] = set()
        if self.socket is not None:
            self._server = await asyncio.start_unix_server(self._run, self.socket)
            return
        self._server = await asyncio.start_server(self._run, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            if task:
                task.cancel()
        await asyncio.gather(*filter(None, self._tasks), return_exceptions=True)

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                self.bodies.append(body)
                await self.handler(body, reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class Way:
    """A TCP way to the database, until ``cut``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1")
        return self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._database.host, self._database.port)
        self._writers += [writer, back]
        await asyncio.gather(_pump(reader, back), _pump(there, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    writer.close()


@dataclass
class Served:
    """A gateway with the model classes ``chat-small`` (in DE, named alike upstream), ``renamed``, ``far`` (US) and
    ``embed``, each of one endpoint ``…/1``; or with ``models``. ``person`` is the operator."""

    stack: Stack
    model: ModelServer
    http: httpx.AsyncClient
    identity: IdentityClient
    ledger: Ledger
    subject_keys: SubjectKeys
    way: Way
    quarantine: Quarantine
    person: IdentityClient
    endpoints: tuple[ModelEndpoint, ...]

    @property
    def url(self) -> str:
        return f"{self.stack.identity.issuer}/v1"

    async def token(self, txn: str, **changes: Any) -> str:
        """A token of a new task."""
        await self.stack.open(txn, **changes)
        return await self.identity.task_token(txn)

    async def ask(
        self, token: str, body: bytes = b'{"model":"chat-small","messages":[]}', path: str = "/chat/completions"
    ) -> httpx.Response:
        return await self.http.post(f"{self.url}{path}", content=body, headers={"authorization": f"Bearer {token}"})

    async def records(self, txn: str) -> list[TraceRecord]:
        """What the ledger has of the task's model calls."""
        found = await trace(self.stack.pool, txn, self.subject_keys)
        return [record for record in found if record.kind.startswith(("model_", "endpoint_"))]

    async def manage(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A person's request."""
        return await self.http.request(
            method, f"{self.stack.identity.issuer}{path}", auth=self.person.auth(), **options
        )

    async def told(self, name: str) -> dict[str, Any]:
        """What GET /models says of an endpoint."""
        return next(found for found in (await self.manage("GET", "/models")).json() if found["name"] == name)


def _endpoints(url: str) -> tuple[ModelEndpoint, ...]:
    return tuple(
        endpoint(f"{name}/1", url, upstream_model=sent, countries=countries, kind=kind)
        for name, sent, countries, kind in (
            ("chat-small", "chat-small", ("DE",), Kind.CHAT),
            ("renamed", "qwen", ("DE", "FR"), Kind.CHAT),
            ("far", "far", ("US",), Kind.CHAT),
            ("embed", "embed", ("DE",), Kind.EMBEDDINGS),
        )
    )


@asynccontextmanager
async def serving(app: Any, port: int) -> AsyncGenerator[None]:
    config = uvicorn.Config(app, port=port, log_level="warning", http="httptools", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  uvicorn tells it in no other way
        await asyncio.sleep(0.01)
    yield
    server.should_exit = True
    await task


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    server = ModelServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def other() -> AsyncIterator[ModelServer]:
    server = ModelServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def models(model: ModelServer) -> tuple[ModelEndpoint, ...]:
    return _endpoints(model.url)


@pytest.fixture
def translator() -> Path | None:
    """Its socket, where a test module has one."""
    return None


async def _problem(_: Request, refusal: Any) -> JSONResponse:
    return JSONResponse(refusal.problem(), refusal.status, refusal.headers())


@pytest.fixture
async def served(
    stack: Stack,
    model: ModelServer,
    models: tuple[ModelEndpoint, ...],
    translator: Path | None,
    database: Database,
) -> AsyncIterator[Served]:
    manifest = stack.manifest.model_copy(update={"models": models})
    keys, way = SubjectKeys(secrets.token_bytes(32)), Way(database)
    issuer, app = stack.identity.issuer, FastAPI()
    app.include_router(oauth.router)
    app.include_router(models_router.router)
    app.add_exception_handler(Refused, _problem)
    path = ModelPath(app)
    async with AsyncExitStack() as opened:
        port = await way.start()
        opened.callback(way.cut)
        pool = await connect(database.host, port, database.name, "gateway", database.passfile("gateway"))
        opened.callback(pool.terminate)
        ledger = Ledger(pool, secrets.token_bytes(32), keys)
        await ledger.start()
        opened.push_async_callback(ledger.close)
        grants, routing = Grants(stack.pool, ledger), Routing(manifest)
        upstreams = open_upstreams(manifest, {"key": "of the provider"}, translator)
        for upstream in upstreams.values():
            opened.push_async_callback(upstream.close)
        quarantine, leases = Quarantine(stack.pool, ledger, manifest), Leases(stack.pool, grants)
        path.calls = ModelCalls(
            manifest, stack.identity.task_tokens, grants, leases, ledger, upstreams, routing, quarantine
        )
        opened.push_async_callback(path.calls.close)
        app.state.gateway = SimpleNamespace(
            identity=stack.identity, grants=stack.grants, manifest=manifest, routing=routing, quarantine=quarantine
        )
        await opened.enter_async_context(serving(path, httpx.URL(issuer).port or 0))
        http = await opened.enter_async_context(httpx.AsyncClient(timeout=30))
        identity, person = (IdentityClient(http, issuer, name, KEYS[name]) for name in ("worker", "operator"))
        yield Served(stack, model, http, identity, ledger, keys, way, quarantine, person, models)
