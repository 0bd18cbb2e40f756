"""Deploying: an agent gets onto a stack only if everything it names is there, and fits the core system's contract."""

from typing import Any

import pytest

from runtime.agents.definition import AgentDefinition
from runtime.errors import Refused
from runtime.grants.details import Budget
from tests.fixtures.bench import OPERATOR, Bench


async def refused(bench: Bench, **changes: Any) -> Refused:
    with pytest.raises(Refused) as refusal:
        await bench.deploy(**changes)
    return refusal.value


def tools(bench: Bench, **changes: Any) -> dict[str, Any]:
    """The demo's tools, `orders.refund` with other members."""
    plain = bench.agent.definition.plain()["tools"]
    return {**plain, "orders.refund": {**plain["orders.refund"], **changes}}


async def test_the_same_file_again_is_the_same_agent(bench: Bench) -> None:
    again, new = await bench.agents.deploy(bench.agent.definition, "person:other")

    assert (again, new) == (bench.agent, False)


async def test_a_deployed_version_does_not_change(bench: Bench) -> None:
    other = bench.agent.definition.model_copy(update={"purpose": "Another one."})
    with pytest.raises(Refused) as refusal:
        await bench.agents.deploy(other, OPERATOR)

    assert refusal.value.code == "version_conflict"
    assert (await bench.agents.get("order-desk")).definition == bench.agent.definition


async def test_the_latest_version_is_listed_and_every_version_is_kept(bench: Bench) -> None:
    second = await bench.deploy(purpose="You are version two.")

    assert await bench.agents.list() == [second]
    assert await bench.agents.get("order-desk") == second
    assert await bench.agents.get("order-desk", 1) == bench.agent


async def test_an_unknown_agent_is_told(bench: Bench) -> None:
    for name, version in (("nobody", None), ("order-desk", 9)):
        with pytest.raises(Refused, match="agent_unknown"):
            await bench.agents.get(name, version)


async def test_the_grant_says_what_the_definition_says(bench: Bench) -> None:
    contract = (await bench.contracts.of("orders-rw")).contract.digest
    by_tool = {detail.tool: detail for detail in bench.agent.details()}

    assert {detail.contract for detail in by_tool.values()} == {contract}
    refund = by_tool["orders.refund"]
    assert (refund.effect, refund.budget) == ("write", Budget(1))
    assert refund.args["amount_cents"].bind
    assert refund.args["order_id"].source == "orders.get#/id"
    assert by_tool["orders.get"].effect == "read"


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"scope_class": "billing-rw"}, "scope_class_unknown", "it declares: orders-rw"),
        ({"model_class": "giant"}, "model_class_unavailable", "it has: chat-small"),
        ({"data_class": "internal"}, "outside_boundary", "residency"),
        (
            {"tools": {"orders.remove": {"effect": "read"}}, "examples": []},
            "tool_not_granted",
            "it holds: orders.cancel",
        ),
        ({"tools": {"orders.cancel": {"effect": "read"}}, "examples": []}, "effect_mismatch", "effect: write"),
    ],
)
async def test_what_the_stack_does_not_have_is_refused(
    bench: Bench, changes: dict[str, Any], code: str, told: str
) -> None:
    refusal = await refused(bench, **changes)

    assert refusal.code == code
    assert told in refusal.remedy


async def test_what_does_not_fit_the_operation_is_told_in_one_go(bench: Bench) -> None:
    args = {
        "order_id": {"from": "orders.get#/number", "trust": "internal"},
        "recipient": {"const": "x"},
    }
    refusal = await refused(bench, tools=tools(bench, args=args, approval={"argument": "order_id", "above": 1}))

    assert refusal.code == "definition_invalid"
    assert refusal.extra["mistakes"] == [
        "tools.orders.refund.args.order_id.from: no answer of orders.get has /number",
        "tools.orders.refund.args.recipient: expected one of order_id, amount_cents",
        "tools.orders.refund.approval.argument: expected an integer argument, got order_id",
    ]


async def test_an_approval_needs_an_argument_that_exists(bench: Bench) -> None:
    refusal = await refused(bench, tools=tools(bench, approval={"argument": "amount", "above": 1}))

    assert refusal.extra["mistakes"] == [
        "tools.orders.refund.approval.argument: expected an integer argument, got amount"
    ]


async def test_a_core_system_that_does_not_answer_is_told(bench: Bench) -> None:
    system = bench.manifest.core_systems[0].model_copy(update={"url": "http://127.0.0.1:1", "openapi": "http://x:1/o"})
    manifest = bench.manifest.model_copy(update={"core_systems": (system,)})
    contracts = type(bench.contracts)(manifest, bench.orders.http)
    agents = type(bench.agents)(bench.pool, manifest, contracts)

    definition: AgentDefinition = bench.agent.definition
    with pytest.raises(Refused, match="upstream_failed"):
        await agents.deploy(definition, OPERATOR)
