"""What a new catalogue changes: fact by fact, and for each stack what follows from it, before it is taken."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from components.flows import Leg
from components.review import StackReview, review
from regions.catalogue import Catalogue, Country
from regions.findings import Finding

_ABSENT: Any = object()


@dataclass(frozen=True)
class Change:
    """One fact. ``old`` is ``None`` for one that was added, ``new`` for one that was removed."""

    fact: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Moved:
    """Countries that a rule allows, or that a flow reaches, with one catalogue and not with the other."""

    what: str
    gained: tuple[Country, ...]
    lost: tuple[Country, ...]


@dataclass(frozen=True)
class StackChange:
    """``rules``: what the Boundary allows. ``flows``: where data goes. Findings: those with one catalogue alone."""

    stack: str
    old_digest: str | None
    new_digest: str | None
    rules: tuple[Moved, ...]
    flows: tuple[Moved, ...]
    appeared: tuple[Finding, ...]
    gone: tuple[Finding, ...]

    @property
    def changed(self) -> bool:
        moved = self.rules or self.flows or self.appeared or self.gone
        return bool(moved) or self.old_digest != self.new_digest


def fact_changes(old: Catalogue, new: Catalogue) -> list[Change]:
    """By name; when a source was read again is no change of a fact."""
    return list(_changes("", _facts(old), _facts(new)))


def stack_change(path: Path, old: Catalogue, new: Catalogue, on: date) -> StackChange:
    """What the new catalogue changes for a stack file; raises ``SpecError`` where there is none."""
    before, after = review(path, old, on), review(path, new, on)
    return StackChange(
        stack=before.stack,
        old_digest=before.digest,
        new_digest=after.digest,
        rules=_moved(_allowed(before, on), _allowed(after, on)),
        flows=_moved(_reached(before.legs), _reached(after.legs)),
        appeared=_only(after.findings, before.findings),
        gone=_only(before.findings, after.findings),
    )


def as_json(changes: Sequence[Change], stacks: Iterable[StackChange]) -> dict[str, Any]:
    """Both as plain values."""
    return {
        "facts": [asdict(change) for change in changes],
        "stacks": [{**asdict(stack), "changed": stack.changed} for stack in stacks],
    }


def _facts(catalogue: Catalogue) -> dict[str, Any]:
    facts = catalogue.model_dump(mode="json")
    facts["adequacy"] = {f"{edge['origin']}→{edge['to']} ({edge['basis']})": edge for edge in facts["adequacy"]}
    for source in facts["sources"].values():
        del source["as_of"]
    return facts


def _changes(name: str, old: Any, new: Any) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _changes(f"{name}.{key}".removeprefix("."), old.get(key, _ABSENT), new.get(key, _ABSENT))
    elif old != new:
        yield Change(name, None if old is _ABSENT else old, None if new is _ABSENT else new)


def _allowed(reviewed: StackReview, on: date) -> dict[str, set[Country]]:
    """The countries of each rule, relaxations in force included."""
    allowed: dict[str, set[Country]] = {}
    for rule in reviewed.boundary.rules if reviewed.boundary else ():
        name = rule.id if rule.id.endswith(f"/{rule.purpose}") else f"{rule.id} ({rule.purpose})"
        relaxed = (country for one in rule.exemptions if on <= one.until for country in one.countries)
        allowed[name] = {*rule.countries, *relaxed}
    return allowed


def _reached(legs: Iterable[Leg]) -> dict[str, set[Country]]:
    return {f"{leg.subject} ({leg.purpose})": set(leg.countries) for leg in legs}


def _moved(old: dict[str, set[Country]], new: dict[str, set[Country]]) -> tuple[Moved, ...]:
    every = ((name, old.get(name, set()), new.get(name, set())) for name in sorted(old.keys() | new.keys()))
    return tuple(
        Moved(name, tuple(sorted(after - before)), tuple(sorted(before - after)))
        for name, before, after in every
        if before != after
    )


def _only(findings: Iterable[Finding], others: Iterable[Finding]) -> tuple[Finding, ...]:
    known = {_same(finding) for finding in others}
    return tuple(finding for finding in findings if _same(finding) not in known)


def _same(finding: Finding) -> tuple[Any, ...]:
    return finding.rule, finding.resource, finding.property, finding.countries, finding.waiver is None
