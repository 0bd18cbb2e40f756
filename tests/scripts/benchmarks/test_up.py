"""What the benchmark reads off a machine, from one small process with the marks of a fabric.

That the commands it times do what they say is for the live tests.
"""

import os
import subprocess
import sys
from collections.abc import Generator, Iterable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from scripts.benchmarks.up import STACK, Fabric, listened, memory, still_listening, timed

SUPERVISOR = """
import os, subprocess, sys
part = {**os.environ, "LOOMSTEAD_PROCESS": "gateway"}
subprocess.run([sys.executable, "-c", sys.argv[1]], env=part)
"""

LISTENER = """
import socket, subprocess, sys
server = socket.create_server(("127.0.0.1", 0))
sleeper = "import time; print(flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", sleeper], stdout=subprocess.PIPE)
child.stdout.readline()
print(server.getsockname()[1], flush=True)
child.wait()
"""


@pytest.fixture
def fabric(tmp_path: Path) -> Fabric:
    return Fabric(tmp_path / "a home", {})


@pytest.fixture
def listener(fabric: Fabric) -> Generator[int]:
    """A supervisor, the one process of the fabric it started, the child of that, and the port it listens on."""
    marks = {"LOOMSTEAD_HOME": str(fabric.home), "LOOMSTEAD_STACK": STACK, "LOOMSTEAD_PROCESS": "supervisor"}
    command = [sys.executable, "-c", SUPERVISOR, LISTENER]
    with subprocess.Popen(command, env={**os.environ, **marks}, stdout=subprocess.PIPE, text=True) as process:
        port = int((process.stdout or pytest.fail("no output")).readline())
        processes = fabric.processes()
        yield port
        end(processes)


def end(processes: Iterable[psutil.Process]) -> None:
    """Kills those that are left: a parent that waits for its child ends with it."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def test_memory_is_told_by_part_with_the_children_of_each(fabric: Fabric, listener) -> None:
    processes = fabric.processes()
    assert sorted(processes.values()) == ["gateway", "gateway", "supervisor"]
    assert sorted(memory(processes)) == ["gateway", "supervisor"]
    assert min(memory(processes).values()) > 1


def test_a_port_is_left_as_long_as_anything_listens_on_it(fabric: Fabric, listener) -> None:
    processes = fabric.processes()
    ports = listened(processes)
    assert ports == still_listening(ports) == {listener}
    end(processes)
    psutil.wait_procs(processes)
    assert still_listening(ports) == set()


def test_a_fabric_elsewhere_is_not_counted(listener, tmp_path: Path) -> None:
    assert Fabric(tmp_path / "another home", {}).processes() == {}


def test_a_command_that_fails_ends_the_measuring() -> None:
    assert timed(["true"], os.environ) > 0
    with pytest.raises(subprocess.CalledProcessError):
        timed(["false"], os.environ)
