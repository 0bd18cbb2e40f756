"""The rows of a task: opened, written to and moved on. PostgreSQL is the truth; the orchestrator only asks for changes.

Each change is one transaction with its ledger record. Locks are taken in one order: the task, its grant, its approvals,
the ledger's head.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
from ulid import ULID

from regions.canonical import digest
from regions.manifest import Manifest
from runtime.agents.registry import Agent, Agents
from runtime.errors import Refused
from runtime.grants.grant import Grant, Grants, Ledger
from runtime.ledger.record import Entry, Kind
from runtime.tasks.context import MAIL, Mail, Message, NewMessage, TransitionRow, WaitRow, act_key
from runtime.tasks.dispatch import CHANNEL
from runtime.tasks.states import FINAL, WAITING, Event, State, UnexpectedEvent, after

_NOTIFY = f"SELECT pg_notify('{CHANNEL}', '')"

# What the rows must say before an event that a person causes is taken. A decided approval may have run out since.
_APPROVAL = """SELECT EXISTS (SELECT FROM tasks t JOIN approvals a USING (txn)
    WHERE txn = $1 AND a.step = t.step AND a.decided_at IS NOT NULL AND {})"""
_CHOICE = """SELECT EXISTS (SELECT FROM tasks t JOIN choices c USING (txn)
    WHERE txn = $1 AND c.transition = t.transition_seq AND c.choice = '{}')"""
_EVIDENCE = {
    Event.APPROVED: _APPROVAL.format("a.state <> 'declined'"),
    Event.DECLINED: _APPROVAL.format("a.state = 'declined'"),
    Event.REVOKED: "SELECT EXISTS (SELECT FROM grants WHERE txn = $1 AND state = 'revoked')",
    Event.CONTINUED: _CHOICE.format("continue"),
    Event.RESUMED: _CHOICE.format("resume"),
    Event.TAKEN_OVER: _CHOICE.format("take_over"),
    Event.STOPPED: _CHOICE.format("stop"),
}
_UNSETTLED = "SELECT EXISTS (SELECT FROM tool_calls WHERE txn = $1 AND effect = 'write' AND state = 'started')"


@dataclass(frozen=True)
class Opened:
    """``new``: False where the same webhook opened it before."""

    txn: str
    new: bool


class Tasks:
    """Opens tasks and moves them on."""

    def __init__(self, pool: asyncpg.Pool, ledger: Ledger, grants: Grants, agents: Agents, manifest: Manifest) -> None:
        self._pool, self._ledger, self._grants, self._agents = pool, ledger, grants, agents
        self._manifest = manifest

    async def open(self, agent_name: str, trigger: str, webhook_id: str, mail: Mail) -> Opened:
        """One task for one webhook id: row, grant, first message and ledger record, all or none.

        Raises ``Refused`` (agent_unknown, trigger_unknown, idempotency_conflict).
        """
        agent = await self._agents.get(agent_name)
        if trigger not in agent.definition.triggers:
            raise Refused(
                "trigger_unknown",
                f"agent {agent_name} has no trigger {trigger!r}",
                remedy=f"it has: {', '.join(agent.definition.triggers)}",
            )
        txn = str(ULID())
        subject = mail.data_subject or f"txn:{txn}"
        content = mail.content()
        async with self._pool.acquire() as conn, conn.transaction():
            new = await conn.fetchval(
                """INSERT INTO tasks (txn, agent, version, trigger, webhook_id, data_subject)
                VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (webhook_id) DO NOTHING RETURNING txn""",
                txn,
                agent.name,
                agent.version,
                trigger,
                webhook_id,
                subject,
            )
            if new is None:
                return Opened(await _same(conn, webhook_id, agent_name, trigger, content), new=False)
            grant = self._grant(txn, agent, trigger, subject)
            await self._grants.open(conn, grant)
            await conn.execute("INSERT INTO messages VALUES ($1, 1, $2, 'user', $3)", txn, MAIL, content)
            await conn.execute(_NOTIFY)
            await self._ledger.append(_opened(grant, agent, trigger, webhook_id, content, subject), conn=conn)
        return Opened(txn, new=True)

    async def add_message(self, txn: str, message: NewMessage, by: str) -> Message:
        """What is stored under the message's key: the first that came counts, whoever lost the race.

        Raises ``Refused`` (task_unknown, actor_not_allowed).
        """
        async with self._pool.acquire() as conn, conn.transaction():
            await _locked(conn, txn, by)
            return await _insert(conn, txn, message)

    async def apply(self, txn: str, row: TransitionRow, by: str) -> State:
        """Take one row of the orchestrator's; one that was taken before is answered again.

        Raises ``Refused`` (task_unknown, actor_not_allowed, task_not_waiting, approval_decided).
        """
        async with self._pool.acquire() as conn, conn.transaction():
            task = await _locked(conn, txn, by)
            if row.seq <= task["transition_seq"]:
                return State(task["state"])
            target = _recomputed(task, row)
            await _check_evidence(conn, task, row.event)
            await conn.execute(
                """UPDATE tasks SET state = $2, step = $3, transition_seq = $4, reason = $5,
                closed_at = CASE WHEN $6 THEN now() END WHERE txn = $1""",
                txn,
                target,
                row.step,
                row.seq,
                row.reason,
                target in FINAL,
            )
            if row.event is Event.DECLINED:
                await _insert(conn, txn, _declined(task["step"]))
            if target in FINAL:
                await self._grants.close(conn, txn, by)
            body = {"from": row.source, "event": row.event, "to": target, "reason": row.reason}
            entry = Entry(
                txn=txn, kind=Kind.TRANSITION, actor=by, step=row.step, policy=task["policy_digest"], body=body
            )
            await self._ledger.append(entry, conn=conn)
        return target

    async def wait(self, txn: str, row: WaitRow, by: str) -> None:
        """Keep what answers the orchestrator while the task waits for a person; the newest token counts.

        Whoever revoked the task before is heard again now. Raises ``Refused`` (task_unknown, actor_not_allowed,
        task_not_waiting).
        """
        async with self._pool.acquire() as conn, conn.transaction():
            task = await _locked(conn, txn, by)
            if task["state"] not in WAITING or row.seq != task["transition_seq"]:
                raise _not_waiting(
                    f"task {txn} is {task['state']} since row {task['transition_seq']}, not waiting since {row.seq}",
                    "the orchestrator and the gateway disagree",
                )
            await conn.execute(
                """INSERT INTO waits (txn, transition, token, approval, digest) VALUES ($1, $2, $3, $4, $5)
                ON CONFLICT (txn) DO UPDATE SET (transition, token, approval, digest) =
                (excluded.transition, excluded.token, excluded.approval, excluded.digest)""",
                txn,
                row.seq,
                row.token,
                row.approval,
                row.digest,
            )
            await conn.execute("UPDATE grants SET revoke_delivered_at = NULL WHERE txn = $1 AND state = 'revoked'", txn)
            await conn.execute(_NOTIFY)

    async def choose(self, txn: str, choice: str, iterations: int | None, by: str) -> str:
        """Record a person's choice for a handed-over task; what it comes to: continue, resume, take_over or stop.

        ``continue`` becomes ``resume`` where a write is not settled: that action is asked after first. Raises
        ``Refused`` (task_unknown, task_not_waiting, token_revoked).
        """
        async with self._pool.acquire() as conn, conn.transaction():
            task = await _locked(conn, txn)
            if task["state"] != State.HANDED_OVER:
                raise _not_waiting(f"task {txn} is {task['state']}", "a choice is for a task that is handed over")
            if choice == "continue":
                agent = await self._agents.get(task["agent"], task["version"])
                turns = iterations or self._iterations(agent)
                await self._grants.extend(conn, txn, turns, self._manifest.limits.task_seconds, by)
                choice = "resume" if await conn.fetchval(_UNSETTLED, txn) else choice
            chosen = await conn.fetchval(
                """INSERT INTO choices (txn, transition, choice, iterations, chosen_by) VALUES ($1, $2, $3, $4, $5)
                ON CONFLICT DO NOTHING RETURNING id""",
                txn,
                task["transition_seq"],
                choice,
                iterations or 0,
                by,
            )
            if chosen is None:
                raise _not_waiting(f"somebody has chosen for task {txn}", "`loomstead task show` tells what follows")
            await conn.execute(_NOTIFY)
        return choice

    async def revoke(self, txn: str, by: str) -> bool:
        """End every right of the task now, then its run; False where it had none any more. Raises task_unknown."""
        async with self._pool.acquire() as conn, conn.transaction():
            await _locked(conn, txn)
            revoked = await self._grants.revoke(conn, txn, by)
            await conn.execute(_NOTIFY)
        return revoked

    def _iterations(self, agent: Agent) -> int:
        own = agent.definition.limits
        return min(own.iterations, self._manifest.limits.iterations) if own else self._manifest.limits.iterations

    def _grant(self, txn: str, agent: Agent, trigger: str, data_subject: str) -> Grant:
        """What a task may do: the definition's tools under the stack's limits, for the stack's one worker."""
        manifest, definition = self._manifest, agent.definition
        worker = next(client for client in manifest.identities.clients if client.kind == "workload")
        limits = manifest.limits.model_dump()
        policy = {"definition": agent.digest, "limits": limits, "boundary_digest": manifest.boundary_digest}
        return Grant(
            txn=txn,
            subject=f"trigger:{agent.name}/{trigger}",
            agent_subject=f"spiffe://{manifest.stack}.loomstead/agent/{agent.name}/v{agent.version}",
            may_act=worker.subject,
            plan_digest=agent.digest,
            policy_digest=digest(policy),
            authorization_details=agent.details(),
            class_=agent.name,
            tenant=manifest.stack,
            data_subject=data_subject,
            data_class=definition.data_class,
            model_class=definition.model_class,
            max_steps=self._iterations(agent),
            deadline=datetime.now(UTC) + timedelta(seconds=manifest.limits.task_seconds),
        )


