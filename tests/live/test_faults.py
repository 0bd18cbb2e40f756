"""kill -9 of each process while tasks think, act and wait; a model that is gone; a ledger that somebody changed."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest

from components.local.supervisor import State
from runtime.gateway.secrets import Secrets
from runtime.ledger.verify import Report, Trust, Verdict, verify
from tests.fakes.model_server import Fault, ScriptedModel, finish, turn
from tests.fixtures.fabric import LiveFabric
from tests.fixtures.office import Office
from tests.fixtures.postgres import superuser
from tests.fixtures.psql import answer

SECONDS = 120
"""For one task through one fault; ten of them are a killed worker's heartbeat."""


def refund(order: str, *between: Fault) -> list[str | Fault]:
    """A model's turns; ``between``: what happens while it thinks about the refund."""
    wanted = turn("orders.refund", order_id=order, amount_cents=1)
    return [turn("orders.get", order_id=order), *between, wanted, finish(f"{order} is refunded.")]


async def verified(fabric: LiveFabric) -> Report:
    """The ledger, as ``loomstead ledger verify`` sees it."""
    secrets = Secrets.load(fabric.home / "secrets")
    trust = Trust(secrets.ledger, secrets.subjects, secrets.issuer.accepted, fabric.home / "checkpoints")
    connection = await asyncpg.connect(fabric.primary("loomstead").dsn("auditor"))
    try:
        return await verify(connection, trust)
    finally:
        await connection.close()


def effects(fabric: LiveFabric, order: str) -> str:
    """Money paid, and every answer that the core system gave to a write for the order."""
    paid = f"SELECT sum(amount_cents), count(*) FROM refunds WHERE order_id = '{order}'"  # noqa: S608
    answers = f"SELECT status FROM answers WHERE body::text LIKE '%{order}%'"  # noqa: S608
    return answer(fabric.primary("orders"), "core_writer", paid, answers)


@asynccontextmanager
async def locked(fabric: LiveFabric, order: str) -> AsyncGenerator[None]:
    """Nothing happens to the order meanwhile: a write of it is under way until then, or until the server dies."""
    connection = await asyncpg.connect(fabric.primary("orders").dsn("core_writer"))
    await connection.execute("BEGIN")
    await connection.execute("SELECT FROM orders WHERE id = $1 FOR UPDATE", order)
    yield
    connection.terminate()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SECONDS):
        while not await condition():  # noqa: ASYNC110  it lies in other processes
            await asyncio.sleep(0.05)


async def kill(fabric: LiveFabric, name: str) -> None:
    """kill -9, and wait until the supervisor has started another one."""
    before = fabric.supervisor.status(name).pid
    os.kill(before, signal.SIGKILL)

    async def another() -> bool:
        now = fabric.supervisor.status(name)
        return now.state is State.RUNNING and now.pid not in (0, before)

    await until(another)


async def ready(office: Office) -> bool:
    """Whether the gateway, and what it needs, answers."""
    try:
        return (await office.http.get("/readyz")).is_success
    except httpx.TransportError:
        return False


async def started(office: Office, txn: str) -> bool:
    """Whether the core system was asked for a write and has not answered."""
    return "effect not known" in (await office.shown(txn)).get("outcome", "")


async def asked(model: ScriptedModel, order: str, turns: int) -> bool:
    """Whether the model was asked for so many turns about the order."""
    return sum(order in str(body["messages"]) for body in model.requests) >= turns


