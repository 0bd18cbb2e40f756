"""``/tasks``: what people see and choose, and what the worker reads and reports (docs/contract.md §5)."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from runtime.gateway.body import read_body
from runtime.gateway.oauth import person, worker
from runtime.identity.tokens import IdentityClaims
from runtime.ledger.trace import trace
from runtime.tasks.context import Message, NewMessage, TransitionRow, WaitRow, read
from runtime.tasks.store import task_unknown

MAX_BODY = 65_536
"""Bytes; an answer of a tool is trimmed to far less."""

Person = Annotated[IdentityClaims, Depends(person)]
Worker = Annotated[IdentityClaims, Depends(worker)]

router = APIRouter(prefix="/tasks")


class Choice(BaseModel):
    """``iterations``: turns that ``continue`` gives; the agent's limit once more by default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    choice: Literal["continue", "take_over", "stop"]
    iterations: int | None = Field(default=None, ge=1, le=100)


@router.get("")
async def list_tasks(request: Request, _: Person) -> list[dict[str, Any]]:
    return await request.app.state.gateway.views.newest()


@router.get("/{txn}")
async def show_task(request: Request, txn: str, _: Person) -> dict[str, Any]:
    return await request.app.state.gateway.views.show(txn)


@router.get("/{txn}/trace")
async def show_trace(request: Request, txn: str, _: Person) -> list[dict[str, Any]]:
    """The task's ledger records, with their content."""
    gateway = request.app.state.gateway
    records = await trace(gateway.pool, txn, gateway.subject_keys)
    if not records:
        raise task_unknown(txn)
    return msgspec.to_builtins(records)


@router.get("/{txn}/hand-over")
async def show_hand_over(request: Request, txn: str, _: Person) -> dict[str, Any]:
    return await request.app.state.gateway.views.hand_over(txn)


@router.post("/{txn}/choice")
async def choose(request: Request, txn: str, caller: Person) -> dict[str, str]:
    """What the choice came to: ``continue`` is ``resume`` where a write is not settled."""
    choice = read(Choice, await read_body(request, MAX_BODY))
    chosen = await request.app.state.gateway.tasks.choose(txn, choice.choice, choice.iterations, caller.sub)
    return {"txn": txn, "choice": chosen}


@router.post("/{txn}/revoke")
async def revoke(request: Request, txn: str, caller: Person) -> dict[str, Any]:
    return {"txn": txn, "revoked": await request.app.state.gateway.tasks.revoke(txn, caller.sub)}


@router.get("/{txn}/context")
async def show_context(request: Request, txn: str, caller: Worker) -> Response:
    context = await request.app.state.gateway.views.context(txn, caller.sub)
    return Response(context.model_dump_json(by_alias=True, exclude_unset=True), media_type="application/json")


@router.post("/{txn}/messages")
async def add_message(request: Request, txn: str, caller: Worker) -> Message:
    """What is stored under the key; another content that came first stays."""
    message = read(NewMessage, await read_body(request, MAX_BODY))
    return await request.app.state.gateway.tasks.add_message(txn, message, caller.sub)


@router.put("/{txn}/wait")
async def wait(request: Request, txn: str, caller: Worker) -> dict[str, str]:
    """Keep what answers an orchestrator that waits by a token."""
    row = read(WaitRow, await read_body(request, MAX_BODY))
    await request.app.state.gateway.tasks.wait(txn, row, caller.sub)
    return {"txn": txn}


@router.post("/{txn}/transitions")
async def apply(request: Request, txn: str, caller: Worker) -> dict[str, str]:
    row = read(TransitionRow, await read_body(request, MAX_BODY))
    return {"state": await request.app.state.gateway.tasks.apply(txn, row, caller.sub)}
