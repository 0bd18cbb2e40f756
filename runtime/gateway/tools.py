"""POST /tools/{tool}: one tool call of a task."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from runtime.errors import Refused
from runtime.gateway.body import read_object
from runtime.gateway.oauth import task
from runtime.identity.tokens import TaskClaims
from runtime.tools.work import Call

MAX_ARGUMENTS = 65_536
"""Bytes."""

router = APIRouter()


@router.post("/tools/{tool}")
async def call_tool(request: Request, tool: str, claims: Annotated[TaskClaims, Depends(task)]) -> JSONResponse:
    """Done, awaiting approval, or refused: docs/contract.md §9."""
    step = _step(request, claims)
    arguments = (await read_object(request, MAX_ARGUMENTS, "arguments"))["arguments"]
    if not isinstance(arguments, dict):
        raise Refused("body_invalid", "arguments is not an object", remedy='send {"arguments": {…}}')
    # `task` has checked the proof where one came.
    call = Call(tool, step, arguments, proved="dpop" in request.headers)
    answer = await request.app.state.gateway.tools.call(claims, call)
    return JSONResponse(answer.body, answer.status)


def _step(request: Request, claims: TaskClaims) -> int:
    text = request.headers.get("loomstead-step", "")
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 7 and int(text) > 0):
        raise Refused(
            "body_invalid",
            f"the header Loomstead-Step of task {claims.txn} is not a number from 1",
            remedy="send the number of the model turn that proposed this call",
        )
    return int(text)
