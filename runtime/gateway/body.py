"""What a caller sent, read once, with a limit, and in one meaning only."""

from typing import Any

from fastapi import Request

from runtime.errors import Refused
from runtime.strict_json import JsonError, read_arguments


async def read_body(request: Request, limit: int) -> bytes:
    """The body; raises ``Refused`` (body_too_large) above ``limit`` bytes, without reading on."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Refused("body_too_large", f"the body is above {limit} bytes", remedy="send less")
    return bytes(body)


async def read_object(request: Request, limit: int, *members: str) -> dict[str, Any]:
    """A JSON object of exactly these members; raises ``Refused`` (body_too_large, body_invalid)."""
    expected = f"send one JSON object with: {', '.join(members)}"
    try:
        value = read_arguments(await read_body(request, limit))
    except JsonError as error:
        raise Refused("body_invalid", f"the body: {error}", remedy=expected) from None
    if not isinstance(value, dict) or set(value) != set(members):
        raise Refused("body_invalid", "the body is not an object of the expected members", remedy=expected)
    return value
