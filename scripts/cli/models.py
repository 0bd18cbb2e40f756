"""Which models a regime leaves, from where and by which way, and why not the others. Asks the catalogue alone."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.padding import Padding
from rich.text import Text

from regions.boundary import Boundary, Flow, Verdict, compile_boundary
from regions.catalogue import HOST, Catalogue, CatalogueModel, Country, Mode, load_catalogue
from regions.endpoints import Serving, other_partition, servings
from regions.expectations import nearest
from regions.residency import DataClass, DataClassRules, Purpose, Residency
from scripts.cli.compare import compare
from scripts.cli.endpoints import release, status
from scripts.cli.failure import CommandError
from scripts.cli.output import console
from scripts.cli.staging import stage

NOT_LEGAL_ADVICE = "This is not legal advice."
_SURENESS = "verified in the primary source, secondary, or known but not looked up."
MOST_NAMES = 6
"""Places, countries or models that one line names; ``--json`` has them all."""

models = typer.Typer(no_args_is_help=True, help="Which models may be used from where.")


@models.callback()
def _models() -> None:
    """Keeps the command's name where there is only one."""


@dataclass(frozen=True)
class Answer:
    """``verdict``: on its inference, for a stack that stands where it is called."""

    serving: Serving
    model: CatalogueModel
    verdict: Verdict


_Ways = dict[tuple[str, str, str, Mode], list[Answer]]
"""Answers by the rule that refuses, provider, way and mode."""


@models.command("where")
def where(
    regime: Annotated[list[str], typer.Option("--regime", "-r", help="A regime of the catalogue; several intersect.")],
    data_class: Annotated[DataClass, typer.Option("--data-class", help="The class of data that the model reads.")],
    model: Annotated[str, typer.Option("--model", "-m", help="Part of a model's id or title.")] = "",
    provider: Annotated[str | None, typer.Option("--provider", "-p", help="One provider only.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every way from every place, one entry each.")] = False,
) -> None:
    """Which models may read a class of data under regimes, called from where, and why not the others."""
    catalogue = load_catalogue()
    residency = Residency(regimes=tuple(regime), data_classes={data_class: DataClassRules()})
    answers = list(_answers(catalogue, residency, _asked(catalogue, provider, model.casefold())))
    if not answers:
        known = {key for found in catalogue.models.values() for key in found}
        raise CommandError(f"the catalogue has no model {model!r}{nearest(model, known)}: what it lacks is refused")
    if as_json:
        typer.echo(json.dumps(_plain(catalogue, residency, answers), indent=2))
    else:
        _print(catalogue, residency, answers)


def _asked(catalogue: Catalogue, provider: str | None, text: str) -> Iterator[Serving]:
    if provider is not None and provider not in catalogue.providers:
        raise CommandError(
            f"the catalogue has no provider {provider!r}{nearest(provider, catalogue.providers)}; "
            f"it has {', '.join(catalogue.providers)}"
        )
    for found in servings(catalogue, provider=provider):
        title = catalogue.models[found.provider][found.model].title
        if text in found.model.casefold() or text in title.casefold():
            yield found


def _answers(catalogue: Catalogue, residency: Residency, asked: Iterable[Serving]) -> Iterator[Answer]:
    (data_class,) = residency.data_classes
    today = datetime.now(UTC).date()
    boundaries: dict[Country, Boundary] = {}
    for found in asked:
        host = _host(catalogue, found)
        if host not in boundaries:
            boundaries[host] = compile_boundary(residency, catalogue, host=host)
        subject = f"{found.provider} {found.model} by {found.via} at {found.called}"
        verdict = boundaries[host].decide(Flow(subject, Purpose.PROCESS, found.countries, data_class), today)
        if verdict.allowed and (regime := other_partition(catalogue, residency.regimes, found.called)):
            reason = f"{subject}: {regime} wants another partition"
            verdict = Verdict(False, f"{regime}/partition", reason, found.countries)
        yield Answer(found, catalogue.models[found.provider][found.model], verdict)


def _host(catalogue: Catalogue, found: Serving) -> Country:
    """Where a stack beside it stands: in the region's country; a host or multi-region of one country, there."""
    region = catalogue.regions.get(found.called)
    return found.countries[0] if region is None or region.country == HOST else region.country


def _print(catalogue: Catalogue, residency: Residency, answers: list[Answer]) -> None:
    (data_class,) = residency.data_classes
    asked = f"{data_class} data under {' and '.join(residency.regimes)}"
    allowed = [answer for answer in answers if answer.verdict.allowed]
    if not allowed:
        console.print(Text(f"None of these models may read {asked} by a way that is known.\n", "bold"))
    for name in dict.fromkeys(answer.serving.provider for answer in allowed):
        console.print(Text(f"{catalogue.providers[name].title} ({name}) may be used for {asked}:", "bold"))
        _print_allowed(catalogue, [answer.serving for answer in allowed if answer.serving.provider == name])
        console.print()
    leaving, elsewhere = _refused(catalogue, answers)
    _print_refused(catalogue, "called inside but answered outside", leaving, places=True)
    _print_refused(catalogue, "outside from wherever it is called", elsewhere, places=False)
    _print_facts(catalogue, residency, answers)


