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

from regions.signature import sign_manifest
from runtime.settings import START_REFUSED
from runtime.tasks.dispatch import Dispatcher, TemporalOrchestrator
from tests.fakes.model_server import Fault, finish, turn
from tests.fixtures.desk import Desk, delivering
from tests.fixtures.issuer import KEYS, write_key


@dataclass
class WorkerProcess:
    """``log``: what it says, as in the stack's ``logs/worker.log``."""

    environment: dict[str, str]
    log: Path

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
    signing = KEYS["operator"]
    signed = sign_manifest(desk.manifest, signing.as_dict(private=True))
    (folder / "manifest.json").write_text(json.dumps(signed))
    (folder / "key.jwk").write_text(json.dumps(signing.as_dict(private=False)))
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
    return WorkerProcess(environment, folder / "worker.log")


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
