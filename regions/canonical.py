"""One canonical form and one digest for everything that is compared, signed or approved."""

import hashlib
from typing import Any

import rfc8785


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value.

    Raises ``rfc8785.CanonicalizationError`` for NaN, infinities and integers beyond ±(2^53 - 1), which two JSON
    readers may understand differently.
    """
    return rfc8785.dumps(value)


def digest(value: Any) -> str:
    """``sha256:`` and the hex digest of the canonical form."""
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()
