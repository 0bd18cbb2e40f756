"""`loomstead guardrails`: what a cloud itself has to refuse for a stack, as documents for who administers it."""

import json
from datetime import UTC, datetime
from importlib import import_module
from typing import Annotated

import typer

from components.guardrails import DOCUMENTS
from components.review import review
from components.spec import Platform
from regions.catalogue import load_catalogue
from scripts.cli.failure import CommandError
from scripts.cli.review import stack_files


def guardrails_command(
    stack: Annotated[str, typer.Argument(metavar="STACK|FILE", help="Whose Boundary they are made from.")],
    on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The day, as relaxations end; none: today."),
    ] = None,
    administrators: Annotated[
        list[str] | None,
        typer.Option("--administrator", metavar="ROLE", help="AWS: a role that may take guards away; repeatable."),
    ] = None,
) -> None:
    """Print the documents that the organisation's administrators attach above a stack, as JSON by their kind."""
    day = on.date() if on else datetime.now(UTC).date()
    catalogue = load_catalogue()
    (path,) = stack_files([stack])
    reviewed = review(path, catalogue, day)
    if reviewed.spec is None or reviewed.boundary is None:
        raise CommandError(f"{path} has no Boundary; `loomstead review {stack}` says what is wrong with it.")
    platform = reviewed.spec.platform
    if platform not in DOCUMENTS:
        known = ", ".join(DOCUMENTS)
        raise CommandError(f"guardrails on {platform} are all made by `pulumi up`; documents are for: {known}.")
    module, _, name = DOCUMENTS[platform].partition(":")
    if administrators and platform is not Platform.AWS:
        raise CommandError(f"--administrator: documents of {platform} name no roles. Leave it out.")
    named = {"administrators": administrators} if administrators else {}
    documents = getattr(import_module(module), name)(reviewed.boundary, catalogue, reviewed.spec.region, day, **named)
    print(json.dumps(documents, indent=2, ensure_ascii=False))
