"""The process resource as the engine drives it: create, diff, read, update, delete, against a real supervisord."""

import os
import signal
import time
from typing import Any

import psutil
import pytest

from components.local.orphans import alive
from components.local.ports import choose
from components.local.process import ProcessProvider
from components.local.supervisor import State, Supervisor, SupervisorError

provider = ProcessProvider()


@pytest.fixture
def port(supervisor: Supervisor) -> int:
    return choose(supervisor.home, ["web"], {}, {})["web"]


@pytest.fixture
def web(supervisor: Supervisor, port: int) -> dict[str, Any]:
    """Inputs of a small web server."""
    return {
        "home": str(supervisor.home),
        "process": "web",
        "argv": ["python", "-u", "-m", "http.server", "--bind", "127.0.0.1", str(port)],
        "environment": {},
        "ports": [float(port)],
        "ready": {"http": f"http://127.0.0.1:{port}/"},
        "ready_seconds": 30.0,
        "revision": "1",
        "stop_signal": "TERM",
    }


def created(inputs: dict[str, Any]) -> dict[str, Any]:
    outputs = provider.create(inputs).outs
    assert outputs is not None
    return outputs


@pytest.mark.parametrize("kind", ["tcp", "http", "log", "command"])
def test_a_process_exists_when_it_is_ready(kind: str, web: dict[str, Any], port: int, supervisor: Supervisor) -> None:
    target = {
        "tcp": float(port),
        "http": f"http://127.0.0.1:{port}/",
        "log": "Serving HTTP on",
        "command": ["python", "-c", f"import socket; socket.create_connection(('127.0.0.1', {port}))"],
    }
    outputs = created({**web, "ready": {kind: target[kind]}})

    assert outputs["state"] == "running"
    assert outputs["pid"] == supervisor.status("web").pid


def test_creating_adopts_what_an_interrupted_run_left(web: dict[str, Any]) -> None:
    assert created(web)["pid"] == created(web)["pid"]


def test_nothing_is_to_do_while_inputs_and_process_stay(web: dict[str, Any]) -> None:
    assert provider.diff("id", created(web), web).changes is False


def test_another_revision_is_a_change_and_restarts(web: dict[str, Any]) -> None:
    before = created(web)
    after = {**web, "revision": "2"}

    assert provider.diff("id", before, after).changes is True
    updated = provider.update("id", before, after).outs
    assert updated is not None
    assert updated["pid"] != before["pid"]


def test_a_stopped_process_is_drift_and_a_plain_up_heals_it(web: dict[str, Any], supervisor: Supervisor) -> None:
    before = created(web)
    supervisor.halt("web")

    seen = provider.read("id", before).outs
    assert seen is not None
    assert (seen["state"], seen["pid"]) == ("stopped", 0)
    assert provider.diff("id", before, web).changes is True
    healed = provider.update("id", before, web).outs
    assert healed is not None
    assert healed["state"] == "running"


def test_a_process_that_came_back_is_drift_to_refresh_and_nothing_to_up(
    web: dict[str, Any], supervisor: Supervisor
) -> None:
    before = created(web)
    os.kill(before["pid"], signal.SIGKILL)
    while supervisor.status("web").pid in (0, before["pid"]):
        time.sleep(0.02)

    seen = provider.read("id", before).outs
    assert seen is not None
    assert seen["pid"] not in (0, before["pid"])
    assert provider.diff("id", before, web).changes is False


def test_a_dead_supervisor_is_drift_of_its_processes(web: dict[str, Any], supervisor: Supervisor) -> None:
    before = created(web)
    os.kill(supervisor.pid(), signal.SIGKILL)
    while supervisor.pid():
        time.sleep(0.02)

    seen = provider.read("id", before).outs
    assert seen is not None
    assert seen["state"] == "absent"
    assert provider.diff("id", before, web).changes is True


def test_one_that_dies_is_reported_with_its_last_words(web: dict[str, Any]) -> None:
    dying = {**web, "argv": ["sh", "-c", "echo 'no such table: orders'; exit 3"]}

    with pytest.raises(SupervisorError, match=r"(?s)web does not stay up.*no such table: orders"):
        provider.create(dying)


def test_one_that_never_gets_ready_is_reported_after_its_time(web: dict[str, Any]) -> None:
    deaf = {**web, "argv": ["sh", "-c", "echo waiting; sleep 60"], "ready_seconds": 0.5}

    with pytest.raises(SupervisorError, match=r"(?s)web is not ready after 0\.5 s.*waiting"):
        provider.create(deaf)


def test_readiness_is_not_read_from_the_log_of_an_earlier_run(web: dict[str, Any]) -> None:
    before = created({**web, "ready": {"log": "Serving HTTP on"}})
    silent = {**web, "argv": ["sleep", "60"], "ready": {"log": "Serving HTTP on"}, "ready_seconds": 0.5}

    with pytest.raises(SupervisorError, match="not ready"):
        provider.update("id", before, silent)


def test_deleting_stops_the_process_and_removes_its_folder(web: dict[str, Any], supervisor: Supervisor) -> None:
    folder = supervisor.home / "data of web"
    outputs = created({**web, "folder": str(folder)})
    assert folder.stat().st_mode & 0o077 == 0
    provider.delete("id", outputs)

    assert supervisor.status("web").state is State.ABSENT
    assert not folder.exists()


def test_deleting_without_a_supervisor_ends_the_process_too(web: dict[str, Any], supervisor: Supervisor) -> None:
    outputs = created(web)
    orphan = psutil.Process(outputs["pid"])
    os.kill(supervisor.pid(), signal.SIGKILL)
    provider.delete("id", outputs)

    assert not alive([orphan])


@pytest.mark.parametrize(("key", "value"), [("home", "/elsewhere/local"), ("process", "other")])
def test_another_home_or_name_is_another_process(web: dict[str, Any], key: str, value: str) -> None:
    result = provider.diff("id", created(web), {**web, key: value})

    assert (result.replaces, result.delete_before_replace) == ([key], True)
