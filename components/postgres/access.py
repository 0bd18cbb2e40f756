"""Who may do what on the databases: roles, databases, schemas. The same for every platform; all can be repeated.

Nothing is granted to everybody (PUBLIC). ``agent_reader`` may connect to ``orders`` alone, sees schema ``agent``
there, and reads what the core system grants in it; ``pg_hba.conf`` keeps it away from the primary. Its read-only mode
and statement timeout are defaults of its sessions, which a session may change: that it cannot write is the work of the
standby and of missing grants, and no agent holds a session, only tool executors do.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from components.postgres.server import HOST, PostgresError, password

SCRAM_ITERATIONS = 4096
CONNECT_SECONDS = 5


@dataclass(frozen=True)
class Database:
    """``users`` may connect and use schema public; ``agent_views``: it has a schema ``agent`` for ``agent_reader``."""

    name: str
    owner: str
    users: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    agent_views: bool = False


RUNTIME = "loomstead"
DATABASES = (
    Database(RUNTIME, owner="gateway_owner", users=("gateway", "auditor")),
    Database("orders", owner="core_writer", agent_views=True),
    Database("vectors", owner="gateway_owner", users=("gateway",), extensions=("vector",)),
)
ROLES = ("gateway_owner", "gateway", "auditor", "core_writer", "agent_reader", "replicator")


@dataclass(frozen=True)
class Limits:
    """What ``agent_reader`` may take: sessions at once, and milliseconds a statement."""

    connection_limit: int
    statement_timeout_ms: int


async def apply(port: int, secrets: Path, limits: Limits) -> None:
    """Bring roles, databases and schemas of the primary on ``port`` to what this module says.

    Passwords are those of ``secrets/<role>.pgpass``. Raises ``PostgresError`` when the server does not let us in.
    """
    async with superuser(port, secrets) as connection:
        await _apply_roles(connection, secrets, limits)
        await _apply_databases(connection)
    for database in DATABASES:
        async with superuser(port, secrets, database.name) as connection:
            await _apply_schemas(connection, database)


async def in_force(port: int, secrets: Path, limits: Limits) -> bool:
    """Whether every role is there with its password, and ``agent_reader`` with its limits; no while nothing answers."""
    try:
        async with superuser(port, secrets) as connection:
            rows = await connection.fetch(
                "SELECT rolname, pg_authid.rolpassword, pg_authid.rolconnlimit, rolconfig"
                " FROM pg_authid JOIN pg_roles USING (rolname)"
            )
    except PostgresError:
        return False
    found = {row["rolname"]: row for row in rows}
    if not all(role in found and _fits(found[role]["rolpassword"], secrets, role) for role in ROLES):
        return False
    reader = found["agent_reader"]
    timeout = f"statement_timeout={limits.statement_timeout_ms}"
    return reader["rolconnlimit"] == limits.connection_limit and timeout in reader["rolconfig"]


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


async def _apply_roles(connection: asyncpg.Connection, secrets: Path, limits: Limits) -> None:
    present = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
    statements = [f"CREATE ROLE {role}" for role in ROLES if role not in present]
    # The server is told verifiers, never a password, so that none can reach its log.
    verifiers = {role: scram_verifier(password(secrets / f"{role}.pgpass"), os.urandom(16)) for role in ROLES}
    statements += [f"ALTER ROLE {role} LOGIN PASSWORD '{verifier}'" for role, verifier in verifiers.items()]
    statements += [
        "ALTER ROLE replicator REPLICATION",
        # A core system's write returns when the replica shows it, so that an agent reads what it has just done. While
        # the replica is down the write waits; its client's timeout ends the wait, not the write, which is done.
        "ALTER ROLE core_writer SET synchronous_commit = remote_apply",
        f"ALTER ROLE agent_reader CONNECTION LIMIT {limits.connection_limit}",
        f"ALTER ROLE agent_reader SET statement_timeout = {limits.statement_timeout_ms}",
        "ALTER ROLE agent_reader SET default_transaction_read_only = on",
    ]
    async with connection.transaction():
        await connection.execute(";\n".join(statements))


async def _apply_databases(connection: asyncpg.Connection) -> None:
    present = {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
    for database in DATABASES:
        if database.name not in present:
            await connection.execute(f"CREATE DATABASE {database.name} OWNER {database.owner}")
    for name in ("postgres", "template1", *(database.name for database in DATABASES)):
        await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")


async def _apply_schemas(connection: asyncpg.Connection, database: Database) -> None:
    statements = ["REVOKE ALL ON SCHEMA public FROM PUBLIC"]
    statements += [f"CREATE EXTENSION IF NOT EXISTS {extension}" for extension in database.extensions]
    for user in database.users:
        statements += [
            f"GRANT CONNECT ON DATABASE {database.name} TO {user}",
            f"GRANT USAGE ON SCHEMA public TO {user}",
        ]
    if database.agent_views:
        statements += [
            f"GRANT CONNECT ON DATABASE {database.name} TO agent_reader",
            f"CREATE SCHEMA IF NOT EXISTS agent AUTHORIZATION {database.owner}",
            "GRANT USAGE ON SCHEMA agent TO agent_reader",
        ]
    async with connection.transaction():
        await connection.execute(";\n".join(statements))


def scram_verifier(secret: str, salt: bytes) -> str:
    """What PostgreSQL keeps of a password under SCRAM-SHA-256 (RFC 5802, RFC 7677)."""
    salted = hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, SCRAM_ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def _fits(verifier: str | None, secrets: Path, role: str) -> bool:
    if verifier is None:
        return False
    salt = base64.b64decode(verifier.split("$")[1].partition(":")[2])
    return hmac.compare_digest(verifier, scram_verifier(password(secrets / f"{role}.pgpass"), salt))
