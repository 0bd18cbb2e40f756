"""Commands about agents: deploy a definition, list, show."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from runtime.agents.definition import load_definition
from scripts.cli.api import Api
from scripts.cli.place import Place
from scripts.cli.tasks import Stack

console = Console()
agents = typer.Typer(no_args_is_help=True, help="Deploy agents into a fabric with one agent.yaml.")


@agents.command("deploy")
def deploy(
    definition: Annotated[Path, typer.Argument(help="The agent.yaml.", exists=True, dir_okay=False)],
    stack: Stack = "local",
) -> None:
    """Deploy an agent, or refuse with what the stack or the file lacks."""
    with Api(Place.of(stack)) as api:
        console.print(deploy_definition(api, definition))


def deploy_definition(api: Api, path: Path) -> str:
    """Deploys the file; one line that says what was done. Raises ``DefinitionError``, ``CommandError``."""
    definition = load_definition(path)
    answer = api.put(f"/agents/{definition.name}", definition.plain())
    done = "deployed" if answer.status_code == 201 else "unchanged"
    return f"agent {definition.name} version {definition.version}: {done}"


@agents.command("list")
def list_agents(stack: Stack = "local") -> None:
    """The agents of the stack."""
    with Api(Place.of(stack)) as api:
        found = api.get("/agents")
    table = Table("agent", "version", "digest", "deployed by", "at", box=None)
    for agent in found:
        cells = (agent[key] for key in ("name", "version", "digest", "deployed_by", "deployed_at"))
        table.add_row(*map(str, cells))
    console.print(table)


@agents.command("show")
def show(name: str, stack: Stack = "local") -> None:
    """One agent's newest definition."""
    with Api(Place.of(stack)) as api:
        console.print_json(data=api.get(f"/agents/{name}"))