async def _locked(conn: Any, txn: str, worker: str | None = None) -> Mapping[str, Any]:
    """The task's row, held until the transaction ends; ``worker`` must be who the grant lets act.

    Not ``FOR UPDATE``: a tool call, which holds the grant, must be able to refer to the task meanwhile.
    """
    row = await conn.fetchrow(
        """SELECT t.*, g.may_act, g.policy_digest FROM tasks t JOIN grants g USING (txn)
        WHERE t.txn = $1 FOR NO KEY UPDATE OF t""",
        txn,
    )
    if row is None:
        raise task_unknown(txn)
    if worker is not None:
        check_actor(txn, worker, row["may_act"])
    return row


def check_actor(txn: str, worker: str, may_act: str) -> None:
    """Raises ``Refused`` (actor_not_allowed)."""
    if worker != may_act:
        raise Refused("actor_not_allowed", f"{worker} may not act for task {txn}", remedy="only its worker may")


def task_unknown(txn: str) -> Refused:
    return Refused("task_unknown", f"there is no task {txn}", remedy="`loomstead task list` shows them")


def _not_waiting(detail: str, remedy: str) -> Refused:
    return Refused("task_not_waiting", detail, remedy=remedy)


def _recomputed(task: Mapping[str, Any], row: TransitionRow) -> State:
    """The target by the gateway's own table; raises ``Refused`` (task_not_waiting) where the row says otherwise."""
    source = State(task["state"])
    try:
        target = after(source, row.event)
    except UnexpectedEvent as error:
        raise _not_waiting(f"task {task['txn']}: {error}", "the orchestrator and the gateway disagree") from None
    expected = (task["transition_seq"] + 1, task["step"] + (target is State.THINKING), source, target)
    if (row.seq, row.step, row.source, row.target) != expected:
        raise _not_waiting(
            f"task {task['txn']}: seq, step, from, to must be {expected}", "the orchestrator and the gateway disagree"
        )
    return target


