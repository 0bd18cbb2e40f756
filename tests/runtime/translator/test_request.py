"""Of a body, only what says what to answer reaches LiteLLM."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.translator.request import PASSED, Unanswerable, members

STEERING = {
    "api_base",
    "api_key",
    "api_version",
    "aws_region_name",
    "base_url",
    "callbacks",
    "client",
    "custom_llm_provider",
    "extra_body",
    "extra_headers",
    "fallbacks",
    "inference_geo",
    "metadata",
    "mock_response",
    "model_list",
    "store",
    "vertex_location",
    "web_search_options",
}


@given(st.dictionaries(st.text() | st.sampled_from(sorted(PASSED | STEERING)), st.integers()))
def test_what_is_not_listed_is_left_out(body: dict[str, int]) -> None:
    passed = members({**body, "model": "chat/one", "messages": []}, "messages")

    assert passed == {name: value for name, value in body.items() if name in PASSED} | {"messages": []}


def test_nothing_that_steers_is_listed() -> None:
    assert PASSED.isdisjoint(STEERING | {"model"})


@pytest.mark.parametrize("body", [[], "x", None, {}, {"model": 1, "messages": []}, {"model": "m"}])
def test_what_cannot_be_asked_is_told(body: object) -> None:
    with pytest.raises(Unanswerable) as caught:
        members(body, "messages")
    assert caught.value.status == 400
