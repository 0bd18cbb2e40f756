"""The three tokens of a fabric, minted and verified; claims are in their final form (docs/contract.md §6).

    IdentityClaims  at+jwt    who somebody is, for the gateway
    TaskClaims      task+jwt  T1: what one task may do, for the gateway; a projection of the grant row
    CoreClaims      core+jwt  that the gateway itself calls, for one core system

Verification says in order: token_malformed, token_wrong_audience (another type), token_foreign (another key),
token_tampered, token_foreign (another issuer), token_wrong_audience, token_expired.
"""

import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any, ClassVar, Generic, Literal, TypeVar

import msgspec
from joserfc.jwk import ECKey
from msgspec import UNSET, UnsetType

from runtime.errors import Refused
from runtime.grants.details import Details
from runtime.identity import jws
from runtime.identity.keys import PublicKeys

LEEWAY = 5
"""Seconds by which clocks of two gateways may differ."""
CACHED = 8192
"""Tokens a process remembers, good and bad each; the oldest goes first."""
BAD_SIGNATURES_PER_SECOND = 200
"""A check costs about 110 µs; at this rate bad ones take 2 % of a core. Tokens minted or seen here are not affected."""


class Confirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who must prove possession: the JWK thumbprint of a DPoP key."""

    jkt: str


class Actor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The workload that obtained the token."""

    sub: str


class Agent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The agent that acts, through the workload: a chain of exactly these two."""

    sub: str
    act: Actor


class TaskFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``seq``: how many tokens the grant has had. ``deadline``: seconds since 1970. ``policy``: digest."""

    class_: str = msgspec.field(name="class")
    tenant: str
    seq: int
    max_steps: int
    deadline: int
    policy: str


class IdentityClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """``client_id`` is there because RFC 9068 demands it of ``at+jwt``."""

    typ: ClassVar = "at+jwt"

    iss: str
    aud: str
    sub: str
    client_id: str
    kind: Literal["workload", "person"]
    jti: str
    iat: int
    nbf: int
    exp: int
    cnf: Confirmation | UnsetType = UNSET


class TaskClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The task token, the only one an agent holds. ``sub``: the trigger's subject."""

    typ: ClassVar = "task+jwt"

    iss: str
    aud: str
    sub: str
    act: Agent
    txn: str
    jti: str
    iat: int
    nbf: int
    exp: int
    cnf: Confirmation
    authorization_details: Details
    task: TaskFacts


class CoreClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``sub``: the scope class, stable over tasks. ``tool``: the one operation this token is for."""

    typ: ClassVar = "core+jwt"

    iss: str
    aud: str
    sub: str
    txn: str
    tool: str
    jti: str
    iat: int
    nbf: int
    exp: int


C = TypeVar("C", IdentityClaims, TaskClaims, CoreClaims)
_HEADER = frozenset({"typ", "kid"})


def mint(claims: IdentityClaims | TaskClaims | CoreClaims, key: ECKey) -> str:
    """The signed token."""
    return jws.sign({"typ": claims.typ, "kid": key.thumbprint()}, msgspec.json.encode(claims), key)


class Verifier(Generic[C]):
    """Verifies tokens of one type from one issuer for one audience; a check of a token seen before costs about 1 µs.

    Not thread-safe: one for each event loop.
    """

    def __init__(
        self,
        claims: type[C],
        issuer: str,
        audience: str,
        keys: Callable[[], PublicKeys],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._claims, self._issuer, self._audience, self._keys, self._clock = claims, issuer, audience, keys, clock
        self._good: dict[bytes, tuple[C, float]] = {}
        self._bad: dict[bytes, None] = {}
        self._second, self._failures = 0, 0

    def verify(self, token: str | bytes) -> C:
        """The claims; raises ``Refused`` with the code that says why not."""
        raw = token if isinstance(token, bytes) else token.encode("utf-8", "surrogatepass")
        # The whole token, never a prefix of it (CVE-2026-35030).
        name = sha256(raw).digest()
        known = self._good.get(name)
        if known is None:
            return self._verify_unseen(raw, name)
        if self._clock() >= known[1]:
            self._check_claims(known[0])
        return known[0]

    def remember(self, token: str, claims: C) -> None:
        """Take a token as verified: the issuer knows what it minted."""
        _put(self._good, sha256(token.encode()).digest(), (claims, float(claims.exp + LEEWAY)))

    def _verify_unseen(self, raw: bytes, name: bytes) -> C:
        try:
            parsed = jws.parse(raw, required=_HEADER)
            self._check_type(parsed.header["typ"])
            self._check_signature(raw, name, parsed.header["kid"])
            claims = msgspec.convert(parsed.claims, self._claims)
        except (jws.Malformed, msgspec.ValidationError) as error:
            raise _refused("token_malformed", f"the token cannot be read: {error}") from None
        self._check_claims(claims)
        _put(self._good, name, (claims, float(claims.exp + LEEWAY)))
        return claims

    def _check_type(self, typ: Any) -> None:
        expected = self._claims.typ
        if typ != expected:
            raise _refused("token_wrong_audience", f"a token of type {expected} is wanted here")

    def _check_signature(self, raw: bytes, name: bytes, kid: Any) -> None:
        key = self._keys().get(kid) if isinstance(kid, str) else None
        if key is None:
            raise _refused("token_foreign", "the token is signed by a key that this issuer does not have")
        if name not in self._bad:
            self._check_rate()
            try:
                return jws.check_signature(raw, key)
            except jws.Tampered:
                self._failures += 1
                _put(self._bad, name, None)
        raise _refused("token_tampered", "the token's signature does not fit its content")

    def _check_rate(self) -> None:
        second = int(self._clock())
        if second != self._second:
            self._second, self._failures = second, 0
        if self._failures >= BAD_SIGNATURES_PER_SECOND:
            raise Refused(
                "token_checks_spent",
                f"more than {BAD_SIGNATURES_PER_SECOND} forged tokens came within this second",
                remedy="try again in a second",
            )

    def _check_claims(self, claims: C) -> None:
        now = self._clock()
        if claims.iss != self._issuer:
            raise _refused("token_foreign", f"the token is from another issuer than {self._issuer}")
        if claims.aud != self._audience:
            raise _refused("token_wrong_audience", f"the token is not for {self._audience}")
        if now >= claims.exp + LEEWAY:
            raise _refused("token_expired", f"the token expired {int(now) - claims.exp} s ago")
        if now < claims.nbf - LEEWAY:
            raise _refused("token_expired", f"the token is valid only in {claims.nbf - int(now)} s")


def _put(cache: dict[bytes, Any], name: bytes, value: Any) -> None:
    if len(cache) >= CACHED:
        del cache[next(iter(cache))]
    cache[name] = value


def _refused(code: str, detail: str) -> Refused:
    return Refused(code, detail, remedy="get a new token at /oauth/token of this stack's gateway")
