"""Who may call the order system: holders of a short token that the stack's issuer made for one operation of it."""

import time
from collections.abc import Mapping

import httpx

from runtime.errors import Refused
from runtime.identity.keys import PublicKeys, read_jwks
from runtime.identity.tokens import LEEWAY, CoreClaims, Verifier

RIGHTS: Mapping[str, frozenset[str]] = {
    "orders-rw": frozenset({"orders.get", "stock.check", "orders.cancel", "orders.refund"}),
    "orders-ro": frozenset({"orders.get", "stock.check"}),
}
"""Operations of each scope class."""
MAX_AGE = 60
FETCH_TIMEOUT = 5.0
FETCH_PAUSE = 1.0
"""Seconds between two fetches: strangers' unknown key ids must not become as many requests to the issuer."""


class TokenRefused(Exception):
    """The token does not allow this call."""


class IssuerUnavailable(Exception):
    """The issuer's keys cannot be had now."""


class Tokens:
    """Checks core tokens; fetches the issuer's keys when it meets one that it cannot place."""

    def __init__(self, issuer: str, audience: str, http: httpx.AsyncClient) -> None:
        self._issuer, self._http = issuer, http
        self._keys: PublicKeys = {}
        self._next_fetch = 0.0
        self._verifier = Verifier(CoreClaims, issuer, audience, lambda: self._keys)
        self._used: dict[str, int] = {}

    async def check(self, token: str, operation: str) -> CoreClaims:
        """The token's claims; raises ``Refused``, ``TokenRefused`` or ``IssuerUnavailable``."""
        claims = await self._verified(token)
        if claims.exp - claims.iat > MAX_AGE:
            raise TokenRefused(f"the token lives longer than {MAX_AGE} s")
        if claims.tool != operation:
            raise TokenRefused(f"the token is for {claims.tool!r}, not for {operation!r}")
        kind, _, scope_class = claims.sub.rpartition(":")
        if not kind.startswith("scope:") or operation not in RIGHTS.get(scope_class, ()):
            raise TokenRefused(f"{claims.sub!r} may not call {operation!r}")
        self._use(claims)
        return claims

    async def _verified(self, token: str) -> CoreClaims:
        try:
            return self._verifier.verify(token)
        except Refused as refusal:
            if refusal.code != "token_foreign" or time.monotonic() < self._next_fetch:
                raise
        self._keys = await self._fetch()
        return self._verifier.verify(token)

    async def _fetch(self) -> PublicKeys:
        try:
            answer = await self._http.get(f"{self._issuer}/jwks.json", timeout=FETCH_TIMEOUT)
            answer.raise_for_status()
            keys = read_jwks(answer.json())
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise IssuerUnavailable(f"no keys from {self._issuer}: {type(error).__name__}") from error
        self._next_fetch = time.monotonic() + FETCH_PAUSE
        return keys

    def _use(self, claims: CoreClaims) -> None:
        now = int(time.time())
        self._used = {jti: until for jti, until in self._used.items() if until > now}
        if claims.jti in self._used:
            raise TokenRefused("the token was used before")
        self._used[claims.jti] = claims.exp + LEEWAY
