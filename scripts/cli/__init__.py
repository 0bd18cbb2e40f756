"""The `loomstead` command line."""

import sys

import typer

from components.spec import ResidencyRefused
from regions.boundary import ResidencyError
from regions.catalogue import CatalogueError
from regions.documents import DocumentError
from runtime.settings import StartError
from scripts.cli import agents, fabric, ledger, status, tasks
from scripts.cli.output import print_error
from scripts.cli.place import CommandError
from scripts.engine import EngineError
from scripts.weights import WeightsError

PUT_RIGHT_BY_PEOPLE = (
    CatalogueError,
    DocumentError,
    EngineError,
    ResidencyError,
    ResidencyRefused,
    StartError,
    WeightsError,
)

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Governed agents in any region.")
app.command()(fabric.up)
app.command()(fabric.down)
app.command()(status.status)
app.add_typer(agents.agents, name="agent")
app.add_typer(tasks.tasks, name="task")
app.command()(tasks.trace)
app.add_typer(tasks.approvals, name="approvals")
app.add_typer(ledger.ledger, name="ledger")
app.command(context_settings={"ignore_unknown_options": True})(fabric.psql)
app.command()(fabric.schema)


def main() -> None:
    """Entry point: what a person can put right is a few lines on standard error, and no traceback."""
    try:
        app()
    except CommandError as error:
        print_error(str(error))
        sys.exit(error.code)
    except PUT_RIGHT_BY_PEOPLE as error:
        print_error(str(error))
        sys.exit(1)
