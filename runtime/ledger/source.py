"""Where a ledger is read from: the database, or an export of it (one SQLite file) that is verified elsewhere.

Both give the same three things, each in order and never as a whole.
"""

import hashlib
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import msgspec

from runtime.ledger.checkpoint import numbers
from runtime.ledger.record import mac_of

# Rows that lack their partner are findings, hence the full joins.
_ROWS = """
SELECT coalesce(ledger.txn, ledger_content.txn, ledger_heads.txn), coalesce(ledger.seq, ledger_content.seq),
       record, ledger.hash, mac, nonce, ciphertext, ledger_heads.seq, ledger_heads.hash, checkpointed
FROM ledger
FULL JOIN ledger_content ON ledger_content.txn = ledger.txn AND ledger_content.seq = ledger.seq
FULL JOIN ledger_heads ON ledger_heads.txn = coalesce(ledger.txn, ledger_content.txn)
ORDER BY 1, 2
"""
_CHECKPOINTS = "SELECT n, jws FROM ledger_checkpoints ORDER BY n"
_KEYS = "SELECT id, subject, nonce, wrapped FROM subject_keys"

_EXPORT = """
CREATE TABLE made_at (checkpoint INTEGER, mac BLOB);
CREATE TABLE checkpoints (n INTEGER PRIMARY KEY, jws TEXT);
CREATE TABLE subject_keys (id TEXT PRIMARY KEY, subject TEXT, nonce BLOB, wrapped BLOB);
CREATE TABLE rows (txn TEXT, seq INTEGER, record TEXT, hash BLOB, mac BLOB, nonce BLOB, ciphertext BLOB,
                   head_seq INTEGER, head_hash BLOB, checkpointed INTEGER);
"""
# All but the keys, of which an erasure takes one away. The schema too: a view that stands in for a table is no copy.
_CLAIMED = (
    "SELECT type, name, sql FROM sqlite_master ORDER BY type, name",
    "SELECT * FROM checkpoints ORDER BY n",
    "SELECT * FROM rows ORDER BY rowid",
)


class Row(NamedTuple):
    """One record with its content and its chain's head, each None where it is not there."""

    txn: str
    seq: int | None
    record: str | None
    hash: bytes | None
    mac: bytes | None
    nonce: bytes | None
    ciphertext: bytes | None
    head_seq: int | None
    head_hash: bytes | None
    checkpointed: int | None


class Source(Protocol):
    def checkpoints(self) -> AsyncIterator[tuple[int, str]]: ...

    def rows(self) -> AsyncIterator[Row]:
        """Ordered by task and seq."""
        ...

    async def key(self, key_id: UUID) -> Mapping[str, Any] | None:
        """The wrapped key as ``SubjectKeys.unwrap`` takes it, None where it is gone."""
        ...


class DatabaseSource:
    """``conn`` is in a repeatable-read transaction; a role that may only read is enough (``auditor``)."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn

    async def checkpoints(self) -> AsyncIterator[tuple[int, str]]:
        async for row in self._conn.cursor(_CHECKPOINTS):
            yield row["n"], row["jws"]

    async def rows(self) -> AsyncIterator[Row]:
        async for row in self._conn.cursor(_ROWS, prefetch=500):
            yield Row(*row.values())

    async def key(self, key_id: UUID) -> Mapping[str, Any] | None:
        return await self._conn.fetchrow(f"{_KEYS} WHERE id = $1", key_id)


class ExportSource:
    """Any cell may hold anything: what has not its column's type raises ``msgspec.ValidationError``."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file

    def claims(self) -> list[tuple[Any, ...]]:
        """What it says of itself, unproven: one row with the last checkpoint that there was, and the proof."""
        if not self._file.execute("SELECT 1 FROM sqlite_master WHERE name = 'made_at'").fetchone():
            return []
        return self._file.execute("SELECT * FROM made_at").fetchall()

    def proof(self, ledger_key: bytes, number: int) -> bytes:
        """The ledger's key on "exported at checkpoint ``number``" and on all that an erasure does not touch, in order.

        No record is such a text. ``ascii`` keeps the types apart and takes text that is no UTF-8.
        """
        claimed = hashlib.sha256(b"exported at checkpoint %d" % number)
        for query in _CLAIMED:
            for row in self._file.execute(query):
                claimed.update(ascii(row).encode())
        return mac_of(ledger_key, claimed.digest())

    async def checkpoints(self) -> AsyncIterator[tuple[int, str]]:
        for row in self._file.execute("SELECT n, jws FROM checkpoints ORDER BY n"):
            yield msgspec.convert(row, tuple[int, str])

    async def rows(self) -> AsyncIterator[Row]:
        for row in self._file.execute("SELECT * FROM rows ORDER BY rowid"):
            yield msgspec.convert(row, Row)

    async def key(self, key_id: UUID) -> Mapping[str, Any] | None:
        row = self._file.execute("SELECT subject, nonce, wrapped FROM subject_keys WHERE id = ?", [str(key_id)])
        found = msgspec.convert(row.fetchone(), tuple[str, bytes, bytes] | None)
        return {"id": key_id, **dict(zip(("subject", "nonce", "wrapped"), found, strict=True))} if found else None


async def export(conn: Any, path: Path, ledger_key: bytes, checkpoints: Path) -> None:
    """Writes the whole ledger, still encrypted, to a new SQLite file; raises ``FileExistsError``.

    It claims, under the ledger's key, to be what was there at a checkpoint: the last of the folder before, so that a
    table cut by then does not pass, or of the table.
    """
    number = max(numbers(checkpoints), default=0)
    with closing(_new_file(path)) as file, file:
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            source = DatabaseSource(conn)
            async for checkpoint in source.checkpoints():
                file.execute("INSERT INTO checkpoints VALUES (?, ?)", checkpoint)
                number = max(number, checkpoint[0])
            async for key in conn.cursor(_KEYS):
                file.execute("INSERT INTO subject_keys VALUES (?, ?, ?, ?)", [str(key["id"]), *list(key.values())[1:]])
            async for row in source.rows():
                file.execute("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        file.execute("INSERT INTO made_at VALUES (?, ?)", [number, ExportSource(file).proof(ledger_key, number)])


def open_export(path: Path) -> sqlite3.Connection:
    """For reading only; raises ``sqlite3.OperationalError`` where there is none."""
    file = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    file.text_factory = lambda text: text.decode(errors="surrogateescape")
    return file


def _new_file(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600, exist_ok=False)
    file = sqlite3.connect(path)
    file.executescript(_EXPORT)
    return file
