"""What a grant permits an argument to be."""

from typing import Any

import msgspec
import pytest

from runtime.grants.details import Constraint
from runtime.tools.constraints import equal, violations


def rule(**members: Any) -> Constraint:
    return msgspec.convert(members, Constraint)


@pytest.mark.parametrize(
    ("members", "value"),
    [
        ({"const": 1}, True),
        ({"const": True}, 1),
        ({"const": "a"}, "а"),  # noqa: RUF001  Cyrillic
        ({"const": "é"}, "e\u0301"),
        ({"enum": [1, 2]}, 3),
        ({"enum": ["a"]}, ["a"]),
        ({"max": 5}, 6),
        ({"max": 5}, "5"),
        ({"max": 5}, True),
        ({"max": 5}, None),
        ({"min": 0}, -1),
        ({"min": 1, "max": 5}, 0),
    ],
)
def test_a_value_outside_is_told(members: dict[str, Any], value: Any) -> None:
    assert violations({"x": rule(**members)}, {"x": value})[0].startswith("x: the grant permits")


@pytest.mark.parametrize(
    ("members", "value"), [({"const": 1}, 1), ({"enum": ["a", "b"]}, "b"), ({"min": 1, "max": 5}, 5)]
)
def test_a_value_inside_is_no_violation(members: dict[str, Any], value: Any) -> None:
    assert violations({"x": rule(**members)}, {"x": value, "y": "anything"}) == []


def test_a_limited_argument_must_be_given() -> None:
    assert violations({"x": rule(max=5)}, {}) == ["x: the grant limits it, so it must be given"]


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), ("1", 1), (None, False), ([1], 1), ("a", "A")])
def test_json_values_of_different_kinds_are_never_equal(one: Any, other: Any) -> None:
    assert not equal(one, other)
    assert equal([one, {"k": other}], [one, {"k": other}])