@pytest.mark.parametrize("name", ["primary", "replica", "temporal", "orders", "gateway", "worker"])
async def test_tasks_go_on_after_a_process_was_killed_and_no_refund_is_paid_twice(
    fabric: LiveFabric, office: Office, model: ScriptedModel, new_order: Callable[[], str], name: str
) -> None:
    """Three tasks at once: the model thinks, an approved refund is on its way, and one waits for a person."""
    orders = thinks, acts, waits = new_order(), new_order(), new_order()
    model.script |= {acts: refund(acts), waits: refund(waits), thinks: refund(thinks, Fault(delay=3))}
    acting, waiting = [await office.mail(f"refund {order}") for order in (acts, waits)]
    for txn in (acting, waiting):
        await office.until(txn, "awaiting_approval")
    thinking = await office.mail(f"refund {thinks}")
    async with locked(fabric, acts):
        await office.decide(acting, "approve")
        await until(lambda: started(office, acting))
        await until(lambda: asked(model, thinks, 2))
        await kill(fabric, name)
    await until(lambda: ready(office))
    await office.decide(waiting, "approve")
    await office.until(thinking, "awaiting_approval", seconds=SECONDS)
    await office.decide(thinking, "approve")

    for txn, order in zip((thinking, acting, waiting), orders, strict=True):
        done = await office.until(txn, "finished", "handed_over", seconds=SECONDS)
        assert done["outcome"] == f"orders.refund order_id={order} amount_cents=12900: done"
        assert done["state"] == "finished"
        assert effects(fabric, order) == "12900|1\n200"
    assert (await verified(fabric)).findings == []


async def test_a_task_goes_on_when_the_model_server_is_back(
    fabric: LiveFabric, office: Office, model: ScriptedModel, new_order: Callable[[], str]
) -> None:
    order = new_order()
    model.script[order] = refund(order, Fault(delay=1))
    txn = await office.mail(f"refund {order}")
    await until(lambda: asked(model, order, 2))
    model.stop()
    try:
        await asyncio.sleep(3)
        assert (await office.get(f"/tasks/{txn}"))["state"] == "thinking"
    finally:
        model.start()
    await office.until(txn, "awaiting_approval", seconds=SECONDS)
    await office.decide(txn, "approve")
    await office.until(txn, "finished")
    assert effects(fabric, order) == "12900|1\n200"
    assert (await verified(fabric)).findings == []


@pytest.fixture
async def owner(fabric: LiveFabric) -> AsyncIterator[asyncpg.Connection]:
    """Somebody who may do everything to the database of the ledger."""
    connection = await superuser(fabric.primary("loomstead"))
    yield connection
    await connection.close()


@pytest.mark.parametrize(
    ("table", "damage", "verdict"),
    [
        (
            "ledger",
            "UPDATE ledger SET record = overlay(record PLACING '~' FROM 30 FOR 1) WHERE txn = $1 AND seq = 2",
            Verdict.INTEGRITY,
        ),
        (
            "ledger_content",
            """UPDATE ledger_content SET ciphertext = set_byte(ciphertext, 20, get_byte(ciphertext, 20) # 1)
            WHERE txn = $1 AND seq = 1""",
            Verdict.INTEGRITY,
        ),
        ("ledger", "DELETE FROM ledger WHERE txn = $1 AND seq = 2", Verdict.COMPLETENESS),
        (
            "ledger",
            "DELETE FROM ledger WHERE txn = $1 AND seq = (SELECT max(seq) FROM ledger WHERE txn = $1)",
            Verdict.COMPLETENESS,
        ),
    ],
    ids=["a record's byte", "a content's byte", "a record in the middle", "the last record"],
)
async def test_a_changed_byte_and_a_removed_row_are_seen(
    fabric: LiveFabric,
    office: Office,
    model: ScriptedModel,
    new_order: Callable[[], str],
    owner: asyncpg.Connection,
    table: str,
    damage: str,
    verdict: Verdict,
) -> None:
    order = new_order()
    model.script[order] = [turn("orders.get", order_id=order), finish("Looked it up.")]
    txn = await office.mail(f"where is {order}?")
    await office.until(txn, "finished")
    await owner.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {table} WHERE txn = '{txn}'")  # noqa: S608
    await owner.execute(damage, txn)
    try:
        report = await verified(fabric)
    finally:
        await owner.execute(f"DELETE FROM {table} WHERE txn = $1", txn)  # noqa: S608
        await owner.execute(f"INSERT INTO {table} SELECT * FROM kept")  # noqa: S608
    assert {(finding.verdict, finding.txn) for finding in report.findings} == {(verdict, txn)}
    assert (await verified(fabric)).findings == []
