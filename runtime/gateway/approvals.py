"""What waits for a person, and the person's word."""

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request

from runtime.approvals import Approvals, ApprovalState, Choice
from runtime.errors import Refused
from runtime.gateway.body import read_object
from runtime.gateway.oauth import person
from runtime.identity.tokens import IdentityClaims

MAX_DECISION = 4_096
"""Bytes."""

router = APIRouter()
T = TypeVar("T", ApprovalState, Choice)
Person = Annotated[IdentityClaims, Depends(person)]


@router.get("/approvals")
async def list_approvals(request: Request, _: Person, state: str | None = None) -> list[dict[str, Any]]:
    """All approvals, or those in one state; the oldest first."""
    wanted = None if state is None else _member(ApprovalState, state, "state")
    return [approval.told() for approval in await _approvals(request).list(wanted)]


@router.get("/approvals/{approval_id}")
async def get_approval(request: Request, approval_id: str, _: Person) -> dict[str, Any]:
    """One approval, with the exact action."""
    return (await _approvals(request).get(approval_id)).told()


@router.post("/approvals/{approval_id}/decision")
async def decide(request: Request, approval_id: str, by: Person) -> dict[str, Any]:
    """Approve or decline exactly the action of this digest."""
    body = await read_object(request, MAX_DECISION, "decision", "digest")
    choice = _member(Choice, body["decision"], "decision")
    return (await _approvals(request).decide(approval_id, choice, str(body["digest"]), by.sub)).told()


def _member(cls: type[T], value: Any, name: str) -> T:
    try:
        return cls(value)
    except ValueError:
        expected = ", ".join(cls)
        raise Refused("body_invalid", f"{name} is {value!r}", remedy=f"{name} is one of: {expected}") from None


def _approvals(request: Request) -> Approvals:
    return request.app.state.gateway.approvals
