"""The one seam to model upstreams: one request in, one streamed response out.

A small HTTP/1.1 client over httptools, because the model path is the hot path: 7-10 thousand requests a second a
process where aiohttp reaches 4 and httpx 0.5 (measured on two cores; ``scripts/bench gateway`` repeats it). It has
what that path needs and no more: keep-alive pool, TLS, connect and idle timeouts, back-pressure, streaming. It has no
proxies and follows no redirects: both would move data to a place that the Boundary was not asked about.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

import httptools

from regions.hosts import base_url
from runtime.errors import Refused

MAX_BUFFERED = 256 * 1024
"""Bytes of a response held before the connection stops reading: a slow caller slows the upstream, not our memory."""


@dataclass(frozen=True)
class Target:
    """Where requests go: the parts of a base URL that stay the same for each request."""

    host: str
    port: int
    tls: bool
    base_path: str
    authority: bytes

    @classmethod
    def from_url(cls, url: str) -> "Target":
        """Parse an ``http(s)`` base URL; raises ``ValueError`` for all that review refuses in a stack file too."""
        parts = base_url(url)
        tls = parts.scheme == "https"
        return cls(parts.hostname or "", parts.port or (443 if tls else 80), tls, parts.path, parts.netloc.encode())


@dataclass(frozen=True)
class Timeouts:
    """Seconds: to connect; before it is tried once more; and without a byte, both before the response's head and
    between its chunks."""

    connect: float = 5.0
    retry: float = 0.1
    idle: float = 300.0


class Response(Protocol):
    """A response whose head has arrived."""

    status: int
    headers: list[tuple[bytes, bytes]]

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes; raises ``Refused`` when the upstream breaks off."""
        ...

    def close(self) -> None:
        """Done with it; an unread rest closes the connection."""
        ...

    def abort(self, reason: object = None) -> None:
        """Stop the upstream, until ``close``: whoever awaits a chunk gets ``Refused``. Fits as a future's callback."""
        ...


class Upstream(Protocol):
    async def post(self, path: str, body: bytes) -> Response:
        """Send JSON; raises ``Refused`` (upstream_unavailable, upstream_timeout, upstream_failed)."""
        ...

    async def close(self) -> None: ...


class _StaleConnection(Exception):
    """A kept connection was closed by the upstream before it answered."""


def _expire(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


@dataclass(eq=False)
class _Connection(asyncio.Protocol):
    """One connection: at most one request at a time."""

    transport: asyncio.Transport | None = None
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    reused: bool = False
    closed: bool = False
    _chunks: deque[bytes] = field(default_factory=deque)
    _buffered: int = 0
    _paused: bool = False
    _head: bool = False
    _complete: bool = True
    _keep: bool = True
    _error: Exception | None = None
    _waiter: asyncio.Future[None] | None = None

    def __post_init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)  # which goes on with the next response when one is complete

    def start(self, request: bytes) -> None:
        self.status, self.headers = 0, []
        self._head = self._complete = False
        self._error = None
        cast(asyncio.Transport, self.transport).write(request)

    async def wait(self, idle: float) -> None:
        """Until something arrived; raises ``TimeoutError`` after ``idle`` seconds."""
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        timer = loop.call_later(idle, _expire, waiter)  # a tenth of asyncio.timeout's cost, twice a request
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # asyncio.Protocol
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._complete:  # bytes nobody asked for: the connection is out of step
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._error = error
            self.abort()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if not self._complete and self._error is None:
            if self._head and not self._framed():
                self._complete = True  # HTTP/1.0 style: the body ends with the connection
            else:
                self._error = exc or ConnectionResetError("the connection was closed")
        self._wake()

    def _framed(self) -> bool:
        return any(name in (b"content-length", b"transfer-encoding") for name, _ in self.headers)

    # httptools callbacks
    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < 200:  # 100 Continue and the like: the real head follows
            self.headers = []
            return
        self._keep = self._parser.should_keep_alive()
        self._head = True

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)
        self._buffered += len(body)
        if self._buffered > MAX_BUFFERED and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        if self.status >= 200:
            self._complete = True

    # the request's side
    async def head(self, idle: float) -> None:
        while not self._head:
            if self._error is not None:
                if self.reused and not self.status:
                    raise _StaleConnection from self._error
                raise self._error
            await self.wait(idle)

    async def next_chunk(self, idle: float) -> bytes:
        """Everything that has arrived; empty at the end."""
        while not self._chunks:
            if self._complete:
                return b""
            if self._error is not None:
                raise self._error
            await self.wait(idle)
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._buffered = 0
        if self._paused and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()
        return data

    @property
    def reusable(self) -> bool:
        return self._complete and self._keep and not self.closed and not self._chunks and not self._paused

    def abort(self) -> None:
        self.closed = True
        if self.transport is not None:
            self.transport.abort()


