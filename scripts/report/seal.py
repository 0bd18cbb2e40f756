"""A detached JWS (RFC 7515, appendix F; ES256) over the bytes of a file, the same one each time the same key signs.

The signature's nonce comes from key and message (RFC 6979), so equal evidence is equal to the last byte.
"""

import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.util import urlsafe_b64encode

from regions.canonical import canonical

ALGORITHM = "ES256"
TYPE = "loomstead-evidence+jws"


class SealError(Exception):
    """A key that cannot seal, or a seal that does not hold; the message says why."""


def seal(content: bytes, private_jwk: Mapping[str, Any]) -> bytes:
    """``header..signature``; raises ``SealError`` where the key is no private one of P-256."""
    key = _key(private_jwk)
    private = key.private_key
    if not isinstance(private, EllipticCurvePrivateKey):
        raise SealError("the key is a public one; sealing needs the private one")
    header = urlsafe_b64encode(canonical({"alg": ALGORITHM, "kid": key.thumbprint(), "typ": TYPE}))
    der = private.sign(header + b"." + urlsafe_b64encode(content), ECDSA(SHA256(), deterministic_signing=True))
    numbers = b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(der))
    return header + b".." + urlsafe_b64encode(numbers) + b"\n"


def check_seal(content: bytes, sealed: bytes, public_jwk: Mapping[str, Any]) -> None:
    """Raises ``SealError`` where the key did not seal exactly these bytes."""
    key = _key(public_jwk)
    head, gap, signature = sealed.strip().partition(b"..")
    try:
        whole = head + b"." + urlsafe_b64encode(content) + b"." + signature if gap else sealed
        header = jws.deserialize_compact(whole, key, algorithms=[ALGORITHM]).headers()
    except (JoseError, ValueError):
        raise SealError("the signature does not fit: another key made it, or the content was changed") from None
    if header.get("typ") != TYPE:
        raise SealError(
            f"the signature is of type {header.get('typ')}, expected {TYPE}: it was made for something else"
        )


def read_key(text: bytes) -> dict[str, Any]:
    """The JWK in a file's bytes; raises ``SealError``."""
    try:
        jwk = json.loads(text)
    except ValueError:
        raise SealError("the key is no JSON; expected a JWK of curve P-256") from None
    _key(jwk)
    return jwk


def _key(jwk: Any) -> ECKey:
    try:
        key = ECKey.import_key(dict(jwk))
    except (JoseError, ValueError, KeyError, TypeError):
        raise SealError("the key is no JWK of an elliptic curve") from None
    if key.curve_name != "P-256":
        raise SealError(f"the key is on curve {key.curve_name}, expected P-256")
    return key
