"""``scripts/bench gateway``: the model path with every check on, beside its bare upstream, in one run on this machine.

Rounds alternate between the upstream and the gateway, over 1 and over 16 connections, so that a neighbour's load falls
on both. Nothing is asserted of the figures: they belong to a machine, its disk and its load. What is asserted is that
each answer is in the ledger twice, its decision and its content, and that the ledger verifies afterwards.
The table goes to standard error, the same as JSON to standard output.
"""

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import psutil
import typer
from rich.console import Console
from rich.table import Table

from components.naming import REPOSITORY
from scripts.benchmarks.http_load import Load, Plan
from scripts.benchmarks.model_path import MODEL_CLASS, ModelPath, model_path
from scripts.benchmarks.up import described
from scripts.progress import Report, progress

CHECKS = (
    "task token (ES256; its SHA-256 where it was seen before)",
    "grant: alive, deadline, progress, at most 0.5 s old",
    "model class against the grant",
    "endpoints against the Boundary and the quarantine",
    "one model turn, leased from the grant's row",
    "body: no key that two readers could read differently",
    "decision in the ledger, synced to disk before the answer's first byte",
    "reply in the ledger, encrypted, synced to disk before the answer's last byte",
)
CONNECTIONS = (1, 16)
PATH = "/v1/chat/completions"
BODY = json.dumps(
    {
        "model": MODEL_CLASS,
        "messages": [
            {"role": "system", "content": "You work at an order desk. " + "Decide the next step. " * 10},
            {"role": "user", "content": "Order 4711 is delayed, the customer wants the money back. " * 4},
        ],
        "temperature": 0,
        "max_tokens": 200,
    }
)
REPLY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL_CLASS,
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": '{"reason":"look first","tool":"orders.get"} ' * 4},
            }
        ],
        "usage": {"prompt_tokens": 180, "completion_tokens": 40, "total_tokens": 220},
    }
).encode()
WRK_SCRIPT = """
local requests, number = {}, 0
init = function()
  for token in io.lines("%(tokens)s") do
    requests[#requests + 1] = wrk.format("POST", "%(path)s",
      {["authorization"] = "Bearer " .. token, ["content-type"] = "application/json"}, [==[%(body)s]==])
  end
end
request = function()
  number = number %% #requests + 1
  return requests[number]
end
done = function(summary, latency)
  local e = summary.errors
  local refused = e.connect + e.read + e.write + e.status + e.timeout
  io.stderr:write(string.format('{"answered":%%d,"refused":%%d,"seconds":%%f,"p50":%%f,"p99":%%f}',
    summary.requests - e.status, refused, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True)
class Round:
    """``gateway_us``, ``database_us``: CPU time (user and system) of their processes, in µs an answer."""

    target: str
    connections: int
    load: Load
    gateway_us: float = 0.0
    database_us: float = 0.0

    @property
    def rps(self) -> float:
        return self.load.answered / self.load.seconds


@dataclass(frozen=True)
class Row:
    """Medians of a target's rounds over a number of connections; latencies in ms."""

    target: str
    connections: int
    rps: int
    rps_min: int
    rps_max: int
    p50: float
    p99: float
    gateway_us: int
    database_us: int


def send_with_loader(plan: Plan, _folder: Path) -> Load:
    argv = [sys.executable, "-P", "-m", "scripts.benchmarks.http_load", "load"]
    done = subprocess.run(argv, input=msgspec.json.encode(plan), stdout=subprocess.PIPE, cwd=REPOSITORY, check=True)
    return msgspec.json.decode(done.stdout, type=Load)


def send_with_wrk(plan: Plan, folder: Path) -> Load:
    (folder / "tokens").write_text("\n".join(plan.tokens))
    script = folder / "plan.lua"
    script.write_text(WRK_SCRIPT % {"tokens": folder / "tokens", "path": plan.path, "body": plan.body})
    argv = ["wrk", "-t1", f"-c{plan.connections}", f"-d{plan.seconds:.0f}s", "-s", str(script)]
    done = subprocess.run([*argv, f"http://127.0.0.1:{plan.port}"], capture_output=True, check=True)
    return msgspec.json.decode(done.stderr, type=Load)


class Loader(StrEnum):
    """Debian's ``wrk``, one thread; or our own, where that is not installed."""

    WRK = "wrk"
    OWN = "http_load"


LOADERS = {Loader.WRK: send_with_wrk, Loader.OWN: send_with_loader}


def measure(path: ModelPath, loader: Loader, target: str, connections: int, seconds: float) -> Round:
    port = path.gateway_port if target == "gateway" else path.upstream_port
    plan = Plan(port, PATH, path.tokens, BODY, connections, seconds)
    gateway, database = _cpu(path.gateway), _cpu(path.database)
    load = LOADERS[loader](plan, path.folder)
    if target != "gateway":
        return Round(target, connections, load)
    share = 1e6 / max(load.answered, 1)
    used = (_cpu(path.gateway) - gateway) * share, (_cpu(path.database) - database) * share
    return Round(target, connections, load, *used)


