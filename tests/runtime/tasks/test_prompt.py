"""The request as the model gets it, and its answer read back."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.agents.definition import load_definition
from runtime.tasks import prompt
from runtime.tasks.context import Context, Message, OfferedTool
from runtime.tasks.states import State

AGENT = load_definition(Path(__file__).parents[3] / "runtime/demo/order_desk/agent.yaml")
TOOLS = {
    "orders.get": OfferedTool(
        schema={"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
        effect="read",
        description="Look up one order",
    ),
    "orders.refund": OfferedTool(
        schema={
            "type": "object",
            "properties": {"order_id": {"type": "string", "maxLength": 4}, "amount_cents": {"type": "integer"}},
            "required": ["order_id", "amount_cents"],
        },
        effect="write",
        description="Give money back",
    ),
}
LOOKUP = '{"reason":"first","tool":"orders.get","arguments":{"order_id":"4711"}}'


def mail(text: str) -> tuple[str, str, str]:
    return "mail", "user", json.dumps({"from": "a@b.example", "subject": "", "text": text})


def told(step: int, **answer: Any) -> tuple[str, str, str]:
    return f"act:{step}", "tool", json.dumps(answer)


def context(*messages: tuple[str, str, str]) -> Context:
    numbered = [
        Message.model_validate({"seq": seq, "key": key, "role": role, "content": content})
        for seq, (key, role, content) in enumerate(messages, 1)
    ]
    return Context(txn="t", agent=AGENT, tools=TOOLS, messages=numbered, step=1, state=State.THINKING)


def turns(*messages: tuple[str, str, str], tokens: int = 8192) -> list[dict[str, str]]:
    """The conversation, without system prompt and examples."""
    sent = prompt.request(context(*messages), tokens)["messages"]
    last = max(index for index, one in enumerate(sent) if one["content"].startswith("E-mail:"))
    return sent[last:]


def test_the_system_prompt_holds_purpose_tools_and_numbered_rules() -> None:
    system = prompt.request(context(mail("hi")), 8192)["messages"][0]["content"]
    assert AGENT.purpose in system
    assert "- orders.refund(order_id: string, amount_cents: integer): Give money back" in system
    assert f"1. {AGENT.instructions[0]}" in system


def test_examples_are_chat_turns_in_the_form_of_the_answers() -> None:
    sent = prompt.request(context(mail("hi")), 8192)["messages"]
    answers = [json.loads(one["content"]) for one in sent if one["role"] == "assistant"]
    assert len(answers) == sum(len(example.turns) for example in AGENT.examples)
    assert all(list(answer) == ["reason", "tool", "arguments"] for answer in answers)


def test_the_same_context_gives_the_same_bytes() -> None:
    first, second = (json.dumps(prompt.request(context(mail("hi")), 8192)) for _ in range(2))
    assert first == second


def test_roles_alternate_after_the_system_prompt() -> None:
    sent = prompt.request(context(mail("hi"), ("think:1", "assistant", LOOKUP)), 8192)["messages"]
    assert [one["role"] for one in sent[1:]] == ["user", "assistant"] * ((len(sent) - 1) // 2) + ["user"]


def test_a_result_is_told_with_what_the_gateway_used_instead() -> None:
    bound = {"amount_cents": {"proposed": 999999, "used": 12900}, "order_id": {"proposed": "4711", "used": "4711"}}
    answer = told(1, event="succeeded", tool="orders.refund", result={"status": "refunded"}, bound=bound)
    *_, last = turns(mail("hi"), ("think:1", "assistant", LOOKUP), answer)
    assert last["content"] == '{"result":{"status":"refunded"},"used instead":{"amount_cents":12900}}'


def test_a_refusal_is_told_with_its_remedy() -> None:
    answer = told(1, event="invalid", tool="orders.get", code="argument_not_recorded", detail="no", remedy="look it up")
    *_, last = turns(mail("hi"), ("think:1", "assistant", LOOKUP), answer)
    assert json.loads(last["content"])["remedy"] == "look it up"


def test_an_action_without_a_result_is_said_not_to_be_done() -> None:
    """After a hand-over that a person continued."""
    *_, last = turns(mail("hi"), ("think:1", "assistant", LOOKUP))
    assert last == {"role": "user", "content": prompt.NO_RESULT}


def test_an_unusable_answer_is_said_to_be_one() -> None:
    *_, last = turns(mail("hi"), ("think:1", "assistant", '{"reason":"cut'))
    assert last == {"role": "user", "content": prompt.UNUSABLE}


def test_old_results_are_left_out_first_when_the_conversation_is_too_long() -> None:
    big = "x" * 3_000
    messages = [mail("hi")]
    for step in range(1, 6):
        messages += [("think:1", "assistant", LOOKUP), told(step, event="succeeded", result=f"{step}{big}")]
    results = [one["content"] for one in turns(*messages, tokens=4_500)[2::2]]
    kept = [content != prompt.LEFT_OUT for content in results]
    assert kept == sorted(kept)
    assert kept[-1]
    assert not kept[0]


def test_a_mail_that_does_not_fit_is_not_cut() -> None:
    with pytest.raises(prompt.ContextTooLong):
        prompt.request(context(mail("x" * 30_000)), 4_096)


def test_an_answer_fits_exactly_one_offered_tool() -> None:
    schema = jsonschema_rs.validator_for(prompt.answer_schema(TOOLS))
    assert schema.is_valid(json.loads(LOOKUP))
    assert schema.is_valid({"reason": "", "tool": "finish", "arguments": {"summary": "done"}})
    assert not schema.is_valid({"reason": "", "tool": "orders.drop", "arguments": {}})
    assert not schema.is_valid({"reason": "", "tool": "orders.get", "arguments": {"order_id": "1", "to": "me"}})
    assert not schema.is_valid({"reason": "", "tool": "orders.get", "arguments": {"order_id": "1" * 500}})
    assert not schema.is_valid({"reason": "", "tool": "orders.get", "arguments": {}})


def test_the_reason_is_decided_before_the_tool() -> None:
    for answer in prompt.answer_schema(TOOLS)["anyOf"]:
        assert list(answer["properties"]) == ["reason", "tool", "arguments"]


@given(st.text() | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_what_is_no_proposal_is_unusable_and_never_another_error(answer: str) -> None:
    with pytest.raises(prompt.AnswerUnusable):
        prompt.parse(answer, TOOLS)


@given(st.sampled_from(sorted(TOOLS)), st.text(), st.dictionaries(st.text(), st.integers() | st.text()))
def test_a_proposal_is_read_as_it_was_written(tool: str, reason: str, arguments: dict[str, Any]) -> None:
    written = json.dumps({"reason": reason, "tool": tool, "arguments": arguments})
    assert prompt.parse(written, TOOLS) == prompt.Proposal(reason, tool, arguments)
