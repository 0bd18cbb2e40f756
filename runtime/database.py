"""The way to PostgreSQL: a bounded pool that comes back by itself, and one refusal when the server does not answer."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from runtime.errors import Refused
from runtime.sessions import session

COMMAND_SECONDS = 10.0

_UNAVAILABLE = (
    OSError,  # refused or reset, and TimeoutError
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,  # its word for a connection that is gone and has not noticed yet
)


async def connect(
    host: str, port: int, database: str, role: str, passfile: Path, *, size: int = 10, ca: Path | None = None
) -> asyncpg.Pool:
    """A pool of at most ``size`` connections as ``role``, whose password is in ``passfile``; jsonb is Python values.

    ``ca``: file of the authorities that answer for the server's name, without which only this machine is dialled.

    A dead connection is replaced at its next use. Here and in every query ``Refused("database_unavailable")`` says
    that the server did not answer; what it refused (a password, a constraint) stays an ``asyncpg.PostgresError``.
    Raises ``StartError`` where the server is elsewhere and there is no ``ca``.
    """
    return await asyncpg.create_pool(
        **session(host, port, database, role, passfile, ca),
        min_size=1,
        max_size=size,
        command_timeout=COMMAND_SECONDS,
        connection_class=_Connection,
        connect=_open,
        init=_decode_json,
    )


class _Connection(asyncpg.Connection):
    """A connection whose death is a refusal; transactions and pool methods go through these."""

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        with self._translated():
            return await super().execute(query, *args, **options)

    async def executemany(self, command: str, args: Any, **options: Any) -> None:
        with self._translated():
            await super().executemany(command, args, **options)

    async def fetch(self, query: str, *args: Any, **options: Any) -> list[Any]:
        with self._translated():
            return await super().fetch(query, *args, **options)

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> Any:
        with self._translated():
            return await super().fetchrow(query, *args, **options)

    async def fetchval(self, query: str, *args: Any, **options: Any) -> Any:
        with self._translated():
            return await super().fetchval(query, *args, **options)

    @asynccontextmanager
    async def transaction(self, **options: Any) -> AsyncGenerator[None]:
        try:
            async with super().transaction(**options):
                yield
        except asyncpg.InternalClientError as error:
            raise _unavailable(error) from error
        except asyncpg.InterfaceError as error:  # its word for a roll-back on a dead connection
            if not self.is_closed():
                raise
            raise _unavailable(error) from error

    @contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except _UNAVAILABLE as error:
            raise _unavailable(error) from error
        except asyncpg.InterfaceError as error:
            if not self.is_closed():
                raise
            raise _unavailable(error) from error


async def _open(*args: Any, **options: Any) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(*args, **options)
    except _UNAVAILABLE as error:
        raise _unavailable(error) from error


async def _decode_json(connection: asyncpg.Connection) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, encoder=_encode, decoder=msgspec.json.decode, schema="pg_catalog")


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _unavailable(error: Exception) -> Refused:
    return Refused(
        "database_unavailable",
        f"PostgreSQL: {error or type(error).__name__}",
        remedy="it is restarted when it dies: try again; `loomstead status` shows it",
    )
