import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.postgres import server
from components.postgres.serve import forget_stale_lock
from components.postgres.server import PostgresError, conninfo
from tests.fixtures.postgres import Server, superuser


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))))
def test_a_connection_string_holds_any_value_as_it_is(value: str) -> None:
    said = conninfo(passfile=value, port=1)

    assert _parsed(said) == {"passfile": value, "port": "1"}


def _parsed(text: str) -> dict[str, str]:
    """By the rules of libpq: values in single quotes, where a backslash takes the next character as it is."""
    found: dict[str, str] = {}
    rest = iter(text)
    for character in rest:
        key = character + "".join(iter(lambda: next(rest), "="))
        value: list[str] = []
        next(rest)
        while (character := next(rest)) != "'":
            value.append(next(rest) if character == "\\" else character)
        found[key.strip()] = "".join(value)
    return found


def test_a_directory_that_is_there_is_whole_and_a_failed_one_is_not_there(tmp_path: Path) -> None:
    passfile = tmp_path / "postgres.pgpass"
    passfile.write_text("*:*:*:postgres:secret\n")
    (tmp_path / "data.part").write_text("in the way")

    with pytest.raises(PostgresError, match="initdb failed") as failed:
        server.initialise(tmp_path / "data", passfile)
    assert not (tmp_path / "data").exists()
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize("content", ["", "*:*:*:postgres", "*:*:*:postgres:\n"])
def test_a_server_is_never_made_with_an_empty_password(tmp_path: Path, content: str) -> None:
    passfile = tmp_path / "postgres.pgpass"
    passfile.write_text(content)

    with pytest.raises(PostgresError, match=r"postgres\.pgpass has no password"):
        server.initialise(tmp_path / "data", passfile)


def test_a_copy_of_a_server_that_is_not_there_fails_with_its_reason_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(PostgresError, match=r"pg_basebackup failed.*Connection refused"):
        server.copy(tmp_path / "data", 1, tmp_path)
    assert not (tmp_path / "data").exists()


def test_a_folder_that_is_no_data_directory_has_no_system_identifier(tmp_path: Path) -> None:
    with pytest.raises(PostgresError, match="pg_controldata failed"):
        server.system_identifier(tmp_path)


def test_root_without_user_namespaces_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(PostgresError, match="install util-linux"):
        server.command("postgres")


def test_the_lock_file_of_a_running_server_is_left_alone(tmp_path: Path) -> None:
    own = Server(tmp_path / "own")
    own.start()
    try:
        asyncio.run(_answers(own))
        forget_stale_lock(own.data)
        assert (own.data / "postmaster.pid").exists()
        second = subprocess.run(
            server.serve(own.data, own.database.port, server.SETTINGS), capture_output=True, text=True, timeout=30
        )
        assert 'lock file "postmaster.pid" already exists' in second.stderr
    finally:
        own.stop()


async def _answers(own: Server) -> None:
    await (await superuser(own.database)).close()
