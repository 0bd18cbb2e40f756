"""`loomstead regions`: the catalogue of facts about regions, and what another one would change."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic_core import to_jsonable_python

from regions.catalogue import load_catalogue, read_catalogue
from scripts.cli.output import console
from scripts.cli.plain import plain
from scripts.cli.review import stack_files
from scripts.report.catalogue_diff import Change, Moved, StackChange, as_json, fact_changes, stack_change

CHANGED = 2
LONGEST_VALUE = 100
"""Characters of a value that a line shows; ``--json`` has it whole."""

regions = typer.Typer(no_args_is_help=True, help="The catalogue, and what another one would change.")


@regions.callback()
def _regions() -> None:
    """Keeps the command's name where there is only one."""


@regions.command("diff")
def diff(
    new: Annotated[Path, typer.Argument(help="The folder of the new catalogue.", exists=True, file_okay=False)],
    stacks: Annotated[
        list[str] | None, typer.Argument(metavar="[STACK|FILE]…", help="None: every stack of this repository.")
    ] = None,
    as_document: Annotated[bool, typer.Option("--json", help="Every fact and stack, whole.")] = False,
    on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The day to review as of; none: today."),
    ] = None,
) -> None:
    """Show what a new catalogue changes for each stack, before it is taken. Exit code 2 when a stack changes."""
    day = on.date() if on else datetime.now(UTC).date()
    before, after = load_catalogue(), read_catalogue(new)
    facts = fact_changes(before, after)
    changes = [stack_change(path, before, after, day) for path in stack_files(stacks or [])]
    if as_document:
        print(json.dumps(to_jsonable_python(as_json(facts, changes)), indent=2, ensure_ascii=False))
    else:
        for line in _lines(facts, changes):
            console.print(plain(line), soft_wrap=True)
    if any(change.changed for change in changes):
        raise typer.Exit(CHANGED)


def _lines(facts: list[Change], changes: list[StackChange]) -> Iterator[str]:
    yield f"Facts that change: {len(facts)}"
    for fact in facts:
        yield f"  {_fact(fact)}"
    for change in changes:
        yield ""
        yield f"{change.stack}: {'changes' if change.changed else 'no change'}"
        yield from (f"  {line}" for line in _stack(change))


def _stack(change: StackChange) -> Iterator[str]:
    if change.old_digest != change.new_digest:
        yield f"Boundary {_short(change.old_digest)} → {_short(change.new_digest)}"
    yield from (f"rule {_moved(moved)}" for moved in change.rules)
    yield from (f"flow {_moved(moved)}" for moved in change.flows)
    for sign, findings in (("new finding", change.appeared), ("finding gone", change.gone)):
        for found in findings:
            yield f"{sign} {found.rule} at {found.resource}: {found.message}"


def _fact(change: Change) -> str:
    if change.old is None:
        return f"+ {change.fact}: {_value(change.new)}"
    if change.new is None:
        return f"- {change.fact}: {_value(change.old)}"
    if isinstance(change.old, list) and isinstance(change.new, list):
        added, removed = ([one for one in ours if one not in theirs] for ours, theirs in _both(change))
        if added or removed:
            return f"~ {change.fact}:{_signed('+', added)}{_signed('-', removed)}"
    return f"~ {change.fact}: {_value(change.old)} → {_value(change.new)}"


def _both(change: Change) -> tuple[tuple[list[Any], list[Any]], tuple[list[Any], list[Any]]]:
    return (change.new, change.old), (change.old, change.new)


def _moved(moved: Moved) -> str:
    return f"{moved.what}:{_signed('+', moved.gained)}{_signed('-', moved.lost)}"


def _signed(sign: str, values: list[Any] | tuple[Any, ...]) -> str:
    return "".join(f" {sign}{value}" for value in values)


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _short(digest: str | None) -> str:
    return digest[:19] if digest else "none"
