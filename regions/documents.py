"""YAML documents that people write: read once, every mistake told in one go, each with its line and key.

The catalogue, a stack file and ``agent.yaml`` go through here. What YAML leaves open is closed: plain scalars follow
the JSON schema of YAML 1.2 (``NO`` is Norway, not false; ``010``, which is 8 to Pulumi's reader, is no number here), a
key may stand once, and anchors, tags and second documents are refused. What is taken here reads the same there.
"""

import json
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.reader import ReaderError

from regions.expectations import UNKNOWN_KEY, Expectations, nearest

Model = TypeVar("Model", bound=BaseModel)
Place = tuple[str | int, ...]
"""Keys and list indices from the root of a document."""
Misfit = tuple[int, Place, str]
"""Line, place and problem of what may not stand in a document."""
Check = Callable[[Model], Iterable[tuple[Place, str]]]

DEEPEST = 40
"""Levels of nesting; what people write has fewer than ten, and deeper ones exhaust the parsers below."""

_PLAIN: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (re.compile(r"|~|null|Null|NULL"), lambda text: None),
    (re.compile(r"true|True|TRUE"), lambda text: True),
    (re.compile(r"false|False|FALSE"), lambda text: False),
    (re.compile(r"[-+]?(0|[1-9][0-9]{0,17})"), int),
    (re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,2})?"), float),
)


class Flaw(StrEnum):
    """What is wrong: it is no plain YAML, a key is unknown, or a value does not fit."""

    YAML = "yaml"
    UNKNOWN_KEY = "unknown-key"
    VALUE = "value"


@dataclass(frozen=True)
class Mistake:
    """One thing that may not stand in a file. ``label``: its key as it is shown; ``line`` is counted from 1."""

    file: str
    line: int | None
    place: Place
    label: str
    problem: str
    kind: Flaw = Flaw.VALUE

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (where, self.label, self.problem) if part)


class DocumentError(Exception):
    """A document is not what it has to be. ``mistakes`` holds one line of text each.

    ``located``: those in a file that could be read.
    """

    def __init__(self, mistakes: Iterable[Mistake | str]) -> None:
        every = tuple(mistakes)
        self.located = tuple(mistake for mistake in every if isinstance(mistake, Mistake))
        self.mistakes = tuple(str(mistake) for mistake in every)
        super().__init__("\n".join(self.mistakes))


class Document:
    """A value and where each of its parts stands. ``name`` is how messages call the file."""

    def __init__(self, name: str, value: Any, lines: Mapping[Place, int], misfits: Iterable[Misfit] = ()) -> None:
        self.name, self.value, self.lines, self._misfits = name, value, lines, tuple(misfits)

    @classmethod
    def read(cls, path: Path, error: type[DocumentError] = DocumentError) -> "Document":
        """The document in a file; raises ``error`` when it is not there or is no YAML."""
        try:
            if not _ends(path):
                raise error([f"{path}: expected a regular file, got a pipe, socket or device"])
            text = path.read_text(encoding="utf-8")
        except OSError as cause:
            raise error([f"{path}: expected a readable file: {cause.strerror}"]) from cause
        except UnicodeDecodeError as cause:
            line = cause.object[: cause.start].count(b"\n") + 1
            raise error([_no_yaml(str(path), line, f"expected UTF-8 text: byte {cause.start} is not")]) from cause
        return cls.parse(text, str(path), error)

    @classmethod
    def parse(cls, text: str, name: str, error: type[DocumentError] = DocumentError) -> "Document":
        """The document in a text without lone surrogates; raises ``error`` with the line when it is no YAML."""
        reader = _Reader(text)
        try:
            value = reader.document()
        except yaml.MarkedYAMLError as cause:
            line = cause.problem_mark.line + 1 if cause.problem_mark else 1
            line = min(line, text.count("\n") + 1)  # an end that comes too soon is marked after the last line
            raise error([_no_yaml(name, line, f"expected YAML: {cause.problem or cause.context}")]) from cause
        except ReaderError as cause:
            line = text.encode()[: cause.position].count(b"\n") + 1
            raise error([_no_yaml(name, line, f"expected YAML: {cause.reason}")]) from cause
        return cls(name, value, reader.lines, reader.misfits)

    def holding(self, value: Any) -> "Document":
        """The same file with the value that another reader got from it."""
        return Document(self.name, value, self.lines, self._misfits)

    def line(self, place: Place) -> int | None:
        """Where that key stands, or the nearest one around it; ``None`` in a value that no file holds."""
        known = (self.lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in self.lines)
        return next(known, None)

    def mistake(
        self, place: Place, problem: str, *, at: Place = (), line: int | None = None, kind: Flaw = Flaw.VALUE
    ) -> Mistake:
        """A mistake at ``place``, counted from ``at``, where the object begins; of ``at`` the last key is shown."""
        label = shown((*at[-1:], *place))
        return Mistake(self.name, line or self.line((*at, *place)), (*at, *place), label, problem, kind)

    def model(
        self,
        cls: type[Model],
        *,
        at: tuple[str, ...] = (),
        error: type[DocumentError] = DocumentError,
        check: Check[Model] | None = None,
    ) -> Model:
        """The value under ``at`` as ``cls``; raises ``error`` with all mistakes together.

        ``check`` finds what a type cannot tell (a name that no catalogue has), as (place, problem).
        """
        value, problems = self._under(at, error), self._told(at)
        try:
            made = cls.model_validate_json(json.dumps(value))
        except ValidationError as invalid:
            explained = Expectations(cls, value).explain(invalid)
            problems += [self.mistake(place, problem, at=at, kind=_kind(problem)) for place, problem in explained]
            raise error(dict.fromkeys(problems)) from None
        problems += [self.mistake(place, problem, at=at) for place, problem in (check(made) if check else ())]
        if problems:
            raise error(problems)
        return made

    def _under(self, at: tuple[str, ...], error: type[DocumentError]) -> Any:
        value = self.value
        for depth, key in enumerate(at):
            if not isinstance(value, dict) or key not in value:
                known = value if isinstance(value, dict) else ()
                problem = f"expected the key {key}, got nothing" + nearest(key, known)
                raise error([*self._told(()), self.mistake(at[:depth], problem)])
            value = value[key]
        return value

    def _told(self, at: Place) -> list[Mistake]:
        """What the reader refused, with keys shown from ``at`` on."""
        return [
            self.mistake(place[len(at) :], problem, at=at, line=line, kind=Flaw.YAML)
            if place[: len(at)] == at
            else self.mistake(place, problem, line=line, kind=Flaw.YAML)
            for line, place, problem in self._misfits
        ]


