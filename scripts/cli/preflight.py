"""`loomstead preflight`: what stands between a stack file and its first `pulumi up`."""

import os
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from components.fabrics import not_installed
from components.infrastructure import Refused
from components.review import review
from components.spec import FabricSpec
from regions.catalogue import load_catalogue
from scripts.cli.failure import CommandError
from scripts.cli.options import ConfigFile
from scripts.cli.output import console, print_json, print_table
from scripts.cli.place import Place
from scripts.preflight.checks import Asked, marked, preflight
from scripts.preflight.facts import Facts, FactsError, read
from scripts.preflight.results import Grade, Result
from scripts.preflight.wanted import actions, brought, constraints, names, quotas

FAILED = 2
"""Exit code where a check failed; a preflight that could not be had ends with 1."""
_COLLECTORS = {"aws": "scripts.preflight.aws", "kubernetes": "scripts.preflight.kubernetes"}
_COLOURS = {"pass": "green", "info": "blue", "warn": "yellow", "fail": "bold red"}


def preflight_command(
    stack: Annotated[str, typer.Argument(help="The stack, by the name of its file.")],
    facts: Annotated[Path | None, typer.Option(help="Facts that --record wrote; none: asked with credentials.")] = None,
    record: Annotated[Path | None, typer.Option(help="Write the facts that were asked there.")] = None,
    config_file: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every result as JSON.")] = False,
) -> None:
    """Say what would fail in a first `pulumi up`, and what to do. Exit code 2 when something would."""
    asked, known = _asked(stack, config_file, facts)
    if record is not None:
        _write(record, known)
    results = preflight(asked, known)
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        _print(results)
    if any(result.grade is Grade.FAIL for result in results):
        raise typer.Exit(FAILED)


def _asked(stack: str, config_file: Path | None, facts: Path | None) -> tuple[Asked, Facts | None]:
    place, catalogue, today = Place.of(stack, config_file), load_catalogue(), datetime.now(UTC).date()
    reviewed = review(place.stack_file, catalogue, today)
    spec = reviewed.spec
    try:
        wanted = quotas(spec, catalogue) if spec else {}
        known = read(facts) if facts else _collected(spec, stack)
    except (Refused, FactsError, LookupError) as refused:
        raise CommandError(str(refused)) from refused
    asked = Asked(
        review=reviewed,
        catalogue=catalogue,
        today=today,
        wanted=wanted,
        names=names(spec, stack) if spec else (),
        actions=actions(spec) if spec else (),
        brought=brought(spec, stack) if spec else {},
        constraints=constraints(spec, stack) if spec else {},
        backend=os.environ.get("PULUMI_BACKEND_URL"),
        marked=marked(place.stack_file.read_text()),
    )
    return asked, known


def _collected(spec: FabricSpec | None, stack: str) -> Facts | None:
    """What a place says of itself. Azure and Google Cloud are not asked yet: their facts are recorded by hand."""
    if spec is None or spec.platform not in _COLLECTORS:
        return None
    try:
        collector = import_module(_COLLECTORS[spec.platform])
    except ModuleNotFoundError as missing:
        raise CommandError(not_installed(str(missing.name), spec.platform)) from missing
    return collector.collect(spec, stack, actions(spec))


def _write(path: Path, facts: Facts | None) -> None:
    if facts is None:
        raise CommandError("--record: there are no facts: nothing here has credentials for that place.")
    try:
        path.write_text(facts.model_dump_json(indent=2, exclude_none=True) + "\n")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from error


def _print(results: list[Result]) -> None:
    rows = [(str(each.grade), each.code, _said(each)) for each in results]
    print_table(("", "check", "found"), rows, _COLOURS)
    counted = Counter(str(each.grade) for each in results)
    console.print(", ".join(f"{counted[grade]} {grade}" for grade in Grade))


def _said(result: Result) -> str:
    found = f"{result.subject}: {result.message}"
    return f"{found} → {result.remedy}" if result.remedy else found
