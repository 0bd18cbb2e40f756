"""Pydantic's errors in the words of people who write YAML: where, what was expected, what was there.

What was expected comes from the model's JSON Schema, so that "expected an integer ≥ 1" holds for a wrong type and for
a wrong number alike.
"""

import difflib
import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

LONGEST = 60
"""Characters of a wrong value that are told."""
UNKNOWN_KEY = "unknown key"

_NOUNS = {
    "integer": "an integer",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_FORMATS = {
    "date": "a date (YYYY-MM-DD)",
    "date-time": "a date and time (YYYY-MM-DDTHH:MM:SSZ)",
    "ipv4": "an address",
    "ipv6": "an address",
    "ipv4network": "a block of addresses",
    "ipv6network": "a block of addresses",
    "path": "a path",
}
_BOUNDS = {
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "exclusiveMinimum": "> {}",
    "exclusiveMaximum": "< {}",
    "minLength": "of ≥ {} characters",
    "maxLength": "of ≤ {} characters",
}


class Expectations:
    """What a model wants at each place of a value."""

    def __init__(self, model: type[BaseModel], value: Any) -> None:
        self._schema = model.model_json_schema()
        self._value = value

    def explain(self, invalid: ValidationError) -> list[tuple[tuple[str | int, ...], str]]:
        """Place and problem of each error; that of a key begins with ``UNKNOWN_KEY``."""
        return [self._explain(error) for error in invalid.errors(include_url=False) if not _is_echo(error)]

    def _explain(self, error: ErrorDetails) -> tuple[tuple[str | int, ...], str]:
        place, value = self._place(error)
        if error["loc"][-1:] == ("[key]",):
            return place, self._unfit_key(place)
        schemas = self._at(place)
        match error["type"]:
            case "extra_forbidden":
                return place, self._unknown_key(place)
            case "missing":
                return place, f"expected {self._describe(schemas) or 'a value'}, got nothing"
            case "value_error":
                return place, str(error["ctx"]["error"])
            case "too_short" | "too_long":
                return place, f"expected {_lengths(schemas)}, got {len(value)}"
        return place, f"expected {self._describe(schemas) or error['msg']}, got {_told(value)}"

    def _place(self, error: ErrorDetails) -> tuple[tuple[str | int, ...], Any]:
        """The error's location without pydantic's own marks (union tags, ``[key]``), and what stands there."""
        place: list[str | int] = []
        value = self._value
        for part in error["loc"]:
            if (isinstance(value, dict) and part in value) or (isinstance(value, list) and isinstance(part, int)):
                value = value[part]
            elif error["type"] != "missing" or part != error["loc"][-1]:
                continue
            place.append(part)
        return tuple(place), value

    def _unknown_key(self, place: tuple[str | int, ...]) -> str:
        known = sorted({key for schema in self._at(place[:-1]) for key in schema.get("properties", {})})
        return f"{UNKNOWN_KEY}, expected {_one_of(known)}{nearest(str(place[-1]), known)}"

    def _unfit_key(self, place: tuple[str | int, ...]) -> str:
        schemas = self._at(place[:-1])
        names = [plain for schema in schemas for plain in self._plain(schema.get("propertyNames"))]
        known = [str(name) for schema in names for name in schema.get("enum", ())]
        patterns = [f"one matching {pattern}" for schema in schemas for pattern in schema.get("patternProperties", ())]
        return (
            f"{UNKNOWN_KEY}, expected {self._describe(names) or ' or '.join(patterns)}{nearest(str(place[-1]), known)}"
        )

    def _at(self, place: tuple[str | int, ...]) -> list[dict[str, Any]]:
        """Every schema that may apply at a place."""
        schemas = self._plain(self._schema)
        for part in place:
            schemas = [plain for schema in schemas for inner in _inside(schema, part) for plain in self._plain(inner)]
        return schemas

    def _plain(self, schema: Any) -> list[dict[str, Any]]:
        if not isinstance(schema, dict):
            return []
        if "$ref" in schema:
            return self._plain(self._schema["$defs"][schema["$ref"].removeprefix("#/$defs/")])
        branches = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
        return [plain for branch in branches for plain in self._plain(branch)] or [schema]

    def _describe(self, schemas: list[dict[str, Any]]) -> str:
        return " or ".join(dict.fromkeys(text for schema in schemas if (text := _noun(schema))))


def nearest(name: str, known: Iterable[str]) -> str:
    """`` (did you mean …?)`` for the known name most like ``name``, or nothing."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {found[0]}?)" if found else ""


def _is_echo(error: ErrorDetails) -> bool:
    """Pydantic calls a list too short when one of its items is wrong; the item has its own error."""
    return error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]


def _inside(schema: dict[str, Any], part: str | int) -> list[Any]:
    if isinstance(part, int):
        return [schema.get("items")]
    if part in schema.get("properties", {}):
        return [schema["properties"][part]]
    return [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]


def _noun(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return _one_of(schema["enum"])
    text = _FORMATS.get(schema.get("format", "")) or _NOUNS.get(schema.get("type", ""), "")
    bounds = [bound.format(schema[key]) for key, bound in _BOUNDS.items() if key in schema]
    if bounds:
        text += " " + " and ".join(bounds)
    if "pattern" in schema:
        text += f" like {schema['examples'][0]}" if schema.get("examples") else f" matching {schema['pattern']}"
    return text


def _lengths(schemas: list[dict[str, Any]]) -> str:
    for schema in schemas:
        low = schema.get("minItems", schema.get("minProperties"))
        high = schema.get("maxItems", schema.get("maxProperties"))
        if low is not None or high is not None:
            return f"{low or 0} or more entries" if high is None else f"{low or 0} to {high} entries"
    return "another number of entries"


def _one_of(names: list[Any]) -> str:
    texts = [str(name) for name in names]
    return texts[0] if len(texts) == 1 else f"one of {', '.join(texts)}"


def _told(value: Any) -> str:
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case None:
            return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
