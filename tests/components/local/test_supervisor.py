"""A real supervisord with real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from components.local.orphans import alive, marked
from components.local.program import Program
from components.local.supervisor import SOCKET_PATH_LIMIT, State, Supervisor, SupervisorError

SLEEPER = Program("sleeper", ("sleep", "600"))


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.02)


def test_starting_again_keeps_the_daemon_that_runs(supervisor: Supervisor) -> None:
    assert supervisor.start() == supervisor.pid() != 0


def test_a_process_that_runs_as_described_is_left_alone(supervisor: Supervisor) -> None:
    supervisor.ensure(SLEEPER)
    before = supervisor.status("sleeper")
    supervisor.ensure(SLEEPER)

    assert before.state is State.RUNNING
    assert supervisor.status("sleeper") == before


def test_another_description_restarts_the_process(supervisor: Supervisor) -> None:
    supervisor.ensure(SLEEPER)
    before = supervisor.status("sleeper").pid
    supervisor.ensure(Program("sleeper", ("sleep", "601")))

    assert not psutil.pid_exists(before)
    until(lambda: psutil.Process(supervisor.status("sleeper").pid).cmdline() == ["sleep", "601"])


def test_a_killed_process_comes_back(supervisor: Supervisor) -> None:
    supervisor.ensure(SLEEPER)
    before = supervisor.status("sleeper").pid
    os.kill(before, signal.SIGKILL)

    until(lambda: supervisor.status("sleeper").pid not in (0, before))


def test_a_stopped_process_is_seen_and_started_again(supervisor: Supervisor) -> None:
    supervisor.ensure(SLEEPER)
    supervisor.halt("sleeper")
    assert supervisor.status("sleeper").state is State.STOPPED

    supervisor.ensure(SLEEPER)
    assert supervisor.status("sleeper").state is State.RUNNING


def test_a_process_that_may_not_start_is_not_tried_again(supervisor: Supervisor) -> None:
    supervisor.ensure(Program("refused", ("sh", "-c", f"sleep 1.2; exit {os.EX_CONFIG}")))
    pid = supervisor.status("refused").pid

    until(lambda: supervisor.status("refused").state is State.STOPPED)
    assert not psutil.pid_exists(pid)


def test_a_removed_process_is_gone_and_forgotten(supervisor: Supervisor) -> None:
    supervisor.ensure(SLEEPER)
    pid = supervisor.status("sleeper").pid
    supervisor.remove("sleeper")

    assert not psutil.pid_exists(pid)
    assert supervisor.status("sleeper").state is State.ABSENT
    supervisor.remove("sleeper")


def test_what_a_killed_daemon_left_is_ended_before_another_starts(supervisor: Supervisor) -> None:
    supervisor.ensure(SLEEPER)
    orphan = psutil.Process(supervisor.status("sleeper").pid)
    until(lambda: orphan.name() == "sleep")
    os.kill(supervisor.pid(), signal.SIGKILL)
    until(lambda: supervisor.pid() == 0)
    assert supervisor.status("sleeper").state is State.ABSENT
    assert alive([orphan])

    supervisor.start()
    assert not alive([orphan])
    supervisor.ensure(SLEEPER)
    assert supervisor.status("sleeper").state is State.RUNNING


def test_a_daemon_whose_socket_was_removed_is_replaced(supervisor: Supervisor) -> None:
    daemon = psutil.Process(supervisor.pid())
    supervisor.socket.unlink()

    assert supervisor.start() != daemon.pid
    assert not alive([daemon])


def test_stopping_leaves_no_process_no_socket_and_no_file(home: Path) -> None:
    supervisor = Supervisor(home)
    supervisor.start()
    supervisor.ensure(Program("family", ("sh", "-c", "sleep 600 & sleep 601")))
    until(lambda: len(psutil.Process(supervisor.status("family").pid).children()) == 2)
    supervisor.stop()

    assert marked(home) == []
    assert not home.exists()
    supervisor.stop()


def test_another_stack_and_the_callers_own_processes_are_left_alone(supervisor: Supervisor, home: Path) -> None:
    marks = {"LOOMSTEAD_HOME": str(home.parent), "LOOMSTEAD_STACK": "local"}
    shell = subprocess.Popen(["sleep", "600"], env={**os.environ, **marks})
    other = subprocess.Popen(["sleep", "600"], env={**marks, "LOOMSTEAD_STACK": "other", "LOOMSTEAD_PROCESS": "x"})
    try:
        found = {process.pid for process in marked(home)}
        assert found == {supervisor.pid()}
    finally:
        for process in (shell, other):
            process.kill()
            process.wait()


def test_a_long_home_gets_a_short_socket_that_only_the_user_reaches(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / ("long " * 30) / "local")
    supervisor.start()
    try:
        assert len(os.fsencode(supervisor.socket)) <= SOCKET_PATH_LIMIT
        assert supervisor.socket.parent.stat().st_mode & 0o077 == 0
        assert supervisor.pid() != 0
    finally:
        supervisor.stop()
    assert not supervisor.socket.exists()


def test_a_socket_folder_that_others_can_enter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    supervisor = Supervisor(tmp_path / ("long " * 30) / "local")
    supervisor.socket.parent.mkdir(mode=0o777)
    supervisor.socket.parent.chmod(0o777)

    with pytest.raises(SupervisorError, match="only you can enter"):
        supervisor.start()


def test_logs_are_kept_under_the_home(supervisor: Supervisor) -> None:
    supervisor.ensure(
        Program("talker", (sys.executable, "-c", "print('said', flush=True); import time; time.sleep(60)"))
    )

    until(lambda: supervisor.log("talker").read_text() == "said\n")
