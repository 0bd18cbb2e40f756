"""A page for each shipped stack, written from its file: what it is, where data lies, what it has, what it costs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path

from components.fabric import asked_for
from components.naming import REPOSITORY
from components.parity import Capability
from components.review import StackReview, review
from components.spec import FabricSpec, Platform
from regions.boundary import told
from regions.catalogue import Catalogue, load_catalogue
from regions.documents import shown
from scripts.cost.estimate import Estimate, NoPrices, dollars, estimate
from scripts.plan.inventory import FABRIC, capability_of, of_the_replica
from scripts.report.placements import Placement, placements

STACKS = REPOSITORY / "stacks"
PAGES = REPOSITORY / "docs" / "stacks"
URNS = REPOSITORY / "tests" / "conformance" / "urns"
"""What each program registers; a test holds the program to it."""
AS_OF = date(2026, 11, 23)
"""The day of the verdicts, so that a page changes with its stack and not with the calendar."""


def pages() -> dict[Path, str]:
    """Every page by its path."""
    names = sorted(file.stem.removeprefix("Pulumi.") for file in STACKS.glob("Pulumi.*.yaml"))
    return {PAGES / f"{name}.md": page(name) for name in names}


def page(stack: str) -> str:
    file, catalogue = STACKS / f"Pulumi.{stack}.yaml", load_catalogue()
    reviewed = review(file, catalogue, AS_OF)
    if reviewed.spec is None:
        raise ValueError(f"{file} is no stack file: `loomstead review {stack}` says why")
    parts = [
        f"# {stack}",
        f"Written by `python -m scripts.documents` from `stacks/{file.name}`; verdicts are those of {AS_OF}.",
        *_about(file),
        *_where(reviewed),
        *_has(stack),
        *_costs(reviewed.spec, catalogue),
        *_picture(reviewed.spec, catalogue),
    ]
    return "\n\n".join(parts) + "\n"


def _about(file: Path) -> Iterator[str]:
    """The comment above the stack file's first key, without the line for editors and the hints for who fills it in."""
    lines = [line.removeprefix("# ") for line in file.read_text().splitlines() if line.startswith("# ")]
    text = " ".join(line for line in lines if not line.startswith("yaml-language-server"))
    yield text.partition(" Lines that end in")[0]


def _where(reviewed: StackReview) -> Iterator[str]:
    spec = reviewed.spec
    if spec is None or reviewed.boundary is None:
        return
    held = f"{spec.keys.custody} custody" + (f", key {spec.keys.encryption}" if spec.keys.encryption else "")
    yield "## Where data lies, and under whose keys"
    yield f"Regimes: {', '.join(spec.residency.regimes)}. Keys: {held}, in {spec.keys.region or spec.region}."
    placed = sorted(placements(reviewed, AS_OF), key=_leg)
    rows = [_row(list(found)) for _, found in groupby(placed, key=_leg)]
    yield _table(("purpose", "what", "where", "countries", "data classes", "Boundary"), rows)


def _leg(placed: Placement) -> tuple[str, str, str, str]:
    leg = placed.leg
    return str(leg.purpose), shown(leg.key), leg.subject, leg.where


def _row(found: list[Placement]) -> tuple[str, ...]:
    leg = found[0].leg
    standing = ", ".join(sorted({str(one.standing) for one in found}))
    classes = ", ".join(str(one.data_class) for one in found)
    return str(leg.purpose), leg.subject, leg.where, told(leg.countries) or "unknown", classes, standing


def _has(stack: str) -> Iterator[str]:
    yield "## What it has"
    file = URNS / f"{stack}.txt"
    if not file.is_file():
        yield f"`loomstead {'status' if stack == Platform.LOCAL else f'plan {stack}'}` lists it."
        return
    counted: dict[str, Counter[str]] = {}
    for line in file.read_text().splitlines():
        types, _, name = line.rpartition("::")
        type_ = types.rpartition("$")[2]
        if not type_.startswith(("loomstead:", "pulumi:")):
            found = of_the_replica(name, capability_of(f"urn::stack::{types}::{name}"))
            counted.setdefault(found, Counter())[type_] += 1
    ordered = [name for name in (*map(str, Capability), FABRIC) if name in counted]
    rows = [(name, str(counted[name].total()), _kinds(counted[name])) for name in ordered]
    total = sum(kinds.total() for kinds in counted.values())
    yield f"{total} resources; `loomstead plan {stack}` lists each, and what is looked up, with region, key and price."
    yield _table(("capability", "resources", "of which"), rows)


