"""Client assertions (RFC 7523): how worker and CLI say at the token endpoint who they are."""

import secrets
import time
from collections.abc import Callable, Mapping

import msgspec
from joserfc.jwk import ECKey

from regions.manifest import Client
from runtime.errors import Refused
from runtime.identity import jws
from runtime.identity.keys import UnusableKey, es256_key
from runtime.identity.tokens import LEEWAY

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SECONDS = 60
"""Longest life of an assertion."""

_HEADER = frozenset({"typ", "kid"})


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    sub: str
    aud: str | list[str]
    jti: str
    exp: int
    iat: int = 0
    nbf: int = 0


class Assertion(msgspec.Struct, frozen=True):
    """An assertion that fits. ``expires``: until when its ``jti`` must be remembered, seconds since 1970."""

    client: Client
    jti: str
    expires: int


def assert_client(client: str, key: ECKey, audience: str) -> str:
    """An assertion for one request; ``audience`` is the token endpoint's URL."""
    now = int(time.time())
    claims = {
        "iss": client,
        "sub": client,
        "aud": audience,
        "jti": secrets.token_urlsafe(16),
        "iat": now,
        "exp": now + SECONDS,
    }
    return jws.sign({"typ": "JWT", "kid": key.thumbprint()}, msgspec.json.encode(claims), key)


def check(
    assertion: str, clients: Mapping[str, Client], audience: str, clock: Callable[[], float] = time.time
) -> Assertion:
    """The assertion, if one of ``clients`` made it for ``audience``. The caller must still spend its ``jti``.

    Raises ``Refused`` (client_unknown, assertion_invalid).
    """
    raw = assertion.encode("utf-8", "surrogatepass")
    try:
        parsed = jws.parse(raw, required=frozenset(), optional=_HEADER)
        claims = msgspec.convert(parsed.claims, _Claims)
    except (jws.Malformed, msgspec.ValidationError) as error:
        raise _refused(f"it cannot be read: {error}") from None
    if claims.iss not in clients:
        raise Refused(
            "client_unknown", "the Manifest names no such client", remedy="use a client of the stack's Manifest"
        )
    client = clients[claims.iss]
    if client.jwk is None:
        raise _refused(f"client {client.id} is proved by its cluster's token")
    try:
        jws.check_signature(raw, es256_key(client.jwk, "verify"))
    except (jws.Malformed, jws.Tampered, UnusableKey):
        raise _refused(f"its signature is not by the key of client {client.id}") from None
    _check_claims(claims, audience, clock())
    return Assertion(client, claims.jti, claims.exp + LEEWAY)


def _check_claims(claims: _Claims, audience: str, now: float) -> None:
    if claims.sub != claims.iss:
        raise _refused("iss and sub must both be the client id")
    if claims.aud not in (audience, [audience]):
        raise _refused(f"its aud is not {audience}")
    if now >= claims.exp + LEEWAY:
        raise _refused("it has expired")
    if claims.exp > now + SECONDS + LEEWAY:
        raise _refused(f"it lives longer than {SECONDS} s")
    if max(claims.nbf, claims.iat) > now + LEEWAY:
        raise _refused("it is from the future")
    if not claims.jti:
        raise _refused("its jti is empty")


def _refused(cause: str) -> Refused:
    return Refused(
        "assertion_invalid",
        f"the client assertion: {cause}",
        remedy="sign a new one with the client's key (RFC 7523)",
    )
