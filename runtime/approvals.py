"""Approvals: a person's consent to one exact action, once, for a while.

    waiting ──approve──▶ approved ──the write starts──▶ consumed
       │ └────decline──▶ declined                          │ asked for again: a new consent
       └──▶ expired (also approved) ◀───time──             ▼
                └──────────asked for again──────────▶ waiting

The digest of the action (docs/contract.md §9) is what is approved; a decision names it, so nobody can approve A and
have B done. Decided rows without ``delivered_at`` are the outbox from which the orchestrator learns of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import asyncpg
from ulid import ULID

from regions.canonical import canonical, digest
from runtime.errors import Refused
from runtime.grants.grant import Grant, Ledger
from runtime.ledger.record import Decision, Entry, Kind


class ApprovalState(StrEnum):
    WAITING = "waiting"
    APPROVED = "approved"
    DECLINED = "declined"
    EXPIRED = "expired"
    CONSUMED = "consumed"


class Choice(StrEnum):
    """What a person may say."""

    APPROVE = "approve"
    DECLINE = "decline"


@dataclass(frozen=True)
class Approval:
    """A row of ``approvals``. ``requested_by``: on whose behalf the agent asks; ``reason``: why a person is asked."""

    id: str
    txn: str
    step: int
    digest: str
    action: dict[str, Any]
    requested_by: str
    reason: str
    state: ApprovalState
    requested_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    delivered_at: datetime | None

    def told(self) -> dict[str, Any]:
        """The approval as JSON."""
        times = {name: getattr(self, name) for name in ("requested_at", "expires_at", "decided_at")}
        return {
            "id": self.id,
            "txn": self.txn,
            "step": self.step,
            "digest": self.digest,
            "action": self.action,
            "requested_by": self.requested_by,
            "reason": self.reason,
            "state": self.state,
            "decided_by": self.decided_by,
            **{name: value and value.isoformat(timespec="seconds") for name, value in times.items()},
        }


RULE = "approval"
_DECIDED = {
    Choice.APPROVE: (ApprovalState.APPROVED, Decision.ALLOWED),
    Choice.DECLINE: (ApprovalState.DECLINED, Decision.REFUSED),
}
_OVER = "state IN ('waiting', 'approved') AND expires_at <= now()"
_SELECT = f"""SELECT id, txn, step, digest, action, requested_by, reason, requested_at, expires_at, decided_by,
    decided_at, delivered_at, CASE WHEN {_OVER} THEN 'expired' ELSE state END AS state FROM approvals"""  # noqa: S608
# Rows in somebody's hands are left to the next time: waiting for them could deadlock.
_EXPIRE = f"""UPDATE approvals SET state = 'expired'
    WHERE id IN (SELECT id FROM approvals WHERE {_OVER} FOR UPDATE SKIP LOCKED)"""  # noqa: S608


class Approvals:
    """Requests, decides and consumes approvals."""

    def __init__(self, pool: asyncpg.Pool, ledger: Ledger, approval_seconds: int) -> None:
        self._pool, self._ledger, self._seconds = pool, ledger, approval_seconds

    async def list(self, state: ApprovalState | None = None) -> list[Approval]:
        """All approvals, or those in one state; the oldest first."""
        await self._pool.execute(_EXPIRE)
        approvals = [_approval(row) for row in await self._pool.fetch(f"{_SELECT} ORDER BY requested_at, id")]
        return [approval for approval in approvals if state in (None, approval.state)]

    async def get(self, approval_id: str) -> Approval:
        """Raises ``Refused`` (approval_unknown)."""
        row = await self._pool.fetchrow(f"{_SELECT} WHERE id = $1", approval_id)
        if row is None:
            raise Refused(
                "approval_unknown", f"there is no approval {approval_id}", remedy="`loomstead approvals list`"
            )
        return _approval(row)

    async def decide(self, approval_id: str, choice: Choice, action_digest: str, by: str) -> Approval:
        """Record a person's word; it is delivered from the row.

        Raises ``Refused`` (approval_unknown, approval_digest_mismatch, approver_is_requester, approval_decided,
        task_not_waiting).
        """
        txn = (await self.get(approval_id)).txn
        async with self._pool.acquire() as conn, conn.transaction():
            # The grant's lock comes first, as in a tool call: the two orders would deadlock.
            grant = await conn.fetchrow(
                "SELECT subject, agent_subject, may_act, state, policy_digest FROM grants WHERE txn = $1 FOR UPDATE",
                txn,
            )
            row = await conn.fetchrow(f"{_SELECT} WHERE id = $1 FOR UPDATE", approval_id)
            _check_decision(_approval(row), grant, action_digest, by)
            decided = await conn.fetchrow(
                "UPDATE approvals SET state = $2, decided_by = $3, decided_at = now() WHERE id = $1 RETURNING *",
                approval_id,
                _DECIDED[choice][0],
                by,
            )
            approval = _approval(decided)
            entry = Entry(
                txn=approval.txn,
                kind=Kind.APPROVAL_DECIDED,
                actor=by,
                step=approval.step,
                decision=_DECIDED[choice][1],
                rule=RULE,
                policy=grant["policy_digest"],
                body=_body(approval, by, str(choice)),
            )
            await self._ledger.append(entry, conn=conn)
        return approval

    async def find(self, conn: Any, txn: str, action_digest: str) -> Approval | None:
        """The approval of this action in this task, in the caller's transaction."""
        row = await conn.fetchrow(f"{_SELECT} WHERE txn = $1 AND digest = $2 FOR UPDATE", txn, action_digest)
        return None if row is None else _approval(row)

    async def request(
        self, conn: Any, grant: Grant, step: int, action: Mapping[str, Any], reason: str, data_subject: str
    ) -> Approval:
        """Ask a person; what was expired or consumed is asked anew."""
        row = await conn.fetchrow(
            """INSERT INTO approvals (id, txn, step, digest, action, requested_by, reason, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8))
            ON CONFLICT (txn, digest) DO UPDATE SET state = 'waiting', step = excluded.step, requested_at = now(),
                expires_at = excluded.expires_at, decided_by = NULL, decided_at = NULL, delivered_at = NULL
            WHERE approvals.state IN ('expired', 'consumed') OR approvals.expires_at <= now()
            RETURNING *""",
            str(ULID()),
            grant.txn,
            step,
            digest(action),
            action,
            grant.subject,
            reason,
            float(self._seconds),
        )
        approval = _approval(row)
        entry = Entry(
            txn=grant.txn,
            kind=Kind.APPROVAL_REQUESTED,
            actor=grant.agent_subject,
            step=step,
            decision=Decision.PENDING,
            rule=RULE,
            policy=grant.policy_digest,
            body=_body(approval, grant.agent_subject, None),
            content=canonical(action),
            data_subject=data_subject,
        )
        await self._ledger.append(entry, conn=conn)
        return approval

    async def consume(self, conn: Any, grant: Grant, approval: Approval, step: int) -> Entry:
        """Use up a consent, in the transaction that starts the write; the entry is for the caller to append."""
        await conn.execute("UPDATE approvals SET state = 'consumed' WHERE id = $1", approval.id)
        return Entry(
            txn=grant.txn,
            kind=Kind.APPROVAL_CONSUMED,
            actor=grant.agent_subject,
            step=step,
            decision=Decision.ALLOWED,
            rule=RULE,
            policy=grant.policy_digest,
            body=_body(approval, grant.agent_subject, None),
        )


def _check_decision(approval: Approval, grant: Any, action_digest: str, by: str) -> None:
    if approval.digest != action_digest:
        raise Refused(
            "approval_digest_mismatch",
            f"approval {approval.id} is for the action {approval.digest}, the decision names {action_digest}",
            remedy="look at the action again and decide on its digest",
        )
    if by in (approval.requested_by, grant["subject"], grant["agent_subject"], grant["may_act"]):
        raise Refused(
            "approver_is_requester", f"{by} is who asks in approval {approval.id}", remedy="another person must decide"
        )
    if approval.state is not ApprovalState.WAITING:
        raise Refused(
            "approval_decided",
            f"approval {approval.id} is {approval.state}",
            remedy="the agent may ask again; a decision stands",
            state=approval.state,
        )
    if grant["state"] != "active":
        raise Refused(
            "task_not_waiting",
            f"the grant of task {approval.txn} is {grant['state']}",
            remedy="nothing is left to approve in this task",
        )


def _body(approval: Approval, by: str, decision: str | None) -> dict[str, Any]:
    return {"approval": approval.id, "rule": RULE, "by": by, "decision": decision}


def _approval(row: Any) -> Approval:
    values = dict(row)
    return Approval(state=ApprovalState(values.pop("state")), **values)
