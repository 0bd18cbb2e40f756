"""Nothing leaves this process for a place that it was not told of, whatever LiteLLM makes of its arguments.

Two nets. ``OnlyTo`` carries every request that is made while an endpoint is asked, and compares it with what the
Manifest says of that endpoint: host, path and body. ``fence`` lets the process resolve no host but theirs: what would
go past ``OnlyTo`` is a picture that a message links to, a table of prices, a library's own client.
"""

import json
import sys
from collections.abc import Collection
from contextvars import ContextVar
from typing import Any

import httpx

from runtime.translator.wire import Wire

ASKED: ContextVar[Wire] = ContextVar("asked")
"""The endpoint that this request's task, and every task it starts, may reach."""
CREDENTIALS = frozenset(
    {
        "oauth2.googleapis.com",
        "iamcredentials.googleapis.com",
        "sts.googleapis.com",
        "metadata.google.internal",
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
    }
)
"""Where the clouds give a machine its credentials; AWS's regional ``sts`` is allowed beside them."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Elsewhere(Exception):
    """A request was about to go to a place that its endpoint's Manifest entry does not name."""


class OnlyTo(httpx.AsyncBaseTransport):
    """Carries requests to the endpoint that is asked, and to no proxy. Shared: a client that closes leaves it open."""

    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        wire = ASKED.get(None)
        if wire is None:
            raise Elsewhere(f"a request was about to go to {request.url.host!r} while no endpoint is asked")
        _compare(request, wire)
        return await self._inner.handle_async_request(request)

    async def close(self) -> None:
        """Close every connection."""
        await self._inner.aclose()


def _compare(request: httpx.Request, wire: Wire) -> None:
    """Raises ``Elsewhere`` where the request is not the endpoint's."""
    host, path = request.url.netloc.decode(), request.url.raw_path.decode()
    if host != wire.host:
        raise _differs("host", host, wire.host)
    if wire.path not in path:
        raise _differs("path", path, wire.path)
    sent: Any = json.loads(request.content) if wire.body else {}
    for member, wanted in wire.body.items():
        if sent.get(member) != wanted:
            raise _differs(member, sent.get(member), wanted)


def _differs(what: str, found: object, wanted: str) -> Elsewhere:
    return Elsewhere(f"the request was about to leave with {what} {found!r}, the Manifest says {wanted!r}")


def fence(hosts: Collection[str]) -> None:
    """From now on this process resolves these hosts alone, those of the clouds' credentials, and loopback.

    An audit hook stays until the process ends. It sees what resolves by Python, so: no uvloop, no c-ares.
    """
    allowed = CREDENTIALS | LOOPBACK | set(hosts)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "socket.getaddrinfo":
            return
        host = arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]
        if host is not None and host not in allowed and not _is_sts(host):
            raise Elsewhere(f"this process was about to resolve {host!r}, which no endpoint of the Manifest names")

    sys.addaudithook(audit)


def _is_sts(host: str) -> bool:
    return host.startswith("sts.") and host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu"))
