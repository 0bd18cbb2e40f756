"""A core system's OpenAPI 3.x document as tools: one per operation, found by ``operationId``.

    ContractError      the document is broken, or an operation needs what is not supported (named in the message)
    ResponseError      an answer does not fit what its operation declares

The arguments of a tool are the operation's path, query and JSON body properties, merged flat into one closed object.
Supported: JSON bodies that are plain objects, scalar path and query parameters, JSON responses. The headers that the
gateway itself sends (``Idempotency-Key``, ``Authorization``, ``Accept``, ``Content-Type``) may be declared; every other
header, cookies, and other media types are refused. ``servers`` is not read: the Manifest says where the core system is.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import rfc8785

from regions.canonical import digest
from runtime.strict_json import JsonError, read_result
from runtime.tools.schema import ContractError, Resolver, compiled

READ_METHODS = frozenset({"GET"})
METHODS = READ_METHODS | {"POST", "PUT", "PATCH", "DELETE"}

_GATEWAY_HEADERS = frozenset({"idempotency-key", "authorization", "accept", "content-type"})
_OPERATION_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_PATH = re.compile(r"(/([A-Za-z0-9_.~:@!$&'()*+,;=-]|\{[A-Za-z_][A-Za-z0-9_.-]*\})*)+")
_SCALARS = ("string", "integer", "number", "boolean")
_BODY_KEYWORDS = frozenset(
    {"type", "properties", "required", "additionalProperties", "title", "description", "examples"}
)


class ResponseError(Exception):
    """The core system's answer does not fit its contract; the message says how, without the answer's values."""


class Place(StrEnum):
    PATH = "path"
    QUERY = "query"
    BODY = "body"


@dataclass(frozen=True)
class Request:
    """What is sent. ``path`` is percent-encoded; ``body`` is None where the operation has none."""

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any] | None


@dataclass(frozen=True)
class Operation:
    """One tool.

    ``schema``: the closed object its arguments must fit. ``responses``: by ``200``, ``4XX`` or ``default``; None where
    no content is declared.
    """

    id: str
    method: str
    path: str
    description: str
    places: Mapping[str, Place]
    schema: dict[str, Any]
    responses: Mapping[str, dict[str, Any] | bool | None]
    _arguments: jsonschema_rs.Draft202012Validator
    _answers: Mapping[str, jsonschema_rs.Draft202012Validator]

    @property
    def template(self) -> str:
        """Method and path template: what an approval names as the operation."""
        return f"{self.method} {self.path}"

    @property
    def reads_only(self) -> bool:
        return self.method in READ_METHODS

    def mistakes(self, arguments: dict[str, Any]) -> list[str]:
        """What is wrong with the arguments, one line each; empty when they fit."""
        found = [f"{_pointer(error)}: {error.message}" for error in self._arguments.iter_errors(arguments)]
        for name, place in self.places.items():
            if place is Place.PATH and isinstance(value := arguments.get(name), str) and _leaves_its_segment(value):
                found.append(f"/{name}: {value!r} cannot be one part of a path")
        return found

    def request(self, arguments: dict[str, Any]) -> Request:
        """The request for arguments that have no mistakes."""
        given = {name: value for name, value in arguments.items() if value is not None}
        path = re.sub(r"\{([^}]+)\}", lambda match: quote(_text(given[match[1]]), safe=""), self.path)
        query = {name: _text(value) for name, value in given.items() if self.places[name] is Place.QUERY}
        body = {name: value for name, value in arguments.items() if self.places[name] is Place.BODY}
        has_body = any(place is Place.BODY for place in self.places.values())
        return Request(self.method, path, query, body if has_body else None)

    def result(self, status: int, content: bytes) -> Any:
        """The answer's JSON, None where the operation declares no content; raises ``ResponseError``."""
        declared = self.declared(status)
        if declared is None:
            if status < 400:
                raise ResponseError(f"{self.id}: status {status} is not declared")
            return None
        if declared not in self._answers:
            return None
        try:
            value = read_result(content)
        except JsonError as error:
            raise ResponseError(f"{self.id}: the answer with status {status} is unreadable: {error}") from None
        for error in self._answers[declared].iter_errors(value):
            raise ResponseError(f"{self.id}: the answer with status {status} does not fit at {_pointer(error)}")
        return value

    def declared(self, status: int) -> str | None:
        """The key of ``responses`` that speaks for a status."""
        keys = (str(status), f"{status // 100}XX", "default")
        return next((key for key in keys if key in self.responses), None)


