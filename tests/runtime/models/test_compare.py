"""An agent's recorded turns, asked of another candidate: the action counts, the Boundary decides, all is recorded."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from regions.residency import DataClass
from runtime.ledger.record import parse
from tests.fakes.model_server import Fault, ScriptedModel, finish, turn
from tests.fixtures import desk as desks
from tests.fixtures.desk import Desk
from tests.fixtures.issuer import endpoint

MAIL = "Where is order 4711?"


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """The one that acted."""
    with ScriptedModel() as scripted:
        yield scripted


@pytest.fixture
def other() -> Iterator[ScriptedModel]:
    with ScriptedModel() as scripted:
        yield scripted


@pytest.fixture
def manifest_with(monkeypatch: pytest.MonkeyPatch, other: ScriptedModel) -> None:
    """The desk's stack has more candidates, of weight 0: one like the first, one abroad, one for public data alone."""
    plain = desks._manifest

    def more(*parts: Any) -> Any:
        found = plain(*parts)
        only_compared = {"weight": 0, "upstream_model": "scripted"}
        added = (
            endpoint("other", other.url, **only_compared),
            endpoint("abroad", other.url, countries=("US",), **only_compared),
            endpoint("public", other.url, data_classes=(DataClass.PUBLIC,), **only_compared),
        )
        return found.model_copy(update={"models": found.models + added})

    monkeypatch.setattr(desks, "_manifest", more)


@pytest.fixture
async def ended(manifest_with: None, running: Desk) -> tuple[Desk, str]:
    """A task of two turns that has ended."""
    running.model.script["4711"] = [turn("orders.get", "look it up", order_id="4711"), finish("It is on its way.")]
    txn = await running.mail(MAIL)
    await running.until(txn, "finished", "handed_over")
    return running, txn


async def compare(desk: Desk, candidate: str, **more: Any) -> httpx.Response:
    body = {"agent": "order-desk", "endpoint": f"chat-small/{candidate}", **more}
    return await desk.http.post("/models/compare", json=body, auth=desk.person.auth())


async def compared(desk: Desk, txn: str) -> list[Any]:
    rows = await desk.stack.pool.fetch("SELECT record FROM ledger WHERE txn = $1 ORDER BY seq", txn)
    return [record for record in (parse(row["record"]) for row in rows) if record.kind == "model_compared"]


async def test_other_words_for_the_same_action_are_the_same(ended: tuple[Desk, str], other: ScriptedModel) -> None:
    desk, txn = ended
    other.script["4711"] = [turn("orders.get", "in other words", order_id="4711"), finish("On its way!")]

    rows = (await compare(desk, "other")).json()
    assert [(row["txn"], row["step"], row["outcome"]) for row in rows] == [(txn, 1, "same"), (txn, 2, "same")]
    assert rows[0]["candidate"] == {"tool": "orders.get", "arguments": {"order_id": "4711"}}


async def test_it_is_asked_what_was_asked_then(ended: tuple[Desk, str], other: ScriptedModel) -> None:
    desk, _ = ended
    other.script["4711"] = [finish("no")]
    await compare(desk, "other")

    told = [{name: value for name, value in body.items() if name != "stream"} for body in other.requests]
    assert told == desk.model.requests


@pytest.mark.parametrize(
    "answer",
    [
        turn("orders.get", order_id="4712"),
        turn("stock.check", sku="PUMP-3"),
        finish("nothing to do"),
        "no JSON at all",
    ],
)
async def test_another_tool_or_argument_is_a_difference(
    ended: tuple[Desk, str], other: ScriptedModel, answer: str
) -> None:
    desk, _ = ended
    other.script["4711"] = [answer, finish("done")]

    assert [row["outcome"] for row in (await compare(desk, "other")).json()] == ["different", "same"]


@pytest.mark.parametrize(("candidate", "rule"), [("abroad", "eu-gdpr/process"), ("public", "model/data-class")])
async def test_what_the_boundary_refuses_is_told_and_not_asked(
    ended: tuple[Desk, str], other: ScriptedModel, candidate: str, rule: str
) -> None:
    desk, txn = ended

    assert {row["outcome"] for row in (await compare(desk, candidate)).json()} == {"refused"}
    assert other.requests == []
    assert {(record.decision, record.rule) for record in await compared(desk, txn)} == {("refused", rule)}


async def test_each_question_and_answer_is_in_the_tasks_ledger(ended: tuple[Desk, str], other: ScriptedModel) -> None:
    desk, txn = ended
    other.script["4711"] = [turn("orders.get", order_id="4711"), Fault(status=500)]
    rows = (await compare(desk, "other")).json()

    assert [row["outcome"] for row in rows] == ["same", "failed"]
    records = await compared(desk, txn)
    assert [(record.step, record.decision, record.body.get("outcome")) for record in records] == [
        (1, "allowed", None),
        (1, None, "same"),
        (2, "allowed", None),
        (2, None, "failed"),
    ]
    assert [record.content is not None for record in records] == [True, True, True, False]
    assert {record.actor for record in records} == {"person:operator"}


async def test_what_was_compared_is_known_afterwards(ended: tuple[Desk, str], other: ScriptedModel) -> None:
    desk, _ = ended
    await compare(desk, "other")
    told = (await desk.http.get("/models", auth=desk.person.auth())).json()

    found = {model["name"]: model["compared"] for model in told}
    assert found["chat-small/other"]["version"] == "scripted"
    assert found["chat-small/abroad"] is None


async def test_a_task_that_goes_on_is_not_compared(manifest_with: None, running: Desk, other: ScriptedModel) -> None:
    txn = await running.mail("Order 4711 is late, cancel it.")
    await running.until(txn, "awaiting_approval")

    assert (await compare(running, "other")).json() == []


async def test_only_so_many_tasks_are_compared_as_were_asked_for(ended: tuple[Desk, str], other: ScriptedModel) -> None:
    desk, first = ended
    second = await desk.mail(MAIL)
    await desk.until(second, "finished")

    assert {row["txn"] for row in (await compare(desk, "other", tasks=1)).json()} == {second}
    assert {row["txn"] for row in (await compare(desk, "other")).json()} == {first, second}


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"endpoint": "chat-small/none"}, 404),
        ({"agent": "nobody"}, 404),
        ({"tasks": 0}, 422),
        ({"endpoints": []}, 422),
    ],
)
async def test_what_does_not_exist_is_refused(
    manifest_with: None, desk: Desk, more: dict[str, Any], status: int
) -> None:
    assert (await compare(desk, "other", **more)).status_code == status


async def test_only_people_compare(manifest_with: None, desk: Desk) -> None:
    answer = await desk.http.post("/models/compare", json={}, auth=desk.worker.auth())

    assert answer.status_code == 403
