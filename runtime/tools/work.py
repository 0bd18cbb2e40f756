"""One proposed tool call with all that was looked up for it, and the checks that need nothing else.

Each check raises ``Refused`` with what the model, or a person, would have to do instead.
"""

from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from runtime.agents.definition import AgentDefinition
from runtime.errors import Refused
from runtime.grants.details import Detail
from runtime.grants.grant import Grant
from runtime.identity.tokens import TaskClaims
from runtime.tools.binding import Bound
from runtime.tools.constraints import violations
from runtime.tools.contracts import ScopedContract
from runtime.tools.openapi import Operation


@dataclass(frozen=True)
class Call:
    """What is asked. ``arguments`` as the model proposed them; ``proved``: a DPoP proof came and fits."""

    tool: str
    step: int
    arguments: dict[str, Any]
    proved: bool


@dataclass(frozen=True)
class Task:
    definition: AgentDefinition
    data_subject: str


@dataclass(frozen=True)
class Work:
    """One call with all that was looked up for it."""

    call: Call
    task: Task
    detail: Detail
    scoped: ScopedContract
    operation: Operation
    key: str


def granted(claims: TaskClaims, tool: str) -> Detail:
    for detail in claims.authorization_details:
        if detail.tool == tool:
            return detail
    held = ", ".join(detail.tool for detail in claims.authorization_details)
    raise Refused("tool_not_granted", f"the task's token does not hold {tool}", remedy=f"it holds: {held or 'none'}")


async def check_nothing_open(conn: Any, txn: str) -> None:
    row = await conn.fetchrow(
        "SELECT tool, step FROM tool_calls WHERE txn = $1 AND effect = 'write' AND state = 'started'", txn
    )
    if row is not None:
        raise Refused(
            "effect_unknown",
            f"{row['tool']} of step {row['step']} was sent, and its effect is not known",
            remedy=f"repeat the call of step {row['step']} until it is settled",
        )


def check_arguments(work: Work, bound: Bound) -> None:
    if mistakes := work.operation.mistakes(bound.arguments):
        raise Refused(
            "arguments_invalid",
            "; ".join(mistakes),
            remedy=f"call {work.call.tool} with arguments that fit its schema",
            mistakes=mistakes,
        )
    if outside := violations(work.detail.args, bound.arguments):
        raise Refused(
            "argument_outside_grant", "; ".join(outside), remedy="stay within the grant, or finish", mistakes=outside
        )


async def check_budget(conn: Any, txn: str, detail: Detail) -> None:
    if detail.budget is UNSET:
        return
    spent = await conn.fetchval(
        "SELECT count(*) FROM tool_calls WHERE txn = $1 AND tool = $2 AND state IN ('started', 'succeeded')",
        txn,
        detail.tool,
    )
    if spent >= detail.budget.calls:
        raise Refused(
            "call_budget_spent",
            f"{detail.tool} was called {spent} times, the grant allows {detail.budget.calls}",
            remedy="finish, or a person may take the task over",
        )


def wants_approval(work: Work, bound: Bound) -> str:
    """Why a person must agree; empty where none must. An amount that is not given is no small one."""
    rule = work.task.definition.tools[work.call.tool].approval
    if rule is None:
        return ""
    value = bound.arguments.get(rule.argument)
    if isinstance(value, int) and not isinstance(value, bool) and value <= rule.above:
        return ""
    return f"{rule.argument} is {value}, above {rule.above}"


def action_of(grant: Grant, work: Work, bound: Bound) -> dict[str, Any]:
    """Exactly what is approved."""
    return {
        "txn": grant.txn,
        "agent": grant.agent_subject,
        "subject": grant.subject,
        "operation": work.operation.template,
        "tool": work.call.tool,
        "contract": work.detail.contract,
        "target": work.scoped.system.url,
        "arguments": bound.arguments,
        "policy": grant.policy_digest,
    }
