"""The ledger while its database dies: nothing acknowledged is lost, nothing is written twice, later appends work."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from components.postgres import access
from runtime.database import connect
from runtime.errors import Refused
from runtime.ledger.content import SubjectKeys
from runtime.ledger.writer import Ledger
from runtime.migrations import migrate
from tests.fixtures.postgres import LIMITS, TEMPLATE, Database, Server, superuser
from tests.runtime.ledger.conftest import LEDGER_KEY, SUBJECTS_KEY, eventually, step
from tests.runtime.ledger.test_writer import stored


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    server.start()
    yield server
    server.stop()


@asynccontextmanager
async def opened(database: Database, port: int) -> AsyncGenerator[tuple[asyncpg.Pool, Ledger]]:
    """A pool through ``port``, and a ledger on it."""
    async with await connect(database.host, port, database.name, "gateway", database.passfile("gateway")) as pool:
        ledger = Ledger(pool, LEDGER_KEY, SubjectKeys(SUBJECTS_KEY))
        await ledger.start()
        yield pool, ledger
        await ledger.close()


async def test_a_database_killed_in_mid_append_loses_nothing_acknowledged(own_server: Server) -> None:
    database = replace(own_server.database, name=TEMPLATE)
    await (await superuser(own_server.database)).close()
    await asyncio.to_thread(access.apply, database.port, database.secrets, LIMITS)
    await migrate(database.host, database.port, database.name, "gateway_owner", database.passfile("gateway_owner"))
    acknowledged: set[int] = set()
    refused: set[int] = set()
    codes: set[str] = set()
    numbers = count()
    back = asyncio.Event()

    async def keep_appending(ledger: Ledger, task: int) -> None:
        while not back.is_set():
            n = next(numbers)
            try:
                await ledger.append(step(f"t{task}", n, b"content"))
                acknowledged.add(n)
            except Refused as error:
                refused.add(n)
                codes.add(error.code)

    async with opened(database, database.port) as (pool, ledger):
        async with asyncio.TaskGroup() as appending:
            for task in range(8):
                appending.create_task(keep_appending(ledger, task))
            await eventually(lambda: len(acknowledged) > 100)
            await asyncio.to_thread(own_server.kill)
            await eventually(lambda: len(refused) >= 8)
            await asyncio.to_thread(own_server.start)
            before = len(acknowledged)
            await eventually(lambda: len(acknowledged) > before + 100)
            back.set()
        written = Counter(n for chain in (await stored(pool)).values() for n in chain)
    assert codes == {"database_unavailable"}
    assert set(written.values()) == {1}
    assert acknowledged <= set(written) <= acknowledged | refused


class Cut:
    """A way to the database that loses the answer to the first ``COMMIT`` after ``arm``, and the connection with it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._armed = False
        self.cuts = 0

    def arm(self) -> None:
        self._armed = True

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        upstream = await asyncio.open_connection(self._database.host, self._database.port)
        lost = asyncio.Event()
        async with asyncio.TaskGroup() as both:
            both.create_task(self._ask(reader, upstream[1], lost))
            both.create_task(self._answer(upstream[0], writer, lost))

    async def _ask(self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        while data := await reader.read(65536):
            if self._armed and b"COMMIT" in data:
                self._armed = False
                lost.set()
            upstream.write(data)
        upstream.close()

    async def _answer(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        while data := await upstream.read(65536):
            if lost.is_set():
                self.cuts += 1
                break
            writer.write(data)
        writer.close()


async def test_a_commit_whose_answer_is_lost_is_not_written_again(database: Database) -> None:
    cut = Cut(database)
    proxy = await asyncio.start_server(cut.carry, "127.0.0.1")
    async with opened(database, proxy.sockets[0].getsockname()[1]) as (pool, ledger):
        await ledger.append(step("a", 1))
        cut.arm()
        await ledger.append(step("a", 2, b"content"), step("b", 3))
        await ledger.append(step("a", 4))
        assert await stored(pool) == {"a": [1, 2, 4], "b": [3]}
    proxy.close()
    await proxy.wait_closed()
    assert cut.cuts == 1
