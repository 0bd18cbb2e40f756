"""Extending chains: compose the records on heads that are known, and write all of it in one statement, or none.

The statement compares before it swaps: it writes only while every head still is the one composed on and every key
used still exists. Who has locked the heads before is sure of that; the writer tries it first on the heads it
remembers, which is one round trip with its commit.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from runtime.ledger.content import ContentError, Sealed, SubjectKey, SubjectKeys
from runtime.ledger.record import GENESIS, Entry, compose, hash_of, mac_of

REMEMBERED = 4096
"""Heads in memory at most; one that is not costs a look-up."""

_HEADS = "SELECT txn, seq, hash FROM ledger_heads WHERE txn = ANY($1::text[])"
# All heads or none, in the order of their names: who opens new chains holds no old ones yet, so nobody deadlocks.
_LOCK = """
SELECT txn, seq, hash FROM ledger_heads
WHERE txn = ANY($1::text[]) AND (SELECT count(*) FROM ledger_heads WHERE txn = ANY($1::text[])) = cardinality($1)
ORDER BY txn FOR UPDATE
"""
_OPEN = """
INSERT INTO ledger_heads (txn, seq, hash) SELECT txn, 0, $2 FROM unnest($1::text[]) AS txn
ON CONFLICT (txn) DO NOTHING
"""
_WRITE = """
WITH held AS MATERIALIZED (
    SELECT txn FROM ledger_heads JOIN unnest($1::text[], $2::bytea[]) AS known (txn, hash) USING (txn, hash)
    ORDER BY txn FOR UPDATE OF ledger_heads
), still AS MATERIALIZED (
    SELECT (SELECT count(*) FROM held) = cardinality($1)
       AND (SELECT count(*) FROM subject_keys WHERE id = ANY($3::uuid[])) = cardinality($3) AS so
), records AS (
    INSERT INTO ledger (txn, seq, record, hash, mac)
    SELECT new.* FROM still, unnest($4::text[], $5::bigint[], $6::text[], $7::bytea[], $8::bytea[]) AS new WHERE so
), contents AS (
    INSERT INTO ledger_content (txn, seq, nonce, ciphertext)
    SELECT new.* FROM still, unnest($9::text[], $10::bigint[], $11::bytea[], $12::bytea[]) AS new WHERE so
), moved AS (
    UPDATE ledger_heads SET seq = new.seq, hash = new.hash, checkpointed = false
    FROM still, unnest($13::text[], $14::bigint[], $15::bytea[]) AS new (txn, seq, hash)
    WHERE so AND ledger_heads.txn = new.txn
)
SELECT so FROM still
"""
_STANDS = "SELECT true FROM ledger WHERE txn = $1 AND seq = $2 AND hash = $3"


class Head(NamedTuple):
    txn: str
    seq: int
    hash: bytes


@dataclass
class Work:
    """``entries`` with their times. ``attempted``: a head of the last attempt, which may have been committed."""

    entries: Sequence[tuple[str, Entry]]
    attempted: Head | None = None

    @property
    def txns(self) -> list[str]:
        return sorted({entry.txn for _, entry in self.entries})

    @property
    def subjects(self) -> set[str]:
        return {entry.data_subject for _, entry in self.entries if entry.data_subject is not None}


class Chains:
    """The chains of all tasks. ``ledger_key`` signs every record."""

    def __init__(self, ledger_key: bytes, keys: SubjectKeys) -> None:
        self._ledger_key = ledger_key
        self._keys = keys
        self._heads: dict[str, Head] = {}

    async def commit(self, conn: Any, work: Work) -> None:
        """In a transaction of its own. Where one failed in the middle, the same ``work`` is not written twice."""
        if work.attempted is None and (heads := await self._known(conn, work.txns)):
            keys = await self._keys.of(conn, work.subjects)
            rows = self._compose(work, heads, keys)
            work.attempted = rows.last
            if await conn.fetchval(_WRITE, *rows.columns()):
                self._remember(rows)
                return
        async with conn.transaction():
            rows = await self._extend(conn, work)
            work.attempted = rows.last if rows else work.attempted
        if rows:
            self._remember(rows)

    async def extend(self, conn: Any, work: Work) -> None:
        """In the transaction that ``conn`` is in; the heads stay locked until it ends."""
        await self._extend(conn, work)
        for txn in work.txns:
            self._heads.pop(txn, None)

    async def _extend(self, conn: Any, work: Work) -> "_Rows | None":
        """None if the last attempt turns out to stand."""
        keys = await self._keys.of(conn, work.subjects)
        heads = await self._lock(conn, work.txns)
        if work.attempted and await conn.fetchval(_STANDS, *work.attempted):
            return None
        rows = self._compose(work, heads, keys)
        if not await conn.fetchval(_WRITE, *rows.columns()):
            # The heads are locked, so a key was erased after it was remembered.
            self._keys.forget(work.subjects)
            rows = self._compose(work, heads, await self._keys.of(conn, work.subjects))
            if not await conn.fetchval(_WRITE, *rows.columns()):
                raise ContentError(f"a key of {', '.join(work.txns)} was erased again while it was made anew")
        return rows

    async def _known(self, conn: Any, txns: Collection[str]) -> dict[str, Head] | None:
        """None if one of the chains does not exist yet."""
        heads = {txn: self._heads[txn] for txn in txns if txn in self._heads}
        if missing := [txn for txn in txns if txn not in heads]:
            heads |= _heads(await conn.fetch(_HEADS, missing))
        return heads if len(heads) == len(txns) else None

    async def _lock(self, conn: Any, txns: Sequence[str]) -> dict[str, Head]:
        """The heads of ``txns`` (sorted), made where there are none."""
        rows = await conn.fetch(_LOCK, txns)
        if not rows:
            await conn.execute(_OPEN, txns, GENESIS)
            rows = await conn.fetch(_LOCK, txns)
        return _heads(rows)

    def _compose(self, work: Work, heads: dict[str, Head], keys: dict[str, SubjectKey]) -> "_Rows":
        rows = _Rows(self._ledger_key, heads, keys)
        for at, entry in work.entries:
            rows.add(at, entry)
        return rows

    def _remember(self, rows: "_Rows") -> None:
        if len(self._heads) > REMEMBERED:
            self._heads.clear()
        self._heads |= rows.heads


class _Rows:
    """The rows of one write, as columns; ``heads`` moves along from ``known``."""

    def __init__(self, ledger_key: bytes, known: dict[str, Head], keys: dict[str, SubjectKey]) -> None:
        self.heads = dict(known)
        self._known = known
        self._keys = keys
        self._ledger_key = ledger_key
        self._records: list[tuple[str, int, str, bytes, bytes]] = []
        self._contents: list[tuple[str, int, bytes, bytes]] = []

    @property
    def last(self) -> Head:
        return next(iter(self.heads.values()))

    def add(self, at: str, entry: Entry) -> None:
        txn, seq, prev = self.heads[entry.txn]
        seq += 1
        sealed: Sealed | None = None
        if entry.content is not None and entry.data_subject is not None:
            sealed = self._keys[entry.data_subject].seal(txn, seq, entry.content)
            self._contents.append((txn, seq, sealed.nonce, sealed.ciphertext))
        text = compose(entry, at, seq, prev, sealed.commitment if sealed else None)
        record_hash = hash_of(text)
        self._records.append((txn, seq, text.decode(), record_hash, mac_of(self._ledger_key, record_hash)))
        self.heads[txn] = Head(txn, seq, record_hash)

    def columns(self) -> tuple[Any, ...]:
        """The arguments of ``_WRITE``."""
        return (
            list(self._known),
            [head.hash for head in self._known.values()],
            [key.id for key in self._keys.values()],
            *_columns(self._records, 5),
            *_columns(self._contents, 4),
            *_columns(list(self.heads.values()), 3),
        )


def _heads(rows: Sequence[Any]) -> dict[str, Head]:
    return {row["txn"]: Head(row["txn"], row["seq"], row["hash"]) for row in rows}


def _columns(rows: Sequence[Sequence[Any]], width: int) -> Sequence[Sequence[Any]]:
    return list(zip(*rows, strict=True)) or [()] * width
