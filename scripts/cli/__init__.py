"""The `loomstead` command line."""

import sys

import typer
from rich.console import Console

from regions.documents import DocumentError
from scripts.cli import agents, fabric, ledger, tasks
from scripts.cli.place import CommandError
from scripts.engine import EngineError
from scripts.weights import WeightsError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Governed agents in any region.")
app.command()(fabric.up)
app.command()(fabric.down)
app.command()(fabric.status)
app.add_typer(agents.agents, name="agent")
app.add_typer(tasks.tasks, name="task")
app.command()(tasks.trace)
app.add_typer(tasks.approvals, name="approvals")
app.add_typer(ledger.ledger, name="ledger")
app.command(context_settings={"ignore_unknown_options": True})(fabric.psql)
app.command()(fabric.schema)


def main() -> None:
    """Entry point: what a person can put right is one sentence on standard error and exit code 1."""
    try:
        app()
    except (CommandError, DocumentError, EngineError, WeightsError) as error:
        Console(stderr=True).print(f"[red]error:[/] {error}", highlight=False, markup=True, soft_wrap=True)
        sys.exit(1)
