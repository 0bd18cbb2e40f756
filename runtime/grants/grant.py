"""The grant (T0): the row that holds what a task may do. Tokens are projections of it; revoking it revokes them all.

Rows change in the caller's transaction, together with their ledger record. The hot path reads through ``current``,
which is at most ``TTL`` seconds old, so a revoked row is refused within a second by every gateway process.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import asyncpg

from runtime.errors import Refused
from runtime.grants.details import Details, read_details
from runtime.ledger.record import Entry, Kind
from runtime.single_flight import SingleFlight

TTL = 0.5
"""Seconds; the rest of the second is for a slow answer of the database."""
CACHED = 4096
STALL_LIMIT = 4
"""Outcomes in a row without progress after which a person is asked."""


class Ledger(Protocol):
    """What grants and tokens need of ``runtime.ledger``."""

    async def append(self, *entries: Entry, conn: Any = None) -> None: ...


@dataclass(frozen=True)
class Grant:
    """One row of table ``grants``. ``class_``: agent; ``subject``: trigger; ``may_act``: workload."""

    txn: str
    subject: str
    agent_subject: str
    may_act: str
    plan_digest: str
    policy_digest: str
    authorization_details: Details
    class_: str
    tenant: str
    data_subject: str
    data_class: str
    model_class: str
    max_steps: int
    deadline: datetime
    steps_leased: int = 0
    stalled: int = 0
    token_seq: int = 0
    state: str = "active"

    def check_alive(self) -> None:
        """Raises ``Refused`` (token_revoked, deadline_passed)."""
        if self.state != "active":
            raise Refused(
                "token_revoked",
                f"the grant of task {self.txn} is {self.state}",
                remedy="a new task needs a new trigger",
                rule=f"grant_{self.state}",
            )
        if self.deadline.timestamp() <= time.time():
            raise Refused(
                "deadline_passed",
                f"task {self.txn} had to end at {self.deadline.isoformat(timespec='seconds')}",
                remedy="a person may continue it: `loomstead task choose`",
            )

    def check_progress(self) -> None:
        """Raises ``Refused`` (no_progress)."""
        if self.stalled >= STALL_LIMIT:
            raise Refused(
                "no_progress",
                f"the last {self.stalled} results of task {self.txn} brought it no further",
                remedy="a person may continue it: `loomstead task choose`",
            )


_COLUMNS = """txn, subject, agent_subject, may_act, plan_digest, policy_digest, authorization_details, class, tenant,
    data_subject, data_class, model_class, max_steps, deadline, steps_leased, stalled, token_seq, state"""


class Grants:
    """Opens, reads and changes grants."""

    def __init__(self, pool: asyncpg.Pool, ledger: Ledger) -> None:
        self._pool, self._ledger = pool, ledger
        self._flights: SingleFlight[Grant] = SingleFlight()
        self._cache: dict[str, tuple[Grant, float]] = {}

    async def open(self, conn: Any, grant: Grant) -> None:
        """Insert the row in its task's transaction; the task's ``task_opened`` is the record of both."""
        await conn.execute(
            """INSERT INTO grants (txn, subject, agent_subject, may_act, plan_digest, policy_digest,
                authorization_details, class, tenant, data_subject, data_class, model_class, max_steps, deadline)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)""",
            grant.txn,
            grant.subject,
            grant.agent_subject,
            grant.may_act,
            grant.plan_digest,
            grant.policy_digest,
            grant.authorization_details,
            grant.class_,
            grant.tenant,
            grant.data_subject,
            grant.data_class,
            grant.model_class,
            grant.max_steps,
            grant.deadline,
        )

    async def load(self, conn: Any, txn: str, *, lock: bool = False) -> Grant:
        """The row as it is; ``lock`` holds it until the transaction ends. Raises ``Refused`` (task_unknown)."""
        query = f"SELECT {_COLUMNS} FROM grants WHERE txn = $1" + (" FOR UPDATE" if lock else "")  # noqa: S608
        return _grant(await conn.fetchrow(query, txn), txn)

    async def current(self, txn: str) -> Grant:
        """The row, at most ``TTL`` seconds old, if it is alive.

        Raises ``Refused`` (task_unknown, token_revoked, deadline_passed).
        """
        cached = self._cache.get(txn)
        if cached is None or cached[1] <= time.monotonic():
            grant = await self._flights.run(txn, lambda: self._read(txn))
        else:
            grant = cached[0]
        grant.check_alive()
        return grant

    async def revoke(self, conn: Any, txn: str, by: str) -> bool:
        """End every right of the task now; False where it has none any more."""
        return await self._end(conn, txn, "revoked", by)

    async def close(self, conn: Any, txn: str, by: str) -> bool:
        """End the rights of a task that is over; False where it has none any more."""
        return await self._end(conn, txn, "closed", by)

    async def extend(self, conn: Any, txn: str, iterations: int, seconds: int, by: str) -> None:
        """A person gives more: ``iterations`` turns, no stall, and ``seconds`` from now where the deadline has passed.

        Raises ``Refused`` (task_unknown, token_revoked).
        """
        grant = await self.load(conn, txn, lock=True)
        if grant.state != "active":
            grant.check_alive()
        await conn.execute(
            """UPDATE grants SET max_steps = max_steps + $2, stalled = 0, last_outcome = '',
                deadline = CASE WHEN deadline > now() THEN deadline ELSE now() + make_interval(secs => $3) END
            WHERE txn = $1""",
            txn,
            iterations,
            float(seconds),
        )
        await self._record(conn, txn, "extended", by, grant.policy_digest, iterations=iterations)

    async def _end(self, conn: Any, txn: str, state: str, by: str) -> bool:
        grant = await self.load(conn, txn, lock=True)
        if grant.state != "active":
            return False
        await conn.execute(
            "UPDATE grants SET state = $2, revoked_at = CASE $2 WHEN 'revoked' THEN now() END WHERE txn = $1",
            txn,
            state,
        )
        await self._record(conn, txn, state, by, grant.policy_digest)
        return True

    async def _record(self, conn: Any, txn: str, what: str, by: str, policy: str, **more: int) -> None:
        entry = Entry(txn=txn, kind=Kind.GRANT_CHANGED, actor=by, policy=policy, body={"what": what, "by": by, **more})
        await self._ledger.append(entry, conn=conn)

    async def _read(self, txn: str) -> Grant:
        until = time.monotonic() + TTL  # from before the read: the row may change while it is on its way
        grant = await self.load(self._pool, txn)
        self._cache.pop(txn, None)
        if len(self._cache) >= CACHED:
            del self._cache[next(iter(self._cache))]
        self._cache[txn] = grant, until
        return grant


def _grant(row: Any, txn: str) -> Grant:
    if row is None:
        raise Refused("task_unknown", f"there is no task {txn}", remedy="`loomstead task list` shows them")
    values = dict(row)
    details = read_details(values.pop("authorization_details"))
    return Grant(class_=values.pop("class"), authorization_details=details, **values)
