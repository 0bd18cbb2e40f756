"""A ledger on the test's database, its keys, and entries to append."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from runtime.ledger.content import SubjectKeys
from runtime.ledger.writer import Ledger

LEDGER_KEY = bytes(range(32))
SUBJECTS_KEY = bytes(range(32, 64))


@pytest.fixture
async def ledger(pool: asyncpg.Pool) -> AsyncIterator[Ledger]:
    opened = Ledger(pool, LEDGER_KEY, SubjectKeys(SUBJECTS_KEY))
    await opened.start()
    yield opened
    await opened.close()
