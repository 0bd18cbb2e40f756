"""The Manifest's signature: a detached ES256 JWS over its RFC 8785 bytes, in one document with it.

The verifier's key comes by another way than the document, and the document chooses neither algorithm nor key: both are
compared, never followed.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.util import to_bytes, urlsafe_b64encode
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from regions.canonical import canonical
from regions.manifest import Manifest

ALGORITHM = "ES256"


class Cause(StrEnum):
    """Why a document is not taken."""

    MALFORMED = "malformed"
    KEY = "key"
    SIGNATURE = "signature"
    MANIFEST = "manifest"
    BOUNDARY = "boundary"


class SignatureError(Exception):
    """A Manifest that may not be used; ``cause`` for code, the message for people."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Signature(_Strict):
    alg: Literal["ES256"]
    kid: str
    value: str = Field(pattern=r"^[A-Za-z0-9_-]{85}[AQgw]$")
    """64 bytes, base64url; the last character has no spare bits set, so that there is one spelling."""


class _Document(_Strict):
    manifest: dict[str, Any]
    signature: _Signature


def sign_manifest(manifest: Manifest, private_jwk: Mapping[str, Any]) -> dict[str, Any]:
    """The document to publish. The bytes under the signature depend on the Manifest alone, the signature on chance."""
    key = _key(private_jwk)
    compact = jws.serialize_compact(_header(key.thumbprint()), _content(manifest), key, algorithms=[ALGORITHM])
    return _published(manifest, key, compact.rpartition(".")[2])


def signing_input(manifest: Manifest, public_jwk: Mapping[str, Any]) -> bytes:
    """What a key service has to sign with the private half of this key (RFC 7515 §5.1)."""
    return _signing_input(_key(public_jwk).thumbprint(), _content(manifest)).encode()


def document(manifest: Manifest, public_jwk: Mapping[str, Any], signature: bytes) -> dict[str, Any]:
    """The document to publish. ``signature``: of ``signing_input``, its two halves of 32 bytes (RFC 7518 §3.4)."""
    return _published(manifest, _key(public_jwk), urlsafe_b64encode(signature).decode())


def _published(manifest: Manifest, key: ECKey, value: str) -> dict[str, Any]:
    signature = {"alg": ALGORITHM, "kid": key.thumbprint(), "value": value}
    return {"manifest": manifest.model_dump(mode="json"), "signature": signature}


def _content(manifest: Manifest) -> bytes:
    return canonical(manifest.model_dump(mode="json"))


def verify_manifest(document: Any, public_jwk: Mapping[str, Any]) -> Manifest:
    """The Manifest, if the key signed exactly it and its Boundary has the digest stated; raises ``SignatureError``."""
    try:
        parsed = _Document.model_validate(document)
        content = canonical(parsed.manifest)
    except (ValidationError, ValueError) as invalid:
        raise SignatureError(Cause.MALFORMED, f"the Manifest file does not fit: {_first(invalid)}") from None
    key = _key(public_jwk)
    _check_signature(parsed.signature, content, key)
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as invalid:
        raise SignatureError(Cause.MANIFEST, f"the Manifest does not fit this version: {_first(invalid)}") from None
    if manifest.boundary.digest != manifest.boundary_digest:
        message = f"the Boundary has digest {manifest.boundary.digest}, the Manifest states {manifest.boundary_digest}"
        raise SignatureError(Cause.BOUNDARY, message)
    return manifest


def _check_signature(signature: _Signature, content: bytes, key: ECKey) -> None:
    if signature.kid != key.thumbprint():
        message = f"the Manifest is signed by key {signature.kid}, expected {key.thumbprint()}"
        raise SignatureError(Cause.KEY, message)
    compact = f"{_signing_input(signature.kid, content)}.{signature.value}"
    try:
        jws.deserialize_compact(compact, key, algorithms=[ALGORITHM])
    except JoseError:
        message = "the Manifest's signature does not fit its content: it was changed after signing"
        raise SignatureError(Cause.SIGNATURE, message) from None


def _signing_input(kid: str, content: bytes) -> str:
    header = json.dumps(_header(kid), separators=(",", ":"))
    return f"{_b64(to_bytes(header))}.{_b64(content)}"


def _header(kid: str) -> dict[str, Any]:
    return {"alg": ALGORITHM, "kid": kid}


def _key(jwk: Mapping[str, Any]) -> ECKey:
    try:
        key = ECKey.import_key(dict(jwk))
    except (JoseError, ValueError, KeyError, TypeError):
        raise SignatureError(Cause.KEY, "the key is not a JWK of an elliptic curve") from None
    if key.curve_name != "P-256":
        raise SignatureError(Cause.KEY, f"the key is on curve {key.curve_name}, expected P-256")
    return key


def _b64(content: bytes) -> str:
    return urlsafe_b64encode(content).decode()


def _first(invalid: ValueError) -> str:
    if isinstance(invalid, ValidationError):
        error = invalid.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"
    return str(invalid)
