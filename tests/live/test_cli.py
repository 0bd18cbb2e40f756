"""`loomstead` on the whole fabric, as people start it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from components.local.supervisor import State
from scripts.cli.status import NOT_RUNNING
from tests.fixtures.desk import AGENT
from tests.fixtures.fabric import LiveFabric

LOOMSTEAD = str(Path(sys.executable).with_name("loomstead"))
PROCESSES = {"primary", "replica", "temporal", "orders", "gateway", "worker"}
INTERRUPTED = 130


def loomstead(fabric: LiveFabric, *arguments: str, mail: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LOOMSTEAD, *arguments],
        env={**fabric.variables, "COLUMNS": "120"},
        input=mail,
        capture_output=True,
        text=True,
        timeout=300,
    )


def said(fabric: LiveFabric, *arguments: str, mail: str = "") -> str:
    """What a command that succeeds prints."""
    done = loomstead(fabric, *arguments, mail=mail)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(fabric: LiveFabric, *arguments: str) -> str:
    """What a command that fails says, which is never a traceback."""
    done = loomstead(fabric, *arguments)
    assert done.returncode == 1, done.stdout
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    return done.stderr


def told(fabric: LiveFabric, *arguments: str) -> Any:
    return json.loads(said(fabric, *arguments))


def table(text: str) -> dict[str, list[str]]:
    """The rows of ``loomstead status`` by name."""
    return {line.split()[0]: line.split()[1:] for line in text.splitlines()[1:] if line[:1].strip()}


@pytest.fixture(scope="module")
def agent(fabric: LiveFabric) -> str:
    said(fabric, "agent", "deploy", str(AGENT))
    return "order-desk"


@pytest.fixture(scope="module")
def refund(fabric: LiveFabric, agent: str) -> str:
    """The task of a refund that waits for a person."""
    text = said(fabric, "task", "send", mail="order 4726 is delayed, cancel it and give the money back\n")
    assert "waits for a person: orders.refund" in text
    return text.split()[1]


def test_status_has_every_process_with_its_state_id_memory_and_address(fabric: LiveFabric) -> None:
    rows = table(said(fabric, "status"))
    assert set(rows) == {*PROCESSES, "supervisor"}
    for name, (state, pid, memory, unit, *where) in rows.items():
        assert (state, unit) == ("running", "MB")
        assert psutil.pid_exists(int(pid))
        assert int(memory) > 0
        assert bool(where) is (name not in {"supervisor", "worker"})
    assert rows["gateway"][-1] == fabric.manifest.endpoints.gateway


def test_a_process_that_is_stopped_is_seen_and_what_needs_it_says_so(fabric: LiveFabric) -> None:
    fabric.supervisor.halt("gateway")
    try:
        done = loomstead(fabric, "status")
        assert done.returncode == NOT_RUNNING
        assert table(done.stdout)["gateway"][0] == "stopped"
        assert "not as it should be: gateway." in done.stdout
        assert "`loomstead up` heals it" in done.stdout

        words = refusal(fabric, "task", "list")
        assert f"does not answer at {fabric.manifest.endpoints.gateway}" in words
        assert "`loomstead status` shows its processes" in words
        assert str(fabric.home / "logs" / "gateway.log") in words
    finally:
        assert fabric.up().code == 0


def test_a_fabric_without_its_supervisor_is_seen(fabric: LiveFabric) -> None:
    os.kill(fabric.supervisor.pid(), signal.SIGKILL)
    try:
        done = loomstead(fabric, "status")
        assert done.returncode == NOT_RUNNING
        rows = table(done.stdout.partition("\n\n")[0])
        assert rows.pop("supervisor")[0] == "absent"
        assert {row[0] for row in rows.values()} == {"orphaned"}
    finally:
        assert fabric.up().code == 0


def test_an_agent_is_deployed_once_listed_and_shown(fabric: LiveFabric, agent: str) -> None:
    assert said(fabric, "agent", "deploy", str(AGENT)) == "agent order-desk version 1: unchanged\n"
    (listed,) = [one for one in told(fabric, "agent", "list", "--json") if one["name"] == agent]
    assert f"{agent}  1        {listed['deployed_by']}  {listed['deployed_at']}" in said(fabric, "agent", "list")
    assert told(fabric, "agent", "show", agent)["digest"] == listed["digest"]
    assert "Unknown agent (404 agent_unknown)" in refusal(fabric, "agent", "show", "nobody")


def test_a_broken_agent_file_is_told_with_file_line_and_key(fabric: LiveFabric, tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    text = AGENT.read_text().replace("effect: write", "effect: [red]", 1)
    file.write_text(text)
    line = text[: text.index("[red]")].count("\n") + 1
    assert f"{file}:{line}: tools" in refusal(fabric, "agent", "deploy", str(file))


def test_an_agent_that_the_stack_cannot_have_is_refused_by_name(fabric: LiveFabric, tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(AGENT.read_text().replace("scope_class: orders-rw", "scope_class: nowhere"))
    words = refusal(fabric, "agent", "deploy", str(file))
    assert "nowhere" in words
    assert "\n→ " in words


def test_a_mail_is_followed_until_a_person_is_asked_and_their_consent_until_the_end(
    fabric: LiveFabric, refund: str
) -> None:
    (waiting,) = [one for one in told(fabric, "approvals", "list", "--json") if one["txn"] == refund]
    assert waiting["id"] in said(fabric, "approvals", "list")
    assert told(fabric, "approvals", "show", waiting["id"])["digest"] == waiting["digest"]

    story = said(fabric, "approvals", "approve", waiting["id"])
    assert story.startswith("approved: orders.refund ")
    assert f"Task {refund} · order-desk version 1 · finished" in story
    assert "the model said 1  from orders.get#/total_cents" in story
    assert waiting["id"] not in said(fabric, "approvals", "list")
    assert waiting["id"] in said(fabric, "approvals", "list", "--all")
    assert "Already decided (409 approval_decided)" in refusal(fabric, "approvals", "decline", waiting["id"])


def test_a_task_is_listed_shown_and_traced_by_the_beginning_of_its_id(fabric: LiveFabric, refund: str) -> None:
    assert refund in said(fabric, "task", "list")
    assert refund in [task["txn"] for task in told(fabric, "task", "list", "--json")]
    begins = refund[:24].lower()
    assert told(fabric, "task", "show", begins)["txn"] == refund
    assert told(fabric, "trace", begins, "--json")[0]["kind"] == "task_opened"
    assert f"Task {refund}" in said(fabric, "trace", begins)


@pytest.mark.parametrize("txn", ["ZZZ", "../agents"])
def test_a_beginning_that_no_task_has_is_refused(fabric: LiveFabric, agent: str, txn: str) -> None:
    assert f"No task begins with '{txn}' in stack 'local'. `loomstead task list` lists them." in refusal(
        fabric, "trace", txn
    )


def test_an_id_that_no_task_has_is_refused(fabric: LiveFabric, agent: str) -> None:
    assert "Unknown task (404 task_unknown)" in refusal(fabric, "task", "show", "01J" + "0" * 23)
    assert "404" in refusal(fabric, "task", "show", "01J0000000000000000000/trace")


def test_a_revoked_task_is_handed_over_and_taken_over(fabric: LiveFabric, agent: str) -> None:
    txn = said(fabric, "task", "send", "order 4720 is late: cancel it, refund it").split()[1]
    assert "409 task_not_waiting" in refusal(fabric, "task", "choose", txn, "stop")
    assert txn in said(fabric, "task", "revoke", txn)
    while (task := told(fabric, "task", "show", txn))["state"] == "awaiting_approval":
        time.sleep(0.2)
    assert task["state"] == "handed_over"
    assert "goal" in told(fabric, "task", "show", txn)

    story = said(fabric, "task", "choose", txn, "take_over")
    assert "· taken_over" in story
    assert "revoked by person:operator" in story


def test_without_waiting_only_the_id_is_printed(fabric: LiveFabric, agent: str) -> None:
    txn = said(fabric, "task", "send", "--no-wait", "Good morning.").strip()
    assert told(fabric, "task", "show", txn)["agent"] == agent


def test_the_ledger_holds_and_so_does_its_export(fabric: LiveFabric, refund: str, tmp_path: Path) -> None:
    file = tmp_path / "an export.sqlite"
    assert said(fabric, "ledger", "export", str(file)) == f"written: {file}\n"
    for arguments in ([], [str(file)]):
        words = said(fabric, "ledger", "verify", *arguments)
        assert words.split("\n")[:2] == ["integrity     holds", "completeness  holds"]
    assert "File exists" in refusal(fabric, "ledger", "export", str(file))
    file.write_text("no database at all, but long enough to be looked at")
    assert "is no export" in refusal(fabric, "ledger", "verify", str(file))


def psql(fabric: LiveFabric, statement: str, *options: str) -> subprocess.CompletedProcess[str]:
    return loomstead(fabric, "psql", *options, "--", "-XAtc", statement)


def test_psql_reads_the_agents_view_on_the_replica(fabric: LiveFabric) -> None:
    done = psql(fabric, "SELECT id, pg_is_in_recovery() FROM agent.orders WHERE id = '4711'")
    assert (done.returncode, done.stdout) == (0, "4711|t\n")


@pytest.mark.parametrize(
    ("statement", "options", "reason"),
    [
        ("CREATE TEMP TABLE mine (n int)", [], "read-only transaction"),
        ("SELECT * FROM public.refunds", [], "permission denied"),
        ("SELECT 1", ["--primary"], "pg_hba.conf rejects connection"),
        ("SELECT 1", ["-d", "loomstead"], "no pg_hba.conf entry"),
    ],
    ids=["write", "ungranted", "primary", "database"],
)
def test_psql_as_the_agents_role_is_refused_all_else(
    fabric: LiveFabric, statement: str, options: list[str], reason: str
) -> None:
    done = psql(fabric, statement, *options)
    assert done.returncode != 0
    assert reason in done.stderr


def test_psql_goes_where_it_is_told_whatever_the_shell_says(
    fabric: LiveFabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fabric.variables, "PGHOSTADDR", "127.0.0.2")
    monkeypatch.setitem(fabric.variables, "PGUSER", "postgres")
    assert psql(fabric, "SELECT current_user").stdout == "agent_reader\n"


def test_a_role_that_there_is_not_is_answered_with_those_that_there_are(fabric: LiveFabric) -> None:
    words = refusal(fabric, "psql", "--role", "nobody")
    assert "There is no role 'nobody' in stack 'local'; roles here: agent_reader, auditor, " in words


@pytest.fixture
def fresh(plan: Callable[[], LiveFabric]) -> Iterator[LiveFabric]:
    """A fabric that is not raised yet; whatever becomes of it is removed with `loomstead down`."""
    fabric = plan()
    yield fabric
    said(fabric, "down", "--config-file", str(fabric.stack_file))
    assert not fabric.home.exists()


def _heed_interrupts() -> None:
    """As on a terminal: a shell without one starts what runs in its background with Ctrl-C ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def half_way(fabric: LiveFabric) -> subprocess.Popen[str]:
    """`loomstead up` at the moment when PostgreSQL runs and much does not."""
    up = subprocess.Popen(
        [LOOMSTEAD, "up"],
        env=fabric.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_heed_interrupts,  # noqa: PLW1509  no thread of ours runs here
    )
    while fabric.supervisor.status("primary").state is not State.RUNNING:
        time.sleep(0.05)
    return up


