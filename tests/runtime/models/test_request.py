"""What is read of a model request, and that no two readers can read it differently."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import Refused
from runtime.models.request import read_request, with_model

_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_bodies = st.builds(
    lambda rest, model: {**rest, "model": model},
    st.dictionaries(st.text().filter(lambda k: k not in ("stream", "max_tokens")), _json, max_size=5),
    st.text(),
)


@given(_bodies, st.booleans())
def test_the_model_is_what_any_json_reader_finds(body: dict[str, Any], ascii_only: bool) -> None:
    assert read_request(json.dumps(body, ensure_ascii=ascii_only).encode()).model == body["model"]


@given(_bodies, st.text(), st.booleans())
def test_another_model_name_changes_nothing_else(body: dict[str, Any], name: str, ascii_only: bool) -> None:
    changed = with_model(json.dumps(body, ensure_ascii=ascii_only).encode(), name)
    assert json.loads(changed) == {**body, "model": name}


def test_a_body_is_otherwise_passed_on_byte_for_byte() -> None:
    body = b'{ "messages" : [{"role":"user","content":"1.0e0"}],  "model" :"a\\"b", "temperature":0.10 }'
    assert (
        with_model(body, "x")
        == b'{ "messages" : [{"role":"user","content":"1.0e0"}],  "model":"x", "temperature":0.10 }'
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","model":"b"}',
        b'{"model":"a","mod\\u0065l":"b"}',
        b'{"mod\\u0065l":"b","model":"a"}',
        b'{"model":"a","stream":true,"stream":false}',
        b'{"model":"a","max_tokens":1,"max_tokens":100000}',
        b'{"messages":[{"model":"a","model":"b"}],"model":"a"}',
    ],
)
def test_a_key_that_stands_twice_is_refused(body: bytes) -> None:
    with pytest.raises(Refused, match="twice"):
        read_request(body)


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_never_crashes(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read_request(b"{" + body)
    assert refused.value.code == "body_invalid"


def test_depth_is_refused_and_never_crashes() -> None:
    nested = b'{"model":"a","x":' + b'{"model":' * 50_000 + b"1" + b"}" * 50_000 + b"}"
    with pytest.raises(Refused):
        read_request(nested)
