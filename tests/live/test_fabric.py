"""The fabric on the real engine: raised, left alone, damaged, healed, interrupted, removed."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest

from components.local.orphans import alive
from components.local.supervisor import State
from tests.fixtures.fabric import LiveFabric

PROCESSES = ("primary", "replica", "temporal", "orders", "gateway", "worker")


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.05)


def states(fabric: LiveFabric) -> dict[str, State]:
    return {name: fabric.supervisor.status(name).state for name in PROCESSES}


ALL_RUNNING = dict.fromkeys(PROCESSES, State.RUNNING)


def test_every_process_runs_under_the_supervisor_and_listens_on_loopback_alone(fabric: LiveFabric) -> None:
    assert states(fabric) == ALL_RUNNING
    listening = {
        connection.laddr.ip
        for process in psutil.Process(fabric.supervisor.pid()).children(recursive=True)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening <= {"127.0.0.1", "::1"}


def test_every_resource_lies_under_its_capability_and_is_named_after_it(fabric: LiveFabric) -> None:
    resources = {found["urn"]: found for found in fabric.state["deployment"]["resources"]}
    providers = [found for found in resources.values() if "/local:" in found["type"]]
    assert len(providers) == 14
    for found in providers:
        capability = resources[found["parent"]]
        assert capability["type"].startswith("loomstead:"), found["urn"]
        assert found["urn"].rpartition("::")[2].startswith(capability["urn"].rpartition("::")[2] + "-")


def test_a_second_up_changes_nothing(fabric: LiveFabric) -> None:
    before = {name: fabric.supervisor.status(name) for name in PROCESSES}
    done = fabric.up()

    assert done.code == 0, done.said
    assert set(done.counts) == {"unchanged"}
    assert {name: fabric.supervisor.status(name) for name in PROCESSES} == before


def test_refresh_shows_a_stopped_process_and_a_plain_up_heals_it(fabric: LiveFabric) -> None:
    fabric.supervisor.halt("orders")
    refreshed = fabric.on_stack("refresh", "--yes", "--skip-preview")
    assert refreshed.changed == {"fabric-orders-server"}, refreshed.said

    healed = fabric.up()
    assert healed.changed == {"fabric-orders-server"}, healed.said
    assert states(fabric) == ALL_RUNNING


def test_a_killed_process_comes_back_by_itself_and_refresh_learns_its_new_id(fabric: LiveFabric) -> None:
    before = fabric.supervisor.status("worker").pid
    os.kill(before, signal.SIGKILL)
    until(lambda: fabric.supervisor.status("worker").pid not in (0, before))

    assert fabric.on_stack("refresh", "--yes", "--skip-preview").code == 0
    assert fabric.outputs("fabric-runtime-worker")["pid"] == fabric.supervisor.status("worker").pid
    assert set(fabric.up().counts) == {"unchanged"}


def test_a_killed_supervisor_is_seen_and_healed_without_orphans(fabric: LiveFabric) -> None:
    orphans = psutil.Process(fabric.supervisor.pid()).children(recursive=True)
    os.kill(fabric.supervisor.pid(), signal.SIGKILL)
    done = fabric.up()

    assert done.code == 0, done.said
    assert alive(orphans) == []
    assert states(fabric) == ALL_RUNNING


def test_a_manifest_that_was_tampered_with_is_written_anew(fabric: LiveFabric) -> None:
    path = fabric.home / "manifest.json"
    path.write_text(path.read_text().replace('"DE"', '"US"'))

    assert fabric.up().changed == {"fabric-manifest"}
    assert fabric.manifest.country == "DE"


def test_no_secret_is_in_pulumis_state_or_in_a_log(fabric: LiveFabric) -> None:
    secrets = fabric.home / "secrets"
    canaries = [path.read_text().strip() for path in secrets.glob("*.key")]
    canaries += [path.read_text().strip().rpartition(":")[2] for path in secrets.glob("*.pgpass")]
    canaries += [json.loads(path.read_text())["d"] for path in secrets.glob("*.jwk") if ".public" not in path.name]
    assert len(canaries) == 14

    files = [
        path for folder in ("pulumi", "local/logs", "local/supervisor") for path in (fabric.root / folder).rglob("*")
    ]
    texts = [path.read_text(errors="replace") for path in [*files, fabric.home / "manifest.json"] if path.is_file()]
    state = json.dumps(fabric.state)
    assert [canary for canary in canaries if any(canary in text for text in [*texts, state])] == []


@pytest.fixture
def intruder() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_fixed_port_that_is_taken_is_refused_before_anything_changes(fabric: LiveFabric, intruder: int) -> None:
    before = {name: fabric.supervisor.status(name) for name in PROCESSES}
    fabric.write_spec(ports={"orders": intruder})
    try:
        done = fabric.up()
    finally:
        fabric.write_spec()

    assert done.code != 0
    assert f"port {intruder} (orders) of stack local is taken by process {os.getpid()}" in done.said
    assert "Traceback" not in done.said
    assert {name: fabric.supervisor.status(name) for name in PROCESSES} == before


def test_ports_are_remembered(fabric: LiveFabric) -> None:
    assert fabric.manifest.endpoints.gateway == f"http://127.0.0.1:{fabric.ports['gateway']}"
    assert set(fabric.ports) == {"primary", "replica", "temporal", "temporal-ui", "orders", "gateway"}


def test_a_second_up_at_the_same_time_is_refused(fabric: LiveFabric) -> None:
    locks = fabric.root / "pulumi" / ".pulumi" / "locks"
    with fabric.start_up() as up:
        until(lambda: any(locks.rglob("*.json")))
        second = fabric.up()
        up.communicate()

    assert up.returncode == 0
    assert second.code != 0
    assert "the stack is currently locked by 1 lock" in second.said
    assert str(up.pid) in second.said


FAR = {"endpoint": {"url": "http://127.0.0.1:1/v1", "model": "far", "countries": ["US"]}}
CLOUD = {"platform": "aws", "region": "eu-central-1", "country": None}


def candidate(given: dict[str, Any]) -> dict[str, Any]:
    """The section of one model class with that candidate."""
    return {"models": {"chat-small": {"candidates": {"other": given}}}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"postgres": {"replica": {"connection_limit": "many"}}}, "postgres.replica.connection_limit: spec/value: "),
        (CLOUD, "core_system on aws: not built yet"),
        (candidate(FAR), "models.chat-small.candidates.other.endpoint: eu-gdpr/process: "),
        (candidate({"hosted": {"gguf": "/nowhere/own.gguf"}}), "/nowhere/own.gguf is not there"),
    ],
    ids=["wrong type", "platform", "residency", "weights"],
)
def test_a_stack_file_that_is_refused_creates_nothing(
    plan: Callable[[], LiveFabric], changes: dict[str, Any], words: str
) -> None:
    fabric = plan()
    fabric.write_spec(**changes)
    done = fabric.raised()

    assert done.code != 0
    assert words in done.said
    assert "Traceback" not in done.said
    assert not fabric.home.exists()


def test_an_up_that_is_killed_half_way_goes_on_where_it_was(plan: Callable[[], LiveFabric]) -> None:
    fabric = plan()
    fabric.pulumi("stack", "select", "--create", "local")
    with fabric.start_up() as up:
        until(lambda: fabric.supervisor.status("primary").state is State.RUNNING)
        left = psutil.Process(up.pid).children(recursive=True)
        os.killpg(up.pid, signal.SIGKILL)
        for plugin in left:
            with suppress(psutil.NoSuchProcess):
                plugin.kill()
    try:
        assert State.ABSENT in states(fabric).values()
        assert fabric.pulumi("cancel", "--yes", "--stack", "local").code == 0
        done = fabric.up()
        assert done.code == 0, done.said
        assert states(fabric) == ALL_RUNNING
        assert set(fabric.up().counts) == {"unchanged"}
    finally:
        fabric.destroy()
