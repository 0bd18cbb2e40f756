"""The gateway's secrets, read before it opens or dials anything, so that what is missing ends the start by name."""

import base64
from dataclasses import dataclass
from pathlib import Path

from standardwebhooks import Webhook

from runtime.identity.keys import IssuerKeys
from runtime.settings import StartError

KEY_BYTES = 32
ROLE = "gateway"


@dataclass(frozen=True)
class Secrets:
    """``passfile``: with the password of the database role ``gateway``."""

    passfile: Path
    ledger: bytes
    subjects: bytes
    issuer: IssuerKeys
    webhook: Webhook

    @classmethod
    def load(cls, folder: Path) -> "Secrets":
        """From the secrets folder (docs/contract.md §7); raises ``StartError``."""
        passfile = folder / f"{ROLE}.pgpass"
        _read(passfile)
        return cls(
            passfile=passfile,
            ledger=read_secret(folder / "ledger.key"),
            subjects=read_secret(folder / "subjects.key"),
            issuer=IssuerKeys.load(folder),
            webhook=Webhook(read_secret(folder / "webhook.key")),
        )


def read_secret(path: Path) -> bytes:
    """The 32 bytes of a base64 file of the secrets folder; raises ``StartError``."""
    try:
        secret = base64.b64decode(_read(path).strip(), validate=True)
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise StartError(f"{path}: not {KEY_BYTES} bytes in base64; remove it and `pulumi up` makes a new one")
    return secret


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"{path}: the secret cannot be read: {error.strerror}; `pulumi up` makes it") from None