def _kinds(counted: Counter[str]) -> str:
    return ", ".join(f"{number} {type_.rpartition(':')[2]}" for type_, number in sorted(counted.items()))


def _costs(spec: FabricSpec, catalogue: Catalogue) -> Iterator[str]:
    yield "## What a month costs"
    try:
        found = estimate(spec, catalogue)
    except NoPrices as unknown:
        yield f"{str(unknown).partition(': ')[2].capitalize()}."
        return
    rows = [(str(each), *dollars(found.of(each))) for each in found.capabilities]
    total = ("**total, at least**" if found.unpriced else "**total**", *dollars(found.total))
    yield "US dollars, list prices; `loomstead cost` has the assumptions and the source of each price."
    yield _table(("capability", "least", "typical", "most"), [*rows, total])
    yield from _said(spec, found)


def _said(spec: FabricSpec, found: Estimate) -> Iterator[str]:
    if found.elsewhere:
        typical = f"${found.elsewhere.typical:,.0f} of the typical month"
        yield f"{typical} is at another region's prices: none is known for {spec.region}."
    if found.idle:
        yield f"GPUs left on while nobody asks are ${found.idle:,.0f} of the most; scaled to none they cost nothing."
    if found.unpriced:
        yield f"Unpriced, and in no sum: {'; '.join(f'{use.capability}: {use.what}' for use in found.unpriced)}."


_FLOWS = (
    (Capability.TRIGGERS, "starts tasks", Capability.GATEWAY),
    (Capability.GATEWAY, "tasks", Capability.ORCHESTRATOR),
    (Capability.GATEWAY, "ledger", Capability.POSTGRES),
    (Capability.GATEWAY, "prompts", Capability.MODELS),
    (Capability.GATEWAY, "prompts", Capability.MODEL_HOST),
    (Capability.GATEWAY, "counters", Capability.CACHE),
    (Capability.GATEWAY, "search", Capability.VECTOR),
    (Capability.GATEWAY, "agents' reads", Capability.REPLICA),
    (Capability.POSTGRES, "streams", Capability.REPLICA),
    (Capability.POSTGRES, "copies", Capability.BACKUP),
    (Capability.GATEWAY, "calls by scope class", Capability.CORE_SYSTEM),
    (Capability.GATEWAY, "telemetry", Capability.OBSERVABILITY),
    (Capability.KEYS, "encrypts", Capability.POSTGRES),
    (Capability.IDENTITY, "trusts", Capability.GATEWAY),
)
_LABELS = {
    Capability.POSTGRES: "database",
    Capability.REPLICA: "agent-only replica",
    Capability.MODEL_HOST: "own models",
}


def _picture(spec: FabricSpec, catalogue: Catalogue) -> Iterator[str]:
    """Of a foundation there is no gateway: what it gives is shown without who will use it."""
    there = {*asked_for(spec, catalogue), Capability.REPLICA}
    if spec.core_systems:
        there.add(Capability.CORE_SYSTEM)
    yield "## Parts and flows"
    nodes = {
        each: f'{each}["{_LABELS.get(each, str(each)).replace("_", " ")}"]' for each in Capability if each in there
    }
    edges = [f"{source} -->|{what}| {target}" for source, what, target in _FLOWS if source in there and target in there]
    outside = [nodes.pop(Capability.CORE_SYSTEM)] if Capability.CORE_SYSTEM in nodes else []
    place = f'subgraph place["{spec.platform} {spec.region}"]'
    lines = ["flowchart LR", place, *nodes.values(), "end", *outside, *edges]
    yield "\n".join(["```mermaid", *lines, "```"])


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
