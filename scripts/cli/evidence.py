"""`loomstead evidence`: what a review saw and found, sealed, for whoever has to show it later."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from joserfc.jwk import ECKey
from typer.core import TyperGroup

from components.naming import REPOSITORY, stack_home
from components.review import review
from regions.catalogue import load_catalogue
from scripts.cli.failure import CommandError
from scripts.cli.output import console
from scripts.cli.plain import plain
from scripts.cli.review import stack_files
from scripts.report.evidence import EvidenceError, EvidenceList, verify_evidence, write_evidence
from scripts.report.seal import ALGORITHM, SealError, read_key

FINDINGS, ALTERED = 2, 3
OF_A_STACK = "of"
NO_KEY = " `loomstead up` makes the stack's own. Elsewhere make one: `loomstead evidence key FILE`, then --key FILE."


class _OfAStack(TyperGroup):
    """`loomstead evidence local` is `loomstead evidence of local`: a stack, unless a command has that name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [OF_A_STACK, *args]
        return super().parse_args(ctx, args)


evidence = typer.Typer(
    cls=_OfAStack,
    no_args_is_help=True,
    help="Write a stack's evidence for auditors (`loomstead evidence STACK`), or verify it.",
)


@evidence.command(OF_A_STACK)
def of_a_stack(
    stack: Annotated[str, typer.Argument(metavar="STACK|FILE", help="The stack, by its name or its file.")],
    output: Annotated[
        Path | None, typer.Option(help="The folder to write; without it, evidence/<stack>.", file_okay=False)
    ] = None,
    on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The day to judge for; without it, today."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="A private JWK (P-256) to sign with; without it, the stack's own.")
    ] = None,
) -> None:
    """Write findings, waivers, map, picture, report and facts into a signed folder. Exit code 2 with open findings."""
    day = on.date() if on else datetime.now(UTC).date()
    reviewed = review(stack_files([stack])[0], load_catalogue(), day)
    folder = output or REPOSITORY / "evidence" / reviewed.stack
    signing = _read(key or stack_home(reviewed.stack) / "secrets" / "manifest.jwk", "" if key else NO_KEY)
    try:
        listed = write_evidence(folder, reviewed, load_catalogue(), day, signing)
    except (EvidenceError, SealError) as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be written: {error.strerror}. Name another --output.") from error
    console.print(f"written: {plain(folder)}", soft_wrap=True)
    console.print(plain(_told(listed)), soft_wrap=True)
    if listed.open_findings:
        raise typer.Exit(FINDINGS)


@evidence.command("key")
def make_key(path: Annotated[Path, typer.Argument(help="The file to write; a new one.")]) -> None:
    """Make a key to sign evidence with: PATH is private, and what verifies it is written beside it as .public.jwk."""
    key, public = ECKey.generate_key("P-256"), path.with_suffix(".public.jwk")
    about = {"kid": key.thumbprint(), "alg": ALGORITHM, "use": "sig"}
    try:
        for file, private, mode in ((path, True, 0o600), (public, False, 0o644)):
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as opened:
                json.dump({**key.as_dict(private=private), **about}, opened)
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be written: {error.strerror}. Name a new file.") from error
    console.print(f"written: {plain(path)} (private), {plain(public)}", soft_wrap=True)


@evidence.command("verify")
def verify(
    folder: Annotated[Path, typer.Argument(help="The evidence.", exists=True, file_okay=False)],
    key: Annotated[Path, typer.Option(help="The public JWK of whoever signed it.")],
) -> None:
    """Say what was changed, is missing or was added since the evidence was signed. Exit code 3 when anything was."""
    try:
        listed, differences = verify_evidence(folder, _read(key))
    except EvidenceError as error:
        raise CommandError(str(error), ALTERED) from error
    for difference in differences:
        console.print(plain(f"  {difference}"), style="red", soft_wrap=True)
    console.print("altered" if differences else "unaltered", style="red" if differences else "green")
    console.print(plain(_told(listed)), soft_wrap=True)
    if differences:
        raise typer.Exit(ALTERED)


def _told(listed: EvidenceList) -> str:
    return (
        f"{listed.stack} on {listed.on} by Loomstead {listed.kit}: {listed.open_findings} open findings, "
        f"{listed.waived_findings} waived; {len(listed.files)} files\nBoundary  {listed.boundary_digest}\n"
        f"catalogue {listed.catalogue_digest}"
    )


def _read(path: Path, remedy: str = "") -> dict[str, Any]:
    try:
        return read_key(path.read_bytes())
    except OSError as error:
        raise CommandError(f"The key {path} cannot be read: {error.strerror}.{remedy}") from None
    except SealError as error:
        raise CommandError(f"{path}: {error}.") from None
