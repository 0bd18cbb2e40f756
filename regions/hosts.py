"""The one reading of hosts and base URLs: what is decided about a host is decided about the host that is called.

A name is what DNS and TLS compare: letters, digits and hyphens, in lower case, without the root's dot. What a client,
a resolver or IDNA would first rewrite (other scripts' letters and dots, percent signs, spaces) is refused.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")
"""What resolvers read as an IPv4 address, whole or not: ``127.1``, ``0x7f000001``."""


def host_of(text: str) -> str | None:
    """The host of a URL, or of a text that is a host; ``None`` where it has none, or one that is no host."""
    try:
        return _host(urlsplit(text if "//" in text else f"//{text}"))
    except ValueError:
        return None


def base_url(url: str) -> SplitResult:
    """An ``http(s)`` URL that paths are put behind, its host as ``host_of`` has it; raises ``ValueError``.

    User, password, query and fragment are refused: secrets do not belong into one, and a path behind it would be lost.
    """
    try:
        parts = urlsplit(url)
    except ValueError as wrong:
        raise ValueError(f"expected a host ({wrong})") from wrong
    if parts.scheme not in ("http", "https"):
        raise ValueError("expected a URL that begins with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("expected a URL without user or password: secrets do not belong into a stack file")
    host = _host(parts)
    if not re.fullmatch(r"[!-~]+", url) or any(character in url for character in "?#\\"):
        raise ValueError("expected a base URL: printable ASCII, without spaces, backslashes, ?query and #fragment")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("expected a port from 1 to 65535")
    name = f"[{host}]" if ":" in host else host
    netloc = name if port is None else f"{name}:{port}"
    return SplitResult(parts.scheme, netloc, parts.path.rstrip("/"), "", "")


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower().removesuffix(".")
    try:
        if "[" in parts.netloc:
            return str(IPv6Address(host))
        if _NUMBER.fullmatch(host):
            return str(IPv4Address(host))
    except AddressValueError as wrong:
        raise ValueError(f"expected a host (a DNS name or an IP address), got {host!r}") from wrong
    if not _NAME.fullmatch(host):
        raise ValueError(f"expected a host (a DNS name of letters, digits and hyphens, or an IP address), got {host!r}")
    return host
