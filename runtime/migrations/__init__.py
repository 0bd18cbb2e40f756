"""The schema of database ``loomstead``: numbered SQL files, applied in order, each once, all or none.

A later version is a file ``versions/0002_<what>.sql`` and its revision ``0002_<what>.py`` beside it. There is no way
back down: a ledger is not unwritten.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from runtime.sessions import session

_HOME = Path(__file__).parent
_LOCK = 0x10035
"""Advisory lock of this runner: a second one waits, then finds nothing left to do."""


class MigrationError(Exception):
    """The schema could not be brought up to date; nothing was changed."""


async def migrate(host: str, port: int, database: str, role: str, passfile: Path, *, ca: Path | None = None) -> None:
    """Bring ``database`` to the newest version as its owner ``role``, in one transaction.

    ``ca``: as in ``runtime.sessions``. Raises ``MigrationError``, ``StartError``.
    """
    await upgrade(session(host, port, database, role, passfile, ca))


async def upgrade(opened: Mapping[str, Any]) -> None:
    """The same, by what ``runtime.sessions.session`` gives; raises ``MigrationError``."""
    host, port, database, role = (opened[name] for name in ("host", "port", "database", "user"))
    url = URL.create("postgresql+asyncpg", role, host=host, port=port, database=database)
    secret = {"password": opened["password"], "ssl": opened["ssl"]}
    engine = create_async_engine(url, poolclass=NullPool, connect_args=secret)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    except (OSError, asyncpg.PostgresError, DBAPIError, CommandError) as error:
        reason = getattr(error, "orig", error)  # SQLAlchemy adds lines of its own
        raise MigrationError(f"database {database} at {host}:{port} as {role}: {reason}") from error
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = Config()
    config.set_main_option("script_location", str(_HOME).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
