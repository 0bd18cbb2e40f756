"""A gateway that dies anywhere in a tool call: called again, the effect, the approval and the budget are used once."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from runtime.ledger.record import Entry, Kind
from tests.fixtures.bench import TXN, Bench

DEAR = {"order_id": "4711", "amount_cents": 12900}
Death = Callable[[Bench, pytest.MonkeyPatch], None]


class Killed(BaseException):
    """As SIGKILL: no handler of the gateway may catch it."""


def _before(owner: str, method: str) -> Death:
    def arm(bench: Bench, patch: pytest.MonkeyPatch) -> None:
        async def die(*_: Any, **__: Any) -> Any:
            raise Killed

        patch.setattr(getattr(bench, owner), method, die)

    return arm


def _after(owner: str, method: str) -> Death:
    def arm(bench: Bench, patch: pytest.MonkeyPatch) -> None:
        whole = getattr(getattr(bench, owner), method)

        async def die(*arguments: Any, **options: Any) -> Any:
            await whole(*arguments, **options)
            raise Killed

        patch.setattr(getattr(bench, owner), method, die)

    return arm


def _at_record(kind: Kind) -> Death:
    """In the transaction, when its record has been written and nothing is committed."""

    def arm(bench: Bench, patch: pytest.MonkeyPatch) -> None:
        whole = bench.ledger.append

        async def die(*entries: Entry, conn: Any = None) -> None:
            await whole(*entries, conn=conn)
            if any(entry.kind is kind for entry in entries):
                raise Killed

        patch.setattr(bench.ledger, "append", die)

    return arm


def _on_the_way(bench: Bench, patch: pytest.MonkeyPatch) -> None:
    def die(_: httpx.Request) -> httpx.Response | None:
        raise Killed

    patch.setattr(bench.wire, "before", die)


def _on_the_way_back(bench: Bench, patch: pytest.MonkeyPatch) -> None:
    def die(_: httpx.Request) -> httpx.Response | None:
        raise Killed

    patch.setattr(bench.wire, "after", die)


DEATHS: dict[str, Death] = {
    "before the task is looked up": _before("tools", "_task"),
    "before anything is decided": _before("tools", "_decide"),
    "before the row": _before("tools", "_start"),
    "after the row, not committed": _after("tools", "_start"),
    "when the approval is consumed, not committed": _at_record(Kind.APPROVAL_CONSUMED),
    "after the row is committed": _before("tools", "_send"),
    "before the request arrives": _on_the_way,
    "after the effect": _on_the_way_back,
    "after the answer": _before("tools", "_settle"),
    "when the result is recorded, not committed": _at_record(Kind.TOOL_RESULT),
    "after everything": _after("tools", "_settle"),
}


@pytest.mark.parametrize("death", DEATHS)
async def test_after_a_death_the_same_call_ends_in_one_effect(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, death: str
) -> None:
    await bench.read("4711")
    await bench.decide(await bench.call("orders.refund", DEAR, 2))

    with monkeypatch.context() as patch:
        DEATHS[death](bench, patch)
        with pytest.raises(Killed):
            await bench.call("orders.refund", DEAR, 2)
    answer = await bench.call("orders.refund", DEAR, 2)

    assert (answer.status, answer.body["status"]) == (200, "succeeded")
    assert await bench.orders.refunds() == [("4711", 12900)]
    rows = await bench.pool.fetch("SELECT state, approval FROM tool_calls WHERE effect = 'write'")
    assert [row["state"] for row in rows] == ["succeeded"]
    assert len(await bench.records("approval_consumed")) == 1
    assert len([record for record in await bench.records("tool_call") if record["step"] == 2]) == 1
    assert len([record for record in await bench.records("tool_result") if record["step"] == 2]) == 1
    assert await bench.stalled() == 0
    assert await bench.pool.fetchval("SELECT state FROM approvals WHERE txn = $1", TXN) == "consumed"


async def test_a_death_while_asking_leaves_one_question(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.read("4711")
    with monkeypatch.context() as patch:
        _at_record(Kind.APPROVAL_REQUESTED)(bench, patch)
        with pytest.raises(Killed):
            await bench.call("orders.refund", DEAR, 2)
    asked = await bench.call("orders.refund", DEAR, 2)

    assert [approval.id for approval in await bench.approvals.list()] == [asked.body["approval"]["id"]]
    assert len(await bench.records("approval_requested")) == 1
