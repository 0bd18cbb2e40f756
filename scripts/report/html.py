"""The report as one HTML file that one can hand to an auditor: no script, and nothing is fetched."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from components.flows import Leg
from components.naming import REPOSITORY
from components.review import StackReview
from regions.boundary import Exemption, Rule
from regions.catalogue import Catalogue, Custody, Evidence, Regime, Source
from regions.documents import shown
from regions.findings import Severity
from regions.residency import DataClass, Purpose
from scripts.report.answers import Answer, answers
from scripts.report.coverage import NOT_COVERED
from scripts.report.picture import NARROW, SIGNS, WIDE, draw
from scripts.report.placements import Placement, Standing, facts_used, placements, unverified
from scripts.report.text import environment, places

PURPOSES = {
    Purpose.REST: "Rests",
    Purpose.PROCESS: "Runs",
    Purpose.LOGS: "Is logged",
    Purpose.BACKUP: "Is backed up",
    Purpose.KEYS: "Keys are held",
}
CUSTODY = {
    Custody.PROVIDER: "by the provider alone",
    Custody.CUSTOMER: "by the customer, in the provider's key service",
    Custody.EXTERNAL: "by the customer, outside the provider",
}
LEVELS = {Severity.DENY: "not permitted", Severity.WARN: "needs a reason"}


@dataclass(frozen=True)
class Row:
    """A leg, and how it stands for each data class that travels on it."""

    leg: Leg
    placed: dict[DataClass, Placement]


@dataclass(frozen=True)
class Law:
    """A rule of the Boundary for all the purposes that it answers alike."""

    name: str
    purposes: tuple[Purpose, ...]
    data_class: DataClass | None
    countries: tuple[str, ...]
    exemptions: tuple[Exemption, ...]


@dataclass(frozen=True)
class Chapter:
    """What the template shows of one stack."""

    review: StackReview
    file: str
    pictures: list[Markup]
    rows: list[Row]
    regimes: list[tuple[str, Regime, dict[Evidence, str | None]]]
    laws: list[Law]
    answers: list[Answer]
    facts: dict[str, Source]

    @property
    def open(self) -> int:
        return len(self.review.open)

    @property
    def waived(self) -> int:
        return len(self.review.findings) - self.open

    @property
    def relaxed(self) -> bool:
        placed = (one for row in self.rows for one in row.placed.values())
        return any(one.standing is Standing.RELAXED for one in placed)

    @property
    def tally(self) -> str:
        counts = ((self.open, "open"), (self.waived, "waived"))
        return ", ".join(f"{count} {state}" for count, state in counts if count) or "none"


def render(reviews: Sequence[StackReview], catalogue: Catalogue, on: date) -> str:
    """The document; the same reviews, catalogue and day give the same text."""
    chapters = [_chapter(review, catalogue, on) for review in reviews]
    facts = {name: fact for chapter in chapters for name, fact in chapter.facts.items()}
    names = catalogue.countries.names
    return environment.get_template("report.html.j2").render(
        chapters=chapters,
        on=on,
        kit=version("loomstead"),
        catalogue=catalogue,
        facts=dict(sorted(facts.items())),
        unverified=unverified(facts),
        not_covered=NOT_COVERED,
        purposes=PURPOSES,
        custody=CUSTODY,
        levels=LEVELS,
        signs=SIGNS,
        shown=shown,
        places=lambda countries: places(countries, names),
    )


def _chapter(review: StackReview, catalogue: Catalogue, on: date) -> Chapter:
    placed = list(placements(review, on))
    return Chapter(
        review=review,
        file=told_file(review.file),
        pictures=[Markup(draw(review, catalogue, on, layout)) for layout in (WIDE, NARROW)],  # noqa: S704  escaped
        rows=[Row(leg, {one.data_class: one for one in own}) for leg, own in groupby(placed, lambda one: one.leg)],
        regimes=list(_regimes(review, catalogue)),
        laws=list(_laws(review.boundary.rules if review.boundary else ())),
        answers=list(answers(review)),
        facts=facts_used(review, catalogue),
    )


def told_file(file: str) -> str:
    """The file from the repository's root on where it lies in it."""
    path = Path(file)
    return str(path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path)


def _regimes(review: StackReview, catalogue: Catalogue) -> Iterator[tuple[str, Regime, dict[Evidence, str | None]]]:
    if review.spec is None:
        return
    for name in review.spec.residency.regimes:
        regime = catalogue.regimes.get(name)
        if regime:
            yield name, regime, {one: review.spec.residency.evidence.get(one) for one in regime.require}


def _laws(rules: Sequence[Rule]) -> Iterator[Law]:
    def alike(rule: Rule) -> tuple[str, DataClass | None, tuple[str, ...], tuple[Exemption, ...]]:
        return rule.id.removesuffix(f"/{rule.purpose}"), rule.data_class, rule.countries, rule.exemptions

    order = list(Purpose)
    groups: dict[object, list[Rule]] = {}
    for rule in rules:
        groups.setdefault(alike(rule), []).append(rule)
    for group in groups.values():
        first = group[0]
        purposes = tuple(sorted((rule.purpose for rule in group), key=order.index))
        yield Law(alike(first)[0], purposes, first.data_class, first.countries, first.exemptions)
