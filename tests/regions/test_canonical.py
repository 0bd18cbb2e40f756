"""One canonical form: what two readers could understand differently is not given a digest."""

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from regions.canonical import canonical, digest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=10,
)


def test_keys_are_ordered_by_utf_16_and_numbers_are_shortest() -> None:
    assert canonical({"\ufb33": 1.0, "\U0001f600": 1e21, "b": "é\n", "a": [None, True]}) == (
        '{"a":[null,true],"b":"é\\n","\U0001f600":1e+21,"\ufb33":1}'.encode()
    )


@given(JSON)
def test_reading_and_writing_again_keeps_the_bytes(value: object) -> None:
    assert canonical(json.loads(canonical(value))) == canonical(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, -(2**53)])
def test_a_number_that_readers_differ_about_is_refused(value: float) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        digest({"value": value})


def test_the_digest_says_its_algorithm() -> None:
    assert digest({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
