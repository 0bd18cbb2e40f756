"""The `loomstead` command line. The module of a command is loaded when it is asked for, and no other."""

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "up": "fabric:up",
    "down": "fabric:down",
    "status": "status:status",
    "manifest": "manifest:manifest",
    "review": "review:review_command",
    "rehearse": "rehearse:rehearse_command",
    "evidence": "evidence:evidence",
    "guardrails": "guardrails:guardrails_command",
    "stack": "stack:stack",
    "preflight": "preflight:preflight_command",
    "plan": "plan:plan_command",
    "cost": "cost:cost_command",
    "regions": "regions:regions",
    "agent": "agents:agents",
    "task": "tasks:tasks",
    "trace": "tasks:trace",
    "approvals": "tasks:approvals",
    "ledger": "ledger:ledger",
    "models": "models:models",
    "psql": "fabric:psql",
    "schema": "fabric:schema",
}
"""Name → a module of this package, and the function or Typer in it."""
SETTINGS = {"psql": {"ignore_unknown_options": True}}
PUT_RIGHT_BY_PEOPLE = {
    "components.infrastructure.Refused",
    "components.parity.NotSupported",
    "regions.boundary.ResidencyError",
    "regions.documents.DocumentError",
    "runtime.settings.StartError",
    "scripts.cli.failure.CommandError",
    "scripts.cost.estimate.NoPrices",
    "scripts.engine.EngineError",
    "scripts.graph.GraphError",
    "scripts.weights.WeightsError",
}
"""Exceptions by name, because to import them is to load what they come from."""


class _Commands(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return _command(cmd_name) if cmd_name in COMMANDS else None


def _command(name: str) -> Any:
    module, _, attribute = COMMANDS[name].partition(":")
    found = getattr(import_module(f"scripts.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        made: Any = typer.main.get_group(found)
    else:
        alone = typer.Typer(add_completion=False)
        alone.command(context_settings=SETTINGS.get(name))(found)
        made = typer.main.get_command(alone)
    made.name = name
    return made


app = typer.Typer(cls=_Commands, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def loomstead() -> None:
    """Governed agents in any region."""


def main() -> None:
    """Entry point: what a person can put right is a few lines on standard error, and no traceback."""
    try:
        app()
    except Exception as error:
        names = {f"{cls.__module__}.{cls.__qualname__}" for cls in type(error).__mro__}
        if names.isdisjoint(PUT_RIGHT_BY_PEOPLE):
            raise
        import_module("scripts.cli.output").print_error(str(error))
        sys.exit(getattr(error, "code", 1))
