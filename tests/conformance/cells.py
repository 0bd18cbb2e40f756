"""The cells of capabilities.md as data: the tables ``CELL_…`` of the components' own tests, by platform.

A component's own test holds every value. Over a whole fabric, whose sizes and names are its own, a row asks for a
resource with that token and ending of its name, for each property, and for the value of each switch.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from components.naming import REPOSITORY
from tests.fixtures.recording import Graph, Recorded

_TESTS = REPOSITORY / "tests" / "components"


class Row(NamedTuple):
    """``table``: where it stands. ``path``: into the inputs, lists by index; empty for the resource itself."""

    table: str
    token: str
    suffix: str
    path: str
    value: Any

    def __str__(self) -> str:
        return f"{self.table} {self.token} …{self.suffix} {self.path}".rstrip()


@cache
def rows(platform: str) -> tuple[Row, ...]:
    """One for each resource of every table of the platform, and one for each of its properties."""
    return tuple(
        row
        for file in sorted(_TESTS.glob(f"*/test_{platform}.py"))
        for table in re.findall(r"^(CELL_[A-Z_]+)\b", file.read_text(), re.MULTILINE)
        for row in _rows(f"{file.parent.name}.{table}", _table(file.parent.name, platform, table))
    )


def _table(capability: str, platform: str, name: str) -> Any:
    return getattr(import_module(f"tests.components.{capability}.test_{platform}"), name)


def _rows(table: str, cell: Any) -> Iterator[Row]:
    for token, suffix, wanted in cell:
        yield Row(table, token, suffix, "", ...)
        for path, value in wanted.items():
            yield Row(table, token, suffix, path, value)


def unmet(graph: Graph, row: Row) -> bool:
    """Whether no resource of the graph is what the row asks for."""
    return not any(_meets(each, row) for each in _named(graph, row))


def without(graph: Graph, row: Row) -> Graph:
    """The graph as it would be had its author forgotten what the row asks for."""
    there = _named(graph, row)
    kept = (_lacking(each, row.path) if row.path else None for each in there)
    changed = dict(zip((each.urn for each in there), kept, strict=True))
    left = (changed.get(each.urn, each) for each in graph.resources)
    return replace(graph, resources=tuple(each for each in left if each is not None))


def _named(graph: Graph, row: Row) -> list[Recorded]:
    return [each for each in graph.of(row.token) if each.name.endswith(row.suffix)]


def _meets(resource: Recorded, row: Row) -> bool:
    if not row.path:
        return True
    found = _at(resource.properties, row.path.split("."))
    if isinstance(row.value, bool):
        return found is row.value
    return found not in (None, "", [], {}) or (found is not None and found == row.value)


def _at(value: Any, path: list[str]) -> Any:
    for step in path:
        if isinstance(value, list):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _lacking(resource: Recorded, path: str) -> Recorded:
    return replace(resource, properties=_cut(resource.properties, path.split(".")))


def _cut(value: Any, path: list[str]) -> Any:
    step, *rest = path
    if isinstance(value, list):
        index = int(step)
        kept = [_cut(value[index], rest)] if rest and index < len(value) else []
        return [*value[:index], *kept]
    if not isinstance(value, Mapping) or step not in value:
        return value
    cut = {step: _cut(value[step], rest)} if rest else {}
    return {**{key: inner for key, inner in value.items() if key != step}, **cut}
