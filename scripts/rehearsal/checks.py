"""A resource's inputs against the SDK's own classes: what a cloud would refuse, and what a type checker lets through.

Only what is certain is a problem. An enumeration that the SDK opens to any string is held to its members, because a
misspelt one is otherwise found by nothing; ``_INCOMPLETE`` has those that the SDK keeps by hand and lets fall behind.
"""

import difflib
import typing
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import UnionType
from typing import Any

from pulumi import Output, _types

from scripts.rehearsal.sdk import Shape, required
from scripts.rehearsal.wire import UNKNOWN, is_marked, is_secret

_INCOMPLETE = {"InstanceType", "EngineType", "Runtime"}
"""Enumerations of pulumi-aws 7.51.1 that lack what AWS has offered for years, such as db.r8g.large: any string goes."""


@dataclass(frozen=True)
class Problem:
    """``property``: where, such as ``rules[0].id``. ``reason``: no secret is ever in it."""

    property: str
    reason: str


def mistakes(shape: Shape, inputs: Mapping[str, Any]) -> list[Problem]:
    known = {**dict.fromkeys(inputs, Any), **shape.inputs} if shape.open else shape.inputs
    return _object(inputs, known, shape.required, "")


def _object(value: Mapping[str, Any], known: Mapping[str, Any], needed: frozenset[str], path: str) -> list[Problem]:
    problems = [Problem(_join(path, name), "required") for name in sorted(needed) if value.get(name) is None]
    for name, item in value.items():
        where = _join(path, name)
        if name.startswith("__"):  # the engine's own, such as __defaults
            continue
        if name in known:
            problems += _value(item, known[name], where)
        else:
            near = difflib.get_close_matches(name, known, 1)
            problems.append(Problem(where, "no such property" + (f"; did you mean {near[0]!r}?" if near else "")))
    return problems


def _value(value: Any, expected: Any, path: str) -> list[Problem]:
    if is_secret(value):
        inside = _value(value.get("value"), expected, path)
        return [Problem(path, "the secret given is not of the SDK's type")] if inside else []
    choices = _choices(expected)
    if value is None or value == UNKNOWN or is_marked(value) or not choices:
        return []
    against = [_choice(value, choice, path) for choice in choices]
    if not all(against):
        return []
    # what was meant is the alternative that fits down to a part of it
    return min(against, key=lambda problems: (any(problem.property == path for problem in problems), len(problems)))


def _choices(expected: Any) -> list[Any]:
    """The plain alternatives of a type; none where anything goes or nothing certain is known."""
    flat = [choice for choice in _flat(expected) if choice is not type(None)]
    if any(choice is Any or not _is_known(choice) for choice in flat):
        return []
    members = [choice for choice in flat if _is_enum(choice)]
    closed = [choice for choice in flat if choice is not str]
    return closed if members and not {member.__name__ for member in members} & _INCOMPLETE else flat


def _flat(expected: Any) -> list[Any]:
    origin = typing.get_origin(expected)
    if origin is typing.Union or origin is UnionType:
        return [choice for part in typing.get_args(expected) for choice in _flat(part)]
    if isinstance(origin, type) and issubclass(origin, Output | Awaitable):
        return []
    if typing.is_typeddict(expected) or (isinstance(expected, type) and _types.is_output_type(expected)):
        return []  # the same object in its other spelling
    return [expected]


def _is_known(choice: Any) -> bool:
    origin = typing.get_origin(choice)
    return origin in (Sequence, list, Mapping, dict) or (
        isinstance(choice, type) and (_types.is_input_type(choice) or _is_enum(choice) or choice in _SCALARS)
    )


def _is_enum(choice: Any) -> bool:
    return isinstance(choice, type) and issubclass(choice, Enum)


def _choice(value: Any, choice: Any, path: str) -> list[Problem]:
    origin = typing.get_origin(choice)
    if origin in (Sequence, list):
        return _list(value, choice, path)
    if origin in (Mapping, dict):
        return _map(value, choice, path)
    if _types.is_input_type(choice):
        if not isinstance(value, dict):
            return [_wrong(path, "an object", value)]
        return _object(value, _types.input_type_types(choice), required(choice), path)
    if _is_enum(choice):
        allowed = [member.value for member in choice]
        return [] if value in allowed else [Problem(path, f"{value!r} is none of {_listed(allowed)}")]
    return [] if _SCALARS[choice](value) else [_wrong(path, _NAMES[choice], value)]


def _list(value: Any, choice: Any, path: str) -> list[Problem]:
    if not isinstance(value, list):
        return [_wrong(path, "a list", value)]
    (item,) = typing.get_args(choice)
    return [problem for number, one in enumerate(value) for problem in _value(one, item, f"{path}[{number}]")]


def _map(value: Any, choice: Any, path: str) -> list[Problem]:
    if not isinstance(value, dict):
        return [_wrong(path, "a map", value)]
    _, item = typing.get_args(choice)
    return [problem for name, one in value.items() for problem in _value(one, item, _join(path, name))]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_SCALARS: Mapping[type, typing.Callable[[Any], bool]] = {
    str: lambda value: isinstance(value, str),
    bool: lambda value: isinstance(value, bool),
    int: lambda value: _is_number(value) and value == int(value),
    float: _is_number,
}
_NAMES = {str: "a string", bool: "true or false", int: "a whole number", float: "a number"}


def _wrong(path: str, expected: str, value: Any) -> Problem:
    return Problem(path, f"expected {expected}, got {value!r:.80}")


def _listed(allowed: Sequence[Any]) -> str:
    return ", ".join(map(repr, allowed[:8])) + (f" and {len(allowed) - 8} more" if len(allowed) > 8 else "")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
