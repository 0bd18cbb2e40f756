"""One tool call, in the order of docs/contract.md §9: who may, what exactly, within what limits, then the effect once.

Everything up to the row ``started`` is one transaction under the grant's lock, so parallel calls of a task cannot race
one budget, one approval or one key. The effect lies between two transactions: after a crash there, the row still says
``started``, and the same key asks the core system again, which by its idempotency does nothing twice.
"""

from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx

from regions.canonical import digest
from runtime.agents.definition import AgentDefinition
from runtime.approvals import Approval, Approvals, ApprovalState
from runtime.errors import Refused
from runtime.grants.grant import Grant, Grants, Ledger
from runtime.identity.issuer import Identity, proof_missing
from runtime.identity.tokens import TaskClaims
from runtime.tools import entries
from runtime.tools.binding import Bound, Record, bind
from runtime.tools.contracts import Contracts, read_limited
from runtime.tools.openapi import Operation, ResponseError
from runtime.tools.work import (
    Call,
    Task,
    Work,
    action_of,
    check_arguments,
    check_budget,
    check_nothing_open,
    granted,
    wants_approval,
)

MAX_RESULT = 1_000_000
"""Bytes of an answer."""
NOT_NOW = frozenset({401, 408, 425, 429})
"""4xx that judge the moment or the gateway, not the call: the row stays ``started`` and the same key may come again."""
STALLING = frozenset({403, 422})


@dataclass(frozen=True)
class Answer:
    """HTTP status and body."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True)
class _Started:
    """A call whose row says ``started``; ``bound`` as stored in it."""

    grant: Grant
    bound: Bound


class Tools:
    """The gateway's tool calls. Its collaborators are the application's."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        ledger: Ledger,
        grants: Grants,
        identity: Identity,
        contracts: Contracts,
        approvals: Approvals,
        http: httpx.AsyncClient,
    ) -> None:
        self._pool, self._ledger, self._grants, self._identity = pool, ledger, grants, identity
        self.contracts, self._approvals, self._http = contracts, approvals, http

    async def call(self, claims: TaskClaims, call: Call) -> Answer:
        """Recorded, awaiting approval, or done; raises ``Refused`` (§9), which is recorded unless this side failed."""
        task = await self._task(claims.txn)
        key = f"{claims.txn}:{call.step}:{digest({'tool': call.tool, 'arguments': call.arguments})[7:]}"
        try:
            work = await self._prepared(claims, call, task, key)
            async with self._pool.acquire() as conn, conn.transaction():
                decided = await self._decide(conn, claims.txn, work)
            if isinstance(decided, Answer):
                return decided
            status, content = await self._send(work, decided)
            result = _read(work.operation, status, content)
            return await self._settle(work, decided, status, content, result)
        except Refused as refusal:
            if refusal.status < 500:
                await self._record_refusal(claims, call, task, key, refusal)
            raise

    async def _task(self, txn: str) -> Task:
        row = await self._pool.fetchrow(
            """SELECT t.data_subject, a.definition FROM tasks t
            JOIN agents a ON (a.name, a.version) = (t.agent, t.version) WHERE t.txn = $1""",
            txn,
        )
        if row is None:
            raise Refused("task_unknown", f"there is no task {txn}", remedy="`loomstead task list` shows them")
        return Task(AgentDefinition.model_validate(row["definition"], strict=False), row["data_subject"])

    async def _prepared(self, claims: TaskClaims, call: Call, task: Task, key: str) -> Work:
        detail = granted(claims, call.tool)
        if detail.effect == "write" and not call.proved:
            raise proof_missing(f"{call.tool} writes")
        scoped = await self.contracts.of(task.definition.scope_class)
        if scoped.contract.digest != detail.contract:
            raise Refused(
                "contract_changed",
                f"{scoped.system.openapi} is {scoped.contract.digest}, the grant holds {detail.contract}",
                remedy="deploy the agent anew, after looking at what changed",
            )
        return Work(call, task, detail, scoped, scoped.operation(call.tool, detail.effect), key)

    async def _decide(self, conn: Any, txn: str, work: Work) -> Answer | _Started:
        grant = await self._grants.load(conn, txn, lock=True)
        grant.check_alive()
        grant.check_progress()
        row = await conn.fetchrow("SELECT * FROM tool_calls WHERE key = $1", work.key)
        if row is not None:
            stored = Bound(row["arguments"], row["bound"])
            return _Started(grant, stored) if row["state"] == "started" else _answer(row, replayed=True)
        await check_nothing_open(conn, txn)
        bound = bind(work.detail.args, work.call.arguments, await _records(conn, txn))
        check_arguments(work, bound)
        await check_budget(conn, txn, work.detail)
        action = action_of(grant, work, bound)
        approval = None
        if reason := wants_approval(work, bound):
            approval = await self._approvals.find(conn, txn, digest(action))
            if approval is None or approval.state is not ApprovalState.APPROVED:
                return await self._ask(conn, grant, work, action, reason, approval)
        await self._start(conn, grant, work, bound, action, approval)
        return _Started(grant, bound)

    async def _ask(
        self, conn: Any, grant: Grant, work: Work, action: dict[str, Any], reason: str, known: Approval | None
    ) -> Answer:
        if known is not None and known.state is ApprovalState.DECLINED:
            raise Refused(
                "approval_declined",
                f"{known.decided_by} declined this action (approval {known.id})",
                remedy="do something else, or finish",
            )
        if known is None or known.state is not ApprovalState.WAITING:
            known = await self._approvals.request(conn, grant, work.call.step, action, reason, work.task.data_subject)
        told = {"id": known.id, "digest": known.digest, "expires_at": known.expires_at.isoformat(timespec="seconds")}
        return Answer(202, {"status": "awaiting_approval", "approval": told})

    async def _start(
        self, conn: Any, grant: Grant, work: Work, bound: Bound, action: dict[str, Any], approval: Approval | None
    ) -> None:
        await conn.execute(
            """INSERT INTO tool_calls
                (key, txn, step, tool, effect, arguments, arguments_digest, bound, state, approval)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'started', $9)""",
            work.key,
            grant.txn,
            work.call.step,
            work.call.tool,
            work.detail.effect,
            bound.arguments,
            digest(bound.arguments),
            bound.origin,
            approval and approval.id,
        )
        recorded = [entries.allowed(grant, work, bound, action, approval)]
        if approval is not None:
            recorded.append(await self._approvals.consume(conn, grant, approval, work.call.step))
        await self._ledger.append(*recorded, conn=conn)

    async def _send(self, work: Work, started: _Started) -> tuple[int, bytes]:
        system, asked = work.scoped.system, work.operation.request(started.bound.arguments)
        token = self._identity.core_token(system.url, work.scoped.scope_class, started.grant.txn, work.call.tool)
        request = self._http.build_request(
            asked.method,
            system.url + asked.path,
            params=asked.query or None,
            json=asked.body,
            headers={"authorization": f"Bearer {token}", "idempotency-key": work.key, "accept": "application/json"},
        )
        try:
            status, content = await read_limited(self._http, request, MAX_RESULT)
        except httpx.TimeoutException as error:
            raise _upstream("upstream_timeout", work, type(error).__name__) from error
        except httpx.RequestError as error:
            raise _upstream("upstream_unavailable", work, type(error).__name__) from error
        if status >= 500 or status in NOT_NOW:
            raise _upstream("upstream_failed", work, f"status {status}")
        return status, content

    async def _settle(self, work: Work, started: _Started, status: int, content: bytes, result: Any) -> Answer:
        state = "succeeded" if status < 400 else "rejected"
        txn = started.grant.txn
        async with self._pool.acquire() as conn, conn.transaction():
            await self._grants.load(conn, txn, lock=True)
            row = await conn.fetchrow(
                """UPDATE tool_calls SET state = $2, status = $3, result = $4, finished_at = clock_timestamp()
                WHERE key = $1 AND state = 'started' RETURNING *""",
                work.key,
                state,
                status,
                result,
            )
            if row is None:
                # Somebody with the same key was quicker; what they recorded is the answer.
                return _answer(await conn.fetchrow("SELECT * FROM tool_calls WHERE key = $1", work.key), replayed=True)
            outcome = digest({"tool": row["tool"], "arguments": row["arguments"], "result": result})
            await _count_outcome(conn, txn, outcome if state == "succeeded" else None)
            await self._ledger.append(entries.settled(started.grant, work, state, status, content), conn=conn)
        return _answer(row, replayed=False)

    async def _record_refusal(self, claims: TaskClaims, call: Call, task: Task, key: str, refusal: Refused) -> None:
        entry = entries.refused(claims, call, task, key, refusal)
        async with self._pool.acquire() as conn, conn.transaction():
            if refusal.status in STALLING:
                await _count_outcome(conn, claims.txn, None)
            await self._ledger.append(entry, conn=conn)


