"""The benchmark's own loader counts what happened, and its upstream answers everything."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.naming import REPOSITORY
from scripts.benchmarks.gateway import send_with_loader
from scripts.benchmarks.http_load import Plan
from tests.fakes.model_server import Fault, ScriptedModel, finish
from tests.fixtures.postgres import free_port

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "E-mail: x"}]})


@pytest.fixture
def upstream() -> Iterator[int]:
    port = free_port()
    argv = [sys.executable, "-P", "-m", "scripts.benchmarks.http_load", "upstream", str(port)]
    with subprocess.Popen(argv, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"{}")
        process.stdin.close()
        assert process.stdout.readline() == b"ready\n"
        yield port
        process.terminate()


def plan(port: int, connections: int) -> Plan:
    return Plan(port, "/v1/chat/completions", ["a", "b"], BODY, connections, 0.3)


@pytest.mark.parametrize("connections", [1, 16])
def test_the_upstream_answers_over_connections_that_stay(upstream: int, connections: int, tmp_path: Path) -> None:
    load = send_with_loader(plan(upstream, connections), tmp_path)
    assert load.refused == 0
    assert load.answered > connections
    assert 0 < load.p50 <= load.p99 < load.seconds * 1e3


def test_every_answer_is_counted_and_a_refusal_is_none(tmp_path: Path) -> None:
    with ScriptedModel({"x": [Fault(503), finish("done")]}) as model:
        load = send_with_loader(plan(model.port, 4), tmp_path)
    assert (load.answered + load.refused, load.refused) == (len(model.requests), 1)