class Contract:
    """A document: its digest and its operations, each read when first asked for."""

    def __init__(self, document: Any) -> None:
        """Raises ``ContractError`` when this is no OpenAPI 3.x document or an operationId stands twice."""
        if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
            raise ContractError("not an OpenAPI document: expected an object with 'openapi' and 'paths'")
        version = document.get("openapi")
        if not isinstance(version, str) or not re.fullmatch(r"3\.[012]\.\d+", version):
            raise ContractError(f"openapi: version {version!r} is not supported: expected 3.0.x, 3.1.x or 3.2.x")
        self._document = document
        self._nullable = version.startswith("3.0.")
        self._places = self._index()
        self.operation = cache(self._operation)
        try:
            self.digest = digest(document)
        except (rfc8785.CanonicalizationError, RecursionError) as error:
            raise ContractError(f"the document has no canonical form: {error}") from None

    @property
    def operation_ids(self) -> tuple[str, ...]:
        return tuple(sorted(self._places))

    def _index(self) -> dict[str, tuple[str, str]]:
        places: dict[str, tuple[str, str]] = {}
        for path, item in self._document["paths"].items():
            for method, operation in item.items() if isinstance(item, dict) else ():
                name = operation.get("operationId") if isinstance(operation, dict) else None
                if not isinstance(name, str):
                    continue
                if name in places:
                    raise ContractError(f"paths/{path}/{method}: the operationId {name!r} stands twice")
                places[name] = (path, method)
        return places

    def _operation(self, operation_id: str) -> Operation:
        """Raises ``ContractError`` when it is unknown or needs what is not supported."""
        if operation_id not in self._places:
            raise ContractError(f"no operation {operation_id!r}; there are: {', '.join(self.operation_ids) or 'none'}")
        if not _OPERATION_ID.fullmatch(operation_id):
            raise ContractError(f"the operationId {operation_id!r} cannot be a tool's name: letters, digits, '_.-'")
        path, method = self._places[operation_id]
        resolver = Resolver(self._document, nullable=self._nullable)
        return _read_operation(resolver, self._document["paths"][path], operation_id, path, method)


def _read_operation(resolver: Resolver, item: dict[str, Any], name: str, path: str, method: str) -> Operation:
    place = f"paths/{path}/{method}"
    if method.upper() not in METHODS:
        raise ContractError(f"{place}: the method {method.upper()} is not supported")
    if not isinstance(path, str) or not _PATH.fullmatch(path) or ".." in path:
        raise ContractError(f"{place}: the path cannot be used")
    operation = item[method]
    properties, required, places = _parameters(resolver, item, operation, place)
    if set(re.findall(r"\{([^}]+)\}", path)) != {key for key, value in places.items() if value is Place.PATH}:
        raise ContractError(f"{place}: the path's {{…}} and its path parameters differ")
    body_properties, body_required = _body(resolver, operation, place)
    for argument in body_properties:
        if argument in places:
            raise ContractError(f"{place}: {argument!r} is both a {places[argument]} parameter and a body property")
    properties |= body_properties
    places |= dict.fromkeys(body_properties, Place.BODY)
    for argument in properties:
        if not _ARGUMENT.fullmatch(argument):
            raise ContractError(f"{place}: {argument!r} cannot be an argument's name: letters, digits, '_.-'")
    schema = {
        "type": "object",
        "properties": properties,
        "required": sorted(required + body_required),
        "additionalProperties": False,
    }
    responses = _responses(resolver, operation, place)
    answers = {
        status: compiled(answer, f"{place}/{status}") for status, answer in responses.items() if answer is not None
    }
    description = operation.get("description") or operation.get("summary") or ""
    return Operation(
        name, method.upper(), path, str(description), places, schema, responses, compiled(schema, place), answers
    )


def _parameters(
    resolver: Resolver, item: dict[str, Any], operation: dict[str, Any], place: str
) -> tuple[dict[str, Any], list[str], dict[str, Place]]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    places: dict[str, Place] = {}
    for where, parameter in _declared_parameters(resolver, item, operation, place):
        name = parameter["name"]
        if where == "header" and name.lower() in _GATEWAY_HEADERS:
            continue
        if where not in (Place.PATH, Place.QUERY):
            raise ContractError(f"{place}: the {where} parameter {name!r} is not supported")
        if name in places:
            raise ContractError(f"{place}: {name!r} is both a path and a query parameter")
        properties[name] = _parameter_schema(resolver, parameter, f"{place}/{name}")
        places[name] = Place(where)
        if where == Place.PATH or parameter.get("required") is True:
            required.append(name)
    return properties, required, places


