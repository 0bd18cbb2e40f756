"""Workloads that are who their cluster says: a projected ServiceAccount token as client assertion (RFC 7523).

The token is for the fabric's issuer alone and names the account that the Manifest does; the cluster's published keys
say whether it is real. It may come again until it expires, because the kubelet renews it only then: that an identity
token is its caller's is the work of the DPoP key, which the workload draws at its start.
"""

import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import httpx
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from regions.manifest import Client, ServiceAccount
from runtime.api_server import TIMEOUT, ApiServer
from runtime.errors import Refused
from runtime.identity import jws
from runtime.identity.tokens import LEEWAY
from runtime.settings import StartError
from runtime.single_flight import SingleFlight
from runtime.strict_json import JsonError, read_result

MOST_SECONDS = 3600
"""Longest life of a token that is taken: what the kubelet asks for where a volume does not say."""
FRESH_SECONDS, KEPT_SECONDS = 600.0, 3600.0
"""Keys are read again after the first; while that fails they serve until the second."""
PAUSE_SECONDS = 30.0
"""Between two looks for a key that was not published."""
FAILED_SECONDS = 5.0
"""For which a server of keys that did not answer is not asked again."""
MOST_BYTES = 100_000
LEAST_RSA_BITS = 2048

_ALGORITHMS = ("RS256", "ES256")
_HEADER, _MAY = frozenset({"kid"}), frozenset({"typ"})


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    sub: str
    aud: str | list[str]
    iat: int
    exp: int
    nbf: int = 0


@dataclass(frozen=True)
class Key:
    """``algorithm``: the only one that this key verifies."""

    key: RSAKey | ECKey
    algorithm: str


Keys = Mapping[str, Key]
Read = Callable[[str], Awaitable[bytes]]
"""What an address of published keys answers; raises ``httpx.HTTPError``, ``OSError``."""


@dataclass(frozen=True)
class _Published:
    keys: Keys
    at: float


class ServiceAccounts:
    """The clients of a Manifest that their clusters name. ``audience``: the fabric's issuer."""

    def __init__(
        self, clients: Iterable[Client], audience: str, read: Read, clock: Callable[[], float] = time.time
    ) -> None:
        named = [(client.service_account, client) for client in clients if client.service_account]
        self._clients = {(account.issuer, account.subject): (account, client) for account, client in named}
        self._issuers = {account.issuer for account, _ in named}
        self._audience, self._read, self._clock = audience, read, clock
        self._flights: SingleFlight[_Published] = SingleFlight()
        self._published: dict[str, _Published] = {}
        self._failed: dict[str, float] = {}

    def made(self, assertion: str) -> bool:
        """Whether a cluster of the Manifest claims to have made it. Nothing is verified yet."""
        try:
            return _parsed(assertion).claims.get("iss") in self._issuers
        except (jws.Malformed, TypeError):
            return False

    async def check(self, assertion: str) -> Client:
        """The client that the token names; raises ``Refused`` (client_unknown, assertion_invalid, upstream_*)."""
        try:
            parsed = _parsed(assertion)
            claims = msgspec.convert(parsed.claims, _Claims)
        except (jws.Malformed, msgspec.ValidationError) as error:
            raise _refused(f"it cannot be read: {error}") from None
        account, client = self._named(claims)
        key = await self._key(account, parsed.header["kid"])
        if parsed.header["alg"] != key.algorithm:
            raise _refused(f"its alg is not its key's, {key.algorithm}")
        try:
            jws.check_signature(assertion.encode(), key.key, key.algorithm)
        except (jws.Malformed, jws.Tampered):
            raise _refused("its signature is not by the cluster's key") from None
        self._check_claims(claims)
        return client

    def _named(self, claims: _Claims) -> tuple[ServiceAccount, Client]:
        found = self._clients.get((claims.iss, claims.sub))
        if found is None:
            raise Refused(
                "client_unknown",
                "the Manifest names no such ServiceAccount",
                remedy="run as the ServiceAccount that the stack made for this workload",
            )
        return found

    def _check_claims(self, claims: _Claims) -> None:
        now = self._clock()
        if claims.aud not in (self._audience, [self._audience]):
            raise _refused(f"its aud is not {self._audience} alone")
        if now >= claims.exp + LEEWAY:
            raise _refused("it has expired")
        if claims.exp - claims.iat > MOST_SECONDS:
            raise _refused(f"it lives longer than {MOST_SECONDS} s")
        if max(claims.iat, claims.nbf) > now + LEEWAY:
            raise _refused("it is from the future")

    async def _key(self, account: ServiceAccount, kid: Any) -> Key:
        if not isinstance(kid, str):
            raise _refused("its kid is no text")
        published = await self._current(account.jwks)
        if kid not in published.keys and self._clock() - published.at >= PAUSE_SECONDS:
            published = await self._flights.run(account.jwks, lambda: self._fetch(account.jwks))
        key = published.keys.get(kid)
        if key is None:
            raise _refused("the cluster publishes no such key")
        return key

    async def _current(self, url: str) -> _Published:
        kept = self._published.get(url)
        age = self._clock() - kept.at if kept else KEPT_SECONDS
        if kept and age < FRESH_SECONDS:
            return kept
        try:
            return await self._flights.run(url, lambda: self._fetch(url))
        except Refused:
            if kept is None or age >= KEPT_SECONDS:
                raise
            return kept

    async def _fetch(self, url: str) -> _Published:
        """Whoever has no token yet cannot make this ask a server that does not answer again and again."""
        if self._clock() - self._failed.get(url, -math.inf) < FAILED_SECONDS:
            raise _unreachable(url, "they could not be had a moment ago")
        try:
            keys = read_keys(await self._read(url))
        except (httpx.HTTPError, OSError, ValueError, StartError) as error:  # the pod has no token of its own
            self._failed[url] = self._clock()
            raise _unreachable(url, str(error) or type(error).__name__) from None
        self._published[url] = published = _Published(keys, self._clock())
        return published


