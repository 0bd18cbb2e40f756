"""Secrets on the way between the engine and the recorder."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import rpc

from scripts.rehearsal.wire import SIGNATURE, UNKNOWN, as_text, holds_unknown, leaves, plain, redacted, revealed, struct

CANARY = "canary-7f3a"
scalars = st.one_of(st.none(), st.booleans(), st.integers(-1000, 1000), st.text("abc", max_size=5))
names = st.text("xyz", min_size=1, max_size=3)


def secret(value: Any) -> dict[str, Any]:
    return {SIGNATURE: rpc._special_secret_sig, "value": value}


values = st.recursive(
    scalars | st.just(secret(CANARY)) | st.just(secret({"inner": [CANARY]})),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3) | inner.map(secret),
    max_leaves=12,
)
objects = st.dictionaries(names, values, max_size=4)


@given(objects)
def test_what_is_redacted_has_no_secret(value: dict[str, Any]) -> None:
    assert CANARY not in json.dumps(redacted(value))


@given(objects)
def test_a_document_as_text_is_a_secret_where_a_part_of_it_was(value: dict[str, Any]) -> None:
    assert CANARY not in json.dumps(redacted(as_text(value)))
    assert json.loads(revealed(as_text(value))) == revealed(value)


@given(objects)
def test_what_is_revealed_has_no_marks_and_survives_the_wire(value: dict[str, Any]) -> None:
    assert SIGNATURE not in json.dumps(revealed(value))
    assert plain(struct(value)) == value


def test_leaves_have_their_paths_and_no_secret() -> None:
    value = {"rules": [{"id": 1}, {"id": secret(2)}], "tags": {"a": "b"}}
    assert dict(leaves(value)) == {"rules[0].id": 1, "tags.a": "b"}


def test_an_unknown_is_found_inside_a_secret() -> None:
    assert holds_unknown({"a": [secret({"b": UNKNOWN})]})
    assert not holds_unknown({"a": [secret({"b": "known"})]})
