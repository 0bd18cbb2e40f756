"""Which agents the stack has; a person deploys them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from regions.documents import Document
from runtime.agents.definition import AgentDefinition, DefinitionError
from runtime.agents.registry import Agents, definition_invalid
from runtime.gateway.body import read_body
from runtime.gateway.oauth import person
from runtime.identity.tokens import IdentityClaims

MAX_DEFINITION = 1_000_000
"""Bytes."""

router = APIRouter()
Person = Annotated[IdentityClaims, Depends(person)]


@router.put("/agents/{name}")
async def deploy_agent(request: Request, name: str, by: Person) -> JSONResponse:
    """200 for what is deployed already, 201 for a new version."""
    definition = _definition(await read_body(request, MAX_DEFINITION))
    if definition.name != name:
        raise definition_invalid([f"name: expected {name} as in the address, got {definition.name}"])
    agent, new = await _agents(request).deploy(definition, by.sub)
    return JSONResponse(agent.told(), 201 if new else 200)


@router.get("/agents")
async def list_agents(request: Request, _: Person) -> list[dict[str, Any]]:
    """The latest version of every agent."""
    return [agent.told() for agent in await _agents(request).list()]


@router.get("/agents/{name}")
async def get_agent(request: Request, name: str, _: Person) -> dict[str, Any]:
    """The latest version of one agent."""
    return (await _agents(request).get(name)).told()


def _definition(body: bytes) -> AgentDefinition:
    try:
        # JSON is YAML too: one reader, so that a file that loads is a body that loads.
        document = Document.parse(body.decode("utf-8"), "body", DefinitionError)
        return document.model(AgentDefinition, error=DefinitionError, check=AgentDefinition.mistakes)
    except UnicodeDecodeError:
        raise definition_invalid(["the body is not UTF-8"]) from None
    except DefinitionError as error:
        raise definition_invalid(list(error.mistakes)) from None


def _agents(request: Request) -> Agents:
    return request.app.state.gateway.agents