async def _records(conn: Any, txn: str) -> list[Record]:
    rows = await conn.fetch(
        "SELECT tool, result FROM tool_calls WHERE txn = $1 AND state = 'succeeded' ORDER BY finished_at, key", txn
    )
    return [Record(row["tool"], row["result"]) for row in rows]


def _read(operation: Operation, status: int, content: bytes) -> Any:
    try:
        return operation.result(status, content)
    except ResponseError as error:
        raise Refused(
            "response_outside_contract", str(error), remedy="the core system must keep to its OpenAPI document"
        ) from None


def _upstream(code: str, work: Work, what: str) -> Refused:
    return Refused(
        code,
        f"{work.scoped.system.name}: {work.call.tool}: {what}",
        remedy="try again with the same step and arguments: the core system does nothing twice",
    )


def _answer(row: Any, *, replayed: bool) -> Answer:
    body = {"status": row["state"], "result": row["result"], "bound": row["bound"], "replayed": replayed}
    return Answer(200, body)


async def _count_outcome(conn: Any, txn: str, succeeded: str | None) -> None:
    """``succeeded``: digest of call and result. The same as the last one is no progress, nor is anything else."""
    await conn.execute(
        """UPDATE grants SET stalled = CASE WHEN last_outcome <> $2 THEN 0 ELSE stalled + 1 END,
            last_outcome = coalesce($2, last_outcome) WHERE txn = $1""",
        txn,
        succeeded,
    )