@dataclass(eq=False)
class _PooledResponse:
    status: int
    headers: list[tuple[bytes, bytes]]
    _connection: _Connection
    _pool: "HttpUpstream"
    _closed: bool = False

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            while chunk := await self._connection.next_chunk(self._pool.timeouts.idle):
                yield chunk
        except TimeoutError:
            raise self._pool.timed_out() from None
        except (OSError, httptools.HttpParserError) as error:
            raise self._pool.failed(error) from error

    def close(self) -> None:
        self._closed = True
        self._pool.give_back(self._connection)

    def abort(self, reason: object = None) -> None:
        if not self._closed:  # else the connection is somebody else's by now
            self._connection.abort()


class HttpUpstream:
    """A keep-alive pool of connections to one target. ``max_idle`` connections are kept; busy ones are not capped:
    the callers' limits are leases and budgets, not sockets."""

    def __init__(
        self,
        url: str,
        *,
        socket: Path | None = None,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
        max_idle: int = 64,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``socket``: the Unix socket to connect to, in the place of the URL's host. ``headers``: sent each time."""
        self.url = url
        self.timeouts = timeouts or Timeouts()
        self._target = Target.from_url(url)
        self._socket = socket
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items()).encode()
        self._tls = (tls or ssl.create_default_context()) if self._target.tls else None
        self._idle: deque[_Connection] = deque()
        self._max_idle = max_idle
        self._heads: dict[str, bytes] = {}

    async def post(self, path: str, body: bytes) -> Response:
        request = self._head_of(path) + str(len(body)).encode() + b"\r\n\r\n" + body
        while True:
            connection = self._take_idle() or await self._connect()
            try:
                connection.start(request)
                await connection.head(self.timeouts.idle)
            except _StaleConnection:
                continue  # the upstream closed it between two requests and has not seen this one
            except TimeoutError:
                connection.abort()
                raise self.timed_out() from None
            except (OSError, httptools.HttpParserError) as error:
                connection.abort()
                raise self.failed(error) from error
            except asyncio.CancelledError:
                connection.abort()
                raise
            return _PooledResponse(connection.status, connection.headers, connection, self)

    async def close(self) -> None:
        while self._idle:
            self._idle.popleft().abort()

    def give_back(self, connection: _Connection) -> None:
        if connection.reusable and len(self._idle) < self._max_idle:
            self._idle.append(connection)
        else:
            connection.abort()

    def timed_out(self) -> Refused:
        return Refused(
            "upstream_timeout",
            f"{self.url} sent nothing for {self.timeouts.idle:g} s",
            remedy="try again; see the model server's log",
        )

    def failed(self, error: Exception) -> Refused:
        return Refused("upstream_failed", f"{self.url} broke off: {error or type(error).__name__}", remedy="try again")

    def _head_of(self, path: str) -> bytes:
        head = self._heads.get(path)
        if head is None:
            head = (
                f"POST {self._target.base_path}{path} HTTP/1.1\r\n".encode()
                + b"host: "
                + self._target.authority
                + b"\r\n"
                + self._headers
                + b"content-type: application/json\r\naccept-encoding: identity\r\ncontent-length: "
            )
            self._heads[path] = head
        return head

    def _take_idle(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                connection.reused = True
                return connection
        return None

    async def _connect(self) -> _Connection:
        """Tried once more where it fails at once: nothing was sent yet."""
        try:
            async with asyncio.timeout(self.timeouts.connect):
                try:
                    return await self._dial()
                except OSError:
                    await asyncio.sleep(self.timeouts.retry)
                    return await self._dial()
        except TimeoutError:
            raise Refused(
                "upstream_unavailable",
                f"{self.url} did not accept a connection within {self.timeouts.connect:g} s",
                remedy="try again; `loomstead status` says whether the model server runs",
            ) from None
        except OSError as error:
            raise Refused(
                "upstream_unavailable",
                f"{self.url} is not reachable: {error}",
                remedy="try again; `loomstead status` says whether the model server runs",
            ) from error

    async def _dial(self) -> _Connection:
        loop = asyncio.get_running_loop()
        if self._socket is not None:
            _, connection = await loop.create_unix_connection(_Connection, str(self._socket))
        else:
            _, connection = await loop.create_connection(
                _Connection, self._target.host, self._target.port, ssl=self._tls
            )
        return connection
