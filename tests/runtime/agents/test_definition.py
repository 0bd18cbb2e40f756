"""agent.yaml: what is wrong is told with file, line, key and what was expected; what is not built is refused."""

import json
from pathlib import Path

import jsonschema_rs
import pytest

from runtime.agents.definition import SCHEMA, AgentDefinition, DefinitionError, load_definition, schema_text

DEMO = Path(__file__).parents[3] / "runtime/demo/order_desk/agent.yaml"
TEXT = """\
name: desk
version: 1
purpose: You answer mails.
model_class: chat-small
scope_class: orders-rw
data_class: personal
triggers: {mail: {kind: webhook}}
tools:
  orders.get: {effect: read}
  orders.refund:
    effect: write
    calls: 1
    args:
      order_id: {from: "orders.get#/id", trust: internal}
      amount_cents: {max: 5000}
    approval: {argument: amount_cents, above: 1000}
"""


def mistakes(tmp_path: Path, old: str, new: str) -> tuple[str, ...]:
    assert old in TEXT
    path = tmp_path / "agent.yaml"
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(DefinitionError) as error:
        load_definition(path)
    return tuple(mistake.removeprefix(f"{path}:") for mistake in error.value.mistakes)


def test_the_demo_loads_and_survives_its_json_form() -> None:
    definition = load_definition(DEMO)

    again = AgentDefinition.model_validate(definition.plain(), strict=False)
    assert again == definition
    assert again.plain() == definition.plain()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("version: 1", "version: one", "2: version: expected an integer ≥ 1"),
        ("version: 1", "version: true", "2: version: expected an integer ≥ 1"),
        ("version: 1", "version: 0", "2: version: expected an integer ≥ 1"),
        ("version: 1\n", "", "1: version: expected an integer ≥ 1, got nothing"),
        ("version: 1", "verson: 1", "(did you mean version?)"),
        ("data_class: personal", "data_class: secret", "6: data_class: expected one of public, internal, personal"),
        ("kind: webhook", "kind: schedule", "7: triggers.mail.kind: 'schedule' is not built yet: expected webhook"),
        ("trust: internal", "trust: untrusted", "'untrusted' is not built yet: expected internal"),
        ("    calls: 1", "    calls: 1\n    budget: {usd_cents: 5}", "13: tools.orders.refund.budget: unknown key"),
        ("    calls: 1\n", "", "10: tools.orders.refund: expected calls: a write has a budget"),
        ("{effect: read}", "{effect: read, calls: 2}", "9: tools.orders.get: expected calls and approval only where"),
        ("{max: 5000}", "{max: 5000, const: 1}", "amount_cents: expected exactly one of const, enum, min/max, from"),
        ("{max: 5000}", "{}", "amount_cents: expected exactly one of const, enum, min/max, from"),
        ("{max: 5000}", "{min: 5, max: 4}", "amount_cents: expected min ≤ max"),
        ("{max: 5000}", "{max: 50.5}", "15: tools.orders.refund.args.amount_cents.max: expected"),
        ("{max: 5000}", "{max: 5000, bind: true}", "expected trust and bind only beside from"),
        (", trust: internal", "", "order_id: expected trust: internal beside from"),
        ('"orders.get#/id"', '"orders.get"', "14: tools.orders.refund.args.order_id.from: expected"),
        ('"orders.get#/id"', '"orders.got#/id"', "expected a read tool of this agent before #, got orders.got"),
        ('"orders.get#/id"', '"orders.refund#/id"', "expected a read tool of this agent before #, got orders.refund"),
        ("  orders.get:", "  finish:", "9: tools.finish: expected another name"),
        ("name: desk", "name: desk\nname: other", "2: name: expected once, got again"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert any(told in mistake for mistake in mistakes(tmp_path, old, new))


def test_an_example_may_only_use_the_agents_tools(tmp_path: Path) -> None:
    example = "examples: [{mail: Hi, turns: [{reason: r, tool: orders.drop, arguments: {}}]}]"

    assert any(
        "turns[0].tool: expected a tool of this agent" in one
        for one in mistakes(tmp_path, "name:", f"{example}\nname:")
    )


def test_the_exported_schema_is_that_of_the_code() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), "run: python -m runtime.agents.definition"


def test_the_exported_schema_takes_what_the_loader_takes() -> None:
    schema = jsonschema_rs.Draft202012Validator(json.loads(schema_text()))

    assert schema.is_valid(load_definition(DEMO).plain())
