"""What a check found: graded, under a code that stays."""

from dataclasses import dataclass
from enum import StrEnum

RECORD = "give credentials, or --facts with what `loomstead preflight --record` wrote where they are"


class Grade(StrEnum):
    """``info``: nobody could tell. ``warn``: `pulumi up` will go through, and somebody should know. ``fail``: it will
    not, or must not."""

    PASS = "pass"  # noqa: S105
    INFO = "info"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Result:
    """``code``: stable. ``subject``: what was looked at. ``remedy``: none for what passed."""

    code: str
    grade: Grade
    subject: str
    message: str
    remedy: str = ""


def passed(code: str, subject: str, message: str) -> Result:
    return Result(code, Grade.PASS, subject, message)


def unknown(code: str, subject: str) -> Result:
    return Result(code, Grade.INFO, subject, "not known", RECORD)
