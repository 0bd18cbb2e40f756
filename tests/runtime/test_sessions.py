"""Sessions over TLS: only with the one whose name an authority of ours answers for."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from runtime.database import connect
from runtime.errors import Refused
from runtime.migrations import MigrationError, migrate
from runtime.sessions import is_loopback, read_password, session, tls
from runtime.settings import StartError
from tests.fixtures.authority import Authority
from tests.fixtures.postgres import Database

ANY = "*:*:*:gateway:secret\n"
SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""The first message of a session that wants TLS (PostgreSQL 18, 54.2.10)."""


@dataclass
class Encrypted:
    """A way to the real server that takes nothing but TLS, by a certificate for ``localhost``; ``ca``: who signed it.

    The server of these tests was built without TLS. ``sessions``: how many came this far.
    """

    database: Database
    ca: Path
    port: int = 0
    sessions: int = 0

    def called(self, host: str) -> tuple[str, int, str, str, Path]:
        return host, self.port, self.database.name, "gateway_owner", self.database.passfile("gateway_owner")

    async def forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            assert await reader.readexactly(8) == SSL_REQUEST
            writer.write(b"S")
            await writer.start_tls(context)
            self.sessions += 1
            server = await asyncio.open_connection(self.database.host, self.database.port)
            await asyncio.gather(_copy(reader, server[1]), _copy(server[0], writer))
        writer.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while part := await source.read(65_536):
        target.write(part)
    target.close()


@pytest.fixture
async def encrypted(database: Database, tmp_path: Path) -> AsyncIterator[Encrypted]:
    authority = Authority.make()
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    authority.issue("localhost", certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    way = Encrypted(database, authority.write(tmp_path / "ca.pem"))
    listening = await asyncio.start_server(partial(way.forward, context=context), "127.0.0.1")
    way.port = listening.sockets[0].getsockname()[1]
    yield way
    listening.close()


async def test_a_server_that_the_authority_answers_for_is_taken_over_tls(encrypted: Encrypted) -> None:
    async with await connect(*encrypted.called("localhost"), ca=encrypted.ca) as pool:
        assert await pool.fetchval("SELECT current_user") == "gateway_owner"
    await migrate(*encrypted.called("localhost"), ca=encrypted.ca)
    assert encrypted.sessions == 2


async def test_another_name_or_another_authority_is_refused(encrypted: Encrypted, tmp_path: Path) -> None:
    other = Authority.make().write(tmp_path / "other.pem")
    for host, ca in (("127.0.0.1", encrypted.ca), ("localhost", other)):
        with pytest.raises(Refused, match="certificate verify failed"):
            await connect(*encrypted.called(host), ca=ca)
        with pytest.raises(MigrationError, match="certificate verify failed"):
            await migrate(*encrypted.called(host), ca=ca)
    assert encrypted.sessions == 0


async def test_a_server_without_tls_is_refused_where_an_authority_was_named(
    database: Database, encrypted: Encrypted
) -> None:
    with pytest.raises(Refused, match="rejected SSL upgrade"):
        await connect(
            "localhost", database.port, database.name, "gateway", database.passfile("gateway"), ca=encrypted.ca
        )


def test_a_server_elsewhere_needs_an_authority(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"LOOMSTEAD_DATABASE_CA.*primary\.example"):
        tls("primary.example", None)
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "nothing.pem"):
        with pytest.raises(StartError, match=rf"{name}: no certificates"):
            tls("primary.example", tmp_path / name)


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("127.0.0.1.nip.io", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, own: bool) -> None:
    assert is_loopback(host) is own


@pytest.mark.parametrize(
    ("line", "password"),
    [
        (ANY, "secret"),
        ("db.example:5432:loomstead:gateway:secret", "secret"),
        ("db.example:5433:*:gateway:no\ndb.example:*:*:gateway:secret", "secret"),
        (r"*:*:*:gateway:with\:colon\\and slash", r"with:colon\and slash"),
    ],
)
def test_the_first_line_that_fits_has_the_password(tmp_path: Path, line: str, password: str) -> None:
    assert read_password(written(tmp_path, line), "db.example", 5432, "loomstead", "gateway") == password


@pytest.mark.parametrize("line", ["", "db.example:5432:loomstead:auditor:x", "other:*:*:gateway:x", "*:*:*:gateway"])
def test_a_file_without_one_says_which_is_missing(tmp_path: Path, line: str) -> None:
    with pytest.raises(OSError, match=r"gateway at db\.example:5432/loomstead.*gateway\.pgpass"):
        read_password(written(tmp_path, line), "db.example", 5432, "loomstead", "gateway")


async def test_a_password_that_is_renewed_is_used_by_the_next_session(database: Database, tmp_path: Path) -> None:
    wrong = written(tmp_path, "*:*:*:gateway:wrong\n")
    opened = session(database.host, database.port, database.name, "gateway", wrong, None)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(**opened)
    wrong.write_text(database.passfile("gateway").read_text())
    await (await asyncpg.connect(**opened)).close()


def written(folder: Path, content: str) -> Path:
    passfile = folder / "gateway.pgpass"
    passfile.touch(mode=0o600)
    passfile.write_text(content)
    return passfile
