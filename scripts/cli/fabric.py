"""Commands about the fabric itself: raise, remove, ask its databases."""

import os
import shlex
import sys
import time
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from components.fabric import asked_for
from components.fabrics import check_installed, not_installed
from components.infrastructure import Extent
from components.model_endpoints import any_translated
from components.naming import REPOSITORY
from components.parity import require
from components.postgres import server
from components.review import refusal, review
from components.spec import FabricSpec, Platform, schema_text
from regions.catalogue import SCHEMA_PATH as CATALOGUE_SCHEMA
from regions.catalogue import load_catalogue
from regions.catalogue import schema_text as catalogue_schema
from runtime.agents.definition import schema_text as agent_schema
from scripts.cli.agents import deploy_definition
from scripts.cli.api import Api
from scripts.cli.failure import CommandError
from scripts.cli.manifest import fetch
from scripts.cli.options import ConfigFile, Stack
from scripts.cli.output import console
from scripts.cli.place import DEFAULT_STACK, Place
from scripts.cli.pulumi import Pulumi, alone
from scripts.cli.status import show_status
from scripts.cli.tasks import follow, show_trace, show_waiting
from scripts.engine import Engine, ensure_engine
from scripts.progress import progress
from scripts.weights import ensure_weights

DEMO = REPOSITORY / "runtime" / "demo" / "order_desk"
DEMO_WEBHOOK_ID = "msg_demo_order_4711"
"""Fixed: a second `loomstead up` finds the first one's task and changes nothing."""
SENDER, SUBJECT = "service@hafen-spedition.example", "Order 4711"
AGENTS_ROLE = "agent_reader"


def up(
    stack: Stack = DEFAULT_STACK,
    config_file: ConfigFile = None,
    demo: Annotated[bool, typer.Option(help="Deploy the demo agent and send it one mail.")] = True,
) -> None:
    """Raise the fabric with `pulumi up`; where it has the demo, deploy the agent and send it a first mail."""
    place = Place.of(stack, config_file)
    spec = _reviewed(place)  # refused now, not after a gigabyte was fetched
    with alone(place, "up"):
        started = time.monotonic()
        pulumi = Pulumi(_engine(spec), place)
        pulumi.up()
    console.print(f"stack {stack} is up ({time.monotonic() - started:.0f} s)\n", style="green")
    if spec.platform is not Platform.LOCAL:
        if spec.extent is Extent.FABRIC:
            console.print(f"its gateway: {fetch(place, pulumi)[1].endpoints.gateway}")
        return
    if demo and any(system.demo for system in spec.core_systems.values()):
        _run_demo(place)
    show_status(place)
    _show_next(place)


def down(stack: Stack = DEFAULT_STACK, config_file: ConfigFile = None) -> None:
    """Remove the fabric with `pulumi destroy`: no process, port or data is left."""
    place = Place.of(stack, config_file)
    with alone(place, "down"):
        Pulumi(_engine(), place).destroy()


def psql(
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed to psql; its options after `--`.")] = None,
    role: Annotated[str, typer.Option(help="Role to connect as; its password comes from the secrets.")] = AGENTS_ROLE,
    database: Annotated[str, typer.Option("--database", "-d", help="Database to open.")] = "orders",
    primary: Annotated[bool, typer.Option("--primary", help="Connect to the primary, not to the replica.")] = False,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Open psql as one of the fabric's roles; agents' data is read on the replica, as `agent_reader`."""
    place = Place.local(stack)
    endpoints = place.manifest().endpoints
    replica, main = (
        (endpoints.replica_host, endpoints.replica_port),
        (endpoints.primary_host, endpoints.primary_port),
    )
    host, port = main if primary else replica
    passfile = place.secrets / f"{role}.pgpass"
    if not passfile.is_file():
        roles = ", ".join(sorted(path.stem for path in place.secrets.glob("*.pgpass")))
        raise CommandError(f"There is no role {role!r} in stack {stack!r}; roles here: {roles}.")
    command = [server.program("psql"), "-h", host, "-p", str(port), "-U", role, "-d", database, *(arguments or [])]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    os.execve(command[0], command, {**own, "PGPASSFILE": str(passfile)})  # noqa: S606  it becomes psql


def schema() -> None:
    """Write the JSON Schemas of stack files, agent files and the catalogue anew, for editors."""
    for path, text in (
        (REPOSITORY / "components" / "fabric.schema.json", schema_text()),
        (REPOSITORY / "runtime" / "agents" / "agent.schema.json", agent_schema()),
        (CATALOGUE_SCHEMA, catalogue_schema()),
    ):
        path.write_text(text)
        console.print(os.path.relpath(path))


def _reviewed(place: Place) -> FabricSpec:
    """The stack's spec; raises ``CommandError`` with all that review has against it, ``NotSupported``, ``Refused``."""
    catalogue = load_catalogue()
    reviewed = review(place.stack_file, catalogue, datetime.now(UTC).date(), place.stack)
    if reviewed.open or reviewed.spec is None:
        raise CommandError(refusal(reviewed))
    require(asked_for(reviewed.spec, catalogue), reviewed.spec.platform)
    check_installed(reviewed.spec.platform)
    here = reviewed.spec.platform is Platform.LOCAL  # elsewhere it is in the runtime's image
    if here and any_translated(reviewed.spec, catalogue) and find_spec("litellm") is None:
        raise CommandError(not_installed("LiteLLM, by way of which a model of this stack is called,", "translator"))
    return reviewed.spec


def _engine(spec: FabricSpec | None = None) -> Engine:
    """The engine, and on this machine what ``spec`` needs beside it."""
    with progress() as report:
        engine = ensure_engine(report)
        hosted = spec.hosted if spec else None
        if hosted and hosted.hosted and hosted.hosted.weights:
            ensure_weights(hosted.hosted.weights, report)
    return engine


def _run_demo(place: Place) -> None:
    mail = {"from": SENDER, "subject": SUBJECT, "text": (DEMO / "mails" / "delayed.txt").read_text()}
    with Api(place) as api:
        console.print(deploy_definition(api, DEMO / "agent.yaml"))
        txn = api.send_event("order-desk", "mail", mail, DEMO_WEBHOOK_ID)
        follow(api, txn)
        show_trace(api, txn)
        show_waiting(api, txn)
        console.print()


def _show_next(place: Place) -> None:
    mail = shlex.quote(os.path.relpath(DEMO / "mails" / "injection.txt"))
    console.print("\nTry next:")
    for command in (
        f"loomstead task send{place.option} < {mail}",
        f"loomstead ledger verify{place.option}",
        f"loomstead psql{place.option} -- -c 'TABLE agent.orders'",
    ):
        console.print(f"  {command}", soft_wrap=True)
    if str(Path(sys.prefix, "bin")) not in os.environ.get("PATH", "").split(os.pathsep):
        console.print("  (first: `. scripts/env`, which puts loomstead and pulumi on PATH)", style="dim")
