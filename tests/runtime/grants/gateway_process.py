"""What one gateway process does to a grant; imports little, because tests start several."""

import asyncio
from pathlib import Path
from typing import Any

from runtime.database import connect
from runtime.errors import Refused
from runtime.grants.grant import Grant, Grants
from runtime.grants.lease import Leases


class NoLedger:
    """Taking turns changes no grant, so nothing is recorded."""

    async def append(self, *entries: Any, conn: Any = None) -> None:
        raise TypeError(f"{entries} recorded")


async def attempt(leases: Leases, grant: Grant) -> str:
    """`taken`, or the code of the refusal."""
    try:
        await leases.take(grant)
    except Refused as refusal:
        return refusal.code
    return "taken"


def race(host: str, port: int, database: str, passfile: Path, txn: str, callers: int) -> list[str]:
    """What `callers` parallel callers of one process get."""
    return asyncio.run(_race(host, port, database, passfile, txn, callers))


async def _race(host: str, port: int, database: str, passfile: Path, txn: str, callers: int) -> list[str]:
    async with await connect(host, port, database, "gateway", passfile) as pool:
        grants = Grants(pool, NoLedger())
        leases = Leases(pool, grants)
        grant = await grants.load(pool, txn)
        return await asyncio.gather(*(attempt(leases, grant) for _ in range(callers)))