def _cpu(process: psutil.Process) -> float:
    """Seconds that a process and its children, ended ones included, have used."""
    own = process.cpu_times()
    living = [child.cpu_times() for child in process.children(recursive=True)]
    ended = own.children_user + own.children_system
    return ended + sum(times.user + times.system for times in [own, *living])


def sync_milliseconds(folder: Path) -> float:
    """Median of what it takes to bring 8 KB to the disk, which each commit waits for."""
    taken = []
    with (folder / "synced").open("wb", buffering=0) as file:
        for _ in range(50):
            started = time.perf_counter()
            file.write(bytes(8192))
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1e3


def check_ledger(path: ModelPath, rounds: Sequence[Round]) -> str:
    """What the ledger says of the run; raises ``RuntimeError`` where it does not have what was answered."""
    report, calls, replies = asyncio.run(path.report())
    measured = [one for one in rounds if one.target == "gateway"]
    answered = sum(one.load.answered for one in measured)
    refused = sum(one.load.refused for one in measured)
    # wrk leaves without the answers that are on their way; they are recorded all the same.
    unheard = sum(one.connections for one in measured)
    if refused or calls != replies or not answered <= calls <= answered + unheard:
        raise RuntimeError(
            f"{answered} answered, {refused} refused, but {calls} decisions and {replies} replies recorded"
        )
    if not (report.integrity and report.completeness):
        raise RuntimeError(f"the ledger does not verify: {'; '.join(map(str, report.findings[:5]))}")
    return (
        f"{answered} answers; {calls} decisions and {replies} replies in the ledger, {calls - answered} of them for "
        f"callers that had left; integrity and completeness hold over {report.records} records"
    )


def summed_up(rounds: Sequence[Round]) -> list[Row]:
    rows = []
    for connections in CONNECTIONS:
        for target in ("upstream", "gateway"):
            these = [one for one in rounds if (one.target, one.connections) == (target, connections)]
            rates = [one.rps for one in these]
            rows.append(
                Row(
                    target,
                    connections,
                    round(statistics.median(rates)),
                    round(min(rates)),
                    round(max(rates)),
                    round(statistics.median(one.load.p50 for one in these), 2),
                    round(statistics.median(one.load.p99 for one in these), 2),
                    round(statistics.median(one.gateway_us for one in these)),
                    round(statistics.median(one.database_us for one in these)),
                )
            )
    return rows


def show(rows: Sequence[Row], facts: Sequence[str]) -> None:
    table = Table("target", "over", "req/s", "from", "to", "p50 ms", "p99 ms", "gateway µs", "db µs", box=None)
    for row in rows:
        cpu = (row.gateway_us, row.database_us) if row.target == "gateway" else ("", "")
        cells = (row.connections, row.rps, row.rps_min, row.rps_max, row.p50, row.p99, *cpu)
        table.add_row(row.target, *map(str, cells))
    console = Console(stderr=True)
    console.print(table)
    for fact in ("µs: CPU time, user and system, of that process for one answer", *facts):
        console.print(fact, highlight=False)


def run(path: ModelPath, loader: Loader, rounds: int, seconds: float, report: Report) -> list[Round]:
    """The first round only warms up: connections, leases and keys are there from then on."""
    report("warming up")
    measured = [measure(path, loader, "gateway", max(CONNECTIONS), 1)]
    plans = [(target, connections) for connections in CONNECTIONS for target in ("upstream", "gateway")] * rounds
    for number, (target, connections) in enumerate(plans):
        report("rounds", f"{target}, {connections} connections", number / len(plans))
        measured.append(measure(path, loader, target, connections, seconds))
    return measured


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each target and number of connections.")] = 3,
    seconds: Annotated[int, typer.Option(min=1, help="Length of a round.")] = 4,
    loader: Annotated[Loader | None, typer.Option(help="By default wrk where it is installed.")] = None,
) -> None:
    """Measure the model path with every check on."""
    loader = loader or (Loader.WRK if shutil.which(Loader.WRK) else Loader.OWN)
    machine = described()
    with tempfile.TemporaryDirectory(prefix="loomstead-bench-") as name, progress() as report:
        folder = Path(name)
        report("PostgreSQL, upstream and gateway")
        with model_path(folder, REPLY) as path:
            machine["sync_ms"] = round(sync_milliseconds(folder), 2)
            measured = run(path, loader, rounds, seconds, report)
            rss = round(path.gateway.memory_info().rss / 1e6)
            ledger = check_ledger(path, measured)
    rows = summed_up(measured[1:])
    facts = [
        f"loader: {loader}; one gateway process, {rss} MB resident; 8 KB are on the disk after {machine['sync_ms']} ms",
        f"ledger: {ledger}",
        "checked at each request:",
    ]
    show(rows, [*facts, *(f"  {check}" for check in CHECKS)])
    told = {"machine": machine, "loader": loader, "rss_mb": rss, "ledger": ledger, "checks": CHECKS}
    print(json.dumps({**told, "rows": [asdict(row) for row in rows]}, indent=2))


if __name__ == "__main__":
    typer.run(main)