def _declared_parameters(
    resolver: Resolver, item: dict[str, Any], operation: dict[str, Any], place: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The path item's parameters, each overridden by the operation's of the same name and place."""
    declared: dict[tuple[str, str], dict[str, Any]] = {}
    for owner in (item, operation):
        parameters = owner.get("parameters", [])
        if not isinstance(parameters, list):
            raise ContractError(f"{place}/parameters: expected a list")
        for node in parameters:
            parameter = resolver.target(node, f"{place}/parameters")
            name, where = parameter.get("name"), parameter.get("in")
            if not isinstance(name, str) or not isinstance(where, str):
                raise ContractError(f"{place}/parameters: a parameter needs 'name' and 'in'")
            declared[where, name] = parameter
    for (where, _), parameter in declared.items():
        yield where, parameter


def _parameter_schema(resolver: Resolver, parameter: dict[str, Any], place: str) -> Any:
    for keyword in ("content", "style", "explode", "allowReserved", "allowEmptyValue"):
        plain = {"style": ("simple", "form"), "explode": (True, False)}.get(keyword, (False,))
        if parameter.get(keyword, plain[0]) not in plain:
            raise ContractError(f"{place}: {keyword} is not supported for parameters")
    schema = resolver.schema(parameter.get("schema"), place)
    if not _is_scalar(schema, null=parameter["in"] == Place.QUERY):
        raise ContractError(f"{place}: only string, integer, number and boolean parameters are supported")
    return _described(schema, parameter.get("description"))


def _described(schema: Any, description: Any) -> Any:
    if not isinstance(schema, dict) or not isinstance(description, str):
        return schema
    return {"description": description, **schema}


def _is_scalar(schema: Any, *, null: bool) -> bool:
    if not isinstance(schema, dict):
        return False
    kinds = schema.get("type")
    allowed = (*_SCALARS, "null") if null else _SCALARS
    if kinds is not None:
        return all(kind in allowed for kind in (kinds if isinstance(kinds, list) else [kinds]))
    choices = schema.get("anyOf") or schema.get("allOf")
    return isinstance(choices, list) and all(_is_scalar(choice, null=null) for choice in choices)


def _body(resolver: Resolver, operation: dict[str, Any], place: str) -> tuple[dict[str, Any], list[str]]:
    if "requestBody" not in operation:
        return {}, []
    place = f"{place}/requestBody"
    content = resolver.target(operation["requestBody"], place).get("content")
    if not isinstance(content, dict) or set(content) != {"application/json"}:
        kinds = ", ".join(map(str, content)) if isinstance(content, dict) else "none"
        raise ContractError(f"{place}: only application/json bodies are supported, got {kinds or 'none'}")
    schema = resolver.schema(resolver.target(content["application/json"], place).get("schema"), place)
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise ContractError(f"{place}: only bodies of type object are supported")
    if unsupported := set(schema) - _BODY_KEYWORDS:
        raise ContractError(f"{place}: {', '.join(sorted(unsupported))} is not supported at a body's top level")
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        raise ContractError(f"{place}: 'properties' must be an object and 'required' a list")
    if not all(isinstance(name, str) and name in properties for name in required):
        raise ContractError(f"{place}: 'required' must list names of 'properties'")
    return properties, required


def _responses(resolver: Resolver, operation: dict[str, Any], place: str) -> dict[str, Any]:
    declared = operation.get("responses")
    if not isinstance(declared, dict):
        raise ContractError(f"{place}/responses: expected an object")
    responses: dict[str, Any] = {}
    for status, node in declared.items():
        where = f"{place}/responses/{status}"
        content = resolver.target(node, where).get("content", {})
        if not isinstance(content, dict):
            raise ContractError(f"{where}/content: expected an object")
        kinds = [kind for kind in content if kind == "application/json" or str(kind).endswith("+json")]
        if content and not kinds and str(status).startswith("2"):
            raise ContractError(f"{where}: only JSON answers are supported, got {', '.join(map(str, content))}")
        schema = resolver.target(content[kinds[0]], where).get("schema", True) if kinds else None
        responses[str(status).replace("x", "X")] = None if schema is None else resolver.schema(schema, where)
    if not any(status.startswith("2") for status in responses):
        raise ContractError(f"{place}/responses: no answer of success is declared")
    return responses


def _pointer(error: jsonschema_rs.ValidationError) -> str:
    return "/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in error.instance_path)


def _leaves_its_segment(value: str) -> bool:
    return value in ("", ".", "..") or any(character in "/\\?#%" or ord(character) < 32 for character in value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
