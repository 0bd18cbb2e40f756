from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from components.postgres import access
from components.postgres.server import PostgresError
from tests.fixtures.postgres import LIMITS, Database, superuser


async def test_applying_again_is_fine_and_everybodys_password_works(postgres: Database) -> None:
    await access.apply(postgres.port, postgres.secrets, LIMITS)

    owners = {"gateway_owner": "loomstead", "gateway": "loomstead", "auditor": "loomstead", "core_writer": "orders"}
    for role, database in owners.items():
        await (await asyncpg.connect(replace(postgres, name=database).dsn(role))).close()
    assert await access.in_force(postgres.port, postgres.secrets, LIMITS)


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

    assert not await access.in_force(postgres.port, postgres.secrets, LIMITS)
    if "RENAME" in loosened:
        await connection.execute("ALTER ROLE somebody RENAME TO auditor")
    await access.apply(postgres.port, postgres.secrets, LIMITS)
    assert await access.in_force(postgres.port, postgres.secrets, LIMITS)
    await connection.close()


@pytest.mark.parametrize("database", [described.name for described in access.DATABASES])
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


async def test_a_server_that_is_not_there_has_nothing_in_force_and_cannot_be_changed(tmp_path: Path) -> None:
    assert not await access.in_force(1, tmp_path, LIMITS)
    with pytest.raises(PostgresError, match=r"127\.0\.0\.1:1/postgres"):
        await access.apply(1, tmp_path, LIMITS)


async def test_a_wrong_superuser_password_names_its_file(postgres: Database, tmp_path: Path) -> None:
    passfile = tmp_path / "postgres.pgpass"
    passfile.touch(mode=0o600)
    passfile.write_text("*:*:*:postgres:wrong\n")
    with pytest.raises(PostgresError, match=r"postgres\.pgpass has: bring it back"):
        await access.apply(postgres.port, tmp_path, LIMITS)
