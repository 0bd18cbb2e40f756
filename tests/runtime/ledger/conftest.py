"""A ledger on the test's database, what its verifier trusts, and a recorded ledger to tamper with."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest
from joserfc.jwk import ECKey

from runtime.ledger.checkpoint import Checkpointer
from runtime.ledger.content import SubjectKeys
from runtime.ledger.record import Entry, Kind
from runtime.ledger.verify import Trust
from runtime.ledger.writer import Ledger

LEDGER_KEY = bytes(range(32))
SUBJECTS_KEY = bytes(range(32, 64))
ISSUER_KEY = ECKey.generate_key("P-256")


def step(txn: str, n: int = 0, content: bytes | None = None, subject: str = "ann@example.com") -> Entry:
    """A record whose body has ``n``, its content under the key of ``subject``."""
    return Entry(
        txn=txn,
        kind=Kind.TOOL_RESULT,
        actor="gateway",
        step=n,
        body={"n": n},
        content=content,
        data_subject=subject if content is not None else None,
    )


async def eventually(condition: Callable[[], object]) -> None:
    """Returns once ``condition`` holds; raises ``TimeoutError``."""
    async with asyncio.timeout(60):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


@pytest.fixture
async def ledger(pool: asyncpg.Pool) -> AsyncIterator[Ledger]:
    opened = Ledger(pool, LEDGER_KEY, SubjectKeys(SUBJECTS_KEY))
    await opened.start()
    yield opened
    await opened.close()


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    return tmp_path / "check points"


@pytest.fixture
async def checkpointer(pool: asyncpg.Pool, checkpoints: Path) -> AsyncIterator[Checkpointer]:
    """One that writes when told to, and once more at the end."""
    opened = Checkpointer(pool, ISSUER_KEY, checkpoints, period=3600)
    await opened.start()
    yield opened
    await opened.close()


@pytest.fixture
def trust(checkpoints: Path) -> Trust:
    return Trust(LEDGER_KEY, SUBJECTS_KEY, {ISSUER_KEY.thumbprint(): ISSUER_KEY}, checkpoints)


@pytest.fixture
async def recorded(ledger: Ledger, pool: asyncpg.Pool, checkpoints: Path) -> Ledger:
    """Tasks a, b and c of four records each, every second with content; two checkpoints, the last at all heads."""
    checkpointer = Checkpointer(pool, ISSUER_KEY, checkpoints, period=3600)
    await checkpointer.start()
    for n in range(1, 5):
        for txn in "abc":
            await ledger.append(step(txn, n, b"parcel of Ann, %d" % n if n % 2 else None, f"{txn}@example.com"))
        if n % 2 == 0:
            await checkpointer.write()
    await checkpointer.close()
    return ledger
