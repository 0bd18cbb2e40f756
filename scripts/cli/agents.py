"""Commands about agents: deploy a definition, list, show."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.agents.definition import load_definition
from scripts.cli.api import Api
from scripts.cli.options import AsJson, Stack
from scripts.cli.output import console, print_json, print_table
from scripts.cli.place import DEFAULT_STACK, Place

agents = typer.Typer(no_args_is_help=True, help="Deploy agents into a fabric with one agent.yaml.")


@agents.command("deploy")
def deploy(
    definition: Annotated[Path, typer.Argument(help="The agent.yaml.", exists=True, dir_okay=False)],
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Deploy an agent, or refuse with what the stack or the file lacks."""
    with Api(Place.of(stack)) as api:
        console.print(deploy_definition(api, definition))


def deploy_definition(api: Api, path: Path) -> str:
    """Deploys the file; one line that says what was done. Raises ``DefinitionError``, ``CommandError``."""
    definition = load_definition(path)
    answer = api.put(definition.plain(), "agents", definition.name)
    done = "deployed" if answer.status_code == 201 else "unchanged"
    return f"agent {definition.name} version {definition.version}: {done}"


@agents.command("list")
def list_agents(stack: Stack = DEFAULT_STACK, as_json: AsJson = False) -> None:
    """The agents of the stack, each in its newest version."""
    with Api(Place.of(stack)) as api:
        found = api.get("agents")
    if as_json:
        print_json(found)
        return
    keys = ("name", "version", "deployed_by", "deployed_at")
    print_table([key.replace("_", " ") for key in keys], [[agent[key] for key in keys] for agent in found])


@agents.command("show")
def show(name: Annotated[str, typer.Argument(help="The agent's name.")], stack: Stack = DEFAULT_STACK) -> None:
    """One agent's newest definition."""
    with Api(Place.of(stack)) as api:
        print_json(api.get("agents", name))
