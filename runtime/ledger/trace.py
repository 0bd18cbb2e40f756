"""The records of one task for people: what the model thought, the raw data it read, the action that followed."""

from enum import StrEnum
from typing import Any

import msgspec

from runtime.ledger.content import ContentError, SubjectKey, SubjectKeys
from runtime.ledger.record import Commitment, Decision, Kind, parse

_ROWS = """
SELECT record, nonce, ciphertext FROM ledger LEFT JOIN ledger_content USING (txn, seq) WHERE txn = $1 ORDER BY seq
"""
_KEYS = "SELECT subject, id, nonce, wrapped FROM subject_keys WHERE id = ANY($1::uuid[])"


class ContentState(StrEnum):
    NONE = "none"
    PRESENT = "present"
    ERASED = "erased"
    DAMAGED = "damaged"


class TraceRecord(msgspec.Struct, frozen=True):
    """``content``: the JSON value, or text where it is no JSON; None unless ``content_state`` is present."""

    seq: int
    at: str
    step: int
    kind: Kind
    actor: str
    decision: Decision | None
    rule: str | None
    policy: str | None
    body: dict[str, Any]
    content_state: ContentState
    content: Any


async def trace(conn: Any, txn: str, keys: SubjectKeys) -> list[TraceRecord]:
    """In order; empty for an unknown task. Does not verify: that is ``runtime.ledger.verify``."""
    rows = [(parse(row["record"]), row["nonce"], row["ciphertext"]) for row in await conn.fetch(_ROWS, txn)]
    key_ids = {record.content.key for record, _, _ in rows if record.content}
    opened = {str(row["id"]): keys.unwrap(row) for row in await conn.fetch(_KEYS, list(key_ids))}
    found = []
    for record, nonce, ciphertext in rows:
        state, content = _open(txn, record.seq, record.content, opened, nonce, ciphertext)
        found.append(
            TraceRecord(
                seq=record.seq,
                at=record.at,
                step=record.step,
                kind=record.kind,
                actor=record.actor,
                decision=record.decision,
                rule=record.rule,
                policy=record.policy,
                body=record.body,
                content_state=state,
                content=content,
            )
        )
    return found


def _open(
    txn: str,
    seq: int,
    commitment: Commitment | None,
    keys: dict[str, SubjectKey],
    nonce: bytes | None,
    ciphertext: bytes | None,
) -> tuple[ContentState, Any]:
    if commitment is None:
        return ContentState.NONE, None
    if commitment.key not in keys:
        return ContentState.ERASED, None
    if nonce is None or ciphertext is None:
        return ContentState.DAMAGED, None
    try:
        plaintext = keys[commitment.key].open(txn, seq, commitment.digest, nonce, ciphertext)
    except ContentError:
        return ContentState.DAMAGED, None
    return ContentState.PRESENT, _readable(plaintext)


def _readable(plaintext: bytes) -> Any:
    try:
        return msgspec.json.decode(plaintext)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return plaintext.decode(errors="replace")
