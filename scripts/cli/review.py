"""Review of stack files: no credentials, no network, no Pulumi, and nothing loaded that it does not need."""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer

from components.checks import CHECKS, SAYS_ITS_REMEDY, check_of
from components.naming import REPOSITORY
from components.review import StackReview, review
from regions.boundary import told
from regions.catalogue import HOST, Catalogue, load_catalogue
from regions.expectations import nearest
from regions.findings import Finding, Waiver, lapse
from regions.residency import Purpose
from scripts.cli.failure import CommandError
from scripts.cli.plain import plain_line

NOT_LEGAL_ADVICE = "Not legal advice."
FINDINGS = 2
"""Exit code where something was found; a review that could not be had ends with 1."""


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    HTML = "html"


def review_command(
    stacks: Annotated[
        list[str] | None, typer.Argument(metavar="[STACK|FILE]…", help="None: every stack of this repository.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.TEXT,
    output: Annotated[Path | None, typer.Option(help="Write to this file.", dir_okay=False)] = None,
    on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The day to review as of; none: today."),
    ] = None,
    explain: Annotated[str | None, typer.Option(metavar="RULE", help="Explain a rule and review nothing.")] = None,
    graph: Annotated[
        Path | None, typer.Option(help="Review the stack's resources too: a `pulumi` export or preview.", exists=True)
    ] = None,
    stack: Annotated[str | None, typer.Option(metavar="STACK|FILE", help="The stack of --graph.")] = None,
) -> None:
    """Say what in stack files would take data where it must not be, and in which line. Exit code 2 when something does.

    What the platform itself cannot make of a file, `plan` and `up` refuse.
    """
    catalogue = load_catalogue()
    if explain is not None:
        _write(explained(explain, catalogue), output)
        return
    day = on.date() if on else datetime.now(UTC).date()
    if graph is not None or stack is not None:
        reviews = [_with_graph(graph, stack, stacks or [], catalogue, day)]
    else:
        reviews = [review(path, catalogue, day) for path in stack_files(stacks or [])]
    _write(_rendered(form, reviews, catalogue, day), output)
    if any(one.open for one in reviews):
        raise typer.Exit(FINDINGS)


def _with_graph(
    file: Path | None, stack: str | None, others: Sequence[str], catalogue: Catalogue, on: date
) -> StackReview:
    """The review of a stack file and of its graph; the graph's needs the Boundary that a faulty file lacks."""
    if file is None or stack is None or others:
        raise CommandError("A graph is reviewed with its stack: `loomstead review --graph FILE --stack STACK`.")
    reviewed = review(stack_files([stack])[0], catalogue, on)
    graphs = import_module("scripts.graph")  # with a hundred rules, which a stack file alone does not need
    states = graphs.read(file, reviewed.stack)
    if reviewed.boundary is None:
        return reviewed
    found = graphs.findings_in(graphs.Graph(tuple(states), graphs.root_of(reviewed)), reviewed, catalogue, on)
    unused = graphs.unused(found, reviewed)
    return replace(reviewed, findings=(*reviewed.findings, *found, *unused))


def as_text(reviews: Sequence[StackReview], catalogue: Catalogue, on: date) -> str:
    """By stack, then by rule; the line is that in the stack file."""
    lines = [plain_line(line) for one in reviews for line in _stack_lines(one, on)]
    newest = max(source.as_of for source in catalogue.sources.values())
    counts = _summary(reviews)
    return "\n".join(
        [
            *lines,
            f"stacks: {counts['stacks']}; findings: {counts['open']} open, {counts['waived']} waived{_later(counts)}. "
            f"Catalogue of {newest}, {catalogue.digest[:19]}; reviewed as of {on}. {NOT_LEGAL_ADVICE}",
        ]
    )


def as_json(reviews: Sequence[StackReview]) -> str:
    """The findings with all that is known of them, and their counts."""
    stacks = [
        {"stack": one.stack, "digest": one.digest, "findings": [_plain(finding) for finding in one.findings]}
        for one in reviews
    ]
    return json.dumps({"stacks": stacks, "summary": _summary(reviews)}, indent=2, ensure_ascii=False)


def explained(rule: str, catalogue: Catalogue) -> str:
    """What a rule is, why it is, and what to do; raises ``CommandError`` for one that there is not."""
    if check := check_of(rule, catalogue):
        lines = [f"{rule} ({check.severity}): {check.title}", "", check.why, *_regime(rule, catalogue)]
        lines += ["", f"Remedy: {check.remedy}"]
        lines += [f"A waiver may answer for it: {'yes' if check.waivable else 'no'}."]
        return "\n".join(lines)
    rules = import_module("regions.rules").RULES
    if found := rules.get(rule):
        return "\n".join(
            [
                f"{found.id} ({found.severity}): {found.title}",
                "",
                f"{found.trap} On {', '.join(found.types)}.",
                "",
                f"Remedy: {found.remedy}",
                f"Source: {found.source}",
                "A waiver may answer for it: yes.",
            ]
        )
    rows = [row.id for row in CHECKS]
    every = [*rows, *rules, *(f"{name}/{purpose}" for name in catalogue.regimes for purpose in Purpose)]
    raise CommandError(f"There is no rule {rule!r}{nearest(rule, every)}. Rules: {', '.join([*rows, *rules])}.")


def _regime(rule: str, catalogue: Catalogue) -> Iterator[str]:
    name, _, tail = rule.partition("/")
    regime = catalogue.regimes.get(name)
    if regime is None:
        return
    source = catalogue.sources[regime.source]
    yield from ("", f"{name}: {regime.title}")
    for purpose in [tail] if tail in tuple(Purpose) else Purpose:
        terms = getattr(regime, purpose)
        yield f"  {purpose}: {', '.join(terms)} ({told(sorted(catalogue.expand(terms, HOST)))})"
    for platform, partitions in regime.partitions.items():
        yield f"  partitions of {platform}: {', '.join(partitions) or 'none'}"
    yield f"  custody of keys: {', '.join(regime.custody)}"
    yield f"  relaxed by: {regime.transfer_mode}; requires: {', '.join(regime.require) or 'no document'}"
    yield f"  {source.title} (as of {source.as_of}, {source.confidence})"


def stack_files(names: Sequence[str]) -> list[Path]:
    """Stack files by name or path (none: all), as short as they can be called from here; raises ``CommandError``."""
    shipped = {
        path.stem.removeprefix("Pulumi."): path for path in sorted((REPOSITORY / "stacks").glob("Pulumi.*.yaml"))
    }
    paths = [shipped.get(name, Path(name)) for name in names] or list(shipped.values())
    for path in paths:
        if not os.access(path, os.F_OK):  # Path.exists raises where a name is too long
            raise CommandError(f"There is no stack {str(path)!r}, and no such file. Stacks here: {', '.join(shipped)}.")
    return [min((path, Path(os.path.relpath(path))), key=lambda one: len(str(one))) for path in paths]


def _rendered(form: Format, reviews: Sequence[StackReview], catalogue: Catalogue, on: date) -> str:
    match form:
        case Format.TEXT:
            return as_text(reviews, catalogue, on)
        case Format.JSON:
            return as_json(reviews)
        case Format.SARIF:
            return import_module("scripts.report.sarif").render(reviews, on)
    return import_module("scripts.report.html").render(reviews, catalogue, on)


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text.rstrip("\n") + "\n")
    else:
        try:
            output.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror}. Name another --output.") from error


