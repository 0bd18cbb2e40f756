"""A model server that says what a script tells it: real HTTP on loopback, OpenAI's protocol, streaming or whole.

    with ScriptedModel({"4711": [turn("orders.get", order_id="4711"), finish("done")]}) as model:
        …  # model.url is a base with /v1; model.requests has every body

A conversation is known by its *marker*, a text in its last e-mail; its n-th turn is the n-th of the marker's list (the
last one again after that), counted by the answers already in the conversation, so that a repeated request gets the same
answer. ``Fault`` in the place of a turn is given once: a status, or a delay before the next.

    python -m tests.fakes.model_server --port N [--script FILE.json]     by default: the demo's e-mails
"""

import argparse
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

MAIL = "E-mail:"
LOOP = "loop"
"""A marker of the default script: a mail that holds it never comes to an end."""


def turn(tool: str, reason: str = "as the script says", **arguments: Any) -> str:
    """One answer of the model."""
    return json.dumps({"reason": reason, "tool": tool, "arguments": arguments}, separators=(",", ":"))


def finish(summary: str) -> str:
    return turn("finish", summary=summary)


@dataclass(frozen=True)
class Fault:
    """Answer with ``status`` instead of a turn (0: none), after ``delay`` seconds."""

    status: int = 0
    delay: float = 0.0


Script = dict[str, list[str | Fault]]


def demo_turns(mail: str) -> list[str | Fault]:
    """What a good model does with any e-mail of the demo: look up, check stock, cancel, refund, finish."""
    number = re.search(r"\b\d{4}\b", mail)
    if LOOP in mail:
        return [turn("orders.get", order_id=number[0] if number else "4711")]
    if number is None:
        return [finish("Nothing to do.")]
    order = number[0]
    return [
        turn("orders.get", order_id=order),
        turn("stock.check", sku="PUMP-3"),
        turn("orders.cancel", order_id=order),
        turn("orders.refund", order_id=order, amount_cents=999_999 if "SYSTEM" in mail else 1),
        finish(f"Order {order} is cancelled and refunded."),
    ]


class _Server(ThreadingHTTPServer):
    """Closed, it is gone like a process that was killed: with the connections that it kept alive."""

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._connections: set[Any] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self._connections):
            with suppress(OSError):  # the other side was quicker
                connection.shutdown(socket.SHUT_RDWR)


@dataclass
class ScriptedModel:
    """``script``: turns by marker; an e-mail without a marker in it gets ``demo_turns``.

    ``names``: which model its replies name, by the one that was asked for; left out, they name that one.
    """

    script: Script = field(default_factory=dict)
    port: int = 0
    names: dict[str, str] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._given: set[tuple[str, int]] = set()
        self._lock = threading.Lock()
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Serve; after ``stop`` on the same port."""
        self._server = _Server(("127.0.0.1", self.port), _handler(self))
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def answer(self, body: dict[str, Any]) -> str | Fault:
        """The turn for a conversation; records the request."""
        with self._lock:
            self.requests.append(dict(body))
            mail, answers = _conversation(body["messages"])
            marker, turns = self._turns(mail)
            given = [index for index, one in enumerate(turns) if isinstance(one, Fault)]
            fault = next((index for index in given if self._is_due(turns, index, answers, marker)), None)
            if fault is not None:
                self._given.add((marker, fault))
                return turns[fault]
            texts = [one for one in turns if isinstance(one, str)]
            return texts[min(answers, len(texts) - 1)]

    def _turns(self, mail: str) -> tuple[str, list[str | Fault]]:
        found = next((marker for marker in self.script if marker in mail), None)
        return (found, self.script[found]) if found is not None else (mail, demo_turns(mail))

    def _is_due(self, turns: list[str | Fault], index: int, answers: int, marker: str) -> bool:
        """A fault stands before the turn whose number is the count of turns ahead of it."""
        ahead = sum(isinstance(one, str) for one in turns[:index])
        return ahead == answers and (marker, index) not in self._given


def _conversation(messages: list[dict[str, str]]) -> tuple[str, int]:
    """The last e-mail, and how many answers follow it: before it stand the examples."""
    last = max((index for index, one in enumerate(messages) if one["content"].startswith(MAIL)), default=0)
    return messages[last]["content"], sum(one["role"] == "assistant" for one in messages[last:])


def _handler(model: ScriptedModel) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(200, b'{"status":"ok"}')

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answer = model.answer(body)
            while isinstance(answer, Fault):
                time.sleep(answer.delay)
                if answer.status:
                    self._send(answer.status, b'{"error":{"message":"as the script says"}}')
                    return
                answer = model.answer(body)
            body["model"] = model.names.get(body.get("model", ""), body.get("model", ""))
            if body.get("stream"):
                self._send(200, b"".join(_events(answer, body)), "text/event-stream")
            else:
                self._send(200, json.dumps(_whole(answer, body)).encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class calls it so
            pass

        def _send(self, status: int, content: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


def _usage(answer: str, body: dict[str, Any]) -> dict[str, int]:
    prompt = sum(len(one["content"]) for one in body["messages"]) // 4
    return {"prompt_tokens": prompt, "completion_tokens": len(answer) // 4, "total_tokens": prompt + len(answer) // 4}


def _whole(answer: str, body: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": answer}}
    return _frame("chat.completion", body) | {"choices": [choice], "usage": _usage(answer, body)}


def _events(answer: str, body: dict[str, Any]) -> Iterator[bytes]:
    """A piece a word, the end, the usage where it was asked for, ``[DONE]``."""
    frame = _frame("chat.completion.chunk", body)
    for piece in re.findall(r"\S+\s*|\s+", answer):
        yield _event(frame | {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
    yield _event(frame | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if body.get("stream_options", {}).get("include_usage"):
        yield _event(frame | {"choices": [], "usage": _usage(answer, body)})
    yield b"data: [DONE]\n\n"


def _frame(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"id": "chatcmpl-scripted", "object": kind, "created": 0, "model": body["model"]}


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--script", type=Path)
    options = parser.parse_args()
    script = json.loads(options.script.read_text()) if options.script else {}
    with ScriptedModel(script, options.port):
        threading.Event().wait()


if __name__ == "__main__":
    main()
