"""An OpenAPI document's schemas as self-contained draft 2020-12 schemas: references resolved, nothing fetched.

Every ``$ref`` is resolved in place, because a tool's schema is shown to the model, searched by JSON pointers, and
compiled without a registry. So a schema that refers to itself, or unfolds beyond ``MAX_NODES``, is refused, and so is
every reference that leaves the document: a contract never makes the gateway fetch an address.
"""

from dataclasses import dataclass
from typing import Any

import jsonschema_rs

MAX_NODES = 20_000
"""Schema nodes one operation may unfold to: references to references grow exponentially."""
MAX_DEPTH = 100
"""Schemas inside schemas, references followed: deeper ones exhaust the stacks of those who read them."""

_DATA = frozenset({"const", "enum", "default", "example", "examples"})
"""Keywords whose value is data: a ``$ref`` in there is text."""
_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas"})
"""Keywords whose keys are names, not keywords."""
_REFUSED = frozenset(
    {"$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary"}
)
_DROPPED = frozenset({"$defs", "definitions", "$schema", "discriminator", "xml", "externalDocs", "$comment"})


class ContractError(Exception):
    """The OpenAPI document is broken or asks for what is not supported; the message names the place and the reason."""


@dataclass(frozen=True)
class _Path:
    """How a schema was come to: how deep, and by which references."""

    depth: int = 0
    references: tuple[str, ...] = ()

    def inside(self, *references: str) -> "_Path":
        return _Path(self.depth + 1, self.references + references)


class Resolver:
    """Resolves schemas of one document. Count one operation with one instance."""

    def __init__(self, document: dict[str, Any], *, nullable: bool) -> None:
        """``nullable``: the document is OpenAPI 3.0, whose schemas say null by the keyword ``nullable``."""
        self._document = document
        self._nullable = nullable
        self._nodes = 0

    def target(self, node: Any, place: str) -> dict[str, Any]:
        """The object that ``node`` is or refers to (path items, parameters, bodies, responses)."""
        for _ in range(MAX_DEPTH):
            if not isinstance(node, dict):
                raise ContractError(f"{place}: expected an object, got {type(node).__name__}")
            if "$ref" not in node:
                return node
            node = self._pointed(node["$ref"], place)
        raise ContractError(f"{place}: references refer to each other without end")

    def schema(self, node: Any, place: str) -> Any:
        """The schema with every reference resolved in place."""
        return self._schema(node, place, _Path())

    def _schema(self, node: Any, place: str, path: "_Path") -> Any:
        self._count(place, path.depth)
        if isinstance(node, bool):
            return node
        if not isinstance(node, dict):
            raise ContractError(f"{place}: expected a schema, got {type(node).__name__}")
        resolved = {
            key: self._keyword(key, value, f"{place}/{key}", path.inside())
            for key, value in node.items()
            if key not in _DROPPED and key not in ("$ref", "nullable") and not key.startswith("x-")
        }
        if "$ref" in node:
            resolved = self._merged(node["$ref"], resolved, place, path)
        return self._with_null(resolved) if self._nullable and node.get("nullable") is True else resolved

    def _merged(self, reference: Any, siblings: dict[str, Any], place: str, path: "_Path") -> Any:
        target = self._pointed(reference, place)
        if reference in path.references:
            raise ContractError(f"{place}: the schema {reference} refers to itself, which is not supported")
        resolved = self._schema(target, reference, path.inside(reference))
        if not isinstance(resolved, dict) or set(siblings) - {"title", "description", "default", "examples"}:
            return {"allOf": [resolved, siblings]}
        return {**resolved, **siblings}

    def _keyword(self, key: str, value: Any, place: str, path: "_Path") -> Any:
        if key in _REFUSED:
            raise ContractError(f"{place}: the keyword {key} is not supported")
        if self._nullable and key in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(value, bool):
            raise ContractError(
                f"{place}: OpenAPI 3.0's boolean {key} is not supported: write the limit as minimum/maximum"
            )
        if key in _DATA:
            return value
        if key in _MAPS and isinstance(value, dict):
            return {name: self._schema(item, f"{place}/{name}", path) for name, item in value.items()}
        if isinstance(value, dict):
            return self._schema(value, place, path)
        if isinstance(value, list):
            return [
                self._schema(item, f"{place}/{index}", path) if isinstance(item, dict) else item
                for index, item in enumerate(value)
            ]
        return value

    def _pointed(self, reference: Any, place: str) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise ContractError(f"{place}: the reference {reference!r} leaves the document, which is not supported")
        try:
            return at(self._document, reference[1:])
        except LookupError:
            raise ContractError(f"{place}: the reference {reference} points to nothing") from None

    def _count(self, place: str, depth: int) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise ContractError(
                f"{place}: the operation's schemas unfold to more than {MAX_NODES} nodes or {MAX_DEPTH} levels"
            )

    @staticmethod
    def _with_null(schema: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [schema, {"type": "null"}]}


def at(value: Any, pointer: str) -> Any:
    """What an RFC 6901 pointer points to; raises ``LookupError`` where there is nothing."""
    if pointer and not pointer.startswith("/"):
        raise LookupError(pointer)
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and name.isascii() and (name == "0" or name[0] != "0"):
            value = value[int(name)]
        else:
            raise LookupError(pointer)
    return value


def compiled(schema: Any, place: str) -> jsonschema_rs.Draft202012Validator:
    """A validator that checks formats and never fetches; raises ``ContractError`` for a schema that is none."""
    try:
        return jsonschema_rs.Draft202012Validator(schema, validate_formats=True, offline=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, OverflowError) as error:
        raise ContractError(f"{place}: not a JSON Schema of draft 2020-12: {str(error).splitlines()[0]}") from None


def pointed_schema(schema: Any, pointer: str) -> Any:
    """The schema of what a JSON pointer points to in an instance; raises ``LookupError`` where none is declared."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(schema, dict):
            raise LookupError(pointer)
        if name.isdecimal() and isinstance(schema.get("items"), dict):
            schema = schema["items"]
        else:
            schema = schema.get("properties", {})[name]
    return schema
