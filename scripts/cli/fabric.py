"""Commands about the fabric itself: raise, look, remove."""

import os
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from components.local.orphans import marked
from components.local.supervisor import Supervisor
from components.postgres import server
from components.spec import FabricSpec, load_spec, schema_text
from regions.manifest import Manifest
from runtime.agents.definition import schema_text as agent_schema
from scripts.cli.agents import deploy_definition
from scripts.cli.api import Api
from scripts.cli.place import REPOSITORY, CommandError, Place
from scripts.cli.pulumi import Pulumi, alone
from scripts.cli.tasks import Stack, follow, show_trace, show_waiting
from scripts.engine import ensure_engine
from scripts.progress import progress
from scripts.weights import ensure_weights

DEMO_AGENT = REPOSITORY / "runtime" / "demo" / "order_desk" / "agent.yaml"
DEMO_WEBHOOK_ID = "msg_demo_order_4711"
"""Fixed: a second `loomstead up` finds the first one's task and changes nothing."""
DEMO_MAIL = {
    "from": "service@hafen-spedition.example",
    "subject": "Order 4711",
    "text": "Hello,\n\norder 4711 is delayed by another two weeks and our customer has lost patience: "
    "they want it cancelled and the money back.\n\nKind regards\nHafen Spedition, customer service",
}
CONFIG_FILE = "--config-file"

ConfigFile = Annotated[
    Path | None, typer.Option(CONFIG_FILE, help="Another stack file than stacks/Pulumi.<stack>.yaml.", exists=True)
]
console = Console()


def up(
    stack: Stack = "local",
    config_file: ConfigFile = None,
    demo: Annotated[bool, typer.Option(help="Deploy the demo agent and send it one mail.")] = True,
) -> None:
    """Raise the fabric with `pulumi up`; on `local` deploy the demo agent and send it a first mail."""
    place = Place.of(stack)
    spec = load_spec(config_file or place.stack_file)
    with alone(place, "up"):
        started = time.monotonic()
        _pulumi(place, spec, config_file).up()
        console.print(f"[green]stack {stack} is up[/] ({time.monotonic() - started:.0f} s)\n")
        if demo and any(system.demo for system in spec.core_systems.values()):
            _run_demo(place)
    _show_status(place)
    _show_next(place)


def down(stack: Stack = "local", config_file: ConfigFile = None) -> None:
    """Remove the fabric with `pulumi destroy`: no process, port or data is left."""
    place = Place.of(stack)
    with alone(place, "down"):
        with progress() as report:
            engine = ensure_engine(report)
        Pulumi(engine, place, config_file).destroy()


def status(stack: Stack = "local") -> None:
    """What is running and where."""
    _show_status(Place.of(stack))


def psql(
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed to psql, after `--`.")] = None,
    role: Annotated[
        str, typer.Option(help="Role to connect as; its password comes from the secrets.")
    ] = "agent_reader",
    database: Annotated[str, typer.Option("--database", "-d")] = "orders",
    primary: Annotated[bool, typer.Option("--primary", help="Connect to the primary, not to the replica.")] = False,
    stack: Stack = "local",
) -> None:
    """Open psql as one of the fabric's roles; agents' data is read on the replica, as `agent_reader`."""
    place = Place.of(stack)
    endpoints = place.manifest().endpoints
    host, port = (
        (endpoints.primary_host, endpoints.primary_port)
        if primary
        else (endpoints.replica_host, endpoints.replica_port)
    )
    command = [server.program("psql"), "-h", host, "-p", str(port), "-U", role, "-d", database, *(arguments or [])]
    passfile = str(place.secrets / f"{role}.pgpass")
    os.execve(command[0], command, {**os.environ, "PGPASSFILE": passfile})  # noqa: S606


def schema() -> None:
    """Write the JSON Schemas of stack files and agent files anew."""
    for path, text in (
        (REPOSITORY / "components" / "fabric.schema.json", schema_text()),
        (REPOSITORY / "runtime" / "agents" / "agent.schema.json", agent_schema()),
    ):
        path.write_text(text)
        console.print(os.path.relpath(path))


def _pulumi(place: Place, spec: FabricSpec, config_file: Path | None) -> Pulumi:
    with progress() as report:
        engine = ensure_engine(report)
        if spec.model.weights:
            ensure_weights(spec.model.weights, report)
    return Pulumi(engine, place, config_file)


def _run_demo(place: Place) -> None:
    with Api(place) as api:
        console.print(deploy_definition(api, DEMO_AGENT))
        txn = api.send_event("order-desk", "mail", DEMO_MAIL, DEMO_WEBHOOK_ID)
        follow(api, txn)
        show_trace(api, txn)
        show_waiting(api, txn)
        console.print()


def _show_status(place: Place) -> None:
    manifest, supervisor = place.manifest(), Supervisor(place.folder)
    running = {process.environ()["LOOMSTEAD_PROCESS"]: process for process in reversed(marked(place.folder))}
    table = Table("process", "state", "pid", "memory", "where", box=None)
    total = 0
    for name in sorted(path.stem for path in (supervisor.folder / "programs").glob("*.conf")):
        found = supervisor.status(name)
        memory = _memory(running.get(name))
        total += memory
        table.add_row(name, str(found.state), str(found.pid or "-"), f"{memory >> 20} MB", _address(manifest, name))
    table.add_row("", "", "", f"{total >> 20} MB", f"logs: {os.path.relpath(supervisor.logs)}")
    console.print(table)


def _memory(process: psutil.Process | None) -> int:
    """Bytes of the process and its children, shared pages counted once."""
    if process is None:
        return 0
    try:
        return sum(one.memory_full_info().pss for one in [process, *process.children(recursive=True)])
    except (psutil.Error, AttributeError):
        return 0


def _address(manifest: Manifest, name: str) -> str:
    endpoints = manifest.endpoints
    known = {
        "gateway": endpoints.gateway,
        "primary": f"postgresql://{endpoints.primary_host}:{endpoints.primary_port}",
        "replica": f"postgresql://{endpoints.replica_host}:{endpoints.replica_port} (agent_reader only)",
        "temporal": f"{endpoints.temporal}, console {endpoints.temporal_ui}",
        "model": next((model.url for model in manifest.models), ""),
        "orders": next((core.url for core in manifest.core_systems if core.name == "orders"), ""),
    }
    return known.get(name, "")


def _show_next(place: Place) -> None:
    option = "" if place.stack == "local" else f" -s {place.stack}"
    console.print("\nTry next:")
    for command in (
        f"loomstead task send{option} < {shlex.quote(os.path.relpath(DEMO_AGENT.parent / 'mails' / 'injection.txt'))}",
        f"loomstead ledger verify{option}",
        f"loomstead psql{option} -- -c 'TABLE agent.orders'",
    ):
        console.print(f"  {command}", highlight=False)
    if Path(sys.prefix, "bin").as_posix() not in os.environ.get("PATH", ""):
        console.print("  (first: `. scripts/env`, which puts loomstead and pulumi on PATH)", style="dim")


def require_stack_file(place: Place) -> None:
    """Raises ``CommandError`` where there is no such stack."""
    if not place.stack_file.exists():
        known = sorted(path.stem.removeprefix("Pulumi.") for path in place.stack_file.parent.glob("Pulumi.*.yaml"))
        raise CommandError(f"There is no stack {place.stack!r}; stacks here: {', '.join(known)}.")
