"""The flows of a stack as one SVG: the stack where it stands, and an arrow to every other place that gets its data.

The same drawing stands alone and inside the report. Colour never speaks alone: each arrow carries its word.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from urllib.parse import quote

from components.review import StackReview
from regions.catalogue import Catalogue, Country
from regions.residency import Purpose
from scripts.report.placements import Placement, Standing, placements, worst
from scripts.report.text import environment, places

CARD, GAP, MARGIN, LINE = 82, 14, 4, 24
"""Heights in the units of the drawing."""


@dataclass(frozen=True)
class Layout:
    """Widths and left edges in the units of the drawing; how many characters fit.

    ``stem``: where arrows begin. ``below``: the cards stand under the stack, not beside it.
    """

    name: str
    width: int
    home: int
    stem: int
    cards: int
    home_chars: int
    title_chars: int
    detail_chars: int
    below: bool = False


WIDE = Layout("wide", width=960, home=300, stem=301, cards=480, home_chars=30, title_chars=44, detail_chars=58)
NARROW = Layout(
    "narrow", width=400, home=400, stem=16, cards=116, home_chars=42, title_chars=30, detail_chars=34, below=True
)
SIGNS = {Standing.INSIDE: "✓", Standing.RELAXED: "!", Standing.OUTSIDE: "✕"}
VERBS = {
    Purpose.REST: "rests",
    Purpose.PROCESS: "runs",
    Purpose.LOGS: "is logged",
    Purpose.BACKUP: "is backed up",
    Purpose.KEYS: "keys",
}


@dataclass(frozen=True)
class Card:
    """One place that gets data. ``y``: of its upper edge. ``some``: for which data classes it stands so, if not all."""

    y: int
    title: str
    where: str
    countries: str
    purposes: str
    standing: Standing
    some: str
    full: str

    @property
    def middle(self) -> int:
        return self.y + CARD // 2


def draw(review: StackReview, catalogue: Catalogue, on: date, layout: Layout = WIDE) -> str:
    """The SVG document; empty where the stack file gives no Boundary to judge by."""
    if review.spec is None or review.boundary is None:
        return ""
    names = catalogue.countries.names
    home: list[tuple[Standing, str]] = []
    away: list[list[Placement]] = []
    for group in _by_place(placements(review, on)):
        if group[0].leg.where == review.spec.region:
            home.append((worst(group), _cut(_said(group), layout.home_chars)))
        else:
            away.append(group)
    least = 96 + len(home) * LINE
    top = MARGIN + least + 2 * GAP if layout.below else MARGIN
    cards = [_card(group, names, layout, top + index * (CARD + GAP)) for index, group in enumerate(away)]
    bottom = cards[-1].y + CARD if cards else top + (CARD if layout.below else least)
    return environment.get_template("flow.svg.j2").render(
        id=f"flow-{quote(review.stack, safe='')}-{layout.name}",
        stack=review.stack,
        region=f"{review.spec.platform} {review.spec.region}",
        country=places((review.boundary.host,), names),
        lines=home,
        cards=cards,
        at=layout,
        home_height=least if layout.below else max(bottom - MARGIN, least),
        height=max(bottom, MARGIN + least) + MARGIN,
        signs=SIGNS,
        margin=MARGIN,
        line=LINE,
        card_height=CARD,
    )


def _by_place(placed: Iterable[Placement]) -> list[list[Placement]]:
    """Placements that are one box: the same subject at the same place."""

    def place(one: Placement) -> tuple[str, str, tuple[Country, ...]]:
        return one.leg.subject, one.leg.where, one.leg.countries

    every = list(placed)
    order = list(dict.fromkeys(map(place, every)))
    ordered = sorted(every, key=lambda one: order.index(place(one)))
    return [list(group) for _, group in groupby(ordered, place)]


def _card(group: Sequence[Placement], names: dict[Country, str], layout: Layout, y: int) -> Card:
    leg = group[0].leg
    countries = places(leg.countries, names) or "country not known"
    purposes = ", ".join(dict.fromkeys(one.leg.purpose for one in group))
    classes = list(dict.fromkeys(one.data_class for one in group))
    standing = worst(group)
    standing_for = list(dict.fromkeys(one.data_class for one in group if one.standing is standing))
    some = "" if standing_for == classes else f" for {', '.join(standing_for)}"
    return Card(
        y=y,
        title=_cut(leg.subject, layout.title_chars),
        where=_cut(leg.where, layout.detail_chars),
        countries=_cut(countries, layout.detail_chars),
        purposes=purposes,
        standing=standing,
        some=_cut(some, layout.detail_chars),
        full=f"{leg.subject}: {purposes} of {', '.join(classes)} data at {leg.where}, {countries}: {standing}{some}",
    )


def _said(group: Sequence[Placement]) -> str:
    purposes = list(dict.fromkeys(one.leg.purpose for one in group))
    subject = group[0].leg.subject
    if subject == "the stack":
        return "data " + " and ".join(VERBS[purpose] for purpose in purposes) + " here"
    return subject


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
