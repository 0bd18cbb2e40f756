"""The worker as the fabric starts it: a process with its environment, a signed Manifest and its key."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from regions.manifest import Manifest
from regions.signature import sign_manifest
from runtime.gateway.app import _orchestrator
from runtime.settings import START_REFUSED
from runtime.tasks.dispatch import Dispatcher, TemporalOrchestrator
from tests.fakes.model_server import Fault, finish, turn
from tests.fixtures.desk import Desk, delivering
from tests.fixtures.issuer import KEYS, write_key
from tests.fixtures.step_functions import Machine


@dataclass
class WorkerProcess:
    """``log``: what it says, as in the stack's ``logs/worker.log``."""

    environment: dict[str, str]
    log: Path

    def publish(self, manifest: Manifest) -> None:
        signed = sign_manifest(manifest, KEYS["operator"].as_dict(private=True))
        Path(self.environment["LOOMSTEAD_MANIFEST"]).write_text(json.dumps(signed))

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("a") as log:
            argv = [sys.executable, "-m", "runtime.worker"]
            return subprocess.Popen(argv, env=self.environment, stdout=log, stderr=log)

    def wait_ready(self, times: int) -> None:
        """Until it has said so as many times."""
        for _ in range(600):
            if self.log.read_text().count("worker ready") >= times:
                return
            time.sleep(0.05)
        raise TimeoutError(self.log.read_text())


@pytest.fixture
def process(desk: Desk, temporal: str, tmp_path: Path) -> WorkerProcess:
    folder = tmp_path / "a stack"
    folder.mkdir()
    (folder / "key.jwk").write_text(json.dumps(KEYS["operator"].as_dict(private=False)))
    write_key(folder / "worker.jwk", KEYS["worker"])
    environment = {
        "PATH": os.environ["PATH"],
        "LOOMSTEAD_STACK": "local",
        "LOOMSTEAD_REGION": "local",
        "LOOMSTEAD_MANIFEST": str(folder / "manifest.json"),
        "LOOMSTEAD_MANIFEST_KEY": str(folder / "key.jwk"),
        "LOOMSTEAD_SECRETS": str(folder),
        "LOOMSTEAD_CHECKPOINTS": str(folder / "checkpoints"),
    }
    desk.dispatcher = Dispatcher(desk.stack.pool, TemporalOrchestrator(temporal, 86_400))
    made = WorkerProcess(environment, folder / "worker.log")
    made.publish(desk.manifest)
    return made


async def test_a_worker_killed_in_a_step_is_replaced_and_the_write_is_done_once(
    desk: Desk, process: WorkerProcess
) -> None:
    desk.model.script["4724"] = [
        turn("orders.get", order_id="4724"),
        turn("orders.cancel", order_id="4724"),
        Fault(delay=3),
        finish("cancelled"),
    ]
    first = process.start()
    process.wait_ready(1)
    async with delivering(desk):
        txn = await desk.mail("cancel 4724")
        await desk.until(txn, "acting")
        first.kill()
        first.wait()
        second = process.start()
        try:
            process.wait_ready(2)
            done = await desk.until(txn, "finished", "handed_over")
        finally:
            second.send_signal(signal.SIGTERM)
            code = second.wait(30)
    assert done["state"] == "finished"
    writes = "SELECT count(*) FROM tool_calls WHERE txn = $1 AND effect = 'write'"
    assert await desk.stack.pool.fetchval(writes, txn) == 1
    assert code == 0


async def test_a_worker_takes_its_steps_from_the_orchestrator_that_the_manifest_names(
    desk: Desk, process: WorkerProcess, machine: Machine
) -> None:
    endpoints = desk.manifest.endpoints.model_copy(update={"orchestrator": machine.endpoint})
    manifest = desk.manifest.model_copy(update={"endpoints": endpoints})
    process.publish(manifest)
    process.environment |= {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    desk.dispatcher = Dispatcher(desk.stack.pool, _orchestrator(manifest, desk.stack.pool))
    desk.model.script["4711"] = [finish("nothing to do")]
    worker = process.start()
    try:
        process.wait_ready(1)
        async with delivering(desk):
            await desk.until(await desk.mail("4711?"), "finished")
    finally:
        worker.send_signal(signal.SIGTERM)
        code = worker.wait(30)
    assert code == 0
    assert machine.receive(machine.dead) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LOOMSTEAD_REGION", "elsewhere", "region"),
        ("LOOMSTEAD_STACK", "other", "stack"),
        ("LOOMSTEAD_SECRETS", "/nowhere", "worker.jwk"),
        ("LOOMSTEAD_MANIFEST", "", "LOOMSTEAD_MANIFEST is not set"),
    ],
)
async def test_a_worker_in_the_wrong_place_does_not_start(
    process: WorkerProcess, name: str, value: str, said: str
) -> None:
    process.environment[name] = value
    assert process.start().wait(30) == START_REFUSED
    assert said in process.log.read_text()
