"""Proof of possession (RFC 9449): made by worker and CLI for each request, checked by the gateway. ES256 only."""

import base64
import secrets
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import msgspec
from joserfc.jwk import ECKey

from runtime.errors import Refused
from runtime.identity import jws
from runtime.identity.keys import UnusableKey, es256_key

WINDOW = 60
"""Seconds by which ``iat`` may lie in the past or in the future."""

_TYPE = "dpop+jwt"
_HEADER = frozenset({"typ", "jwk"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


class _Claims(msgspec.Struct, frozen=True):
    htm: str
    htu: str
    iat: int
    jti: str
    ath: str | None = None


class Proof(msgspec.Struct, frozen=True):
    """A proof that fits its request. ``expires``: until when its ``jti`` must be remembered, seconds since 1970."""

    jkt: str
    jti: str
    expires: int


def prove(key: ECKey, method: str, url: str, token: str | None = None) -> str:
    """The ``DPoP`` header for one request; ``token`` is the access token that goes with it, if any."""
    claims: dict[str, Any] = {
        "htm": method,
        "htu": normalised(url),
        "iat": int(time.time()),
        "jti": secrets.token_urlsafe(16),
    }
    if token is not None:
        claims["ath"] = _token_digest(token)
    jwk = {name: value for name, value in key.as_dict().items() if name in ("kty", "crv", "x", "y")}
    return jws.sign({"typ": _TYPE, "jwk": jwk}, msgspec.json.encode(claims), key)


def check(
    proof: str,
    method: str,
    url: str,
    token: str | None = None,
    jkt: str | None = None,
    clock: Callable[[], float] = time.time,
) -> Proof:
    """The proof, if it is for this request, this token and this key (thumbprint ``jkt``).

    The caller must still spend its ``jti``. Raises ``Refused`` (proof_invalid).
    """
    raw = proof.encode("utf-8", "surrogatepass")
    try:
        parsed = jws.parse(raw, required=_HEADER)
        claims = msgspec.convert(parsed.claims, _Claims)
        key = es256_key(parsed.header["jwk"], "verify")
    except (jws.Malformed, msgspec.ValidationError, UnusableKey) as error:
        raise _refused(f"it cannot be read: {error}") from None
    if parsed.header["typ"] != _TYPE or "d" in parsed.header["jwk"]:
        raise _refused(f"its header must have typ {_TYPE} and a public jwk")
    found = Proof(key.thumbprint(), claims.jti, claims.iat + WINDOW)
    _check_claims(claims, method, url, token, clock())
    if jkt is not None and found.jkt != jkt:
        raise _refused("it is by another key than the token is bound to")
    try:
        jws.check_signature(raw, key)
    except (jws.Malformed, jws.Tampered):
        raise _refused("its signature does not fit") from None
    return found


def normalised(url: str) -> str:
    """RFC 9449 §4.3 (9): without query and fragment; scheme and host in lower case, no default port.

    Paths are compared as sent: decoding them would make two resources one.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path or '/'}"


def _check_claims(claims: _Claims, method: str, url: str, token: str | None, now: float) -> None:
    if claims.htm != method:
        raise _refused(f"it is not for method {method}")
    if not _same_url(claims.htu, url):
        raise _refused(f"it is not for {normalised(url)}")
    if abs(now - claims.iat) > WINDOW:
        raise _refused(f"its iat is {abs(int(now) - claims.iat)} s away from this clock, allowed are {WINDOW} s")
    if not claims.jti:
        raise _refused("its jti is empty")
    if token is not None and claims.ath != _token_digest(token):
        raise _refused("its ath is not the digest of this token")


def _same_url(claimed: str, url: str) -> bool:
    try:
        return normalised(claimed) == normalised(url)
    except ValueError:
        return False


def _token_digest(token: str) -> str:
    return base64.urlsafe_b64encode(sha256(token.encode()).digest()).rstrip(b"=").decode()


def _refused(cause: str) -> Refused:
    return Refused("proof_invalid", f"the DPoP proof: {cause}", remedy="make a new proof for each request (RFC 9449)")
