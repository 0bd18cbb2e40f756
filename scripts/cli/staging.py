"""`loomstead models stage`: weights for the model servers of a stack, into its bucket and no other place."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from components.fabrics import not_installed
from components.review import refusal, review
from components.spec import FabricSpec, Staged
from regions.catalogue import Catalogue, load_catalogue
from scripts.cli.failure import CommandError
from scripts.cli.options import ConfigFile, Stack
from scripts.cli.place import Place
from scripts.command import StepFailed
from scripts.progress import progress
from scripts.weights import WeightsError, ensure_weights

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")


def stage(
    name: Annotated[str, typer.Argument(help="What the model server is to call them.")],
    to: Annotated[str, typer.Option("--to", help="The stack's bucket: s3://<bucket>.")],
    stack: Stack,
    source: Annotated[
        Path | None, typer.Option("--from", exists=True, help="A folder or file of weights, else the catalogue's.")
    ] = None,
    licence: Annotated[str, typer.Option(help="The licence that you agreed to, as SPDX names it.")] = "",
    config_file: ConfigFile = None,
) -> None:
    """Puts a model's weights into the stack's bucket, compared with what the stack file and the catalogue name."""
    if _NAME.fullmatch(name) is None:
        raise CommandError(f"{name!r} is no name for weights: lower-case letters, digits, points and dashes")
    catalogue, bucket = load_catalogue(), _bucket(to)
    spec = _reviewed(Place.of(stack, config_file), catalogue)
    agreed = _licence(name, licence, spec, catalogue)
    if find_spec("botocore") is None:
        raise CommandError(not_installed("botocore", spec.platform))
    staging, session = import_module("scripts.staging"), import_module("botocore.session").get_session()
    try:
        with progress() as report:
            target = staging.S3(session.create_client("s3", region_name=spec.region), bucket)
            if (region := target.region()) != spec.region:
                raise CommandError(
                    f"{to} is in {region}, stack {stack!r} stands in {spec.region}: use a bucket of its region"
                )
            files = staging.read_files(source or ensure_weights(name, report), report)
            found = staging.digest_of(files)
            _compare(name, found, spec)
            sent = target.stage(name, files, report)
    except (StepFailed, WeightsError) as failure:
        raise CommandError(str(failure)) from failure
    typer.echo(f"{len(files)} files are at {to}/{name}, {sent} of them new. In the stack file:")
    typer.echo(f"  hosted: {{staged: {{name: {name}, digest: {found!r}, licence: {agreed}}}}}")


def _bucket(to: str) -> str:
    address = urlsplit(to)
    if address.scheme != "s3":
        raise CommandError(f"{to}: only S3 is built; give s3://<bucket>")
    if not address.netloc or address.path.strip("/"):
        raise CommandError(f"{to}: give the bucket alone, s3://<bucket>; the weights' name is the folder in it")
    return address.netloc


def _reviewed(place: Place, catalogue: Catalogue) -> FabricSpec:
    reviewed = review(place.stack_file, catalogue, datetime.now(UTC).date())
    if reviewed.open or reviewed.spec is None:
        raise CommandError(refusal(reviewed))
    if reviewed.spec.platform != "aws":
        raise CommandError(f"stack {place.stack!r} is on {reviewed.spec.platform}: staging is built for aws alone")
    return reviewed.spec


def _staged(name: str, spec: FabricSpec) -> Iterator[Staged]:
    for model_class in spec.models.values():
        for candidate in model_class.candidates.values():
            if candidate.hosted and candidate.hosted.staged and candidate.hosted.staged.name == name:
                yield candidate.hosted.staged


def _licence(name: str, licence: str, spec: FabricSpec, catalogue: Catalogue) -> str:
    """The one that everybody names; raises ``CommandError``."""
    known = catalogue.weights.get(name)
    named = {staged.licence for staged in _staged(name, spec)} | ({known.licence} if known else set())
    named |= {licence} if licence else set()
    if len(named) == 1:
        return named.pop()
    if named:
        raise CommandError(
            f"{name}: stack file, catalogue and --licence name different ones: {', '.join(sorted(named))}"
        )
    raise CommandError(f"{name}: nobody names its licence: read it, and give it by --licence")


def _compare(name: str, found: str, spec: FabricSpec) -> None:
    for staged in _staged(name, spec):
        if staged.digest != found:
            raise CommandError(
                f"{name}: these files have digest {found}, the stack file names {staged.digest}; nothing was sent"
            )
