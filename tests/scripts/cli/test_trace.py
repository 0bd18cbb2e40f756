"""The story of a task, from records that a live fabric wrote.

``traces/approved.json`` is what ``loomstead task show`` and ``loomstead trace --json`` gave for the demo's task, less
the messages of the model requests.
"""

import copy
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from scripts.cli.trace import Story

APPROVED = json.loads(Path(__file__).with_name("traces").joinpath("approved.json").read_text())
Records = list[dict[str, Any]]


@pytest.fixture
def records() -> Records:
    """One's own copy, to change."""
    return copy.deepcopy(APPROVED["records"])


def tell(records: Records, width: int = 100, *, colour: bool = False, **task: Any) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=colour, color_system="standard" if colour else None
    )
    console.print(Story(APPROVED["task"] | task, records))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def rows(told: str, label: str) -> list[str]:
    """What stands right of a label."""
    found = [line.strip() for line in told.splitlines()]
    return [line.removeprefix(label).strip() for line in found if line.startswith(f"{label} ")]


def first(records: Records, kind: str, **body: Any) -> dict[str, Any]:
    return next(one for one in records if one["kind"] == kind and body.items() <= one["body"].items())


def erased(record: dict[str, Any], state: str = "erased") -> None:
    record["content"], record["content_state"] = None, state


def test_each_turn_is_told_once_and_in_order(records: Records) -> None:
    turns = [line for line in tell(records).splitlines() if line.startswith("Turn ")]
    assert [turn.strip() for turn in turns] == [f"Turn {number}" for number in range(1, 6)]


def test_no_line_is_longer_than_the_terminal(records: Records) -> None:
    assert max(map(len, tell(records, width=60).splitlines())) <= 60


def test_the_mail_is_shown_as_untrusted_with_its_sender(records: Records) -> None:
    told = tell(records)
    assert rows(told, "mail") == ["Hello,"]
    assert "(untrusted · service@hafen-spedition.example · Order 4711)" in told


def test_what_was_offered_is_told_once_and_again_when_it_changes(records: Records) -> None:
    offered = "orders.get, stock.check, orders.cancel, orders.refund, finish"
    assert rows(tell(records), "offered") == [offered]
    assert "(scripted in DE, allowed by residency/inside)" in tell(records)

    last = [one for one in records if one["kind"] == "model_call"][-1]
    last["body"]["countries"] = ["FR"]
    assert rows(tell(records), "offered") == [offered, offered]


def test_reads_and_writes_are_told_apart_with_their_raw_data(records: Records) -> None:
    told = tell(records)
    assert [line.split()[0] for line in rows(told, "read")] == ["orders.get", "stock.check"]
    assert rows(told, "did") == [
        'orders.cancel {"id": "4711", "status": "cancelled"}',
        'orders.refund {"order_id": "4711", "amount_cents": 12900, "status": "refunded"}',
    ]


def test_a_value_that_was_bound_is_shown_beside_the_one_that_the_model_said(records: Records) -> None:
    told = tell(records)
    assert rows(told, "picked")[3] == 'orders.refund order_id="4711" amount_cents=1'
    assert "amount_cents=12900  the model said 1  from orders.get#/total_cents" in rows(told, "rails")
    assert 'order_id="4711"  from orders.get#/id' in rows(told, "rails")
    assert "\x1b[1;31m  the model said 1" in tell(records, colour=True)


def test_a_person_sees_the_bound_value_while_the_approval_still_waits(records: Records) -> None:
    asked = next(number for number, one in enumerate(records) if one["kind"] == "approval_requested")
    told = tell(records[: asked + 1], state="awaiting_approval")
    assert rows(told, "rails")[-1] == "amount_cents=12900  the model said 1"
    assert rows(told, "asks for") == ['orders.refund amount_cents=12900 order_id="4711"']


def test_an_approval_is_told_from_request_to_use(records: Records) -> None:
    lines = [line.split(maxsplit=1)[1] for line in rows(tell(records), "approval")]
    assert lines == [
        "requested by spiffe://local.loomstead/agent/order-desk/v1",
        "approved by person:operator",
        "used, once",
    ]


def test_declining_is_told(records: Records) -> None:
    decided = first(records, "approval_decided")
    decided["decision"], decided["body"]["decision"] = "refused", "decline"
    assert rows(tell(records), "approval")[1].endswith("declined by person:operator")


def test_states_in_which_the_task_rests_are_told(records: Records) -> None:
    assert rows(tell(records), "state") == [
        "acting → awaiting_approval (approval_required)",
        "thinking → finished (finished)",
    ]


def test_a_hand_over_says_why(records: Records) -> None:
    last = [one for one in records if one["kind"] == "transition"][-1]
    last["body"] |= {"event": "limit_reached", "to": "handed_over", "reason": "no_progress"}
    assert rows(tell(records), "state")[-1] == "thinking → handed_over (limit_reached, no_progress)"


def test_the_outcome_is_told_from_rows_and_the_summary_as_the_models_words(records: Records) -> None:
    told = tell(records)
    assert rows(told, "outcome") == ["orders.cancel order_id=4711: done"]
    assert "(from the ledger's rows)" in told
    assert "(the model's own words)" in told
    assert rows(tell(records, outcome="", model_summary=None), "outcome") == ["no write was asked for"]
    assert "own words" not in tell(records, model_summary=None)


def test_erased_content_is_said_for_every_kind_of_record(records: Records) -> None:
    with_content = [one for one in records if one["content_state"] == "present"]
    for record in with_content:
        erased(record)
    told = tell(records, outcome="", model_summary=None)

    assert "4711" not in told
    assert "12900" not in told
    for label in ("event", "offered", "thought", "read", "did", "rails", "asks for"):
        assert "erased: the data subject's key is gone" in rows(told, label)[0], label


