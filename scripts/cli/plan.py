"""`loomstead plan`: every resource that a stack is going to have."""

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from typing import Annotated

import typer

from components.review import StackReview, refusal, review
from regions.catalogue import load_catalogue
from regions.findings import Finding
from scripts.cli.failure import CommandError
from scripts.cli.output import console, print_json, print_table
from scripts.cli.place import Place
from scripts.command import StepFailed
from scripts.engine import ensure_engine
from scripts.graph import Graph, findings_in
from scripts.plan.graph import planned
from scripts.plan.inventory import Item, inventory
from scripts.progress import progress
from scripts.rehearsal.shipped import shipped

FINDINGS = 2
"""Exit code where something is against it; a plan that could not be had ends with 1."""
STATE_RULE = "X04"


def plan_command(
    stack: Annotated[str, typer.Argument(help="The stack, by the name of its file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Every resource as JSON.")] = False,
) -> None:
    """List what a stack is going to have, by capability, without credentials. Exit code 2 with findings."""
    reviewed, catalogue, today = _reviewed(stack), load_catalogue(), datetime.now(UTC).date()
    if reviewed.spec is None or reviewed.boundary is None or reviewed.open:
        console.print(refusal(reviewed), soft_wrap=True)
        raise typer.Exit(FINDINGS)
    try:
        with progress() as report:
            engine = ensure_engine(report)
        graph = planned(reviewed, engine)
    except StepFailed as failed:
        raise CommandError(f"{stack}: {failed}") from failed
    findings = [each for each in findings_in(graph, reviewed, catalogue, today) if _decided(each, graph)]
    items = inventory(graph, reviewed.spec, findings, catalogue)
    against = [finding for finding in findings if finding.waiver is None]
    if as_json:
        told = [{"rule": each.rule, "resource": each.resource, "message": each.message} for each in against]
        print_json({"stack": stack, "resources": [asdict(item) for item in items], "findings": told})
    else:
        _print(stack, items, against)
    if against:
        raise typer.Exit(FINDINGS)


def _decided(finding: Finding, graph: Graph) -> bool:
    """Where the state is kept nobody has to have said yet: preflight asks for it."""
    return finding.rule != STATE_RULE or graph.root["backend"]["url"] is not None


def _reviewed(stack: str) -> StackReview:
    if stack not in shipped():
        raise CommandError(f"There is no stack {stack!r} in a cloud. Stacks here: {', '.join(shipped())}.")
    return review(Place.of(stack).stack_file, load_catalogue(), datetime.now(UTC).date())


def _print(stack: str, items: tuple[Item, ...], against: list[Finding]) -> None:
    for capability, found in groupby(items, lambda item: item.capability):
        console.print(f"\n{capability}", style="bold")
        rows = [(item.name, item.type, item.region or "", _key(item), item.price or "", item.verdict) for item in found]
        print_table(("name", "type", "region", "key", "price", "Boundary"), rows, {"inside": "green"})
    counted = Counter(item.verdict == "inside" for item in items)
    console.print(f"\n{stack}: {len(items)} resources, {counted[True]} inside the Boundary, {counted[False]} not.")
    for finding in against:
        console.print(f"{finding.rule} {finding.resource}: {finding.message}", style="red", soft_wrap=True)


def _key(item: Item) -> str:
    return (item.key or "").rpartition("/")[2]
