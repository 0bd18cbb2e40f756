"""Late binding: an argument's value comes from what this task has read, not from what the model says. Pure.

An argument constrained by ``{"from": "tool#/pointer", "trust": "internal"}`` is usable only with a value that a
recorded result of that tool holds at that pointer. With ``"bind": true`` the recorded value is put in, whatever the
model said. All such arguments of one source tool come from *one* recorded result, so that one order's id never meets
another's total. The arguments without ``bind`` choose the result; among equals the latest is taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from runtime.errors import Refused
from runtime.grants.details import Constraint
from runtime.tools.constraints import equal
from runtime.tools.schema import at

_ABSENT = object()
SHOWN_VALUES = 10
"""Recorded values that a refusal tells, the latest first."""


@dataclass(frozen=True)
class Record:
    """A result that this task has read: a succeeded call of ``tool``."""

    tool: str
    result: Any


@dataclass(frozen=True)
class Bound:
    """``arguments`` as they are used; ``origin``: for each late-bound one what was proposed, used, and its source."""

    arguments: dict[str, Any]
    origin: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class _Source:
    argument: str
    pointer: str
    text: str
    bind: bool


def bind(rules: Mapping[str, Constraint], proposed: Mapping[str, Any], records: Sequence[Record]) -> Bound:
    """Arguments with every ``from`` resolved. ``records``: oldest first.

    Raises ``Refused("argument_not_recorded")``, whose remedy and ``recorded`` say which values there are.
    """
    arguments = dict(proposed)
    origin = {}
    for tool, sources in _by_tool(rules).items():
        result = _chosen(tool, sources, proposed, [record.result for record in records if record.tool == tool])
        for source in sources:
            used = at(result, source.pointer)
            arguments[source.argument] = used
            told = proposed.get(source.argument)
            origin[source.argument] = {"proposed": told, "used": used, "source": source.text}
    return Bound(arguments, origin)


def _by_tool(rules: Mapping[str, Constraint]) -> dict[str, list[_Source]]:
    sources: dict[str, list[_Source]] = {}
    for argument, rule in rules.items():
        if rule.source is not UNSET:
            tool, _, pointer = rule.source.partition("#")
            sources.setdefault(tool, []).append(_Source(argument, pointer, rule.source, rule.bind))
    return sources


def _chosen(tool: str, sources: list[_Source], proposed: Mapping[str, Any], results: list[Any]) -> Any:
    """The latest result that holds something for every source, and what the model said for those without ``bind``."""
    for result in reversed(results):
        if all(_fits(source, proposed, result) for source in sources):
            return result
    choosing = [source for source in sources if not source.bind] or sources
    recorded = {source.argument: _recorded(source, results) for source in choosing}
    told = ", ".join(f"{source.argument}={proposed.get(source.argument)!r}" for source in choosing)
    raise Refused(
        "argument_not_recorded",
        f"{told}: no result of {tool} in this task holds that",
        remedy=_remedy(tool, recorded),
        recorded=recorded,
    )


def _fits(source: _Source, proposed: Mapping[str, Any], result: Any) -> bool:
    value = _value(result, source.pointer)
    if value is _ABSENT:
        return False
    return source.bind or (source.argument in proposed and equal(proposed[source.argument], value))


def _recorded(source: _Source, results: list[Any]) -> list[Any]:
    values: list[Any] = []
    for result in reversed(results):
        value = _value(result, source.pointer)
        if value is not _ABSENT and not any(equal(value, known) for known in values):
            values.append(value)
    return values[:SHOWN_VALUES]


def _remedy(tool: str, recorded: dict[str, list[Any]]) -> str:
    if not any(recorded.values()):
        return f"call {tool} first, then use what it returned"
    offered = "; ".join(f"{argument}: {', '.join(map(repr, values))}" for argument, values in recorded.items())
    return f"use values that one result of {tool} holds ({offered}), or call {tool} for another"


def _value(result: Any, pointer: str) -> Any:
    try:
        return at(result, pointer)
    except LookupError:
        return _ABSENT
