"""Where each data class of a stack rests, runs, is logged, backed up, and under whose keys: the map an auditor reads.

One placement is one leg of the stack file for one data class, with what the Boundary says of it on a day.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from components.flows import Leg
from components.review import StackReview
from regions.boundary import Boundary, Flow, Verdict, adequacy
from regions.catalogue import Catalogue, Confidence, Source
from regions.documents import shown
from regions.residency import Basis, DataClass


class Standing(StrEnum):
    """How a flow stands, from best to worst. ``relaxed``: inside by a relaxation alone, for which somebody answers."""

    INSIDE = "inside"
    RELAXED = "relaxed"
    OUTSIDE = "outside"


@dataclass(frozen=True)
class Placement:
    leg: Leg
    data_class: DataClass
    verdict: Verdict
    standing: Standing


def placements(review: StackReview, on: date) -> Iterator[Placement]:
    """Every leg for every data class that travels on it; none where the stack file does not give a Boundary."""
    if review.boundary is None:
        return
    for leg in review.legs:
        for data_class, flow in zip(leg.data_classes, leg.flows(), strict=True):
            verdict = review.boundary.decide(flow, on)
            yield Placement(leg, data_class, verdict, _standing(review.boundary, flow, verdict))


def _standing(boundary: Boundary, flow: Flow, verdict: Verdict) -> Standing:
    if not verdict.allowed:
        return Standing.OUTSIDE
    rules = (one for one in boundary.rules if one.purpose == flow.purpose and one.data_class in (None, flow.data_class))
    return Standing.INSIDE if all(set(flow.countries) <= set(rule.countries) for rule in rules) else Standing.RELAXED


def worst(placed: Iterable[Placement]) -> Standing:
    """One word for several placements."""
    return max((one.standing for one in placed), key=list(Standing).index)


def facts_used(review: StackReview, catalogue: Catalogue) -> dict[str, Source]:
    """The sources that the stack's places, regimes and relaxations rest on, by name."""
    names = {leg.source for leg in review.legs if leg.source}
    if review.spec:
        residency = review.spec.residency
        regimes = [catalogue.regimes[name] for name in residency.regimes if name in catalogue.regimes]
        names |= {regime.source for regime in regimes}
        names |= {
            edge.source
            for relaxation in residency.relaxations
            if relaxation.basis is Basis.ADEQUACY and relaxation.regime in catalogue.regimes and review.boundary
            for country in catalogue.expand(relaxation.countries, review.boundary.host)
            if (edge := adequacy(catalogue, relaxation.regime, country, review.boundary.host))
        }
    return {name: catalogue.sources[name] for name in sorted(names)}


def unverified(facts: Mapping[str, Source]) -> dict[str, Source]:
    """Those that nobody read in the primary source."""
    return {name: source for name, source in facts.items() if source.confidence is not Confidence.VERIFIED}


def as_json(placed: Iterable[Placement]) -> list[dict[str, Any]]:
    """The map as plain values."""
    return [
        {
            "data_class": one.data_class,
            "purpose": one.leg.purpose,
            "subject": one.leg.subject,
            "where": one.leg.where,
            "countries": list(one.leg.countries),
            "standing": one.standing,
            "rule": one.verdict.rule,
            "reason": one.leg.unknown or one.verdict.reason,
            "key": shown(one.leg.key),
            "source": one.leg.source,
        }
        for one in placed
    ]
