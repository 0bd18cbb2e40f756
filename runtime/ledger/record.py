"""The record: one exact text a step, chained by hash, signed by MAC.

text  JSON of ``Record`` with sorted keys and no spaces; what is stored *is* what is hashed
hash  SHA-256 of the text
mac   HMAC-SHA-256 of the hash under the ledger's key, so that a chain cannot be recomputed without it
prev  the hash of the record before, in hex; 64 zeros at seq 1
"""

import hashlib
import hmac
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

import msgspec

GENESIS = bytes(32)
"""The hash that seq 1 follows."""


class Kind(StrEnum):
    TASK_OPENED = "task_opened"
    TOKEN_ISSUED = "token_issued"  # noqa: S105  no password
    MODEL_CALL = "model_call"
    MODEL_REPLY = "model_reply"
    MODEL_COMPARED = "model_compared"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVAL_DECIDED = "approval_decided"
    APPROVAL_CONSUMED = "approval_consumed"
    TRANSITION = "transition"
    GRANT_CHANGED = "grant_changed"
    ENDPOINT_QUARANTINED = "endpoint_quarantined"
    ENDPOINT_RELEASED = "endpoint_released"


class Decision(StrEnum):
    ALLOWED = "allowed"
    REFUSED = "refused"
    PENDING = "pending"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller wants recorded.

    ``body`` is readable by everybody for ever: no personal data. What may hold some is ``content``, encrypted under
    the key of ``data_subject``; the one without the other raises ``ValueError``. ``policy`` is a digest.
    """

    txn: str
    kind: Kind
    actor: str
    step: int = 0
    decision: Decision | None = None
    rule: str | None = None
    policy: str | None = None
    body: dict[str, Any] = {}
    content: bytes | None = None
    data_subject: str | None = None

    def __post_init__(self) -> None:
        if (self.content is None) != (self.data_subject is None):
            raise ValueError(f"{self.kind} of {self.txn}: content and data_subject are given together or not at all")


class Commitment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a record says of its content: ``SHA-256(salt ‖ plaintext)`` in hex, and the id of the key it is under."""

    digest: str
    key: str


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record as stored; the fields stand in the order of their names, which is the order of the text's keys."""

    actor: str
    at: str
    body: dict[str, Any]
    content: Commitment | None
    decision: Decision | None
    kind: Kind
    policy: str | None
    prev: str
    rule: str | None
    seq: int
    step: int
    txn: str
    v: Literal[1] = 1


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Record)


def now() -> str:
    """RFC 3339 in UTC, always with six digits of the second."""
    return datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def compose(entry: Entry, at: str, seq: int, prev: bytes, content: Commitment | None) -> bytes:
    """The record's text; raises ``TypeError`` or ``ValueError`` where the entry is no JSON."""
    return _encoder.encode(
        Record(
            entry.actor,
            at,
            entry.body,
            content,
            entry.decision,
            entry.kind,
            entry.policy,
            prev.hex(),
            entry.rule,
            seq,
            entry.step,
            entry.txn,
        )
    )


def parse(text: str | bytes) -> Record:
    """Raises ``msgspec.DecodeError`` where the text is no record."""
    return _decoder.decode(text)


def hash_of(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def mac_of(key: bytes, record_hash: bytes) -> bytes:
    return hmac.digest(key, record_hash, "sha256")