def _stack_lines(one: StackReview, on: date) -> Iterator[str]:
    state = "clean" if not one.open else f"findings: {len(one.open)}"
    boundary = f", Boundary {one.digest[:19]}" if one.digest else ""
    yield f"{one.stack} ({one.file}): {state}{boundary}"
    for rule, findings in groupby(sorted(one.open, key=lambda finding: finding.rule), lambda finding: finding.rule):
        yield f"  {rule}"
        for finding in findings:
            at = f"{finding.location.file}:{finding.location.line}" if finding.location else one.file
            yield f"    {at}: {finding.resource}"
            yield f"      {finding.message}"
            if finding.rule != SAYS_ITS_REMEDY:
                yield f"      → {finding.remedy}"
    for waiver in one.waivers:
        yield f"  waiver: {_waiver(waiver, on)}"
    yield ""


def _later(counts: dict[str, Any]) -> str:
    """A waiver of a rule about resources meets its finding in `plan` and in the policy pack."""
    waiting = counts["waivers"] - counts["waived"]
    return f" ({waiting} waivers are for what `plan` finds)" if waiting > 0 else ""


def _waiver(waiver: Waiver, on: date) -> str:
    holds = lapse(waiver.expires, on) or f"until {waiver.expires}"
    reason = " ".join(waiver.reason.split())
    return f"{waiver.rule} at {waiver.resource}: approved by {waiver.approver}, {holds}: {reason}"


def _summary(reviews: Sequence[StackReview]) -> dict[str, Any]:
    findings = [finding for one in reviews for finding in one.findings]
    rules = Counter(finding.rule for finding in findings if finding.waiver is None)
    return {
        "stacks": len(reviews),
        "findings": len(findings),
        "open": sum(rules.values()),
        "waived": len(findings) - sum(rules.values()),
        "waivers": sum(len(one.waivers) for one in reviews),
        "rules": dict(sorted(rules.items())),
    }


def _plain(finding: Finding) -> dict[str, Any]:
    waiver = finding.waiver.model_dump(mode="json") if finding.waiver else None
    location = asdict(finding.location) if finding.location else None
    names = ("rule", "severity", "resource", "property", "value", "countries", "message", "remedy")
    return {**{name: getattr(finding, name) for name in names}, "location": location, "waiver": waiver}
