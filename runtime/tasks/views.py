"""What people see of a task, told from rows: never from what the model says it did.

The model's own summary is shown beside, labelled as its words.
"""

import json
from collections.abc import Mapping
from typing import Any

import asyncpg

from runtime.agents.registry import Agents
from runtime.tasks.context import MAIL, Context, Message, OfferedTool
from runtime.tasks.prompt import FINISH
from runtime.tasks.states import State
from runtime.tasks.store import check_actor, task_unknown
from runtime.tools.contracts import Contracts

LISTED = 200
LAST_MESSAGES = 8
CHOICES = {
    "continue": "give more turns; an unsettled write is asked after first",
    "take_over": "do the rest yourself; the task ends",
    "stop": "end the task as it is",
}

_COLUMNS = "txn, agent, version, trigger, state, step, reason, opened_at, closed_at"
# An approval that waits, was declined or ran out has no call; one that was used is told by its call.
_EFFECTS = """
    SELECT txn, tool, arguments, state, approval, started_at AS at FROM tool_calls
    WHERE txn = ANY($1) AND effect = 'write'
    UNION ALL
    SELECT txn, action ->> 'tool', action -> 'arguments', state, id, requested_at FROM approvals
    WHERE txn = ANY($1) AND state <> 'consumed'
    ORDER BY at"""
_TOLD = {
    "succeeded": "done",
    "rejected": "rejected by the core system",
    "failed": "failed",
    "started": "started, effect not known",
    "waiting": "waits for approval",
    "approved": "approved, not done yet",
    "declined": "declined by a person",
    "expired": "approval ran out",
}


class Views:
    """Reads; every method raises ``Refused`` (task_unknown) where a txn is given and nothing is there."""

    def __init__(self, pool: asyncpg.Pool, agents: Agents, contracts: Contracts) -> None:
        self._pool, self._agents, self._contracts = pool, agents, contracts

    async def context(self, txn: str, worker: str) -> Context:
        """What the worker needs for a step. Raises ``Refused`` (actor_not_allowed; of the contract: upstream_*)."""
        row = await self._pool.fetchrow(
            "SELECT agent, version, step, t.state, may_act FROM tasks t JOIN grants USING (txn) WHERE txn = $1", txn
        )
        if row is None:
            raise task_unknown(txn)
        check_actor(txn, worker, row["may_act"])
        agent = await self._agents.get(row["agent"], row["version"])
        scoped = await self._contracts.of(agent.definition.scope_class)
        tools = {}
        for name, right in agent.definition.tools.items():
            operation = scoped.operation(name, right.effect)
            tools[name] = OfferedTool(schema=operation.schema, effect=right.effect, description=operation.description)
        messages = [Message(**message) for message in await self._messages(txn)]
        return Context(
            txn=txn, agent=agent.definition, tools=tools, messages=messages, step=row["step"], state=State(row["state"])
        )

    async def newest(self) -> list[dict[str, Any]]:
        """The last tasks, newest first, each with its outcome."""
        rows = await self._pool.fetch(f"SELECT {_COLUMNS} FROM tasks ORDER BY opened_at DESC LIMIT $1", LISTED)  # noqa: S608
        outcomes = await self._outcomes([row["txn"] for row in rows])
        return [_shown(row, outcomes) for row in rows]

    async def show(self, txn: str) -> dict[str, Any]:
        """A task with its outcome, and ``model_summary``: what the model said at the end, or None."""
        row = await self._pool.fetchrow(f"SELECT {_COLUMNS} FROM tasks WHERE txn = $1", txn)  # noqa: S608
        if row is None:
            raise task_unknown(txn)
        summary = _summary(await self._messages(txn))
        return _shown(row, await self._outcomes([txn])) | {"model_summary": summary}

    async def hand_over(self, txn: str) -> dict[str, Any]:
        """What a person needs to go on: goal, last steps, raw data, the pending action, and the choices."""
        shown = await self.show(txn)
        agent = await self._agents.get(shown["agent"], shown["version"])
        messages = await self._messages(txn)
        results = await self._pool.fetch(
            "SELECT step, tool, arguments, state, status, result FROM tool_calls WHERE txn = $1 ORDER BY started_at",
            txn,
        )
        return shown | {
            "goal": {"purpose": agent.definition.purpose, "event": json.loads(_content(messages, MAIL) or "{}")},
            "last_steps": [dict(message) for message in messages[-LAST_MESSAGES:]],
            "raw_data": [dict(result) for result in results],
            "pending": _pending(messages),
            "choices": CHOICES if shown["state"] == State.HANDED_OVER else {},
        }

    async def _outcomes(self, txns: list[str]) -> dict[str, str]:
        """By txn: the effects in order, as the rows tell them."""
        told: dict[str, list[str]] = {}
        for effect in await self._pool.fetch(_EFFECTS, txns):
            told.setdefault(effect["txn"], []).append(_effect(effect))
        return {txn: "; ".join(effects) for txn, effects in told.items()}

    async def _messages(self, txn: str) -> list[Any]:
        return await self._pool.fetch("SELECT seq, key, role, content FROM messages WHERE txn = $1 ORDER BY seq", txn)


def _shown(row: Mapping[str, Any], outcomes: Mapping[str, str]) -> dict[str, Any]:
    times = {name: row[name] and row[name].isoformat(timespec="milliseconds") for name in ("opened_at", "closed_at")}
    return dict(row) | times | {"outcome": outcomes.get(row["txn"], "")}


def _effect(row: Mapping[str, Any]) -> str:
    """``orders.refund order_id=4711 amount_cents=12900: waits for approval 01J…``."""
    arguments = " ".join(f"{name}={value}" for name, value in row["arguments"].items())
    told = f"{row['tool']} {arguments}: {_TOLD[row['state']]}"
    return f"{told} {row['approval']}" if row["state"] == "waiting" else told


def _content(messages: list[Any], key: str) -> str | None:
    return next((message["content"] for message in messages if message["key"] == key), None)


def _proposal(messages: list[Any]) -> dict[str, Any]:
    """The model's last answer if nothing followed it; empty where it is none, or no JSON object."""
    if not messages or messages[-1]["role"] != "assistant":
        return {}
    try:
        answer = json.loads(messages[-1]["content"])
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _pending(messages: list[Any]) -> dict[str, Any] | None:
    """The action that the model proposed last and that has no result."""
    proposal = _proposal(messages)
    return proposal if proposal.get("tool") not in (None, FINISH) else None


def _summary(messages: list[Any]) -> str | None:
    proposal = _proposal(messages)
    arguments = proposal.get("arguments")
    return arguments.get("summary") if proposal.get("tool") == FINISH and isinstance(arguments, dict) else None
