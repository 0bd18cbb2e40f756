"""JSON that two readers understand differently never becomes an argument or a result."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.strict_json import JsonError, read_arguments, read_result

BOTH = [read_arguments, read_result]


@pytest.mark.parametrize("read", BOTH)
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"amount": 1, "amount": 999999}', "twice"),
        ('{"a": {"b": 1, "b": 1}}', "twice"),
        ("9007199254740993", "beyond"),
        ("-9007199254740992", "beyond"),
        ("1" * 5000, "beyond"),
        ("1e999", "too large"),
        ("1e20", "beyond|whole number"),
        ("NaN", "no JSON number"),
        ("-Infinity", "no JSON number"),
        ('"\\ud800"', "surrogate"),
        ('{"\\udfff": 1}', "surrogate"),
        ('"\\u0000"', "U\\+0000"),
        ("[" * 65 + "]" * 65, "nested"),
        ("[" * 100_000, "nested"),
        ("{", "not JSON"),
        ("", "not JSON"),
        (b'"\xff"', "not UTF-8"),
    ],
)
def test_ambiguous_text_is_refused(read: Any, text: str | bytes, told: str) -> None:
    with pytest.raises(JsonError, match=told):
        read(text)


@pytest.mark.parametrize("text", ["1e2", "100.0", "-0.0", "[1.0]", '{"a": 12900.000}'])
def test_a_whole_number_is_written_as_one_in_arguments_and_folded_in_results(text: str) -> None:
    with pytest.raises(JsonError, match="write it as an integer"):
        read_arguments(text)
    assert "." not in json.dumps(read_result(text))


@pytest.mark.parametrize(
    "text", ['"e\\u0301"', '{"e\\u0301": 1}', '"\\u202e"', '"a\\u200bb"', '"\\ufeff"', '"\\u0007"', '"\\r"']
)
def test_what_nobody_sees_is_refused_in_arguments(text: str) -> None:
    with pytest.raises(JsonError, match=r"normal form|hidden"):
        read_arguments(text)


def test_visible_text_and_its_lines_are_kept() -> None:
    assert read_arguments('{"text": "Grüße\\n\\t1 000 €, 日本"}') == {"text": "Grüße\n\t1 000 €, 日本"}


SAFE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(categories=("L", "N", "P", "Zs"))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.sampled_from("abc")), inner, max_size=4),
    max_leaves=12,
)


@given(SAFE)
def test_safe_values_come_back_as_they_were(value: Any) -> None:
    assert read_result(json.dumps(value)) == value


@given(st.binary() | st.text().map(str.encode))
def test_garbage_is_refused_and_never_crashes(garbage: bytes) -> None:
    for read in BOTH:
        try:
            read(garbage)
        except JsonError:
            continue
