"""What of an answer is readable in the ledger for ever."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runtime.ledger.record import Entry, Kind, compose, parse
from runtime.models.reply import describe, read_answer

CANARY = "Ann Smith, Bonn"


def read(status: int, content: bytes, *, stream: bool = False) -> dict[str, Any]:
    """As it comes out of a record."""
    answer = read_answer(content, stream=stream) if status < 300 else None
    entry = Entry(txn="t", kind=Kind.MODEL_REPLY, actor="a", body=describe(status, answer))
    return parse(compose(entry, "now", 1, bytes(32), None)).body


def event(**data: Any) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


@given(st.integers(100, 599), st.binary(max_size=100), st.booleans())
def test_no_answer_breaks_it(status: int, content: bytes, stream: bool) -> None:
    assert read(status, content, stream=stream)["status"] == status


def test_nothing_that_the_model_said_is_in_it() -> None:
    said = {
        "choices": [{"message": {"content": CANARY}, "finish_reason": "stop"}],
        "usage": {"note": CANARY},
        "x": CANARY,
    }
    for content, stream in ((json.dumps(said).encode(), False), (event(**said), True)):
        body = read(200, content, stream=stream)
        assert CANARY not in json.dumps(body)
        assert body["finish_reason"] == "stop"


def test_a_text_in_the_place_of_a_word_is_not_taken() -> None:
    said = {"model": CANARY * 20, "choices": [{"finish_reason": "stop"}]}
    assert read(200, json.dumps(said).encode()) == {"status": 200, "unreadable": True}
    assert read(200, event(**said), stream=True)["model"] is None


def test_usage_may_follow_the_reason_or_be_missing() -> None:
    reason = event(model="qwen", choices=[{"finish_reason": "length"}])
    usage = event(model="qwen", choices=[], usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3})
    expected = {"status": 200, "model": "qwen", "finish_reason": "length"}
    counted = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    assert read(200, reason + usage + b"data: [DONE]\r\n\r\n", stream=True) == {**expected, "usage": counted}
    assert read(200, reason + b"data: [DONE]\n\n", stream=True) == {**expected, "usage": None}


def test_a_stream_cut_in_an_event_says_what_came_before() -> None:
    whole = event(model="qwen", choices=[{"finish_reason": None}])
    assert read(200, whole + whole[:20], stream=True)["model"] == "qwen"
