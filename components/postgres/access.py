"""Roles, databases and schemas of this machine's primary: as ``runtime.provision.access`` makes them everywhere."""

import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from components.local.program import PYTHON
from components.postgres.server import HOST, PostgresError

RUNTIME = "loomstead"
"""The runtime's database."""
ROLES = ("gateway_owner", "gateway", "auditor", "core_writer", "agent_reader", "replicator")
CONNECT_SECONDS = 5
_ANOTHER_PASSWORD = 2


@dataclass(frozen=True)
class Limits:
    """What ``agent_reader`` may take: sessions at once, and milliseconds a statement."""

    connection_limit: int
    statement_timeout_ms: int


def apply(port: int, secrets: Path, limits: Limits) -> None:
    """Bring all of it to what that module says. Passwords are those of ``secrets/<role>.pgpass``.

    Raises ``PostgresError``.
    """
    done = _run("apply", port, secrets, limits)
    if done.returncode == _ANOTHER_PASSWORD:
        raise PostgresError(
            f"PostgreSQL was made with another password than {secrets / 'postgres.pgpass'} has: bring it back"
        )
    if done.returncode != 0:
        raise PostgresError(f"roles and databases could not be made: {done.stderr.strip()}")


def in_force(port: int, secrets: Path, limits: Limits) -> bool:
    """Whether every role is there with its password, and ``agent_reader`` with its limits; no while nothing answers."""
    return _run("check", port, secrets, limits).returncode == 0


def _run(action: str, port: int, secrets: Path, limits: Limits) -> subprocess.CompletedProcess[str]:
    options = {
        "--host": HOST,
        "--port": str(port),
        "--secrets": str(secrets),
        "--connection-limit": str(limits.connection_limit),
        "--statement-timeout-ms": str(limits.statement_timeout_ms),
    }
    given = (part for option in options.items() for part in option)
    return subprocess.run([PYTHON, "-m", "runtime.provision.access", action, *given], capture_output=True, text=True)


@asynccontextmanager
async def superuser(port: int, secrets: Path, database: str = "postgres") -> AsyncGenerator[asyncpg.Connection]:
    """A session as ``postgres`` on this machine's server; raises ``PostgresError`` when there is none to be had."""
    passfile = secrets / "postgres.pgpass"
    try:
        connection = await asyncpg.connect(
            host=HOST, port=port, database=database, user="postgres", passfile=passfile, timeout=CONNECT_SECONDS
        )
    except asyncpg.InvalidPasswordError as error:
        raise PostgresError(f"PostgreSQL was made with another password than {passfile} has: bring it back") from error
    except (OSError, asyncpg.PostgresError) as error:
        raise PostgresError(f"no session as postgres on {HOST}:{port}/{database}: {error}") from error
    try:
        yield connection
    finally:
        await connection.close()