async def _check_evidence(conn: Any, task: Mapping[str, Any], event: Event) -> None:
    """An event that a person causes is taken only where the row that says so exists."""
    if event is Event.EXPIRED:
        await _expire(conn, task)
    elif event in _EVIDENCE and not await conn.fetchval(_EVIDENCE[event], task["txn"]):
        raise _not_waiting(f"nothing says that task {task['txn']} is {event}", "a person must have said so first")


async def _expire(conn: Any, task: Mapping[str, Any]) -> None:
    """End the wait, unless a decision was taken in the last moment and is on its way."""
    await conn.execute(
        "UPDATE approvals SET state = 'expired' WHERE txn = $1 AND step = $2 AND state = 'waiting'",
        task["txn"],
        task["step"],
    )
    decided = await conn.fetchval(
        "SELECT id FROM approvals WHERE txn = $1 AND step = $2 AND decided_at IS NOT NULL", task["txn"], task["step"]
    )
    if decided is not None:
        raise Refused("approval_decided", f"approval {decided} is decided", remedy="the decision is being delivered")


async def _insert(conn: Any, txn: str, message: NewMessage) -> Message:
    """What is stored under the key, under the task's lock, which makes the seq unique."""
    stored = await conn.fetchrow(
        "SELECT seq, key, role, content FROM messages WHERE txn = $1 AND key = $2", txn, message.key
    )
    if stored is None:
        stored = await conn.fetchrow(
            """INSERT INTO messages (txn, seq, key, role, content)
            SELECT $1, max(seq) + 1, $2, $3, $4 FROM messages WHERE txn = $1 RETURNING seq, key, role, content""",
            txn,
            message.key,
            message.role,
            message.content,
        )
    return Message(**stored)


async def _same(conn: Any, webhook_id: str, agent: str, trigger: str, content: str) -> str:
    """The txn that this webhook opened before; raises ``Refused`` (idempotency_conflict) for other content."""
    row = await conn.fetchrow(
        """SELECT t.txn, t.agent, t.trigger, m.content FROM tasks t JOIN messages m ON m.txn = t.txn AND m.key = $2
        WHERE webhook_id = $1""",
        webhook_id,
        MAIL,
    )
    if (row["agent"], row["trigger"], row["content"]) != (agent, trigger, content):
        raise Refused(
            "idempotency_conflict",
            f"webhook {webhook_id} opened task {row['txn']} with other content",
            remedy="a new event needs a new webhook-id",
        )
    return row["txn"]


def _opened(grant: Grant, agent: Agent, trigger: str, webhook_id: str, content: str, subject: str) -> Entry:
    return Entry(
        txn=grant.txn,
        kind=Kind.TASK_OPENED,
        actor=grant.subject,
        policy=grant.policy_digest,
        body={"agent": agent.name, "version": agent.version, "trigger": trigger, "webhook_id": webhook_id},
        content=content.encode(),
        data_subject=subject,
    )


def _declined(step: int) -> NewMessage:
    told = {"event": Event.DECLINED, "detail": "a person declined this action", "remedy": "do not propose it again"}
    return NewMessage(key=act_key(step), role="tool", content=msgspec.json.encode(told).decode())
