"""What a reply says of where it was made and by which version, against what the Manifest says of its endpoint.

A region that differs, or none where one is declared, is a finding; so is another version than the one pinned or first
seen. Whoever calls decides what follows from it (``runtime.models.quarantine``).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from regions.catalogue import Signal
from regions.manifest import ModelEndpoint
from runtime.models.reply import Answer

Headers = Iterable[tuple[bytes, bytes]]
LONGEST = 64
"""Characters of a value that are told."""
_BETWEEN = re.compile(r"[\s_-]+")
_TOLD = re.compile(r"[^A-Za-z0-9.:/@ _-]")


class Cause(StrEnum):
    """Of a quarantine; the last one is of a version, the others of a region."""

    REGION = "region"
    REGION_UNSAID = "region_unsaid"
    VERSION = "version"


@dataclass(frozen=True)
class Finding:
    """``expected``: what would have done. ``seen``: what the reply said, of a region as harmless text."""

    cause: Cause
    expected: str
    seen: str | None

    @property
    def withholds(self) -> bool:
        """Whether the answer may not be used: one of another version may, where it was made in the right place."""
        return self.cause is not Cause.VERSION

    def __str__(self) -> str:
        said = f"said {self.seen!r}" if self.seen else "did not say"
        return f"its reply {said}, expected {self.expected}"


def at_head(endpoint: ModelEndpoint, headers: Headers, *, success: bool) -> Finding | None:
    """What the headers show before any byte of the body is passed on."""
    if endpoint.signal is not Signal.REGION_HEADER:
        return None
    name = endpoint.signal.encode()
    return _region(endpoint, [value.decode("latin-1") for found, value in headers if found == name], owed=success)


def at_end(endpoint: ModelEndpoint, answer: Answer, *, whole: bool) -> Finding | None:
    """What the body of a success shows."""
    if endpoint.signal is not Signal.INFERENCE_GEO:
        return None
    return _region(endpoint, [answer.inference_geo] if answer.inference_geo else [], owed=whole)


def of_version(endpoint: ModelEndpoint, seen_first: str | None, answer: Answer, *, whole: bool) -> Finding | None:
    """Another model than the one pinned or, where none is, seen first; a pinned one has to be named."""
    expected = endpoint.version or seen_first
    unsaid = answer.model is None and not (whole and endpoint.version)
    if expected is None or unsaid or answer.model == expected:
        return None
    return Finding(Cause.VERSION, expected, answer.model)


def _region(endpoint: ModelEndpoint, said: list[str], *, owed: bool) -> Finding | None:
    """``owed``: one has to be said. An error may leave it out, as nothing need have been processed; one that it names
    counts all the same."""
    allowed = {_normal(value) for value in endpoint.signal_values}
    outside = [value for value in said if _normal(value) not in allowed]
    expected = f"{endpoint.signal} of {', '.join(endpoint.signal_values) or 'a region that the Manifest does not name'}"
    if outside:
        return Finding(Cause.REGION, expected, _harmless(outside[0]))
    return Finding(Cause.REGION_UNSAID, expected, None) if owed and not said else None


def _normal(value: str) -> str:
    """``Sweden Central`` and ``swedencentral`` are one region."""
    return _BETWEEN.sub("", value).lower()


def _harmless(text: str) -> str:
    return _TOLD.sub("?", text)[:LONGEST]
