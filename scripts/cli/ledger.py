"""Commands about the ledger: is it whole, is it unchanged."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.text import Text

from runtime.gateway.secrets import read_secret
from runtime.identity.keys import IssuerKeys
from runtime.ledger.source import export
from runtime.ledger.verify import Report, Trust, verify, verify_export
from scripts.cli.failure import CommandError
from scripts.cli.options import Stack
from scripts.cli.output import console
from scripts.cli.place import DEFAULT_STACK, Place
from scripts.cli.plain import plain

ROLE = "auditor"
FAILED = 3

ledger = typer.Typer(no_args_is_help=True, help="Verify the record of everything, or take a copy of it.")


@ledger.command("verify")
def verify_ledger(
    exported: Annotated[
        Path | None, typer.Argument(help="An export; without it, the stack's database.", exists=True, dir_okay=False)
    ] = None,
    stack: Stack = DEFAULT_STACK,
) -> None:
    """Two verdicts: integrity (nothing changed) and completeness (nothing missing). Exit code 3 when either fails."""
    place = Place.of(stack) if exported else Place.local(stack)
    report = asyncio.run(_verify(place, exported))
    for finding in report.findings:
        console.print(plain(f"  {finding}"), style="red", soft_wrap=True)
    for name, holds in (("integrity", report.integrity), ("completeness", report.completeness)):
        console.print(f"{name:13}", Text("holds", "green") if holds else Text("fails", "red"))
    console.print(
        f"{report.records} records of {report.tasks} tasks, {report.checkpoints} checkpoints, "
        f"content of {report.erased} records erased"
    )
    if report.newer:
        console.print(f"{report.newer} checkpoints are newer than the export: what they signed is not in it")
    if not (report.integrity and report.completeness):
        raise typer.Exit(FAILED)


@ledger.command("export")
def export_ledger(
    path: Annotated[Path, typer.Argument(help="The SQLite file to write; a new one.")], stack: Stack = DEFAULT_STACK
) -> None:
    """Copy the ledger into one file that `loomstead ledger verify FILE` takes, without a database."""
    asyncio.run(_export(Place.local(stack), path))
    console.print(f"written: {path}", soft_wrap=True)


async def _verify(place: Place, exported: Path | None) -> Report:
    trust = Trust(
        ledger_key=read_secret(place.secrets / "ledger.key"),
        subjects_key=read_secret(place.secrets / "subjects.key"),
        issuer_keys=IssuerKeys.load(place.secrets).accepted,
        checkpoints=place.folder / "checkpoints",
    )
    if exported is None:
        async with _database(place) as conn:
            return await verify(conn, trust)
    try:
        return await verify_export(exported, trust)
    except sqlite3.Error as error:
        raise CommandError(f"{exported} is no export of `loomstead ledger export`: {error}.") from error


async def _export(place: Place, path: Path) -> None:
    async with _database(place) as conn:
        try:
            await export(conn, path, read_secret(place.secrets / "ledger.key"), place.folder / "checkpoints")
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}. Name a new file.") from error


@asynccontextmanager
async def _database(place: Place) -> AsyncGenerator[asyncpg.Connection]:
    endpoints = place.manifest().endpoints
    try:
        conn = await asyncpg.connect(
            host=endpoints.primary_host,
            port=endpoints.primary_port,
            database=endpoints.database,
            user=ROLE,
            passfile=place.secrets / f"{ROLE}.pgpass",
        )
    except (OSError, asyncpg.PostgresError) as error:
        raise CommandError(
            f"The primary of stack {place.stack!r} does not let {ROLE} in at {endpoints.primary_host}:"
            f"{endpoints.primary_port}: {error}. `loomstead status{place.option}` shows its processes."
        ) from error
    try:
        yield conn
    finally:
        await conn.close()
