"""The gateway's secrets, read before it opens or dials anything, so that what is missing ends the start by name."""

import base64
from dataclasses import dataclass
from pathlib import Path

from standardwebhooks import Webhook

from regions.catalogue import Protocol
from regions.manifest import Manifest
from runtime.identity.keys import IssuerKeys
from runtime.secret_files import read_private
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


def read_credentials(folder: Path, manifest: Manifest) -> dict[str, str]:
    """What endpoints that are asked directly are called with, by name: ``upstream.<name>.key``, one line of text.

    Raises ``StartError`` with a line for each that is missing.
    """
    found, missing = {}, []
    for name in {model.credential for model in manifest.models if model.protocol is Protocol.OPENAI} - {None}:
        path = folder / f"upstream.{name}.key"
        try:
            found[name] = _one_line(path)
        except StartError as error:
            missing.append(str(error))
    if missing:
        raise StartError("\n".join(sorted(missing)))
    return found


def _one_line(path: Path) -> str:
    remedy = "write the credential there as one line, mode 0600"
    try:
        secret = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise StartError(f"{path}: a model's credential cannot be read: {error.strerror}; {remedy}") from None
    except ValueError:
        secret = ""
    if not secret.isprintable() or not secret or " " in secret:
        raise StartError(f"{path}: not one word of printable ASCII; {remedy}")
    return secret


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
        return read_private(path)
    except OSError as error:
        raise StartError(f"{path}: the secret cannot be read: {error.strerror}; `pulumi up` makes it") from None
