"""Signed checkpoints: what the heads of all chains were, in a place that who writes the database does not write.

A checkpoint lists the heads that moved since the last one and names its digest. It goes to the table, then to
``<n>.jws`` in a folder; take that folder off the machine, and a ledger that was cut or replaced no longer verifies.
"""

import asyncio
import hashlib
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from runtime.errors import Refused
from runtime.ledger.record import now

PERIOD_SECONDS = 5.0
HEADS = 500
"""Heads in one checkpoint at most: joserfc reads no payload above 128,000 bytes."""

_REGISTRY = jws.JWSRegistry(algorithms=["ES256"])
_TYPE = "checkpoint+jws"
# One number for all gateways of a database; the key of an advisory lock is any bigint that nobody else uses.
_ADVISORY_LOCK = int.from_bytes(b"checkpts", "big", signed=True)
_MOVED = "SELECT txn, seq, hash FROM ledger_heads WHERE NOT checkpointed ORDER BY txn LIMIT $1"
# A head that an append holds right now moves on anyway: it is not waited for, and stands in the next checkpoint too.
_MARK = """
UPDATE ledger_heads SET checkpointed = true FROM (
    SELECT txn FROM ledger_heads JOIN unnest($1::text[], $2::bigint[]) AS listed (txn, seq) USING (txn, seq)
    ORDER BY txn FOR UPDATE OF ledger_heads SKIP LOCKED
) AS still WHERE ledger_heads.txn = still.txn
"""
_LAST = "SELECT n, jws FROM ledger_checkpoints ORDER BY n DESC LIMIT 1"
_AFTER = "SELECT n, jws FROM ledger_checkpoints WHERE n > $1 ORDER BY n LIMIT 1000"

_log = logging.getLogger(__name__)


class CheckpointError(Exception):
    """A checkpoint cannot be trusted, or folder and table tell two stories."""


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``heads``: txn, seq, hash in hex. ``prev``: digest of the JWS before in hex, empty for the first (``n`` = 1)."""

    n: int
    at: str
    prev: str
    heads: list[tuple[str, int, str]]


def sign(checkpoint: Checkpoint, key: ECKey) -> str:
    header = {"alg": "ES256", "kid": key.thumbprint(), "typ": _TYPE}
    return jws.serialize_compact(header, msgspec.json.encode(checkpoint), key, registry=_REGISTRY)


def read(text: str, keys: Mapping[str, ECKey]) -> Checkpoint:
    """The checkpoint, if one of ``keys`` (by thumbprint) signed it; raises ``CheckpointError``."""
    try:
        opened = jws.deserialize_compact(text, lambda guest: keys[guest.headers()["kid"]], registry=_REGISTRY)
        if opened.headers().get("typ") != _TYPE:
            raise CheckpointError(f"is no {_TYPE}")
        return msgspec.json.decode(opened.payload, type=Checkpoint)
    except KeyError as error:
        raise CheckpointError(f"is signed by an unknown key: {error}") from None
    except (JoseError, ValueError) as error:
        raise CheckpointError(f"does not verify: {error}") from None


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def numbers(folder: Path) -> list[int]:
    """Of the checkpoints in ``folder``, in order."""
    return sorted(int(path.stem) for path in folder.glob("*.jws") if path.stem.isdecimal())


class Checkpointer:
    """Writes a checkpoint every ``period`` seconds in which heads moved, and at ``close``."""

    def __init__(self, pool: asyncpg.Pool, key: ECKey, folder: Path, period: float = PERIOD_SECONDS) -> None:
        self._pool = pool
        self._key = key
        self._folder = folder
        self._period = period
        self._in_folder = 0
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Brings folder and table together; raises ``CheckpointError`` if the folder knows what the table does not."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._in_folder = max(numbers(self._folder), default=0)
        await self.write()
        self._task = asyncio.create_task(self._repeat(), name="ledger checkpoints")

    async def close(self) -> None:
        """Call it after the ledger's ``close``. Raises what the task died of, if it did."""
        self._closing.set()
        if self._task:
            await self._task
            await self.write()

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def write(self) -> None:
        """Lists all moved heads, in as many checkpoints as it takes, and writes what the folder lacks."""
        listed = HEADS
        while listed == HEADS:
            async with self._pool.acquire() as conn, conn.transaction():
                listed = await self._next(conn)
        await self._write_files()

    async def _repeat(self) -> None:
        while not self._closing.is_set():
            try:
                async with asyncio.timeout(self._period):
                    await self._closing.wait()
            except TimeoutError:
                await self._try_write()

    async def _try_write(self) -> None:
        """What does not answer or has no space now may later; nothing is lost, the next checkpoint lists more."""
        try:
            await self.write()
        except (Refused, OSError) as error:
            _log.warning("no checkpoint: %s", error)

    async def _next(self, conn: Any) -> int:
        """The number of heads listed."""
        await conn.execute("SELECT pg_advisory_xact_lock($1)", _ADVISORY_LOCK)
        last = await conn.fetchrow(_LAST)
        number, prev = (last["n"], digest_of(last["jws"])) if last else (0, "")
        if number < self._in_folder:
            raise CheckpointError(
                f"{self._folder} has checkpoint {self._in_folder}, the table ends at {number}: the ledger was cut or "
                "restored from a backup; `loomstead ledger verify` says what is missing. Keep the folder as evidence "
                "under another name, and the next start begins an empty one"
            )
        moved = await conn.fetch(_MOVED, HEADS)
        if moved:
            heads = [(head["txn"], head["seq"], head["hash"].hex()) for head in moved]
            text = sign(Checkpoint(number + 1, now(), prev, heads), self._key)
            await conn.execute("INSERT INTO ledger_checkpoints (n, jws) VALUES ($1, $2)", number + 1, text)
            await conn.execute(_MARK, [head["txn"] for head in moved], [head["seq"] for head in moved])
        return len(moved)

    async def _write_files(self) -> None:
        """Also what another gateway, or one that was killed between table and folder, left to be written."""
        while rows := await self._pool.fetch(_AFTER, self._in_folder):
            for row in rows:
                await asyncio.to_thread(_write_file, self._folder / f"{row['n']}.jws", row["jws"])
                self._in_folder = row["n"]


def _write_file(path: Path, text: str) -> None:
    """Whole or not at all, and on the disk when this returns; what lies there already is never replaced."""
    if path.exists():
        if path.read_text() != text:
            raise CheckpointError(f"{path} is not the checkpoint of the table")
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
