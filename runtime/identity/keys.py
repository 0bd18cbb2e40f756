"""Keys of the issuer and of its clients: P-256 only, ES256 only, named by their RFC 7638 thumbprint.

The issuer signs with ``issuer.jwk`` and also accepts what ``issuer.previous.jwk`` signed, where that file exists: to
rotate, move the one to the other, write a new one, restart, and remove the previous when its last token has expired.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from runtime.identity.jws import ALGORITHM
from runtime.secret_files import read_private
from runtime.settings import StartError

PublicKeys = Mapping[str, ECKey]
"""By thumbprint."""


class UnusableKey(Exception):
    """Not a key for ES256, or not for this operation."""


def es256_key(jwk: Any, operation: Literal["sign", "verify"]) -> ECKey:
    """The key, if it may do ``operation`` with ES256 and nothing says otherwise; raises ``UnusableKey``."""
    try:
        key = ECKey.import_key(dict(jwk))
        key.check_alg(ALGORITHM)
        key.check_use("sig")
        key.check_key_op(operation)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise UnusableKey(f"not a key to {operation} {ALGORITHM} with: {type(error).__name__}") from None
    if key.curve_name != "P-256":
        raise UnusableKey(f"the key is on curve {key.curve_name}, expected P-256")
    return key


def public_jwk(key: ECKey) -> dict[str, Any]:
    """The public half as it is published."""
    coordinates = {name: value for name, value in key.as_dict().items() if name in ("kty", "crv", "x", "y")}
    return {**coordinates, "kid": key.thumbprint(), "alg": ALGORITHM, "use": "sig"}


def public_half(key: ECKey) -> ECKey:
    """A key that can only verify."""
    return ECKey.import_key(key.public_key)


def read_key(path: Path, operation: Literal["sign", "verify"] = "sign") -> ECKey:
    """The key of a JWK file; raises ``StartError``, also where others than its reader may read the file."""
    try:
        return es256_key(json.loads(read_private(path)), operation)
    except OSError as error:
        raise StartError(f"{path}: the key cannot be read: {error.strerror}; `pulumi up` makes it") from None
    except (ValueError, UnusableKey) as error:
        # A JSONDecodeError's text would be safe, its `doc` holds the key: keep neither.
        cause = error if isinstance(error, UnusableKey) else "not JSON"
        raise StartError(f"{path}: {cause}; remove it and `pulumi up` makes a new one") from None


def key_set(keys: Iterable[ECKey]) -> dict[str, Any]:
    """The keys' public halves as they are published (RFC 7517)."""
    return {"keys": [public_jwk(key) for key in keys]}


@dataclass(frozen=True)
class IssuerKeys:
    """``signing``: the current private key. ``accepted``: current and previous, public."""

    signing: ECKey
    accepted: PublicKeys

    @classmethod
    def load(cls, secrets: Path) -> "IssuerKeys":
        """From the secrets folder; raises ``StartError``."""
        signing = read_key(secrets / "issuer.jwk")
        previous = secrets / "issuer.previous.jwk"
        keys = [signing, read_key(previous, "verify")] if previous.exists() else [signing]
        return cls(signing, MappingProxyType({key.thumbprint(): public_half(key) for key in keys}))

    @property
    def kid(self) -> str:
        """Thumbprint of the signing key."""
        return self.signing.thumbprint()

    def jwks(self) -> dict[str, Any]:
        """The published key set, the current key first."""
        return key_set(self.accepted.values())


def read_jwks(document: Any) -> PublicKeys:
    """Keys of another's published set, for those who verify; keys of other kinds are left out (RFC 7517 §5)."""
    found = {}
    for jwk in document["keys"]:
        try:
            key = es256_key(jwk, "verify")
        except UnusableKey:
            continue
        found[key.thumbprint()] = public_half(key)
    return MappingProxyType(found)
