"""Who may do what on the databases: roles, databases, schemas. The same for every platform; all can be repeated.

Nothing is granted to everybody (PUBLIC). ``agent_reader`` may connect to ``orders`` alone, sees schema ``agent``
there, and reads what the core system grants in it; ``pg_hba.conf`` keeps it away from the primary.
"""

import base64
import hashlib
import hmac
import os
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from components.postgres.server import password

SCRAM_ITERATIONS = 4096


@dataclass(frozen=True)
class Database:
    """``users`` may connect and use schema public; ``agent_views``: it has a schema ``agent`` for ``agent_reader``."""

    name: str
    owner: str
    users: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    agent_views: bool = False


DATABASES = (
    Database("loomstead", owner="gateway_owner", users=("gateway", "auditor")),
    Database("orders", owner="core_writer", agent_views=True),
    Database("vectors", owner="gateway_owner", users=("gateway",), extensions=("vector",)),
)

ROLES = ("gateway_owner", "gateway", "auditor", "core_writer", "agent_reader", "replicator")


@dataclass(frozen=True)
class ReaderLimits:
    """What ``agent_reader`` may take: sessions at once, and milliseconds a statement."""

    connection_limit: int
    statement_timeout_ms: int


async def apply_roles(connection: asyncpg.Connection, secrets: Path, limits: ReaderLimits) -> None:
    """Make the roles with the passwords of ``secrets/<role>.pgpass``; ``connection`` is the superuser's.

    The server is told verifiers, never a password, so that none can reach its log.
    """
    present = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
    async with connection.transaction():
        for role in ROLES:
            if role not in present:
                await connection.execute(f"CREATE ROLE {role}")
            verifier = scram_verifier(password(secrets / f"{role}.pgpass"))
            await connection.execute(f"ALTER ROLE {role} LOGIN PASSWORD '{verifier}'")
        await connection.execute(f"""
            ALTER ROLE replicator REPLICATION;
            ALTER ROLE core_writer SET synchronous_commit = remote_apply;
            ALTER ROLE agent_reader CONNECTION LIMIT {limits.connection_limit};
            ALTER ROLE agent_reader SET default_transaction_read_only = on;
            ALTER ROLE agent_reader SET statement_timeout = {limits.statement_timeout_ms};
        """)


async def apply_databases(connection: asyncpg.Connection) -> None:
    """Make the databases, empty and closed to PUBLIC; ``connection`` is the superuser's."""
    present = {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
    for database in DATABASES:
        if database.name not in present:
            await connection.execute(f"CREATE DATABASE {database.name} OWNER {database.owner}")
    for name in ("postgres", "template1", *(database.name for database in DATABASES)):
        await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")


async def apply_schemas(connection: asyncpg.Connection, database: Database) -> None:
    """Open ``database``, to which the superuser's ``connection`` leads, to its users, and to nobody else."""
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


def scram_verifier(secret: str) -> str:
    """What PostgreSQL stores for a password under SCRAM-SHA-256 (RFC 5802, RFC 7677), with a fresh salt."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, SCRAM_ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"
