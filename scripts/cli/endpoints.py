"""Commands about the models of a running stack: what may be asked today, what is quarantined, and putting it back."""

from contextlib import suppress
from typing import Annotated, Any

import typer

from runtime.settings import StartError
from scripts.cli.api import Api
from scripts.cli.failure import CommandError
from scripts.cli.options import AsJson, Stack
from scripts.cli.output import console, print_json, print_table
from scripts.cli.place import DEFAULT_STACK, Place

_STYLES = {"in use": "green", "copies only": "dim", "compared only": "dim", "outside": "yellow"}


def status(stack: Stack = DEFAULT_STACK, as_json: AsJson = False) -> None:
    """Every candidate of every model class: where it answers, for which data today, and what is quarantined."""
    with Api(Place.of(stack)) as api:
        found = api.get("models")
    if as_json:
        print_json(found)
        return
    columns = ("endpoint", "state", "order", "version", "countries", "takes today")
    print_table(columns, [_cells(model) for model in found], _STYLES | {"quarantined": "bold red"})
    for model in found:
        if held := model["quarantined"]:
            console.print(f"\n{_told(model['name'], held)}", style="red", soft_wrap=True)


def release(
    endpoint: Annotated[str, typer.Argument(help="A quarantined one, as CLASS/CANDIDATE.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why it may be asked again; it is recorded.")],
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Ask a quarantined model endpoint again. One that moved to another version has to be compared before."""
    model_class, _, candidate = endpoint.partition("/")
    with Api(Place.of(stack)) as api:
        released = api.post({"reason": reason}, "models", model_class, candidate, "release")
    console.print(f"{released['name']} is in use again, as {released['seen_version'] or 'whatever it answers first'}")


def print_quarantined(place: Place) -> None:
    """A line for each endpoint that is quarantined; nothing where the gateway cannot be asked."""
    with suppress(CommandError, StartError), Api(place) as api:
        for model in api.get("models"):
            if held := model["quarantined"]:
                console.print(f"\n{_told(model['name'], held)}", style="red", soft_wrap=True)


def _told(name: str, held: dict[str, Any]) -> str:
    said = f"said {held['seen']!r}" if held["seen"] else "did not say"
    return (
        f"{name} is quarantined since {held['since']}: its reply in task {held['txn']} {said}, "
        f"expected {held['expected']}. `loomstead models release {name} --reason …` puts it back."
    )


def _cells(model: dict[str, Any]) -> tuple[str, ...]:
    taken = [name for name, verdict in model["verdicts"].items() if verdict["allowed"]]
    return (
        model["name"],
        _state(model, taken),
        f"{model['priority']}, weight {model['weight']}",
        model["version"] or model["seen_version"] or "-",
        " ".join(model["countries"]),
        ", ".join(taken) or f"nothing: {next(iter(model['verdicts'].values()))['reason']}",
    )


def _state(model: dict[str, Any], taken: list[str]) -> str:
    if model["quarantined"]:
        return "quarantined"
    if not taken:
        return "outside"
    if model["shadow_percent"]:
        return "copies only"
    return "in use" if model["weight"] else "compared only"
