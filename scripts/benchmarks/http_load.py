"""The two ends of a benchmark, each a process of its own: an upstream that only answers, and a loader that only asks.

    python -m scripts.benchmarks.http_load upstream PORT       prints `ready`; the reply is on standard input
    python -m scripts.benchmarks.http_load load                a ``Plan`` on standard input, a ``Load`` on its output

Both are one uvloop callback a message around httptools' parser; the loader is what runs where Debian's ``wrk`` is not.
"""

import asyncio
import sys
import time
from typing import cast

import httptools
import msgspec
import uvloop


class Plan(msgspec.Struct):
    """What to send: ``body`` to ``path``, with each of ``tokens`` in turn; ``seconds`` long over ``connections``."""

    port: int
    path: str
    tokens: list[str]
    body: str
    connections: int
    seconds: float

    def requests(self) -> list[bytes]:
        """The requests, byte for byte."""
        return [
            f"POST {self.path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\nauthorization: Bearer {token}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(self.body.encode())}\r\n\r\n{self.body}".encode()
            for token in self.tokens
        ]


class Load(msgspec.Struct):
    """What came back. ``refused``: answers other than 2xx, and broken connections. p50, p99: milliseconds."""

    answered: int
    refused: int
    seconds: float
    p50: float
    p99: float


class _Caller(asyncio.Protocol):
    """One connection: the next request when the answer is whole, until ``end``."""

    def __init__(self, requests: list[bytes], first: int, end: float) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self.latencies: list[float] = []
        self.refused = 0
        self._requests, self._next, self._end = requests, first, end
        self._sent = 0.0
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.refused += 1
            self.done.set_result(None)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        if self._parser.get_status_code() < 300:
            self.latencies.append(now - self._sent)
        else:
            self.refused += 1
        if now < self._end:
            self._send()
        else:
            self.done.set_result(None)
            self._transport.close()

    def _send(self) -> None:
        self._next = (self._next + 1) % len(self._requests)
        self._sent = time.perf_counter()
        self._transport.write(self._requests[self._next])


async def _load(plan: Plan) -> Load:
    loop, requests = asyncio.get_running_loop(), plan.requests()
    started = time.perf_counter()
    callers = []
    for number in range(plan.connections):
        first = number * len(requests) // plan.connections
        _, caller = await loop.create_connection(
            lambda first=first: _Caller(requests, first, started + plan.seconds), "127.0.0.1", plan.port
        )
        callers.append(caller)
    await asyncio.gather(*(caller.done for caller in callers))
    seconds = time.perf_counter() - started
    latencies = sorted(latency for caller in callers for latency in caller.latencies) or [0.0]
    return Load(
        answered=sum(len(caller.latencies) for caller in callers),
        refused=sum(caller.refused for caller in callers),
        seconds=seconds,
        p50=latencies[len(latencies) // 2] * 1e3,
        p99=latencies[len(latencies) * 99 // 100] * 1e3,
    )


class _Answerer(asyncio.Protocol):
    """``answer`` to every request, and the connection stays."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._transport.write(self._answer)


async def _answer(port: int, body: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    server = await asyncio.get_running_loop().create_server(lambda: _Answerer(head + body), "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


def main() -> None:
    given = sys.stdin.buffer.read()
    if sys.argv[1] == "upstream":
        uvloop.run(_answer(int(sys.argv[2]), given))
    else:
        load = uvloop.run(_load(msgspec.json.decode(given, type=Plan)))
        sys.stdout.buffer.write(msgspec.json.encode(load))


if __name__ == "__main__":
    main()
