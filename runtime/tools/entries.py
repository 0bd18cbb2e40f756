"""What the ledger is told of tool calls. Values go into ``content``, never into ``body``."""

from typing import Any

from regions.canonical import canonical, digest
from runtime.approvals import Approval
from runtime.errors import Refused
from runtime.grants.grant import Grant
from runtime.identity.tokens import TaskClaims
from runtime.ledger.record import Decision, Entry, Kind
from runtime.tools.binding import Bound
from runtime.tools.work import Call, Task, Work


def allowed(grant: Grant, work: Work, bound: Bound, action: dict[str, Any], approval: Approval | None) -> Entry:
    content = {
        "key": work.key,
        "action": digest(action),
        "proposed": work.call.arguments,
        "arguments": bound.arguments,
    }
    return Entry(
        txn=grant.txn,
        kind=Kind.TOOL_CALL,
        actor=grant.agent_subject,
        step=work.call.step,
        decision=Decision.ALLOWED,
        rule="grant",
        policy=grant.policy_digest,
        body={
            "tool": work.call.tool,
            "effect": work.detail.effect,
            "bound": {name: origin["source"] for name, origin in bound.origin.items()},
            "approval": approval and approval.id,
        },
        content=canonical(content),
        data_subject=work.task.data_subject,
    )


def settled(grant: Grant, work: Work, state: str, status: int, content: bytes) -> Entry:
    return Entry(
        txn=grant.txn,
        kind=Kind.TOOL_RESULT,
        actor=work.scoped.system.name,
        step=work.call.step,
        policy=grant.policy_digest,
        body={"tool": work.call.tool, "state": state, "status": status, "replayed": False},
        content=content,
        data_subject=work.task.data_subject,
    )


def refused(claims: TaskClaims, call: Call, task: Task, key: str, refusal: Refused) -> Entry:
    known = task.definition.tools.get(call.tool)
    return Entry(
        txn=claims.txn,
        kind=Kind.TOOL_CALL,
        actor=claims.act.sub,
        step=call.step,
        decision=Decision.REFUSED,
        rule=refusal.rule,
        policy=claims.task.policy,
        # A name that the definition does not have is the caller's text, and belongs to the content.
        body={
            "tool": call.tool if known else None,
            "effect": known.effect if known else None,
            "bound": {},
            "approval": None,
            "code": refusal.code,
        },
        content=canonical({"key": key, "tool": call.tool, "proposed": call.arguments, "detail": refusal.detail}),
        data_subject=task.data_subject,
    )