def shown(place: Place) -> str:
    """``a.b[0].c``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def _ends(path: Path) -> bool:
    """Reading comes to an end: of ``/dev/stdin`` and the shell's ``<(…)`` the caller sees to it. Raises ``OSError``."""
    mode = path.stat().st_mode
    handed_over = path == Path("/dev/stdin") or path.parent == Path("/dev/fd")
    return handed_over or stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _no_yaml(name: str, line: int, problem: str) -> Mistake:
    return Mistake(name, line, (), "", problem, Flaw.YAML)


def _kind(problem: str) -> Flaw:
    return Flaw.UNKNOWN_KEY if problem.startswith(UNKNOWN_KEY) else Flaw.VALUE


class _Reader:
    """Builds the value from parser events; notes the line of every key and item, and what may not stand."""

    def __init__(self, text: str) -> None:
        self._events = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
        self.lines: dict[Place, int] = {}
        self.misfits: list[Misfit] = []

    def document(self) -> Any:
        next(self._events)
        first = next(self._events)
        if isinstance(first, yaml.StreamEndEvent):
            self.lines[()] = 1
            return None
        value = self._value(next(self._events), ())
        next(self._events)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._refuse(after, (), "expected one document, got a second one")
        return value

    def _refuse(self, event: yaml.Event, place: Place, problem: str) -> None:
        self.misfits.append((_line(event), place, problem))

    def _value(self, event: yaml.Event, place: Place) -> Any:
        self.lines.setdefault(place, _line(event))
        if len(place) > DEEPEST:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {DEEPEST}", problem_mark=event.start_mark)
        if not isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent | yaml.ScalarEvent):
            self._refuse(event, place, "expected a value, got an alias: write the value out")
            return None
        if event.anchor or event.tag:
            self._refuse(event, place, "expected plain YAML, got an anchor or a tag")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(place)
        return self._sequence(place) if isinstance(event, yaml.SequenceStartEvent) else _scalar(event)

    def _sequence(self, place: Place) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*place, len(items))))
        return items

    def _mapping(self, place: Place) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise yaml.MarkedYAMLError(problem="a key that is no text", problem_mark=event.start_mark)
            inner = (*place, event.value)
            if event.value in entries:
                self._refuse(event, inner, f"expected once, got again (first in line {self.lines[inner]})")
            self.lines.setdefault(inner, _line(event))
            entries.setdefault(event.value, self._value(next(self._events), inner))
        return entries


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _scalar(event: yaml.ScalarEvent) -> Any:
    if event.implicit[0]:
        for pattern, make in _PLAIN:
            if pattern.fullmatch(event.value):
                return make(event.value)
    return event.value
