"""What a review finds, and the waivers that answer for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from regions.catalogue import Country
from regions.residency import Answer

LONGEST_WAIVER = timedelta(days=366)


class Severity(StrEnum):
    """``deny``: may not be raised. ``warn``: somebody has to justify it. Both are findings until waived."""

    DENY = "deny"
    WARN = "warn"


class Waiver(BaseModel):
    """Somebody answers for one rule's findings at one resource (a key of the stack file, or a resource's name)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    rule: str = Field(min_length=1)
    resource: str = Field(min_length=1)
    reason: Answer
    approver: Answer
    expires: date


@dataclass(frozen=True)
class Location:
    """``line`` is counted from 1."""

    file: str
    line: int


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it has to be.

    ``resource``: a key of the stack file, or a resource of the plan. ``property``: what of it. ``value``: as it stands
    there. ``countries``: those outside. ``remedy``: what to change.
    """

    rule: str
    severity: Severity
    resource: str
    property: str
    value: str
    countries: tuple[Country, ...]
    message: str
    remedy: str
    location: Location | None = None
    waiver: Waiver | None = None


def waive(findings: Iterable[Finding], waivers: Sequence[Waiver], on: date) -> list[Finding]:
    """The findings, each with the waiver that is in force for it on that day."""
    in_force = {(waiver.rule, waiver.resource): waiver for waiver in waivers if lapse(waiver.expires, on) is None}
    return [replace(finding, waiver=in_force.get((finding.rule, finding.resource))) for finding in findings]


def lapse(expires: date, on: date) -> str | None:
    """Why a waiver or relaxation with that last day does not hold on a day; ``None`` where it does."""
    if expires < on:
        return f"it expired on {expires}"
    if expires - on > LONGEST_WAIVER:
        return f"it runs until {expires}, longer than a year"
    return None
