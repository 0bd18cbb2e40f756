"""Who may do what on the databases: roles, databases, schemas. The same for every platform; all can be repeated.

Nothing is granted to everybody (PUBLIC). ``agent_reader`` may connect to ``orders`` alone, sees schema ``agent``
there, and reads what the core system grants in it; the network, or ``pg_hba.conf``, keeps it away from the primary. Its
read-only mode and statement timeout are defaults of its sessions, which a session may change: that it cannot write is
the work of the standby and of missing grants, and no agent holds a session, only tool executors do.

The administrator is a superuser, or, where a cloud gives none, a role with CREATEROLE and CREATEDB.
``python -m runtime.provision.access`` is for this machine's server.
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
import os
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from runtime.provision import ProvisionError
from runtime.sessions import read_password, session

SCRAM_ITERATIONS = 4096
LOCK = 0x10036
"""Advisory lock in database ``postgres``: a second one waits, then finds nothing left to do."""
LOCK_SECONDS = 120
IAM_ROLE = "rds_iam"
"""Who has this role on RDS signs in by a token of IAM, and by no password any more."""


@dataclass(frozen=True)
class Database:
    """``users`` may connect and use schema public; ``agent_views``: it has a schema ``agent`` for ``agent_reader``."""

    name: str
    owner: str
    users: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    agent_views: bool = False


RUNTIME = "loomstead"
MAINTENANCE = "postgres"
DATABASES = (
    Database(RUNTIME, owner="gateway_owner", users=("gateway", "auditor")),
    Database("orders", owner="core_writer", agent_views=True),
    Database("vectors", owner="gateway_owner", users=("gateway",), extensions=("vector",)),
    Database("temporal", owner="temporal"),
    Database("temporal_visibility", owner="temporal"),
)
"""Each where its owner is among the roles that are wanted."""
ORCHESTRATOR = "temporal"
"""Only where Temporal runs on the cluster; it makes its tables itself."""
REPLICATOR = "replicator"
"""Only where no cloud and no operator replicates."""
ROLES = ("gateway_owner", "gateway", "auditor", "core_writer", "agent_reader")


@dataclass(frozen=True)
class Limits:
    """What ``agent_reader`` may take: sessions at once, and milliseconds a statement."""

    connection_limit: int
    statement_timeout_ms: int


@dataclass(frozen=True)
class Wanted:
    """``passwords``: by role, which are the roles that are made. ``iam``: roles that sign in by IAM instead."""

    passwords: Mapping[str, str]
    limits: Limits
    iam: tuple[str, ...] = ()

    @property
    def databases(self) -> list[Database]:
        return [one for one in DATABASES if one.owner in self.passwords]

    @property
    def mark(self) -> str:
        """Digest of all this but the passwords, and of how it is brought about."""
        told = f"{sorted(self.passwords)} {self.limits} {sorted(self.iam)}".encode()
        return f"loomstead access sha256:{hashlib.sha256(told + Path(__file__).read_bytes()).hexdigest()}"


SignIn = Callable[[str, str], AbstractAsyncContextManager[asyncpg.Connection]]
"""A session as a role in a database; raises ``SignInRefused`` or ``ProvisionError``."""
Administer = Callable[[str], AbstractAsyncContextManager[asyncpg.Connection]]
"""The administrator's session in a database, likewise."""


class SignInRefused(ProvisionError):
    """The server answers, and does not take the password."""


async def apply(administer: Administer, wanted: Wanted) -> None:
    """Bring roles, databases and schemas to what this module says; raises ``ProvisionError``."""
    try:
        async with administer(MAINTENANCE) as connection:
            await connection.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
            await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
            await _apply_roles(connection, wanted)
            await _apply_databases(connection, wanted.databases)
            for database in wanted.databases:
                async with administer(database.name) as within:
                    await _apply_schemas(within, database)
            await connection.execute(f"COMMENT ON DATABASE {RUNTIME} IS '{wanted.mark}'")
    except asyncpg.PostgresError as error:
        raise ProvisionError(f"roles and databases: {error}") from error


async def settled(sign_in: SignIn, wanted: Wanted) -> bool:
    """Whether all of it is there, as far as its own roles can see: so no administrator is asked for nothing."""
    owners = {user: one.name for one in wanted.databases for user in (*one.users, one.owner)}
    try:
        for role in wanted.passwords.keys() & owners.keys() - {*wanted.iam}:
            async with sign_in(role, owners[role]):
                pass
        async with sign_in("gateway_owner", RUNTIME) as connection:
            mark = await connection.fetchval(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
            )
            return mark == wanted.mark and await _limited(connection, wanted.limits)
    except ProvisionError:
        return False


async def in_force(administer: Administer, wanted: Wanted) -> bool:
    """Whether every role has its password, and ``agent_reader`` its limits, as a superuser sees; no without an answer.

    Raises ``SignInRefused``.
    """
    try:
        async with administer(MAINTENANCE) as connection:
            rows = await connection.fetch("SELECT rolname, rolpassword FROM pg_authid")
            verifiers = {row["rolname"]: row["rolpassword"] for row in rows}
            known = all(_fits(verifiers.get(role), password) for role, password in wanted.passwords.items())
            return known and await _limited(connection, wanted.limits)
    except SignInRefused:
        raise
    except ProvisionError:
        return False


