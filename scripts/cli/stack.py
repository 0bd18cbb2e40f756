"""`loomstead stack`: stack files."""

import difflib
import re
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from components.infrastructure import Extent, Size
from components.naming import stack_file
from components.spec import Platform
from regions.catalogue import HOST, Catalogue, Evidence, load_catalogue
from regions.expectations import nearest
from regions.residency import DataClass
from scripts.cli.failure import CommandError
from scripts.cli.output import console
from scripts.stack_file import NoStackFile, Wish, draft
from scripts.stack_file.made import not_installed
from scripts.stack_file.sections import FOUNDATIONS, TO_BRING, TO_SIGN

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = {Platform.AWS: 24}
"""Characters of a name that AWS's fabric leaves room for (components/fabrics/aws_plan.py); other platforms take 40."""
_OTHERS_LONGEST = 40

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
    called = f"{cloud}-{region}" if name is None else name
    _check(cloud, region, regime, catalogue)
    _check_country(region, country, catalogue)
    _check_name(cloud, called)
    wish = Wish(
        platform=cloud,
        region=region,
        regimes=tuple(dict.fromkeys(regime)),
        size=size,
        data_classes=tuple(data_class or [DataClass.PERSONAL]),
        country=country,
        evidence=dict(_pair(given, regime, catalogue) for given in evidence or []),
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
    for told in _left(cloud, called, text):
        console.print(told, soft_wrap=True)


def _left(cloud: Platform, called: str, text: str) -> Iterator[str]:
    """What is written, and what a person still has to do."""
    extent = Extent.FOUNDATION if cloud in FOUNDATIONS else Extent.FABRIC
    made = "" if (lacking := not_installed(cloud)) else f", and its {extent} can be made"
    yield f"{stack_file(called)} reviews clean{made}. `loomstead preflight {called}` says what is yours to name."
    if lacking:
        yield f"Whether its {extent} can be made was not asked: {lacking}"
    if TO_BRING in text:
        yield "RDS's authority is not known for this region: postgres.authority waits for its file."
    if TO_SIGN in text:
        yield "One finding of `loomstead plan`, A26, waits for a person's signature: see `waivers` in the file."


def _check(cloud: Platform, region: str, regimes: list[str], catalogue: Catalogue) -> None:
    if cloud is Platform.LOCAL:
        raise CommandError("This machine has its stack file: stacks/Pulumi.local.yaml.")
    known = [name for name, facts in catalogue.regions.items() if facts.platform == cloud]
    if region not in known:
        where = "own" if cloud is Platform.KUBERNETES else cloud
        every = f"{len(known)} are in regions/catalogue/regions/{where}.yaml"
        raise CommandError(f"{cloud} has no region {region!r}: {every}.{_alike(region, known)}")
    for regime in regimes:
        if regime not in catalogue.regimes:
            every = textwrap.fill(f"Regimes: {', '.join(catalogue.regimes)}.", 100, break_on_hyphens=False)
            raise CommandError(f"There is no regime {regime!r}.\n{every}{_alike(regime, [*catalogue.regimes])}")


def _alike(name: str, known: Sequence[str]) -> str:
    found = difflib.get_close_matches(name, known, n=3)
    return f"\nDid you mean {' or '.join(found)}?" if found else ""


def _check_country(region: str, country: str | None, catalogue: Catalogue) -> None:
    stands, names = catalogue.regions[region].country, catalogue.countries.names
    if stands != HOST and country not in (None, stands):
        raise CommandError(f"--country {country}: {region} stands in {stands}: leave it out.")
    if stands == HOST and country is None:
        raise CommandError(f"{region} can be anywhere: say where the machines stand, such as --country AT.")
    if stands == HOST and country not in names:
        upper = str(country).upper()
        hint = f" Did you mean {upper}?" if upper in names else ""
        raise CommandError(f"--country {country}: expected a country of ISO 3166-1 alpha-2, such as AT.{hint}")


def _check_name(cloud: Platform, name: str) -> None:
    longest = _LONGEST.get(cloud, _OTHERS_LONGEST)
    if not _NAME.fullmatch(name) or len(name) > longest:
        raise CommandError(
            f"--name {name}: expected a-z, 0-9 and single dashes between them, a letter first, {longest} characters "
            f"at most: names of {cloud} begin with it."
        )


def _pair(given: str, regimes: list[str], catalogue: Catalogue) -> tuple[str, str]:
    key, _, value = given.partition("=")
    if not value.strip():
        raise CommandError(f"--evidence {given}: expected <key>=<reference>, such as baa_ref=BAA-2026-3.")
    if key not in tuple(Evidence):
        wanted = sorted({str(each) for regime in regimes for each in catalogue.regimes[regime].require})
        asked = f"{', '.join(regimes)}: {', '.join(wanted) or 'none is required'}"
        every = ", ".join(Evidence)
        raise CommandError(
            f"--evidence {given}: there is no document {key!r}{nearest(key, Evidence)}. For {asked}. All: {every}."
        )
    return key, value
