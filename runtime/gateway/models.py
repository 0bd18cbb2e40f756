"""Which models may be asked, and why not the others; a person puts a quarantined one back."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from regions.manifest import ModelEndpoint
from runtime.errors import Refused
from runtime.gateway.body import read_body, read_object
from runtime.gateway.oauth import person
from runtime.identity.tokens import IdentityClaims
from runtime.models.compare import Action
from runtime.tasks.context import read
from runtime.tasks.prompt import FINISH, AnswerUnusable, parse

MAX_RELEASE = 4_096
"""Bytes."""
MAX_REASON = 1_000
"""Characters."""

router = APIRouter()
Person = Annotated[IdentityClaims, Depends(person)]


class Compare(BaseModel):
    """``endpoint``: a candidate, by name. ``tasks``: how many of those that ended last."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent: str
    endpoint: str
    tasks: int = Field(default=10, ge=1, le=100)


@router.get("/models")
async def list_models(request: Request, _: Person) -> list[dict[str, Any]]:
    """Every candidate of every model class, with today's verdict for each data class."""
    gateway = request.app.state.gateway
    return [await _now(gateway, endpoint) for endpoint in gateway.manifest.models]


@router.get("/models/{model_class}/{candidate}/demand")
async def demand(request: Request, model_class: str, candidate: str) -> dict[str, int]:
    """How many calls this process sent there lately; for who scales a model server, so without a token."""
    gateway = request.app.state.gateway
    return {"calls": gateway.routing.demand.calls(_endpoint(gateway, f"{model_class}/{candidate}").name)}


@router.post("/models/{model_class}/{candidate}/release")
async def release(request: Request, model_class: str, candidate: str, by: Person) -> dict[str, Any]:
    """Use a quarantined endpoint again, by a person's word and for a reason that is recorded."""
    gateway = request.app.state.gateway
    endpoint = _endpoint(gateway, f"{model_class}/{candidate}")
    reason = (await read_object(request, MAX_RELEASE, "reason"))["reason"]
    if not isinstance(reason, str) or not 0 < len(reason.strip()) <= MAX_REASON:
        raise Refused("body_invalid", "the reason is no text", remedy=f"say why, in up to {MAX_REASON} characters")
    await gateway.quarantine.release(endpoint, by.sub, reason.strip())
    return await _now(gateway, endpoint)


@router.post("/models/compare")
async def compare(request: Request, by: Person) -> list[dict[str, Any]]:
    """Ask a candidate what an agent's recorded turns asked, and tell where its actions would differ."""
    gateway = request.app.state.gateway
    wanted = read(Compare, await read_body(request, MAX_RELEASE))
    endpoint = _endpoint(gateway, wanted.endpoint)
    await gateway.agents.get(wanted.agent)

    async def action(version: int, answer: str) -> Action | None:
        agent = await gateway.agents.get(wanted.agent, version)
        try:
            proposal = parse(answer, agent.definition.tools)
        except AnswerUnusable:
            return None
        return Action(proposal.tool, {} if proposal.tool == FINISH else proposal.arguments)  # its summary is words

    rows = await gateway.comparison.run(wanted.agent, endpoint, wanted.tasks, by.sub, action)
    return msgspec.to_builtins(rows)


def _endpoint(gateway: Any, name: str) -> ModelEndpoint:
    for endpoint in gateway.manifest.models:
        if endpoint.name == name:
            return endpoint
    raise Refused("endpoint_unknown", f"the stack has no model endpoint {name}", remedy="`loomstead models status`")


async def _now(gateway: Any, endpoint: ModelEndpoint) -> dict[str, Any]:
    held = (await gateway.quarantine.current()).get(endpoint.name)
    compared = gateway.quarantine.comparisons.get(endpoint.name)
    described = endpoint.model_dump(mode="json", exclude={"url", "credential", "protocol", "signal", "signal_values"})
    verdicts = {
        str(data_class): next(
            {"allowed": found.verdict.allowed, "rule": found.verdict.rule, "reason": found.verdict.reason}
            for found in gateway.routing.every(endpoint.model_class, data_class)
            if found.endpoint is endpoint
        )
        for data_class in gateway.manifest.boundary.data_classes
    }
    return {
        **described,
        "seen_version": gateway.quarantine.versions.get(endpoint.name),
        "quarantined": held and held.told(),
        "compared": compared and {"version": compared[0], "at": compared[1].isoformat(timespec="seconds")},
        "verdicts": verdicts,
    }
