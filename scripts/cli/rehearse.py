"""`loomstead rehearse`: the life of a stack on the real engine, against a cloud that only remembers."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

import typer

from components.fabrics import check_installed
from scripts.cli.failure import CommandError
from scripts.cli.output import console, print_json, print_table
from scripts.command import StepFailed
from scripts.engine import Engine, ensure_engine
from scripts.kubernetes import ensure_kubernetes
from scripts.kubernetes.definitions import ensure_definitions
from scripts.progress import progress
from scripts.rehearsal.cycle import Kubernetes, Rehearsal, counted, rehearse
from scripts.rehearsal.shipped import needs_kubernetes, plan_of, platform_of, shipped


def rehearse_command(
    stacks: Annotated[list[str] | None, typer.Argument(help="Names of stacks, as their files are named.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every stack but the local one.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was seen as JSON.")] = False,
) -> None:
    """Raise, change, refresh and remove stacks on the real engine, against a cloud that only remembers.

    Exit code 1 where a stack does not go as it should.
    """
    names = _asked(stacks or [], every)
    seen = {}
    engine, kubernetes = prepared(names)
    for name in names:
        seen[name] = rehearsed(name, engine, kubernetes)
        if not as_json:
            _show(name, seen[name])
    if as_json:
        print_json({name: went.as_json() for name, went in seen.items()})
    elif len(seen) > 1:
        _show_all(seen)
    if any(went.problems for went in seen.values()):
        raise typer.Exit(1)


def prepared(names: Iterable[str]) -> tuple[Engine, Kubernetes | None]:
    """What the rehearsals of these stacks run, made where it is missing."""
    with progress() as report:
        engine = ensure_engine(report)
        if not any(map(needs_kubernetes, names)):
            return engine, None
        return engine, Kubernetes(ensure_kubernetes(report), ensure_definitions(report))


def rehearsed(name: str, engine: Engine, kubernetes: Kubernetes | None) -> Rehearsal:
    """Raises ``CommandError`` where the engine cannot be made to work at all."""
    try:
        with plan_of(name, kubernetes) as plan:
            return rehearse(plan, engine)
    except StepFailed as failed:
        raise CommandError(f"{name}: {failed}") from failed


def _asked(stacks: list[str], every: bool) -> list[str]:
    known = shipped()
    if every == bool(stacks):
        raise CommandError(f"Name stacks, or give --all. Stacks here: {', '.join(known)}.")
    for name in stacks:
        if name not in known:
            raise CommandError(f"There is no stack {name!r} in a cloud. Stacks here: {', '.join(known)}.")
    asked = stacks or list(known)
    for name in asked:
        check_installed(platform_of(name))
    return asked


def _show(name: str, went: Rehearsal) -> None:
    console.print(f"\n{name}: {went.resources} resources", style="bold")
    steps = [(step.name, f"{step.seconds:.1f}", counted(step.changes)) for step in went.steps]
    print_table(("step", "seconds", "what the engine did"), steps)
    lists = {
        "keys that the change rotated": went.rotated,
        "the change replaces": went.replaced,
        "whether these inputs replace is not known offline": went.undecided,
        "orphans: in the cloud and in no state": went.orphans,
        "kinds without a definition here, checked by the recorder alone": went.recorded,
    }
    for title, lines in lists.items():
        _list(title, [_short(line) for line in lines])
    kinds = Counter(urn.split("::")[2].rpartition("$")[2] for urn in went.kept)
    _list("kept in the cloud by `destroy`, on purpose", [f"{count} {kind}" for kind, count in sorted(kinds.items())])
    for problem in went.problems:
        console.print(f"problem: {problem}", style="red", soft_wrap=True)


def _list(title: str, lines: Iterable[str]) -> None:
    found = list(lines)
    console.print(f"{title}:{'' if found else ' none'}", soft_wrap=True)
    for line in found:
        console.print(f"  {line}", soft_wrap=True)


def _short(line: str) -> str:
    """A line that begins with a URN, by the resource's type and name; any other as it is."""
    urn, _, more = line.partition(" ")
    if not urn.startswith("urn:pulumi:"):
        return line
    _, _, types, name = urn.split("::", 3)
    return " ".join(filter(None, [f"{types.rpartition('$')[2]}::{name}", more]))


def _show_all(seen: dict[str, Rehearsal]) -> None:
    console.print()
    rows = [
        (
            name,
            str(went.resources),
            f"{went.seconds:.1f}",
            str(len(went.replaced)),
            str(len(went.orphans)),
            f"problems: {len(went.problems)}" if went.problems else "as it should",
        )
        for name, went in seen.items()
    ]
    print_table(("stack", "resources", "seconds", "replaced", "orphans", "went"), rows, {"as it should": "green"})