def locks(fabric: LiveFabric) -> list[Path]:
    return list((fabric.root / "pulumi").glob(".pulumi/locks/organization/loomstead/local/*.json"))


def test_an_interrupted_up_ends_in_one_line_and_the_next_goes_on(fresh: LiveFabric) -> None:
    with half_way(fresh) as up:
        up.send_signal(signal.SIGINT)
        _, error = up.communicate(timeout=200)
    assert up.returncode == INTERRUPTED
    assert error.splitlines()[-1] == (
        "error: `pulumi up` of stack 'local' was interrupted; run this again and it goes on from there."
    )
    assert "Traceback" not in error
    assert locks(fresh) == []

    first = said(fresh, "up")
    assert "stack local is up" in first
    second = said(fresh, "up")
    assert "created" not in second
    assert "updated" not in second.replace("@ updating", "")
    summary = first[first.index("Task ") :]
    assert "waits for a person: orders.refund" in summary
    assert second[second.index("Task ") : second.index("process ")] == summary[: summary.index("process ")]
    assert len(told(fresh, "task", "list", "--json")) == 1


def test_an_up_that_was_killed_leaves_a_lock_that_the_next_command_removes(fresh: LiveFabric) -> None:
    with half_way(fresh) as up:
        (lock,) = locks(fresh)
        engine = psutil.Process(json.loads(lock.read_bytes())["pid"])
        up.kill()
        up.wait()  # its end would wake an engine that is suspended before
        engine.suspend()
        assert f"process {engine.pid}, since" in refusal(fresh, "up")
        left = engine.children(recursive=True)
        engine.kill()
        for plugin in left:
            with suppress(psutil.NoSuchProcess):
                plugin.kill()
    assert lock.exists()
    said(fresh, "down")
    assert not lock.exists()
