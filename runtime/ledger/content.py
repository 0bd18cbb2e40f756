"""Content of records, apart from them and encrypted, so that it can be erased and the chain still stands.

Each data subject has a key of its own, wrapped by the fabric's key. What is encrypted is ``salt ‖ plaintext``: with
the key the salt goes too, and the digest that stays in the record can no longer be guessed at.
"""

import hashlib
import os
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from runtime.ledger.record import Commitment

KEY_BYTES = 32
NONCE_BYTES = 12
SALT_BYTES = 16

_SELECT = "SELECT subject, id, nonce, wrapped FROM subject_keys WHERE subject = ANY($1::text[])"
_INSERT = """
INSERT INTO subject_keys (subject, id, nonce, wrapped)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::bytea[], $4::bytea[]) ON CONFLICT (subject) DO NOTHING
"""
_DELETE = "DELETE FROM subject_keys WHERE subject = $1"


class ContentError(Exception):
    """A key does not unwrap, or content does not open or fit its digest: changed, or another ``subjects.key``."""


class Sealed(NamedTuple):
    commitment: Commitment
    nonce: bytes
    ciphertext: bytes


class SubjectKey:
    """The key of one data subject, ready for use."""

    def __init__(self, key_id: UUID, key: bytes) -> None:
        self.id = key_id
        self._name = str(key_id)
        self._cipher = AESGCM(key)

    def seal(self, txn: str, seq: int, plaintext: bytes) -> Sealed:
        random = os.urandom(NONCE_BYTES + SALT_BYTES)
        nonce, salted = random[:NONCE_BYTES], random[NONCE_BYTES:] + plaintext
        digest = hashlib.sha256(salted).hexdigest()
        return Sealed(Commitment(digest, self._name), nonce, self._cipher.encrypt(nonce, salted, _place(txn, seq)))

    def open(self, txn: str, seq: int, digest: str, nonce: bytes, ciphertext: bytes) -> bytes:
        """The plaintext; raises ``ContentError``."""
        try:
            salted = self._cipher.decrypt(nonce, ciphertext, _place(txn, seq))
        except (InvalidTag, ValueError):
            raise ContentError(f"content of {txn} record {seq} does not open") from None
        if hashlib.sha256(salted).hexdigest() != digest:
            raise ContentError(f"content of {txn} record {seq} is not what the record committed to")
        return salted[SALT_BYTES:]


class SubjectKeys:
    """The keys of data subjects in ``subject_keys``, the ones in use unwrapped in memory."""

    def __init__(self, master: bytes, capacity: int = 4096) -> None:
        self._master = AESGCM(master)
        self._capacity = capacity
        self._unwrapped: OrderedDict[str, SubjectKey] = OrderedDict()

    async def of(self, conn: Any, subjects: Collection[str]) -> dict[str, SubjectKey]:
        """The keys of ``subjects``, made where there are none. Whether one was erased meanwhile is for the caller to
        check in its transaction (``forget`` and ask again). Raises ``ContentError``."""
        keys = {subject: key for subject in subjects if (key := self._remembered(subject))}
        if wanted := sorted(set(subjects) - keys.keys()):
            rows = await conn.fetch(_SELECT, wanted)
            keys |= {row["subject"]: self._remember(row["subject"], self.unwrap(row)) for row in rows}
            if missing := sorted(set(wanted) - keys.keys()):
                # Not remembered before it is committed: nobody else may count on it, and a rollback takes it away.
                await conn.execute(_INSERT, *zip(*map(self._wrapped, missing), strict=True))
                keys |= {row["subject"]: self.unwrap(row) for row in await conn.fetch(_SELECT, missing)}
        return keys

    def unwrap(self, row: Mapping[str, Any]) -> SubjectKey:
        """``row``: subject, id, nonce and wrapped as stored. Raises ``ContentError``."""
        try:
            key = self._master.decrypt(row["nonce"], row["wrapped"], _owner(row["subject"], row["id"]))
        except (InvalidTag, ValueError):
            raise ContentError(
                f"the key {row['id']} of a data subject does not unwrap: another subjects.key?"
            ) from None
        return SubjectKey(row["id"], key)

    def forget(self, subjects: Collection[str]) -> None:
        for subject in subjects:
            self._unwrapped.pop(subject, None)

    async def erase(self, conn: Any, subject: str) -> bool:
        """Destroys the subject's key, and with it everything recorded under it; False where there was none."""
        self.forget([subject])
        return await conn.execute(_DELETE, subject) == "DELETE 1"

    def _remembered(self, subject: str) -> SubjectKey | None:
        if subject in self._unwrapped:
            self._unwrapped.move_to_end(subject)
        return self._unwrapped.get(subject)

    def _remember(self, subject: str, key: SubjectKey) -> SubjectKey:
        self._unwrapped[subject] = key
        if len(self._unwrapped) > self._capacity:
            self._unwrapped.popitem(last=False)
        return key

    def _wrapped(self, subject: str) -> tuple[str, UUID, bytes, bytes]:
        key_id, nonce = uuid4(), os.urandom(NONCE_BYTES)
        wrapped = self._master.encrypt(nonce, os.urandom(KEY_BYTES), _owner(subject, key_id))
        return subject, key_id, nonce, wrapped


def _place(txn: str, seq: int) -> bytes:
    return f"{txn}:{seq}".encode()


def _owner(subject: str, key_id: UUID) -> bytes:
    return key_id.bytes + subject.encode()
