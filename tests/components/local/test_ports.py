"""Ports are chosen free, remembered, and never taken from anybody."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from components.local.ports import FIRST, PortError, PortsProvider, choose, is_free, refuse_taken
from components.local.process import ProcessProvider
from components.local.supervisor import Supervisor

HOME = Path("/somewhere/local")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of loopback that this process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_every_name_gets_a_free_port_of_its_own_and_always_the_same() -> None:
    chosen = choose(HOME, ["gateway", "temporal"], {}, {})

    assert len(set(chosen.values())) == 2
    assert all(port >= FIRST and is_free(port) for port in chosen.values())
    assert choose(HOME, ["gateway", "temporal"], {}, {}) == chosen


def test_a_remembered_port_stays_and_a_fixed_one_wins() -> None:
    assert choose(HOME, ["a", "b"], {"a": 21001}, {"a": 21002, "b": 21003}) == {"a": 21001, "b": 21003}


def test_a_remembered_port_gives_way_to_the_one_fixed_for_another_name() -> None:
    chosen = choose(HOME, ["a", "b"], {"a": 21003}, {"b": 21003})

    assert chosen["a"] == 21003
    assert chosen["b"] != 21003


def test_one_port_for_two_names_is_refused() -> None:
    with pytest.raises(PortError, match="one port to two names"):
        choose(HOME, ["a", "b"], {"a": 21001, "b": 21001}, {})


def test_a_port_that_somebody_took_is_passed_over() -> None:
    first = choose(HOME, ["gateway"], {}, {})["gateway"]
    with socket.create_server(("127.0.0.1", first)):
        assert choose(HOME, ["gateway"], {}, {})["gateway"] != first


def test_a_taken_port_is_refused_with_its_number_its_holder_and_the_remedy(taken: int) -> None:
    with pytest.raises(PortError) as refused:
        refuse_taken(HOME, taken, "gateway")

    message = str(refused.value)
    assert f"port {taken} (gateway)" in message
    assert f"process {os.getpid()} ({psutil.Process().cmdline()[0]}" in message
    assert "stacks/Pulumi.local.yaml" in message
    assert "loomstead down" in message


def test_a_preview_already_refuses_a_taken_port(taken: int, home: Path) -> None:
    wanted = {"home": str(home), "names": ["gateway"], "fixed": {"gateway": float(taken)}}
    fixed = PortsProvider().check({}, wanted)
    remembered = PortsProvider().check({"chosen": {"gateway": float(taken)}}, {**wanted, "fixed": {}})

    for result in (fixed, remembered):
        assert [f"port {taken} (gateway)" in failure.reason for failure in result.failures] == [True]


def test_a_port_held_by_the_stack_itself_is_fine(supervisor: Supervisor) -> None:
    port = choose(supervisor.home, ["web"], {}, {})["web"]
    props = {
        "home": str(supervisor.home),
        "process": "web",
        "argv": ["python", "-m", "http.server", "--bind", "127.0.0.1", str(port)],
        "environment": {},
        "ports": [port],
        "ready": {"tcp": port},
        "ready_seconds": 30,
        "revision": "",
        "stop_signal": "TERM",
    }
    ProcessProvider().create(props)

    refuse_taken(supervisor.home, port, "web")
    with pytest.raises(PortError):
        refuse_taken(supervisor.home.with_name("other"), port, "web")
