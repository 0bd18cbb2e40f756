"""Model providers on loopback that speak their own formats: Anthropic's Messages, Bedrock's Converse and InvokeModel.

They are what can be had here: they prove what leaves the translator and what it makes of an answer, not that the
providers still speak so. Google's token endpoint is here too, so that a call for Vertex gets as far as its own address.
"""

import json
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from zlib import crc32

SAID = ["An", "swer"]


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Providers:
    """``status``: of the next answers; ``received``: what came, in order."""

    status: int = 200
    received: list[Received] = field(default_factory=list)

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"providers": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"


class _Handler(BaseHTTPRequestHandler):
    providers: Providers

    def do_GET(self) -> None:
        self.providers.received.append(Received(self.path, dict(self.headers), {}))
        self._send(200, "image/png", [b"\x89PNG\r\n\x1a\n"])

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/token":
            self._send(200, "application/json", [_json({"access_token": "t", "expires_in": 3600})])
            return
        body = json.loads(content)
        self.providers.received.append(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        if self.providers.status != 200:
            error = {"type": "error", "error": {"type": "api_error", "message": "busy"}, "message": "busy"}
            self._send(self.providers.status, "application/json", [_json(error)])
        elif self.path.endswith("/converse-stream"):
            self._send(200, "application/vnd.amazon.eventstream", _converse_stream())
        elif self.path.endswith("/converse"):
            self._send(200, "application/json", [_json(_converse())])
        elif self.path.endswith("/invoke"):
            self._send(200, "application/json", [_json({"embedding": [0.25, 0.5], "inputTextTokenCount": 3})])
        elif body.get("stream"):
            self._send(200, "text/event-stream", _messages_stream(body))
        else:
            self._send(200, "application/json", [_json(_message(body))])

    def _send(self, status: int, kind: str, parts: Any) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("connection", "close")
        self.end_headers()
        for part in parts:
            self.wfile.write(part)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it so
        """Nothing: pytest's output is for the tests."""


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _message(request: dict[str, Any]) -> dict[str, Any]:
    usage = {"input_tokens": 3, "output_tokens": 2, "inference_geo": request.get("inference_geo", "global")}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": [{"type": "text", "text": "".join(SAID)}],
        "stop_reason": "end_turn",
        "usage": usage,
    }


def _messages_stream(request: dict[str, Any]) -> Iterator[bytes]:
    message = {**_message(request), "content": [], "stop_reason": None}
    yield _event("message_start", {"message": message})
    yield _event("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
    for part in SAID:
        yield _event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": part}})
    yield _event("content_block_stop", {"index": 0})
    yield _event("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": message["usage"]})
    yield _event("message_stop", {})


def _event(kind: str, members: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), _json({"type": kind, **members}))


def _converse() -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": "".join(SAID)}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5},
        "metrics": {"latencyMs": 1},
    }


def _converse_stream() -> Iterator[bytes]:
    yield _frame("messageStart", {"role": "assistant"})
    for part in SAID:
        yield _frame("contentBlockDelta", {"delta": {"text": part}, "contentBlockIndex": 0})
    yield _frame("contentBlockStop", {"contentBlockIndex": 0})
    yield _frame("messageStop", {"stopReason": "end_turn"})
    yield _frame("metadata", {"usage": _converse()["usage"], "metrics": {"latencyMs": 1}})


def _frame(kind: str, payload: dict[str, Any]) -> bytes:
    """One message of AWS's event stream: lengths and their CRC, headers, payload, CRC of all."""
    pairs = {":message-type": "event", ":event-type": kind, ":content-type": "application/json"}
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in pairs.items()
    )
    content = _json(payload)
    prelude = struct.pack(">II", 16 + len(headers) + len(content), len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + content
    return message + struct.pack(">I", crc32(message))
