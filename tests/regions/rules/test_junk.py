"""Whatever stands at a property, a rule finds something or nothing; it never fails."""

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from regions.rules import RULES
from regions.rules.rule import UNKNOWN
from tests.fixtures.rule_cases import Case

HERE = Path(__file__).parent
TABLES = sorted(path for family in ("aws", "azure", "gcp") for path in (HERE / family).glob("test_*.py"))
JUNK: tuple[Any, ...] = (UNKNOWN, None, "https://[", 7, [])


def spoilt(value: Any) -> Iterator[Any]:
    """The value with junk in the place of each of its parts, one at a time."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from ({**value, key: found} for found in (*JUNK, *spoilt(inner)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from ([*value[:index], found, *value[index + 1 :]] for found in (*JUNK, *spoilt(inner)))


def judge(case: Case) -> None:
    """With the resource spoilt, then with each of those it is planned with."""
    plan = case.plan
    for index, resource in enumerate(plan.resources):
        for properties in spoilt(resource.properties):
            found = replace(resource, properties=properties)
            resources = (*plan.resources[:index], found, *plan.resources[index + 1 :])
            list(RULES[case.rule].findings(resources[0], replace(plan, resources=resources)))


@pytest.mark.parametrize(
    "table", [*TABLES, HERE / "test_everywhere.py"], ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_junk_at_a_property_is_judged(table: Path) -> None:
    name = ".".join(table.relative_to(HERE.parents[2]).with_suffix("").parts)
    for case in import_module(name).CASES:
        judge(case)