def _print_allowed(catalogue: Catalogue, allowed: Iterable[Serving]) -> None:
    """A line for a way and the places where the same models are called by it and answered from the same countries."""
    places: dict[tuple[str, str, Mode, str, str], list[str]] = {}
    for found in allowed:
        itself = found.mode is Mode.REGIONAL and len(found.countries) == 1
        countries = "" if itself else _named(catalogue, found.countries)
        key = (found.model, found.via, found.mode, catalogue.sources[found.source].confidence, countries)
        places.setdefault(key, []).append(f"{found.called} {found.countries[0]}" if itself else found.called)
    together: dict[tuple[str, Mode, str, str, str], list[str]] = {}
    for (model, via, mode, confidence, countries), called in places.items():
        together.setdefault((via, mode, confidence, ", ".join(called), countries), []).append(model)
    for (via, mode, confidence, called, countries), names in together.items():
        line = Text.assemble((via, "cyan"), f" ({mode}, {confidence}) at {called}")
        line.append(f" → {countries}" if countries else "", "green").append(f": {', '.join(names)}")
        console.print(Padding(line, (0, 0, 0, 2), expand=False))


def _refused(catalogue: Catalogue, answers: list[Answer]) -> tuple[_Ways, _Ways]:
    """Ways that no place lets by: those called in a region inside, and those outside anyhow."""
    calls: dict[tuple[str, str, str], list[Answer]] = {}
    for answer in answers:
        calls.setdefault((answer.serving.provider, answer.serving.via, answer.serving.model), []).append(answer)
    leaving: _Ways = {}
    elsewhere: _Ways = {}
    for found in calls.values():
        if any(answer.verdict.allowed for answer in found):
            continue
        inside = [answer for answer in found if _starts_inside(catalogue, answer)]
        for answer in inside or found:
            way = (answer.verdict.rule, answer.serving.provider, answer.serving.via, answer.serving.mode)
            (leaving if inside else elsewhere).setdefault(way, []).append(answer)
    return leaving, elsewhere


def _starts_inside(catalogue: Catalogue, answer: Answer) -> bool:
    region = catalogue.regions.get(answer.serving.called)
    return region is not None and region.country not in answer.verdict.countries


def _print_refused(catalogue: Catalogue, heading: str, ways: _Ways, *, places: bool) -> None:
    last = ""
    for (rule, provider, via, mode), found in sorted(ways.items(), key=lambda way: way[0][0]):
        if rule != last:
            console.print(Text(f"Refused by {rule}, {heading}:", "bold"))
            last = rule
        line = Text.assemble((f"{provider} {via}", "cyan"), f" ({mode})")
        if places:
            line.append(f" at {_some(answer.serving.called for answer in found)}")
        outside = tuple(sorted({country for answer in found for country in answer.verdict.countries}))
        line.append(" → ").append(_named(catalogue, outside), "red")
        line.append(": ").append(_some(answer.model.title.partition(" (")[0] for answer in found), "dim")
        console.print(Padding(line, (0, 0, 0, 2), expand=False))
    if ways:
        console.print()


def _some(names: Iterable[str]) -> str:
    """The first of the names, and how many more."""
    once = list(dict.fromkeys(names))
    return ", ".join(once[:MOST_NAMES]) + (f" and {len(once) - MOST_NAMES} more" if once[MOST_NAMES:] else "")


def _named(catalogue: Catalogue, countries: tuple[Country, ...]) -> str:
    """The countries, those of a group by its name."""
    whole = [name for name, group in catalogue.groups.items() if set(group.countries) <= set(countries)]
    if not whole:
        return _some(countries)
    group = max(whole, key=lambda name: len(catalogue.groups[name].countries))
    rest = sorted(set(countries) - set(catalogue.groups[group].countries))
    return f"{group}, {_some(rest)}" if rest else group


def _print_facts(catalogue: Catalogue, residency: Residency, answers: list[Answer]) -> None:
    for name in residency.regimes:
        if wanted := catalogue.regimes[name].require:
            console.print(f"{name} also wants the stack to name: {', '.join(wanted)}.")
    days = [catalogue.sources[answer.serving.source].as_of for answer in answers]
    console.print(f"Facts of {min(days)} to {max(days)}, catalogue {catalogue.digest[:19]}: {_SURENESS}")
    console.print(f"What the catalogue does not hold is unknown, and refused. {NOT_LEGAL_ADVICE}")


def _plain(catalogue: Catalogue, residency: Residency, answers: list[Answer]) -> dict[str, Any]:
    (data_class,) = residency.data_classes
    return {
        "regimes": residency.regimes,
        "data_class": data_class,
        "catalogue": catalogue.digest,
        "notice": NOT_LEGAL_ADVICE,
        "servings": [
            {
                **asdict(answer.serving),
                "title": answer.model.title,
                "kind": answer.model.kind,
                "confidence": catalogue.sources[answer.serving.source].confidence,
                "as_of": catalogue.sources[answer.serving.source].as_of.isoformat(),
                "allowed": answer.verdict.allowed,
                "rule": answer.verdict.rule,
                "outside": () if answer.verdict.allowed else answer.verdict.countries,
            }
            for answer in answers
        ],
    }


models.command("compare")(compare)
models.command("status")(status)
models.command("release")(release)
models.command("stage")(stage)