def _unreachable(url: str, why: str) -> Refused:
    return Refused(
        "upstream_unavailable",
        f"the cluster's keys at {url}: {why}",
        remedy="try again; the gateway needs a way to the Kubernetes API",
    )


def read_keys(document: bytes) -> Keys:
    """The keys of a published set that can be pinned to one algorithm; raises ``ValueError`` where it is no set."""
    try:
        entries = read_result(document)["keys"]
        found = {entry["kid"]: _key(entry) for entry in entries if isinstance(entry.get("kid"), str)}
    except (JsonError, LookupError, TypeError, AttributeError):
        raise ValueError("no JSON Web Key Set") from None
    return MappingProxyType({kid: key for kid, key in found.items() if key})


def read_published(api: ApiServer | None) -> Read:
    """The reader of published keys: the cluster's own API is asked as this pod, anybody else as nobody."""

    async def read(url: str) -> bytes:
        own = api.path_of(url) if api else None
        client = api.client() if api and own else httpx.AsyncClient(timeout=TIMEOUT, trust_env=False)
        async with client, client.stream("GET", own or url) as answer:
            answer.raise_for_status()
            content = b""
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > MOST_BYTES:
                    raise ValueError(f"more than {MOST_BYTES} bytes")
        return content

    return read


def _parsed(assertion: str) -> jws.Parsed:
    raw = assertion.encode("utf-8", "surrogatepass")
    return jws.parse(raw, required=_HEADER, optional=_MAY, algorithms=_ALGORITHMS)


def _key(jwk: Mapping[str, Any]) -> Key | None:
    """The key and its one algorithm; none for a key of another kind, too short, or for something else."""
    try:
        key: RSAKey | ECKey
        if jwk["kty"] == "RSA":
            key, algorithm = RSAKey.import_key({name: jwk[name] for name in ("kty", "n", "e")}), "RS256"
            if key.public_key.key_size < LEAST_RSA_BITS:
                return None
        else:
            key, algorithm = ECKey.import_key({name: jwk[name] for name in ("kty", "crv", "x", "y")}), "ES256"
            if key.curve_name != "P-256":
                return None
    except (JoseError, ValueError, KeyError, TypeError):
        return None
    fits = jwk.get("alg", algorithm) == algorithm and jwk.get("use", "sig") == "sig"
    return Key(key, algorithm) if fits else None


def _refused(cause: str) -> Refused:
    return Refused(
        "assertion_invalid",
        f"the ServiceAccount's token: {cause}",
        remedy="mount a projected token for the fabric's issuer, and read its file for each request",
    )
