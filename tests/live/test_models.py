"""A provider moves an alias to another model: seen in the reply, held back until compared, put back by a person."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.fakes.model_server import ScriptedModel, finish
from tests.fixtures.desk import AGENT
from tests.fixtures.fabric import LiveFabric
from tests.fixtures.office import Office

LOOMSTEAD = str(Path(sys.executable).with_name("loomstead"))
AGENT_NAME, MODEL_CLASS, ENDPOINT = "desk-moving", "chat-moving", "chat-moving/alias"


def loomstead(fabric: LiveFabric, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**fabric.variables, "COLUMNS": "200"}
    return subprocess.run([LOOMSTEAD, *command], env=environment, capture_output=True, text=True)


async def asked(office: Office, order: str) -> str:
    """A task of the agent, worked on until its end."""
    event = json.dumps({"text": f"Where is order {order}?"}).encode()
    answer = await office.send(event, path=f"/triggers/{AGENT_NAME}/mail")
    txn = answer.raise_for_status().json()["txn"]
    await office.until(txn, "finished")
    return txn


async def test_an_alias_that_moved_is_held_until_it_was_compared_and_released(
    fabric: LiveFabric, office: Office, model: ScriptedModel, new_order: Callable[[], str]
) -> None:
    definition = {**yaml.safe_load(AGENT.read_text()), "name": AGENT_NAME, "model_class": MODEL_CLASS}
    (await office.http.put(f"/agents/{AGENT_NAME}", json=definition, auth=office.person.auth())).raise_for_status()
    first, second = new_order(), new_order()
    model.script |= {first: [finish("It is late.")], second: [finish("It is late.")]}
    await asked(office, first)
    assert ENDPOINT not in loomstead(fabric, "status").stdout

    model.names["moving"] = "moving-2026-12"
    txn = await asked(office, second)
    shown = loomstead(fabric, "models", "status").stdout
    assert f"{ENDPOINT} is quarantined since" in shown
    assert f"its reply in task {txn} said 'moving-2026-12', expected moving" in " ".join(shown.split())
    assert f"{ENDPOINT} is quarantined" in loomstead(fabric, "status").stdout
    assert "endpoint_quarantined" in {record["kind"] for record in await office.get(f"/tasks/{txn}/trace")}

    release = ("models", "release", ENDPOINT, "--reason", "compared on the last task")
    early = loomstead(fabric, *release)
    assert (early.returncode, "endpoint_not_compared" in early.stderr) == (1, True)
    compared = loomstead(fabric, "models", "compare", "-a", AGENT_NAME, "-c", ENDPOINT, "--tasks", "2")
    assert (compared.returncode, "2 of 2 actions the same" in compared.stdout) == (0, True)
    released = loomstead(fabric, *release)
    assert (released.returncode, released.stdout.strip()) == (0, f"{ENDPOINT} is in use again, as moving-2026-12")
    assert "quarantined" not in loomstead(fabric, "models", "status").stdout
