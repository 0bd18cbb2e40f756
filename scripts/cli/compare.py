"""Where a candidate would act otherwise than an agent's recorded tasks did: asked of the gateway, nothing acts."""

from typing import Annotated, Any

import typer

from scripts.cli.api import Api
from scripts.cli.options import AsJson, Stack
from scripts.cli.output import console, print_json, print_table
from scripts.cli.place import DEFAULT_STACK, Place

DIFFERENT = 2
_STYLES = {"same": "green", "different": "bold red", "refused": "yellow", "failed": "yellow"}


def compare(
    agent: Annotated[str, typer.Option("--agent", "-a", help="Whose recorded tasks are asked again.")],
    candidate: Annotated[str, typer.Option("--candidate", "-c", help="A model endpoint, as CLASS/CANDIDATE.")],
    tasks: Annotated[int, typer.Option(help="How many tasks, those that ended last.", min=1, max=100)] = 10,
    as_json: AsJson = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Ask a candidate what recorded tasks asked, and show where its actions differ. Exit code 2 when one does, or when
    nothing could be compared."""
    with Api(Place.of(stack), timeout=None) as api:  # a model takes its time, and there are many turns
        rows = api.post({"agent": agent, "endpoint": candidate, "tasks": tasks}, "models", "compare")
    if as_json:
        print_json(rows)
    else:
        _print(rows, candidate)
    if not rows or any(row["outcome"] != "same" for row in rows):
        raise typer.Exit(DIFFERENT)


def _print(rows: list[dict[str, Any]], candidate: str) -> None:
    cells = [
        (row["txn"], row["step"], row["outcome"], _told(row["recorded"]), row["detail"] or _told(row["candidate"]))
        for row in rows
    ]
    if cells:
        print_table(("task", "step", "", "recorded", candidate), cells, _STYLES)
    asked = [row for row in rows if row["outcome"] in ("same", "different")]
    same = sum(row["outcome"] == "same" for row in asked)
    left = f"; {len(rows) - len(asked)} not asked or not answered" if len(rows) > len(asked) else ""
    console.print(f"\n{same} of {len(asked)} actions the same{left}")


def _told(action: dict[str, Any] | None) -> str:
    """As a call; the words beside it are not compared, and so not shown."""
    if action is None:
        return "(no action)"
    return f"{action['tool']}({', '.join(f'{name}={value!r}' for name, value in action['arguments'].items())})"
