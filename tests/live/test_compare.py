"""`loomstead models compare` on a fabric: what a candidate would do otherwise is seen before it does anything."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.fakes.model_server import ScriptedModel, finish, turn
from tests.fixtures.fabric import LiveFabric
from tests.fixtures.office import Office

LOOMSTEAD = str(Path(sys.executable).with_name("loomstead"))


def compare(fabric: LiveFabric, candidate: str) -> subprocess.CompletedProcess[str]:
    command = [LOOMSTEAD, "models", "compare", "--agent", "order-desk", "--candidate", candidate, "--tasks", "1"]
    return subprocess.run(command, env={**fabric.variables, "COLUMNS": "200"}, capture_output=True, text=True)


async def test_a_candidate_that_acts_otherwise_is_seen(
    fabric: LiveFabric, office: Office, model: ScriptedModel, new_order: Callable[[], str]
) -> None:
    order = new_order()
    model.script[order] = [turn("orders.get", order_id=order), finish("It is late.")]
    txn = await office.mail(f"Where is order {order}?")
    await office.until(txn, "finished")

    alike = compare(fabric, "chat-small/next")
    assert (alike.returncode, alike.stderr) == (0, "")
    assert "2 of 2 actions the same" in alike.stdout

    model.script[order] = [turn("orders.cancel", order_id=order), finish("Cancelled.")]
    otherwise = compare(fabric, "chat-small/next")
    assert otherwise.returncode == 2
    assert "1 of 2 actions the same" in otherwise.stdout
    assert "orders.cancel" in otherwise.stdout
    assert (await office.get(f"/tasks/{txn}"))["state"] == "finished"


async def test_what_may_not_go_there_is_not_compared_there(
    fabric: LiveFabric, office: Office, model: ScriptedModel, new_order: Callable[[], str]
) -> None:
    order = new_order()
    model.script[order] = [finish("Nothing to do.")]
    await office.until(await office.mail(f"Where is order {order}?"), "finished")
    before = len(model.requests)

    refused = compare(fabric, "chat-public/abroad")
    assert refused.returncode == 2
    assert "process in US is outside eu-gdpr" in " ".join(refused.stdout.split())
    assert len(model.requests) == before