@asynccontextmanager
async def opened(**described: Any) -> AsyncGenerator[asyncpg.Connection]:
    """A session by what ``runtime.sessions.session`` gives; raises ``SignInRefused``, ``ProvisionError``."""
    place = "{user} at {host}:{port}/{database}".format_map(described)
    try:
        connection = await asyncpg.connect(**described)
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise SignInRefused(f"{place}: {error}") from error
    except (OSError, asyncpg.PostgresError) as error:
        raise ProvisionError(f"{place}: {error or type(error).__name__}") from error
    try:
        yield connection
    finally:
        await connection.close()


async def _limited(connection: asyncpg.Connection, limits: Limits) -> bool:
    reader = await connection.fetchrow("SELECT rolconnlimit, rolconfig FROM pg_roles WHERE rolname = 'agent_reader'")
    timeout = f"statement_timeout={limits.statement_timeout_ms}"
    return (
        reader is not None
        and reader["rolconnlimit"] == limits.connection_limit
        and timeout in (reader["rolconfig"] or ())
    )


async def _apply_roles(connection: asyncpg.Connection, wanted: Wanted) -> None:
    present = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
    superuser = await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    roles = [*wanted.passwords]
    statements = [f"CREATE ROLE {role}" for role in roles if role not in present]
    # The server is told verifiers, never a password, so that none can reach its log.
    verifiers = {role: scram_verifier(password, os.urandom(16)) for role, password in wanted.passwords.items()}
    statements += [f"ALTER ROLE {role} LOGIN PASSWORD '{verifier}'" for role, verifier in verifiers.items()]
    if REPLICATOR in roles:
        statements.append(f"ALTER ROLE {REPLICATOR} REPLICATION")
    if not superuser:  # who makes something for a role has to be able to be that role
        statements += [f"GRANT {role} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE" for role in roles]
    statements += [f"GRANT {IAM_ROLE} TO {role}" for role in wanted.iam]
    statements += [
        # A core system's write returns when the replica shows it, so that an agent reads what it has just done. While
        # the replica is down the write waits; its client's timeout ends the wait, not the write, which is done.
        "ALTER ROLE core_writer SET synchronous_commit = remote_apply",
        f"ALTER ROLE agent_reader CONNECTION LIMIT {wanted.limits.connection_limit}",
        f"ALTER ROLE agent_reader SET statement_timeout = {wanted.limits.statement_timeout_ms}",
        "ALTER ROLE agent_reader SET default_transaction_read_only = on",
    ]
    async with connection.transaction():
        await connection.execute(";\n".join(statements))


async def _apply_databases(connection: asyncpg.Connection, databases: Sequence[Database]) -> None:
    rows = await connection.fetch("SELECT datname, pg_get_userbyid(datdba) AS owner FROM pg_database")
    owners = {row["datname"]: row["owner"] for row in rows}
    for database in databases:
        if database.name not in owners:
            await connection.execute(f"CREATE DATABASE {database.name} OWNER {database.owner}")
        elif owners[database.name] != database.owner:  # a cloud made it for its own master
            await connection.execute(f"ALTER DATABASE {database.name} OWNER TO {database.owner}")
    own = "SELECT datname FROM pg_database WHERE pg_has_role(datdba, 'USAGE') AND datname <> 'template0'"
    for row in await connection.fetch(own):
        await connection.execute(f'REVOKE ALL ON DATABASE "{row["datname"]}" FROM PUBLIC')


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


def _fits(verifier: str | None, password: str) -> bool:
    if verifier is None:
        return False
    salt = base64.b64decode(verifier.split("$")[1].partition(":")[2])
    return hmac.compare_digest(verifier, scram_verifier(password, salt))


def local(host: str, port: int, folder: Path, limits: Limits) -> tuple[Administer, Wanted]:
    """This machine's server, whose superuser and roles have a pgpass file each in ``folder``; raises ``OSError``."""
    roles = (*ROLES, REPLICATOR)
    passwords = {role: read_password(folder / f"{role}.pgpass", host, port, RUNTIME, role) for role in roles}

    def administer(database: str) -> AbstractAsyncContextManager[asyncpg.Connection]:
        return opened(**session(host, port, database, "postgres", folder / "postgres.pgpass", None))

    return administer, Wanted(passwords, limits)


def main() -> int:
    """0: done, or in force; 1: not, with the reason on stderr; 2: the superuser's password is another one."""
    parser = argparse.ArgumentParser(prog="python -m runtime.provision.access")
    parser.add_argument("action", choices=("apply", "check"))
    parser.add_argument("--host", required=True)
    parser.add_argument("--secrets", required=True, type=Path)
    for option in ("--port", "--connection-limit", "--statement-timeout-ms"):
        parser.add_argument(option, required=True, type=int)
    asked = parser.parse_args()
    limits = Limits(asked.connection_limit, asked.statement_timeout_ms)
    try:
        administer, wanted = local(asked.host, asked.port, asked.secrets, limits)
        if asked.action == "apply":
            asyncio.run(apply(administer, wanted))
            return 0
        return 0 if asyncio.run(in_force(administer, wanted)) else 1
    except SignInRefused as error:
        print(error, file=sys.stderr)
        return 2
    except (ProvisionError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
