"""Commands about the ledger: is it whole, is it unchanged."""

import asyncio
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.console import Console

from runtime.gateway.app import read_secret
from runtime.identity.keys import IssuerKeys
from runtime.ledger.source import export
from runtime.ledger.verify import Report, Trust, verify, verify_export
from scripts.cli.place import Place
from scripts.cli.tasks import Stack

ROLE = "auditor"
FAILED = 2

console = Console()
ledger = typer.Typer(no_args_is_help=True, help="Verify the record of everything, or take a copy of it.")


@ledger.command("verify")
def verify_ledger(
    exported: Annotated[Path | None, typer.Argument(help="An export; without it, the stack's database.")] = None,
    stack: Stack = "local",
) -> None:
    """Two verdicts: integrity (nothing changed) and completeness (nothing missing). Exit code 2 when either fails."""
    place = Place.of(stack)
    report = asyncio.run(_verify(place, exported))
    for finding in report.findings:
        console.print(f"  {finding}", style="red", highlight=False)
    for name, holds in (("integrity", report.integrity), ("completeness", report.completeness)):
        console.print(f"{name:13}", "[green]holds[/]" if holds else "[red]fails[/]")
    console.print(
        f"{report.records} records of {report.tasks} tasks, {report.checkpoints} checkpoints, "
        f"content of {report.erased} records erased"
    )
    if not (report.integrity and report.completeness):
        raise typer.Exit(FAILED)


@ledger.command("export")
def export_ledger(
    path: Annotated[Path, typer.Argument(help="The SQLite file to write.")], stack: Stack = "local"
) -> None:
    """Copy the ledger into one file that `loomstead ledger verify FILE` takes, without a database."""
    asyncio.run(_export(Place.of(stack), path))
    console.print(f"written: {path}")


async def _verify(place: Place, exported: Path | None) -> Report:
    trust = Trust(
        ledger_key=read_secret(place.secrets / "ledger.key"),
        subjects_key=read_secret(place.secrets / "subjects.key"),
        issuer_keys=IssuerKeys.load(place.secrets).accepted,
        checkpoints=place.folder / "checkpoints",
    )
    if exported is not None:
        return await verify_export(exported, trust)
    conn = await _connect(place)
    try:
        return await verify(conn, trust)
    finally:
        await conn.close()


async def _export(place: Place, path: Path) -> None:
    conn = await _connect(place)
    try:
        await export(conn, path)
    finally:
        await conn.close()


async def _connect(place: Place) -> asyncpg.Connection:
    endpoints = place.manifest().endpoints
    return await asyncpg.connect(
        host=endpoints.primary_host,
        port=endpoints.primary_port,
        database=endpoints.database,
        user=ROLE,
        passfile=place.secrets / f"{ROLE}.pgpass",
    )
