"""Model turns, leased: a process takes a few from the row at once and spends them without asking the database again.

The row counts what was leased, so any number of processes in any interleaving stays under ``max_steps``. A process
that dies takes its unspent turns along: they count as spent. With fewer than 40 turns left they are taken one by one,
and then the row also has the last word on revocation, deadline and progress at each turn.
"""

import asyncpg

from runtime.errors import Refused
from runtime.grants.grant import STALL_LIMIT, Grant, Grants
from runtime.single_flight import SingleFlight

HELD = 4096
"""Tasks with unspent turns in one process; beyond it the oldest lease is lost."""

# The row is read under its lock, so that two processes never take the same turns.
_TAKE = """
WITH free AS (
    SELECT txn, max_steps - steps_leased AS turns FROM grants
    WHERE txn = $1 AND state = 'active' AND deadline > now() AND stalled < $2 AND steps_leased < max_steps FOR UPDATE
), chunk AS (SELECT txn, greatest(1, least(1000, turns / 20)) AS turns FROM free)
UPDATE grants SET steps_leased = steps_leased + chunk.turns FROM chunk WHERE grants.txn = chunk.txn
RETURNING chunk.turns
"""


class Leases:
    """The unspent turns of this process."""

    def __init__(self, pool: asyncpg.Pool, grants: Grants) -> None:
        self._pool, self._grants = pool, grants
        self._flights: SingleFlight[None] = SingleFlight()
        self._left: dict[str, int] = {}

    async def take(self, grant: Grant) -> None:
        """Spend one model turn.

        Raises ``Refused`` (iteration_limit, no_progress, deadline_passed, token_revoked).
        """
        grant.check_alive()
        grant.check_progress()
        while not self._spend(grant.txn):
            # Others may spend all of a new lease before this caller runs again: then it asks once more.
            await self._flights.run(grant.txn, lambda: self._refill(grant.txn))

    def release(self, txn: str) -> None:
        """Return the turn of a call that failed upstream."""
        self._keep(txn, 1)

    async def give_back(self) -> None:
        """Return all unspent turns to their rows; for a clean shutdown, when no call is under way."""
        left, self._left = self._left, {}
        await self._pool.executemany(
            "UPDATE grants SET steps_leased = steps_leased - $2 WHERE txn = $1", list(left.items())
        )

    def _spend(self, txn: str) -> bool:
        left = self._left.pop(txn, 0)
        if left > 1:
            self._left[txn] = left - 1
        return left > 0

    def _keep(self, txn: str, turns: int) -> None:
        turns += self._left.pop(txn, 0)
        if len(self._left) >= HELD:
            del self._left[next(iter(self._left))]
        self._left[txn] = turns

    async def _refill(self, txn: str) -> None:
        turns = await self._pool.fetchval(_TAKE, txn, STALL_LIMIT)
        if turns is not None:
            self._keep(txn, turns)
            return
        grant = await self._grants.load(self._pool, txn)
        grant.check_alive()
        grant.check_progress()
        raise Refused(
            "iteration_limit",
            f"task {txn} has used its {grant.max_steps} model turns",
            remedy="a person may give more, take over, or stop the task: `loomstead task choose`",
        )
