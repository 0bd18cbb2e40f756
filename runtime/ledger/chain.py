"""Extending chains inside one transaction: lock the heads, chain the records, write all of it in one statement."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from runtime.ledger.content import Sealed, SubjectKey, SubjectKeys
from runtime.ledger.record import GENESIS, Entry, compose, hash_of, mac_of

# All heads or none, in the order of their names: who opens new chains holds no old ones yet, so nobody deadlocks.
# `live` counts the keys in hand that still exist: one that was erased after it was remembered must not be used again.
_LOCK = """
SELECT txn, seq, hash, (SELECT count(*) FROM subject_keys WHERE id = ANY($2::uuid[])) AS live
FROM ledger_heads
WHERE txn = ANY($1::text[]) AND (SELECT count(*) FROM ledger_heads WHERE txn = ANY($1::text[])) = cardinality($1)
ORDER BY txn FOR UPDATE
"""
_OPEN = """
INSERT INTO ledger_heads (txn, seq, hash) SELECT txn, 0, $2 FROM unnest($1::text[]) AS txn
ON CONFLICT (txn) DO NOTHING
"""
_WRITE = """
WITH records AS (
    INSERT INTO ledger (txn, seq, record, hash, mac)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bytea[], $5::bytea[])
), contents AS (
    INSERT INTO ledger_content (txn, seq, nonce, ciphertext)
    SELECT * FROM unnest($6::text[], $7::bigint[], $8::bytea[], $9::bytea[])
)
UPDATE ledger_heads SET seq = moved.seq, hash = moved.hash, checkpointed = false
FROM unnest($10::text[], $11::bigint[], $12::bytea[]) AS moved (txn, seq, hash)
WHERE ledger_heads.txn = moved.txn
"""
_STANDS = "SELECT true FROM ledger WHERE txn = $1 AND seq = $2 AND hash = $3"


class Head(NamedTuple):
    txn: str
    seq: int
    hash: bytes


class Chains:
    """The chains of all tasks. ``ledger_key`` signs every record."""

    def __init__(self, ledger_key: bytes, keys: SubjectKeys) -> None:
        self._ledger_key = ledger_key
        self._keys = keys

    async def extend(self, conn: Any, entries: Sequence[tuple[str, Entry]], attempted: Head | None = None) -> Head:
        """Appends ``entries`` (with their times, in order) in the transaction that ``conn`` is in.

        Returns one of the heads written. Where an earlier attempt lost its connection while committing, that head is
        given as ``attempted``: if it did commit, nothing is written again.
        """
        subjects = {entry.data_subject for _, entry in entries if entry.data_subject is not None}
        keys = await self._keys.of(conn, subjects)
        heads, live = await self._lock(conn, sorted({entry.txn for _, entry in entries}), [k.id for k in keys.values()])
        if live < len(keys):
            self._keys.forget(subjects)
            keys = await self._keys.of(conn, subjects)
        if attempted and await conn.fetchval(_STANDS, *attempted):
            return attempted
        rows = _Rows(self._ledger_key, heads)
        for at, entry in entries:
            rows.add(at, entry, keys)
        await conn.execute(_WRITE, *rows.columns())
        return next(iter(rows.heads.values()))

    async def _lock(self, conn: Any, txns: Sequence[str], key_ids: Collection[Any]) -> tuple[dict[str, Head], int]:
        """The heads of ``txns`` (sorted), made where there are none, and the number of ``key_ids`` that exist."""
        rows = await conn.fetch(_LOCK, txns, key_ids)
        if not rows:
            await conn.execute(_OPEN, txns, GENESIS)
            rows = await conn.fetch(_LOCK, txns, key_ids)
        return {row["txn"]: Head(row["txn"], row["seq"], row["hash"]) for row in rows}, rows[0]["live"]


class _Rows:
    """The rows of one write, as columns; ``heads`` moves along."""

    def __init__(self, ledger_key: bytes, heads: dict[str, Head]) -> None:
        self.heads = heads
        self._ledger_key = ledger_key
        self._records: list[tuple[str, int, str, bytes, bytes]] = []
        self._contents: list[tuple[str, int, bytes, bytes]] = []

    def add(self, at: str, entry: Entry, keys: dict[str, SubjectKey]) -> None:
        txn, seq, prev = self.heads[entry.txn]
        seq += 1
        sealed: Sealed | None = None
        if entry.content is not None and entry.data_subject is not None:
            sealed = keys[entry.data_subject].seal(txn, seq, entry.content)
            self._contents.append((txn, seq, sealed.nonce, sealed.ciphertext))
        text = compose(entry, at, seq, prev, sealed.commitment if sealed else None)
        record_hash = hash_of(text)
        self._records.append((txn, seq, text.decode(), record_hash, mac_of(self._ledger_key, record_hash)))
        self.heads[txn] = Head(txn, seq, record_hash)

    def columns(self) -> tuple[Any, ...]:
        return (*_columns(self._records, 5), *_columns(self._contents, 4), *_columns(list(self.heads.values()), 3))


def _columns(rows: Sequence[Sequence[Any]], width: int) -> Sequence[Sequence[Any]]:
    return list(zip(*rows, strict=True)) or [()] * width
