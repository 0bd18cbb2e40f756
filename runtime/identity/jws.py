"""Signed JSON in and out: the one reader for tokens, DPoP proofs and client assertions.

ES256 only, but for what clusters sign: there the verifier says which algorithm a key has.

    Malformed   not a JWS of the one form that is taken: three canonical base64url segments, unambiguous JSON objects,
                exactly the header members that were asked for
    Tampered    the signature does not fit

The header never chooses: algorithm and key are the verifier's, and a header with any other member (``crit``, ``jku``,
``x5u``, ``x5c``, a ``jwk`` where none belongs) is malformed.
"""

import binascii
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.util import urlsafe_b64decode

from runtime.strict_json import JsonError, read_result

ALGORITHM = "ES256"
MAX_BYTES = 16_384
"""A task token of 30 tools has about 8,000 bytes; uvicorn takes no header line above 64 KiB."""
SIGNATURE_BYTES = 64

_REGISTRY = jws.JWSRegistry(algorithms=[ALGORITHM])
_ONLY = (ALGORITHM,)


class Malformed(Exception):
    """The text is not a JWS of the form asked for; the message says where."""


class Tampered(Exception):
    """The signature does not fit content and key."""


@dataclass(frozen=True)
class Parsed:
    """Header and claims before the signature was checked."""

    header: dict[str, Any]
    claims: dict[str, Any]


def sign(header: dict[str, Any], claims: bytes, key: ECKey) -> str:
    """A compact JWS; ``claims`` is JSON."""
    return jws.serialize_compact({"alg": ALGORITHM, **header}, claims, key, registry=_REGISTRY)


def parse(
    token: bytes,
    *,
    required: frozenset[str],
    optional: frozenset[str] = frozenset(),
    algorithms: tuple[str, ...] = _ONLY,
) -> Parsed:
    """Header and claims, unverified; the header has ``alg``, the ``required`` and at most the ``optional`` members.

    ``algorithms``: those of the keys that may have signed it. Raises ``Malformed``.
    """
    if len(token) > MAX_BYTES:
        raise Malformed(f"longer than {MAX_BYTES} bytes")
    segments = token.split(b".")
    if len(segments) != 3:
        raise Malformed("not three segments")
    header, claims = _object(segments[0], "header"), _object(segments[1], "payload")
    signature = _bytes(segments[2], "signature")
    if header.get("alg") not in algorithms:
        raise Malformed(f"the header's alg is not {' or '.join(algorithms)}")
    if header["alg"] == ALGORITHM and len(signature) != SIGNATURE_BYTES:
        raise Malformed(f"the signature is not of {SIGNATURE_BYTES} bytes")
    if not required <= header.keys() - {"alg"} <= required | optional:
        expected = ", ".join(sorted(required | optional))
        raise Malformed(f"the header must have alg and: {expected}")
    return Parsed(header, claims)


def check_signature(token: bytes, key: ECKey | RSAKey, algorithm: str = ALGORITHM) -> None:
    """Raises ``Tampered`` if ``key`` did not sign the token, ``Malformed`` if its signature is not ``algorithm``'s."""
    registry = _REGISTRY if algorithm == ALGORITHM else jws.JWSRegistry(algorithms=[algorithm])
    try:
        jws.deserialize_compact(token, key, registry=registry)
    except BadSignatureError:
        raise Tampered from None
    except (JoseError, ValueError) as error:
        raise Malformed(f"not a JWS: {error}") from None


def _object(segment: bytes, what: str) -> dict[str, Any]:
    try:
        value = read_result(_bytes(segment, what))
    except JsonError as error:
        raise Malformed(f"the {what}: {error}") from None
    if not isinstance(value, dict):
        raise Malformed(f"the {what} is not a JSON object")
    return value


def _bytes(segment: bytes, what: str) -> bytes:
    try:
        return urlsafe_b64decode(segment)
    except binascii.Error:
        raise Malformed(f"the {what} is not canonical base64url") from None
