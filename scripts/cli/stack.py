"""`loomstead stack`: stack files."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from components.infrastructure import Size
from components.naming import stack_file
from components.spec import Platform
from regions.catalogue import Catalogue, load_catalogue
from regions.expectations import nearest
from regions.residency import DataClass
from scripts.cli.failure import CommandError
from scripts.cli.output import console
from scripts.stack_file import NoStackFile, Wish, draft

stack = typer.Typer(no_args_is_help=True, help="Stack files.")


@stack.callback()
def _stack() -> None:
    """Keeps the command's name where there is only one."""


@stack.command("new")
def new(
    cloud: Annotated[Platform, typer.Argument(help="aws, azure, gcp or kubernetes.")],
    region: Annotated[str, typer.Argument(help="Its region; onprem for a cluster of your own.")],
    regime: Annotated[list[str], typer.Option("--regime", "-r", help="A regime of the catalogue; several intersect.")],
    size: Annotated[Size, typer.Option(help="Of every part that the file does not size itself.")] = Size.SMALL,
    data_class: Annotated[list[DataClass] | None, typer.Option(help="What agents read; none: personal.")] = None,
    country: Annotated[str | None, typer.Option(help="Where your own machines stand, such as AT.")] = None,
    evidence: Annotated[
        list[str] | None, typer.Option(help="A document that a regime requires: baa_ref=BAA-2026-3.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the stack; none: <cloud>-<region>.")] = None,
) -> None:
    """Write a stack file that reviews clean, or say why that region cannot hold that regime."""
    catalogue = load_catalogue()
    _check(cloud, region, regime, catalogue)
    called = name or f"{cloud}-{region}"
    wish = Wish(
        platform=cloud,
        region=region,
        regimes=tuple(regime),
        size=size,
        data_classes=tuple(data_class or [DataClass.PERSONAL]),
        country=country,
        evidence=dict(_pair(given) for given in evidence or []),
    )
    try:
        text = draft(wish, called, catalogue, datetime.now(UTC).date())
    except NoStackFile as refused:
        raise CommandError(str(refused)) from None
    path = stack_file(called)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CommandError(f"{path} is there already, and is kept. Give another --name.") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}. May you write there?") from error
    console.print(
        f"{path} reviews clean. `loomstead preflight {called}` says what is yours to name before `pulumi up`."
    )


def _check(cloud: Platform, region: str, regimes: list[str], catalogue: Catalogue) -> None:
    if cloud is Platform.LOCAL:
        raise CommandError("This machine has its stack file: stacks/Pulumi.local.yaml.")
    regions = [name for name, facts in catalogue.regions.items() if facts.platform == cloud]
    if region not in regions:
        raise CommandError(
            f"{cloud} has no region {region!r}{nearest(region, regions)}. Regions: {', '.join(regions)}."
        )
    for regime in regimes:
        if regime not in catalogue.regimes:
            known = ", ".join(catalogue.regimes)
            raise CommandError(f"There is no regime {regime!r}{nearest(regime, catalogue.regimes)}. Regimes: {known}.")


def _pair(given: str) -> tuple[str, str]:
    key, separator, value = given.partition("=")
    if not separator or not value:
        raise CommandError(f"--evidence {given}: expected <key>=<reference>, such as baa_ref=BAA-2026-3.")
    return key, value
