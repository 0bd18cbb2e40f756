import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from components.postgres import access
from components.postgres.server import PostgresError
from runtime.provision import access as provisioned
from tests.fixtures.postgres import LIMITS, Database, superuser


async def test_applying_again_is_fine_and_everybodys_password_works(postgres: Database) -> None:
    await asyncio.to_thread(access.apply, postgres.port, postgres.secrets, LIMITS)

    owners = {"gateway_owner": "loomstead", "gateway": "loomstead", "auditor": "loomstead", "core_writer": "orders"}
    for role, database in owners.items():
        await (await asyncpg.connect(replace(postgres, name=database).dsn(role))).close()
    assert await asyncio.to_thread(access.in_force, postgres.port, postgres.secrets, LIMITS)


@pytest.mark.parametrize(
    "loosened",
    [
        "ALTER ROLE agent_reader CONNECTION LIMIT 99",
        "ALTER ROLE agent_reader SET statement_timeout = 0",
        "ALTER ROLE gateway PASSWORD 'another'",
        "ALTER ROLE auditor PASSWORD NULL",
        "ALTER ROLE auditor RENAME TO somebody",
    ],
)
async def test_what_somebody_changed_is_seen_and_put_right(postgres: Database, loosened: str) -> None:
    connection = await superuser(replace(postgres, name="postgres"))
    await connection.execute(loosened)

    assert not await asyncio.to_thread(access.in_force, postgres.port, postgres.secrets, LIMITS)
    if "RENAME" in loosened:
        await connection.execute("ALTER ROLE somebody RENAME TO auditor")
    await asyncio.to_thread(access.apply, postgres.port, postgres.secrets, LIMITS)
    assert await asyncio.to_thread(access.in_force, postgres.port, postgres.secrets, LIMITS)
    await connection.close()


@pytest.mark.parametrize("database", [one.name for one in provisioned.DATABASES if one.owner in provisioned.ROLES])
async def test_nothing_is_granted_to_everybody(postgres: Database, database: str) -> None:
    connection = await superuser(replace(postgres, name=database))
    await connection.execute("CREATE ROLE nobody_special")
    rights = await connection.fetchrow("""
        SELECT has_database_privilege('nobody_special', current_database(), 'CONNECT, TEMP, CREATE') AS database,
               has_schema_privilege('nobody_special', 'public', 'USAGE, CREATE') AS public
    """)
    await connection.execute("DROP ROLE nobody_special")
    await connection.close()
    assert rights is not None
    assert dict(rights) == {"database": False, "public": False}


def test_a_server_that_is_not_there_has_nothing_in_force_and_cannot_be_changed(postgres: Database) -> None:
    assert not access.in_force(1, postgres.secrets, LIMITS)
    with pytest.raises(PostgresError, match=r"127\.0\.0\.1:1/postgres"):
        access.apply(1, postgres.secrets, LIMITS)


def test_a_wrong_superuser_password_names_its_file(postgres: Database, tmp_path: Path) -> None:
    secrets = shutil.copytree(postgres.secrets, tmp_path / "secrets")
    (secrets / "postgres.pgpass").write_text("*:*:*:postgres:wrong\n")
    assert not access.in_force(postgres.port, secrets, LIMITS)
    with pytest.raises(PostgresError, match=r"postgres\.pgpass has: bring it back"):
        access.apply(postgres.port, secrets, LIMITS)


def test_a_secret_that_is_missing_is_named(postgres: Database, tmp_path: Path) -> None:
    with pytest.raises(PostgresError, match=r"gateway_owner\.pgpass"):
        access.apply(postgres.port, tmp_path, LIMITS)


def test_it_knows_the_same_roles_and_database_as_what_makes_them() -> None:
    assert (*provisioned.ROLES, provisioned.REPLICATOR) == access.ROLES
    assert access.RUNTIME == provisioned.RUNTIME
