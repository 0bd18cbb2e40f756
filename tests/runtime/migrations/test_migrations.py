import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import asyncpg
import pytest

import runtime.migrations
from runtime.migrations import MigrationError, migrate
from tests.fixtures.postgres import Database, superuser

VERSIONS = Path(runtime.migrations.__file__).parent / "versions"
SECOND = """
from runtime.migrations.script import run_beside
revision, down_revision = "9000", "0003"
def upgrade() -> None:
    run_beside(__file__)
"""
_numbers = count(1)


@pytest.fixture
async def empty(postgres: Database) -> AsyncIterator[Database]:
    """A database without a schema."""
    name = f"empty_{next(_numbers)}"
    connection = await superuser(replace(postgres, name="postgres"))
    await connection.execute(f"CREATE DATABASE {name} OWNER gateway_owner")
    yield replace(postgres, name=name)
    await connection.execute(f"DROP DATABASE {name}")
    await connection.close()


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the runner one of a later release, with one more version of the given SQL."""
    home = tmp_path / "later 100%"
    shutil.copytree(VERSIONS.parent, home)
    (home / "versions" / "9000_second.py").write_text(SECOND)
    monkeypatch.setattr(runtime.migrations, "_HOME", home)

    def second(sql: str) -> None:
        (home / "versions" / "9000_second.sql").write_text(sql)

    return second


async def _migrate(database: Database) -> None:
    await migrate(database.host, database.port, database.name, "gateway_owner", database.passfile("gateway_owner"))


async def _fetchval(database: Database, query: str) -> object:
    connection = await asyncpg.connect(database.dsn("gateway_owner"))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_an_empty_database_gets_the_schema_and_a_second_run_changes_nothing(empty: Database) -> None:
    await _migrate(empty)
    await _migrate(empty)
    assert await _fetchval(empty, "SELECT array_agg(version_num) FROM alembic_version") == [max(_revisions())]
    assert await _fetchval(empty, "SELECT count(*) FROM ledger") == 0


async def test_two_runs_at_once_apply_each_version_once(empty: Database) -> None:
    await asyncio.gather(*(_migrate(empty) for _ in range(4)))
    assert await _fetchval(empty, "SELECT count(*) FROM alembic_version") == 1


async def test_a_later_version_is_applied_on_top_of_what_is_there(
    database: Database, later: Callable[[str], None]
) -> None:
    later("CREATE TABLE second (n int);\nINSERT INTO second VALUES (2); -- one file, many statements\n")
    await _migrate(database)
    assert await _fetchval(database, "SELECT n FROM second") == 2


async def test_a_broken_version_leaves_the_database_as_it_was(empty: Database, later: Callable[[str], None]) -> None:
    later("CREATE TABLE second (n int);\nSELECT no_such_column;\n")
    with pytest.raises(MigrationError, match="no_such_column"):
        await _migrate(empty)
    assert await _fetchval(empty, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


async def test_a_database_from_a_newer_release_is_refused(database: Database) -> None:
    await _fetchval(database, "UPDATE alembic_version SET version_num = '9999' RETURNING 1")
    with pytest.raises(MigrationError, match="9999"):
        await _migrate(database)


async def test_a_wrong_password_names_database_and_role(empty: Database) -> None:
    with pytest.raises(MigrationError, match=f"database {empty.name} at .* as gateway_owner: .*password"):
        await migrate(empty.host, empty.port, empty.name, "gateway_owner", empty.passfile("auditor"))


async def test_a_server_that_is_not_there_is_named(empty: Database) -> None:
    with pytest.raises(MigrationError, match=r"127\.0\.0\.1:1 "):
        await _migrate(replace(empty, port=1))


def _revisions() -> set[str]:
    return {path.name.partition("_")[0] for path in VERSIONS.glob("*.sql")}


def test_every_sql_file_has_its_revision() -> None:
    assert {path.stem for path in VERSIONS.glob("*.sql")} == {path.stem for path in VERSIONS.glob("0*.py")}


async def test_the_command_migrates_and_says_nothing_when_it_works(empty: Database) -> None:
    assert await _command(empty) == (0, "")
    assert await _fetchval(empty, "SELECT count(*) FROM alembic_version") == 1


async def test_the_command_fails_with_the_reason_on_one_line(empty: Database) -> None:
    code, stderr = await _command(replace(empty, port=1))
    assert code == 1
    assert stderr.startswith(f"database {empty.name} at 127.0.0.1:1 as gateway_owner: ")
    assert len(stderr.splitlines()) == 1


async def _command(database: Database) -> tuple[int | None, str]:
    options = {
        "--host": database.host,
        "--port": str(database.port),
        "--database": database.name,
        "--role": "gateway_owner",
        "--passfile": str(database.passfile("gateway_owner")),
    }
    argv = [part for option in options.items() for part in option]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "runtime.migrations", *argv, stderr=asyncio.subprocess.PIPE
    )
    _, stderr = await process.communicate()
    return process.returncode, stderr.decode()
