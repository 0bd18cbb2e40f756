"""Appending to the ledger: in the caller's transaction, or through one writer that commits for everybody at once.

The hot path calls ``submit``, starts its upstream call and awaits the future before the first byte of the reply. The
writer takes everything that is pending into one commit, so the more wait, the less each pays.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any, NamedTuple

import asyncpg

from runtime.errors import Refused
from runtime.ledger.chain import Chains, Work
from runtime.ledger.content import ContentError, SubjectKeys
from runtime.ledger.record import Entry, now

COMMIT_SIZE = 256
"""Appends in one commit at most: bounds the statement, and how long a newcomer waits."""
ACQUIRE_SECONDS = 5.0
RETRY_SECONDS = (0.05, 0.25, 1.0)
"""Pauses between the attempts at a commit; a restarted server is back within them."""

_PASSING = (
    Refused,  # of a pool of `runtime.database`: the server does not answer
    TimeoutError,  # the pool has no connection free
    asyncpg.InterfaceError,  # the connection died between two commits, and the pool took it back
    asyncpg.InternalClientError,  # it died within one: asyncpg rolls back before it has noticed
    asyncpg.exceptions.TransactionRollbackError,  # a deadlock's victim
)
"""What may be gone at the next attempt."""
_REFUSED_BY_CONTENT = (asyncpg.PostgresError, ContentError, ValueError, TypeError)


class _Append(NamedTuple):
    entries: list[tuple[str, Entry]]
    done: asyncio.Future[None]


class Ledger:
    """The one way into the ledger. Holds one connection of ``pool`` from the first append to ``close``."""

    def __init__(self, pool: asyncpg.Pool, ledger_key: bytes, keys: SubjectKeys) -> None:
        self._pool = pool
        self._chains = Chains(ledger_key, keys)
        self._pending: deque[_Append] = deque()
        self._taken: list[_Append] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._conn: Any = None
        self._writer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._writer = asyncio.create_task(self._write(), name="ledger writer")

    async def close(self) -> None:
        """Writes what is pending, then stops; raises what the writer died of, if it did."""
        self._closing = True
        self._wake.set()
        if self._writer:
            await self._writer

    @property
    def running(self) -> bool:
        return self._writer is not None and not self._writer.done() and not self._closing

    async def append(self, *entries: Entry, conn: Any = None) -> None:
        """Returns when ``entries`` are durable, all or none; with ``conn``, when its transaction commits.

        With ``conn`` the tasks' heads stay locked until that transaction ends: append last in it, and never await an
        append without ``conn`` meanwhile. Raises ``Refused`` database_unavailable; what was refused that way because
        the connection broke in the very commit may still have been recorded.
        """
        if conn is None:
            await self.submit(*entries)
        elif not conn.is_in_transaction():
            raise RuntimeError("append with conn needs an open transaction: the heads are locked in it")
        elif entries:
            at = now()
            await self._chains.extend(conn, Work([(at, entry) for entry in entries]))

    def submit(self, *entries: Entry) -> asyncio.Future[None]:
        """Queues ``entries``; the future is done when they are durable. Cancelling it does not take them back."""
        if not self.running:
            raise RuntimeError("the ledger's writer does not run")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if entries:
            at = now()
            self._pending.append(_Append([(at, entry) for entry in entries], done))
            self._wake.set()
        else:
            done.set_result(None)
        return done

    async def _write(self) -> None:
        try:
            while self._pending or not self._closing:
                await self._wake.wait()
                self._wake.clear()
                while self._pending:
                    size = min(COMMIT_SIZE, len(self._pending))
                    self._taken = [self._pending.popleft() for _ in range(size)]
                    await self._settle(self._taken)
            if self._conn is not None:
                await self._pool.release(self._conn)
        except BaseException as error:
            self._drop()
            for append in (*self._taken, *self._pending):
                _fail(append, RuntimeError(f"the ledger's writer died: {error!r}"))
            raise

    async def _settle(self, appends: list[_Append]) -> None:
        """Commits and tells everybody. What the database refuses is written one by one, so that it fails alone."""
        try:
            await self._commit([entry for append in appends for entry in append.entries])
        except Refused as error:
            for append in appends:
                _fail(append, error)
        except _REFUSED_BY_CONTENT as error:
            if len(appends) == 1:
                _fail(appends[0], error)
                return
            for append in appends:
                await self._settle([append])
        else:
            for append in appends:
                if not append.done.done():
                    append.done.set_result(None)

    async def _commit(self, entries: list[tuple[str, Entry]]) -> None:
        work = Work(entries)
        for pause in (*RETRY_SECONDS, None):
            try:
                if self._conn is None:
                    self._conn = await self._pool.acquire(timeout=ACQUIRE_SECONDS)
                await self._chains.commit(self._conn, work)
            except _PASSING as error:
                self._drop()
                if pause is None:
                    raise _unavailable(error) from error
                await asyncio.sleep(pause)
            else:
                return

    def _drop(self) -> None:
        """The pool takes note of it and makes another one; one that died by itself it has taken back already."""
        conn, self._conn = self._conn, None
        if conn is not None:
            with suppress(asyncpg.InterfaceError):
                conn.terminate()


def _unavailable(error: Exception) -> Refused:
    if isinstance(error, Refused):
        return error
    return Refused("database_unavailable", f"the ledger got no commit through: {error!r}", remedy="try again")


def _fail(append: _Append, error: Exception) -> None:
    if not append.done.done():
        append.done.set_exception(error)
