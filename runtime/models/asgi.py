"""What the model path reads from ASGI, and how it answers there."""

from collections.abc import Mapping
from typing import Any

import msgspec

from runtime.errors import Refused
from runtime.models.upstream import Response

Scope = Mapping[str, Any]

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request."""
MAX_REPLY = 16 * 1024 * 1024
"""Bytes of an answer: it is held until it is recorded."""
STEP_HEADER = b"loomstead-step"
_PASSED_ON = frozenset({b"content-type", b"content-encoding", b"retry-after"})


def read_headers(scope: Scope) -> tuple[bytes, int]:
    """The token's bytes and the step (0 where the caller is no orchestrator and names none).

    Raises ``Refused`` (token_missing, body_invalid).
    """
    authorization: list[bytes] = []
    step = b"0"
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization.append(value)
        elif name == STEP_HEADER:
            step = value
    scheme, _, token = authorization[0].partition(b" ") if len(authorization) == 1 else (b"", b"", b"")
    if not token or scheme.lower() not in (b"bearer", b"dpop"):
        raise Refused(
            "token_missing",
            "one header Authorization with a task token is needed",
            remedy="send `Authorization: Bearer <task token>`; /oauth/token exchanges a grant into one",
        )
    if not step.isdigit() or len(step) > 6:
        raise Refused("body_invalid", "the header Loomstead-Step is not a number", remedy="send the turn's number")
    return token, int(step)


async def read_body(receive: Any) -> bytes:
    """The whole body; raises ``Refused`` (body_too_large) above ``MAX_BODY``, without reading on."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        parts = bytearray(body)
        while message.get("more_body") and len(parts) <= MAX_BODY:
            message = await receive()
            parts += message.get("body", b"")
        body = bytes(parts)
    if len(body) > MAX_BODY:
        raise Refused(
            "body_too_large", f"the request is larger than {MAX_BODY} bytes", remedy="send a shorter conversation"
        )
    return body


async def read_reply(response: Response) -> bytes:
    """The whole body of an answer; raises ``Refused`` (upstream_failed, upstream_timeout)."""
    body = bytearray()
    async for chunk in response.chunks():
        body += chunk
        check_size(body)
    return bytes(body)


def check_size(body: bytearray) -> None:
    """Raises ``Refused`` (upstream_failed) where there is more of an answer than can be recorded."""
    if len(body) > MAX_REPLY:
        raise Refused(
            "upstream_failed",
            f"the answer is larger than {MAX_REPLY} bytes, which is what can be recorded",
            remedy="ask for less with `max_tokens`",
        )


def head(response: Response, length: int | None = None) -> dict[str, Any]:
    """The upstream's status and those of its headers that belong to the body."""
    headers = [(name, value) for name, value in response.headers if name in _PASSED_ON]
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    return {"type": "http.response.start", "status": response.status, "headers": headers}


async def send_problem(refused: Refused, send: Any) -> None:
    """The refusal as problem+json."""
    body = msgspec.json.encode(refused.problem())
    headers = [(name.encode(), value.encode()) for name, value in refused.headers().items()]
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