def test_damaged_content_is_not_called_erased(records: Records) -> None:
    erased(first(records, "tool_result"), "damaged")
    assert rows(tell(records), "read")[0] == "orders.get damaged: `loomstead ledger verify` says more"


def test_a_refused_call_says_its_code_and_why(records: Records) -> None:
    call = first(records, "tool_call", tool="orders.cancel")
    call["decision"], call["rule"] = "refused", "late_binding"
    call["body"] = {
        "tool": "orders.cancel",
        "effect": "write",
        "bound": {},
        "approval": None,
        "code": "argument_not_recorded",
    }
    call["content"] = {"key": "k", "tool": "orders.cancel", "proposed": {"order_id": "9"}, "detail": "9 was not read"}
    assert rows(tell(records), "refused") == ["argument_not_recorded 9 was not read"]


def test_a_model_call_outside_the_boundary_says_the_rule(records: Records) -> None:
    call = first(records, "model_call")
    call["decision"], call["rule"] = "refused", "residency/country"
    call["body"] = {
        "model_class": "chat-small",
        "endpoint": None,
        "countries": [],
        "stream": False,
        "code": "outside_boundary",
        "reason": "chat/us: in US",
    }
    assert rows(tell(records), "refused") == [
        "no model was asked: outside_boundary, by residency/country: chat/us: in US"
    ]


def test_a_rejected_write_is_not_called_done(records: Records) -> None:
    first(records, "tool_result", tool="orders.cancel")["body"] |= {"state": "rejected", "status": 409}
    told = tell(records)
    assert rows(told, "answer")[0].startswith("orders.cancel rejected 409 ")
    assert len(rows(told, "did")) == 1


@pytest.mark.parametrize("words", ["no JSON at all", '"a text"', "[1]", "null"], ids=["words", "text", "list", "null"])
def test_an_answer_that_is_no_object_is_shown_as_it_came(records: Records, words: str) -> None:
    first(records, "model_reply")["content"]["choices"][0]["message"]["content"] = words
    assert rows(tell(records), "thought")[0] == words.strip('"')


@pytest.mark.parametrize("content", [{"error": "overloaded"}, {"choices": []}, "data: {}\n\n", None])
def test_a_reply_that_has_no_answer_is_shown_whole(records: Records, content: Any) -> None:
    reply = first(records, "model_reply")
    reply["content"] = content
    reply["body"]["code"] = "upstream_failed"
    told = tell(records)
    assert rows(told, "thought")[0] == (content.strip() if isinstance(content, str) else json.dumps(content))
    assert rows(told, "cut") == ["the reply is not whole: upstream_failed"]


def test_what_strangers_wrote_moves_no_cursor_and_is_no_markup(records: Records) -> None:
    first(records, "task_opened")["content"]["text"] = "\x1b[2J[red]hello[/red] [link=http://x]y[/link]"
    told = tell(records)
    assert "\x1b" not in told
    assert rows(told, "mail") == [r"\x1b[2J[red]hello[/red] [link=http://x]y[/link]"]


def test_long_data_is_cut_and_says_so(records: Records) -> None:
    first(records, "tool_result")["content"] = {"text": "x" * 5000}
    assert "(5012 characters)" in tell(records)


def test_the_grants_changes_are_told_within_the_turn_in_which_they_happen(records: Records) -> None:
    closing = first(records, "grant_changed")
    where = records.index(first(records, "tool_call", tool="orders.cancel"))
    records.insert(where, closing | {"step": 0, "body": {"what": "extended", "by": "person:operator", "iterations": 5}})
    told = tell(records)
    assert rows(told, "grant") == ["extended by person:operator, 5 more turns"]
    assert told.index("Turn 3") < told.index("extended by") < told.index("Turn 4")


def _beside(records: Records, kind: str, body: dict[str, Any], content: Any = None) -> Records:
    """The records with one more after the first reply."""
    at = next(index for index, record in enumerate(records) if record["kind"] == "model_reply")
    more = {**records[at], "kind": kind, "decision": None, "rule": None, "body": body, "content": content}
    return [*records[: at + 1], more, *records[at + 1 :]]


def test_a_copys_answer_is_told_as_one_that_acts_on_nothing(records: Records) -> None:
    words = json.dumps({"reason": "r", "tool": "orders.cancel", "arguments": {"order_id": "4711"}})
    reply = {"choices": [{"message": {"content": words}}]}
    told = tell(_beside(records, "model_reply", {"endpoint": "chat-small/new", "shadow": True}, reply), 200)
    assert rows(told, "copy") == ['chat-small/new, compared only: orders.cancel order_id="4711"']
    assert rows(told, "picked") == rows(tell(records, 200), "picked")


def test_an_endpoint_that_was_quarantined_and_released_is_told(records: Records) -> None:
    alarm = {"endpoint": "chat-small/a", "cause": "region", "expected": "x-ms-region of swedencentral", "seen": None}
    freed = {"endpoint": "chat-small/a", "cause": "region", "seen": None, "by": "person:operator", "reason": "mended"}
    told = tell(_beside(_beside(records, "endpoint_released", freed), "endpoint_quarantined", alarm), 200)
    assert rows(told, "alarm") == [
        "chat-small/a did not say, expected x-ms-region of swedencentral: quarantined",
    ]
    assert rows(told, "release") == ["chat-small/a by person:operator: mended"]
