import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.ledger.record import GENESIS, Commitment, Decision, Entry, Kind, compose, hash_of, mac_of, now, parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_the_text_of_a_record_is_fixed() -> None:
    entry = Entry(
        txn="01J",
        kind=Kind.TOOL_CALL,
        actor="agent:order-desk/v1",
        step=3,
        decision=Decision.ALLOWED,
        rule="grant",
        policy="sha256:00",
        body={"tool": "orders.get", "effect": "read"},
    )
    text = compose(entry, "2026-01-02T03:04:05.000006Z", 2, GENESIS, Commitment("ab", "k"))
    assert text.decode() == (
        '{"actor":"agent:order-desk/v1","at":"2026-01-02T03:04:05.000006Z","body":{"effect":"read","tool":"orders.get"},'
        '"content":{"digest":"ab","key":"k"},"decision":"allowed","kind":"tool_call","policy":"sha256:00",'
        f'"prev":"{"0" * 64}","rule":"grant","seq":2,"step":3,"txn":"01J","v":1}}'
    )
    assert hash_of(text) == hashlib.sha256(text).digest()
    assert mac_of(b"key", hash_of(text)) == hmac.new(b"key", hash_of(text), "sha256").digest()


@given(st.dictionaries(st.text(), JSON, max_size=4), st.text(), st.integers(1, 2**53))
def test_every_record_is_sorted_json_that_reads_back_as_it_was(body: dict[str, object], actor: str, seq: int) -> None:
    text = compose(Entry(txn="t", kind=Kind.TRANSITION, actor=actor, body=body), now(), seq, GENESIS, None)
    plain = json.loads(text)
    assert list(plain) == sorted(plain)
    assert json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False) == json.dumps(
        plain, separators=(",", ":"), ensure_ascii=False
    )
    record = parse(text)
    assert (record.body, record.actor, record.seq) == (body, actor, seq)


def test_a_time_has_six_digits_and_is_utc() -> None:
    assert len(now()) == len("2026-01-02T03:04:05.000006Z")
    assert now().endswith("Z")


@pytest.mark.parametrize("given", [{"content": b"x"}, {"data_subject": "ann"}])
def test_content_needs_the_person_it_is_about(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="together"):
        Entry(txn="t", kind=Kind.MODEL_CALL, actor="a", **given)  # ty: ignore[invalid-argument-type]


@pytest.mark.parametrize("text", ["", "[]", '{"v":2}', "\x00"])
def test_what_is_no_record_is_not_read(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  msgspec's DecodeError is one, its words are its own
        parse(text)
