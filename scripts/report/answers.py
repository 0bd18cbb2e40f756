"""Relaxations and waivers: the exceptions of a stack, and who answers for each."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.review import StackReview
from regions.findings import Waiver
from regions.residency import Relaxation


@dataclass(frozen=True)
class Answer:
    """``what``: what is excepted. ``void``: why it does not hold, as the review found."""

    kind: str
    what: str
    given: Relaxation | Waiver
    void: str | None


def answers(review: StackReview) -> Iterator[Answer]:
    """All of them in the stack file's order, relaxations first."""
    if review.spec is None:
        return
    for index, relaxation in enumerate(review.spec.residency.relaxations):
        yield Answer("relaxation", _relaxed(relaxation), relaxation, _void(review, f"residency.relaxations[{index}]"))
    for index, waiver in enumerate(review.spec.waivers):
        yield Answer("waiver", f"{waiver.rule} at {waiver.resource}", waiver, _void(review, f"waivers[{index}]"))


def _void(review: StackReview, place: str) -> str | None:
    return next((finding.message for finding in review.findings if finding.resource.startswith(place)), None)


def _relaxed(found: Relaxation) -> str:
    ground = f"{found.basis}, {found.reference}" if found.reference else str(found.basis)
    return (
        f"{found.regime}: {', '.join(found.purposes)} of {', '.join(found.data_classes)} data in "
        f"{', '.join(found.countries)} ({ground})"
    )
