"""`loomstead cost`: what a month of a stack costs, as far as prices are known."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from components.review import refusal, review
from components.spec import FabricSpec
from regions.catalogue import load_catalogue
from scripts.cli.failure import CommandError
from scripts.cli.options import ConfigFile
from scripts.cli.output import console, print_json, print_table
from scripts.cli.place import Place
from scripts.cost.estimate import CODE, Estimate, dollars, estimate, over_budget
from scripts.cost.use import ASSUMPTIONS


def cost_command(
    stack: Annotated[str, typer.Argument(help="The stack, by the name of its file.")],
    config_file: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every line and its price as JSON.")] = False,
) -> None:
    """Say what a month costs: least, typical and most, by capability; and what nobody priced."""
    place, catalogue = Place.of(stack, config_file), load_catalogue()
    reviewed = review(place.stack_file, catalogue, datetime.now(UTC).date())
    if reviewed.spec is None:
        raise CommandError(refusal(reviewed))
    found = estimate(reviewed.spec, catalogue)
    if as_json:
        print_json(_plain(found, reviewed.spec))
    else:
        _print(stack, found, reviewed.spec)


def _plain(found: Estimate, spec: FabricSpec) -> dict[str, Any]:
    lines = [
        {**asdict(line.use), **asdict(line.amounts), "price": line.price.model_dump(mode="json")}
        for line in found.lines
    ]
    warning = over_budget(spec, found)
    return {
        "currency": "USD",
        "region": spec.region,
        "total": asdict(found.total) if found.total else None,
        "at_prices_of_another_region": asdict(found.elsewhere) if found.elsewhere else None,
        "gpu_idle": found.idle,
        "lines": lines,
        "unpriced": [{"capability": use.capability, "what": use.what, "item": use.item} for use in found.unpriced],
        "assumptions": list(ASSUMPTIONS),
        "findings": [{"code": CODE, "grade": "warn", "message": warning}] if warning else [],
    }


def _print(stack: str, found: Estimate, spec: FabricSpec) -> None:
    console.print(f"{stack}: US dollars a month in {spec.region}", style="bold")
    rows = [
        (str(capability), *dollars(found.of(capability)), str(found.unpriced_of(capability) or ""))
        for capability in found.capabilities
    ]
    total = ("total, at least" if found.unpriced else "total", *dollars(found.total), str(len(found.unpriced) or ""))
    print_table(("capability", "least", "typical", "most", "unpriced things"), [*rows, total])
    if found.elsewhere:
        regions = sorted({line.price.of for line in found.lines if line.price.of})
        typical = f"${found.elsewhere.typical:,.0f} of a typical month"
        console.print(f"{typical} at prices of {', '.join(regions)}: none is known for {spec.region}.")
    if found.idle:
        console.print(
            f"GPUs left on while nobody asks cost ${found.idle:,.0f} a month; scaled to none they cost nothing."
        )
    _print_list("unpriced, and in no sum", [f"{use.capability}: {use.what}" for use in found.unpriced])
    _print_list("assumed", list(ASSUMPTIONS))
    dated = {f"{line.price.source} (as of {line.price.as_of}, {line.price.confidence})" for line in found.lines}
    _print_list("prices", sorted(dated))
    if warning := over_budget(spec, found):
        console.print(f"WARN {CODE}: {warning}", style="yellow", soft_wrap=True)


def _print_list(title: str, lines: list[str]) -> None:
    console.print(f"{title}:{'' if lines else ' none'}")
    for line in lines:
        console.print(f"  {line}", soft_wrap=True)
