"""From rows to the orchestrator: what the gateway has written is brought to the tasks until they have taken it.

A row that is due (a task not started, a decision, a choice or a revocation not delivered) is claimed by one gateway
process (``FOR UPDATE SKIP LOCKED``), delivered, and marked in the same transaction. A crash in between delivers it
again, under the same name, which changes nothing. So a dead orchestrator delays, and loses nothing.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import asyncpg
from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from runtime.errors import Refused
from runtime.tasks.messages import QUEUE, ApprovalDecision, HandOverChoice, TaskRef
from runtime.tasks.workflow import AgentTask

log = logging.getLogger(__name__)

CHANNEL = "loomstead_outbox"
"""Who writes a row that is due says so here (``NOTIFY``); without it the row waits for the next look."""
LOOK_SECONDS = 0.5
BATCH = 20
DELIVERY = timedelta(seconds=5)
"""How long Temporal, and for updates the worker, may take; a row is locked meanwhile."""


class NotTaken(Exception):
    """The orchestrator or the workflow does not take it now; it is brought again."""


class Orchestrator(Protocol):
    """What runs tasks. A call is repeated with the same ``delivery`` until it is taken; each raises ``NotTaken``."""

    async def ready(self) -> bool: ...

    async def start(self, txn: str) -> None: ...

    async def decide(self, txn: str, delivery: str, decision: ApprovalDecision) -> None: ...

    async def choose(self, txn: str, delivery: str, choice: HandOverChoice) -> None: ...

    async def revoke(self, txn: str) -> None: ...


class TemporalOrchestrator:
    """``address``: ``host:port``; connected at first use, so that the gateway starts without Temporal.

    ``approval_seconds``: of the Manifest's limits.
    """

    def __init__(self, address: str, approval_seconds: int, queue: str = QUEUE) -> None:
        self._address, self._approval_seconds, self._queue = address, approval_seconds, queue
        self._client: Client | None = None

    async def ready(self) -> bool:
        """Whether Temporal answers now."""
        try:
            client = await self._connected()
            return await client.service_client.check_health(timeout=timedelta(seconds=1))
        except (RPCError, RuntimeError):
            return False

    async def start(self, txn: str) -> None:
        try:
            client = await self._connected()
            await client.start_workflow(
                AgentTask.run,
                TaskRef(txn, self._approval_seconds),
                id=txn,
                task_queue=self._queue,
                rpc_timeout=DELIVERY,
            )
        except WorkflowAlreadyStartedError:
            return
        except (RPCError, RuntimeError) as error:
            raise NotTaken(f"start of {txn}: {error}") from error

    async def decide(self, txn: str, delivery: str, decision: ApprovalDecision) -> None:
        await self._update(txn, "decide_approval", decision, delivery)

    async def choose(self, txn: str, delivery: str, choice: HandOverChoice) -> None:
        await self._update(txn, "choose", choice, delivery)

    async def revoke(self, txn: str) -> None:
        await self._update(txn, "revoke", None, "revoke")

    async def _update(self, txn: str, name: str, message: Any, update_id: str) -> None:
        """Deliver one Update; a workflow that is over needs it no more."""
        try:
            handle = (await self._connected()).get_workflow_handle(txn)
            args = [] if message is None else [message]
            await handle.execute_update(name, args=args, id=update_id, rpc_timeout=DELIVERY)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise NotTaken(f"{name} of {txn}: {error}") from error
            log.warning("%s of %s: the workflow is over", name, txn)
        except (WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError, RuntimeError) as error:
            raise NotTaken(f"{name} of {txn}: {error}") from error

    async def _connected(self) -> Client:
        if self._client is None:
            self._client = await Client.connect(self._address, lazy=True)
        return self._client


@dataclass(frozen=True)
class _Outbox:
    """``due`` selects and locks rows, first column ``id``; ``done`` marks those ids."""

    due: str
    done: str


_STARTS = _Outbox(
    "SELECT txn AS id FROM tasks WHERE started_at IS NULL ORDER BY opened_at LIMIT $1 FOR UPDATE SKIP LOCKED",
    "UPDATE tasks SET started_at = now() WHERE txn = ANY($1)",
)
# A decision or a choice is due while the task waits for it: one that came too late for its workflow never is.
_DECISIONS = _Outbox(
    """SELECT a.id, a.txn, a.digest, a.state, a.decided_at FROM approvals a JOIN tasks t USING (txn)
    WHERE a.decided_at IS NOT NULL AND a.delivered_at IS NULL AND t.state = 'awaiting_approval'
    ORDER BY a.decided_at LIMIT $1 FOR UPDATE OF a SKIP LOCKED""",
    "UPDATE approvals SET delivered_at = now() WHERE id = ANY($1)",
)
_CHOICES = _Outbox(
    """SELECT c.id, c.txn, c.choice FROM choices c JOIN tasks t ON t.txn = c.txn AND t.transition_seq = c.transition
    WHERE c.delivered_at IS NULL AND t.state = 'handed_over'
    ORDER BY c.id LIMIT $1 FOR UPDATE OF c SKIP LOCKED""",
    "UPDATE choices SET delivered_at = now() WHERE id = ANY($1)",
)
_REVOCATIONS = _Outbox(
    """SELECT g.txn AS id FROM grants g JOIN tasks t USING (txn)
    WHERE g.revoked_at IS NOT NULL AND g.revoke_delivered_at IS NULL AND t.started_at IS NOT NULL
    ORDER BY g.revoked_at LIMIT $1 FOR UPDATE OF g SKIP LOCKED""",
    "UPDATE grants SET revoke_delivered_at = now() WHERE txn = ANY($1)",
)


class Dispatcher:
    """The loop of one gateway process; any number of them may run."""

    def __init__(self, pool: asyncpg.Pool, orchestrator: Orchestrator) -> None:
        self._pool, self._orchestrator = pool, orchestrator
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Delivers until cancelled; a database that is away is waited for."""
        while True:
            try:
                async with self._pool.acquire() as conn, _listening(conn, self._notified):
                    while not conn.is_closed():
                        await self.deliver()
                        await self._rest()
            except (Refused, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("outbox: %s; looking again", type(error).__name__)
                await asyncio.sleep(LOOK_SECONDS)

    async def deliver(self) -> None:
        """One look at everything that is due."""
        await self._pass(_STARTS, lambda row: self._orchestrator.start(row["id"]))
        await self._pass(_DECISIONS, self._decide)
        await self._pass(_CHOICES, self._choose)
        await self._pass(_REVOCATIONS, lambda row: self._orchestrator.revoke(row["id"]))

    def _notified(self, *_: object) -> None:
        self._wake.set()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), LOOK_SECONDS)
        self._wake.clear()

    async def _pass(self, outbox: _Outbox, deliver: Callable[[Any], Awaitable[None]]) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            rows = await conn.fetch(outbox.due, BATCH)
            outcomes = await asyncio.gather(*(deliver(row) for row in rows), return_exceptions=True)
            taken = []
            for row, outcome in zip(rows, outcomes, strict=True):
                if isinstance(outcome, NotTaken):
                    log.info("outbox: not taken yet: %s", outcome)
                elif isinstance(outcome, Exception):
                    log.error("outbox: cannot be brought: %s", row["id"], exc_info=outcome)
                elif isinstance(outcome, BaseException):
                    raise outcome
                else:
                    taken.append(row["id"])
            if taken:
                await conn.execute(outbox.done, taken)

    async def _decide(self, row: Any) -> None:
        """The same approval may be asked, and decided, again: the time of the decision tells them apart."""
        word = "decline" if row["state"] == "declined" else "approve"
        delivery = f"{row['id']} {row['decided_at'].isoformat()}"
        await self._orchestrator.decide(row["txn"], delivery, ApprovalDecision(row["id"], row["digest"], word))

    async def _choose(self, row: Any) -> None:
        await self._orchestrator.choose(row["txn"], f"choice {row['id']}", HandOverChoice(row["choice"]))


@asynccontextmanager
async def _listening(conn: Any, heard: Callable[..., None]) -> AsyncGenerator[None]:
    await conn.add_listener(CHANNEL, heard)
    try:
        yield
    finally:
        # The pool has taken back a connection that died: an error here would hide a cancellation that is under way.
        with suppress(asyncpg.InterfaceError):
            await conn.remove_listener(CHANNEL, heard)
