"""`loomstead plan`: every resource that a stack is going to have."""

from collections import Counter
from dataclasses import asdict
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from components.fabrics import check_installed
from components.review import StackReview, refusal, review
from components.spec import Platform
from regions.catalogue import Catalogue, load_catalogue
from regions.findings import Finding
from scripts.cli.failure import CommandError
from scripts.cli.options import ConfigFile
from scripts.cli.output import console, print_json, print_table
from scripts.cli.place import Place
from scripts.command import StepFailed
from scripts.engine import ensure_engine
from scripts.graph import findings_in
from scripts.plan.graph import planned
from scripts.plan.inventory import Item, inventory
from scripts.progress import progress

FINDINGS = 2
"""Exit code where something is against it; a plan that could not be had ends with 1."""
STATE_RULE = "X04"
"""Where Pulumi's state lies is not planned: preflight says it of the machine that deploys, and the policy pack holds
`pulumi up` to it."""


def plan_command(
    stack: Annotated[str, typer.Argument(help="The stack, by the name of its file.")],
    config_file: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every resource as JSON.")] = False,
) -> None:
    """List what a stack is going to have, by capability, without credentials. Exit code 2 with findings."""
    catalogue, today = load_catalogue(), datetime.now(UTC).date()
    reviewed = _reviewed(stack, config_file, catalogue, today)
    if reviewed.spec is None or reviewed.boundary is None or reviewed.open:
        console.print(refusal(reviewed), soft_wrap=True)
        raise typer.Exit(FINDINGS)
    check_installed(reviewed.spec.platform)
    try:
        with progress() as report:
            engine = ensure_engine(report)
        graph = planned(reviewed, engine)
    except StepFailed as failed:
        raise CommandError(f"{stack} cannot be planned.\n{failed}") from failed
    findings = [each for each in findings_in(graph, reviewed, catalogue, today) if each.rule != STATE_RULE]
    items = inventory(graph, reviewed.spec, findings, catalogue)
    against = [finding for finding in findings if finding.waiver is None]
    if as_json:
        told = [{"rule": each.rule, "resource": each.resource, "message": each.message} for each in against]
        print_json({"stack": stack, "resources": [asdict(item) for item in items], "findings": told})
    else:
        _print(stack, items, against)
    if against:
        raise typer.Exit(FINDINGS)


def _reviewed(stack: str, config_file: Path | None, catalogue: Catalogue, on: date) -> StackReview:
    reviewed = review(Place.of(stack, config_file).stack_file, catalogue, on, stack)
    if reviewed.spec and reviewed.spec.platform is Platform.LOCAL:
        raise CommandError(f"Stack {stack!r} is of this machine, and nothing to plan: `pulumi preview -s {stack}`.")
    return reviewed


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
