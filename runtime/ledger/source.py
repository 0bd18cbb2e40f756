"""Where a ledger is read from: the database, or an export of it (one SQLite file) that is verified elsewhere.

Both give the same three things, each in order and never as a whole.
"""

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from runtime.ledger.checkpoint import numbers
from runtime.ledger.record import hash_of, mac_of

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
    checkpointed: bool | None


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
    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file

    def made_at(self) -> tuple[int, bytes]:
        """The last checkpoint that there was, as the export says, and its proof; 0 and nothing where it does not."""
        return self._file.execute("SELECT checkpoint, mac FROM made_at").fetchone() or (0, b"")

    async def checkpoints(self) -> AsyncIterator[tuple[int, str]]:
        for row in self._file.execute("SELECT n, jws FROM checkpoints ORDER BY n"):
            yield row

    async def rows(self) -> AsyncIterator[Row]:
        for row in self._file.execute("SELECT * FROM rows ORDER BY rowid"):
            yield Row(*row)

    async def key(self, key_id: UUID) -> Mapping[str, Any] | None:
        row = self._file.execute(f"{_KEYS} WHERE id = ?", [str(key_id)]).fetchone()
        return {"id": key_id, "subject": row[1], "nonce": row[2], "wrapped": row[3]} if row else None


async def export(conn: Any, path: Path, ledger_key: bytes, checkpoints: Path) -> None:
    """Writes the whole ledger, still encrypted, to a new SQLite file; raises ``FileExistsError``.

    It says which checkpoint it was made at: the last of the folder before, so that a table cut by then does not pass,
    or of the table.
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
        file.execute("INSERT INTO made_at VALUES (?, ?)", [number, mac_of_export(ledger_key, number)])


def mac_of_export(ledger_key: bytes, number: int) -> bytes:
    """The ledger's key on "the export was made at checkpoint ``number``"; no record is such a text."""
    return mac_of(ledger_key, hash_of(b"exported at checkpoint %d" % number))


def open_export(path: Path) -> sqlite3.Connection:
    """For reading only; raises ``sqlite3.OperationalError`` where there is none."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _new_file(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600, exist_ok=False)
    file = sqlite3.connect(path)
    file.executescript(_EXPORT)
    return file
