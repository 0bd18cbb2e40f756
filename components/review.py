"""What is wrong with a stack file: malformed, outside its own Boundary, or short of what its regimes require.

No Pulumi, no network, no credentials. The same review refuses ``pulumi up`` before the first resource. Nothing here is
legal advice.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from components.checks import CHECKS, SAYS_ITS_REMEDY, check_of
from components.flows import Leg, host_of, legs, model_countries, served, telemetry_countries
from components.loading import document_of, spec_in
from components.remedies import remedy, remedy_for_unknown
from components.spec import CONFIG_KEY, FabricSpec, SpecError, country_of
from regions.boundary import Boundary, ResidencyError, compile_boundary, told
from regions.catalogue import Catalogue, Country
from regions.documents import Document, Mistake, Place, shown
from regions.endpoints import UnknownServing, other_partition
from regions.expectations import nearest
from regions.findings import Finding, Location, Severity, Waiver, lapse, waive

RESOURCE_RULE = re.compile(r"[AZGX]\d{2}")


@dataclass(frozen=True)
class StackReview:
    """``spec`` is ``None`` where the file is malformed, ``boundary`` where its residency section does not compile."""

    stack: str
    file: str
    spec: FabricSpec | None = None
    boundary: Boundary | None = None
    legs: tuple[Leg, ...] = ()
    findings: tuple[Finding, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    @property
    def digest(self) -> str | None:
        """The Boundary's."""
        return self.boundary.digest if self.boundary else None

    @property
    def open(self) -> tuple[Finding, ...]:
        """Findings that no waiver answers for."""
        return tuple(finding for finding in self.findings if finding.waiver is None)


@dataclass(frozen=True)
class _Found:
    """``place``: in the FabricSpec. ``remedy``: none for the one of its row in ``CHECKS``."""

    rule: str
    place: Place
    message: str
    property: str = ""
    value: str = ""
    countries: tuple[Country, ...] = ()
    remedy: str = ""


def review(path: Path, catalogue: Catalogue, on: date, called: str = "") -> StackReview:
    """The review of a stack file as of a day; raises ``SpecError`` only where there is no file to be read.

    ``called``: the stack's name; none: as ``Pulumi.<stack>.yaml`` says it, which a file of another name does not.
    """
    stack = called or path.stem.removeprefix("Pulumi.")
    try:
        document = Document.read(path, SpecError)
    except SpecError as wrong:
        if not wrong.located:
            raise
        return StackReview(stack, str(path), findings=_malformed(wrong.located))
    name = called or (stack if path.stem != stack else "")
    return _reviewed(document, stack, catalogue, on, name)


def review_read(path: Path, read: Any, stack: str, catalogue: Catalogue, on: date) -> StackReview:
    """The review of what Pulumi ``read`` for a stack, most probably from ``path``; raises ``SpecError`` as above."""
    return _reviewed(document_of(path, read), stack, catalogue, on, stack)


def refusal(reviewed: StackReview) -> str:
    """The open findings, one line each."""
    return "\n".join(line(finding) for finding in reviewed.open)


def line(finding: Finding) -> str:
    """One finding: where, which rule, why, and what to do."""
    at = f"{finding.location.file}:{finding.location.line}: " if finding.location else ""
    remedy = "" if finding.rule == SAYS_ITS_REMEDY else f" Remedy: {finding.remedy}"
    return f"{at}{finding.resource}: {finding.rule}: {finding.message}.{remedy}"


def located(refused: str, path: Path) -> str:
    """What a fabric's parts refuse of a reviewed stack file; each line that begins with a key is led by its place."""
    document = Document.read(path, SpecError)
    return "\n".join(_located(text, document) for text in refused.splitlines())


def _located(text: str, document: Document) -> str:
    key, colon, rest = text.removeprefix(f"{CONFIG_KEY}.").partition(": ")
    place = tuple(key.split("."))
    if not colon or place[0] not in FabricSpec.model_fields:
        return text
    return f"{document.name}:{document.line(('config', CONFIG_KEY, *place))}: {key}: {rest}"


def _reviewed(document: Document, stack: str, catalogue: Catalogue, on: date, name: str) -> StackReview:
    try:
        spec = spec_in(document, catalogue)
    except SpecError as wrong:
        return StackReview(stack, document.name, findings=_malformed(wrong.located))
    every = tuple(legs(spec, catalogue))
    boundary, found = _compiled(spec, catalogue)
    found += [
        *_misnamed(name, spec, catalogue),
        *_unknown(every),
        *_contradictions(spec, catalogue),
        *_relaxations(spec, on),
    ]
    found += [*_evidence(spec, catalogue), *_partitions(spec, catalogue), *_custody(spec, catalogue)]
    found += _stale(spec, catalogue, on)
    if boundary is not None:
        found += _verdicts(every, spec, catalogue, boundary, on)
    waivable = [waiver for waiver in spec.waivers if _is_waivable(waiver.rule, catalogue)]
    findings = waive([_finding(one, document, catalogue) for one in found], waivable, on)
    findings += [_finding(one, document, catalogue) for one in _waivers(spec, findings, catalogue, on)]
    ordered = sorted(findings, key=lambda one: (one.location.line if one.location else 0, one.rule, one.resource))
    return StackReview(stack, document.name, spec, boundary, every, tuple(ordered), spec.waivers)


def _malformed(mistakes: Iterable[Mistake]) -> tuple[Finding, ...]:
    checks = {check.id: check for check in CHECKS}
    return tuple(
        Finding(
            rule=f"spec/{mistake.kind}",
            severity=Severity.DENY,
            resource=mistake.label.removeprefix(CONFIG_KEY).removeprefix(".") or CONFIG_KEY,
            property=str(mistake.place[-1]) if mistake.place else "",
            value="",
            countries=(),
            message=mistake.problem,
            remedy=checks[f"spec/{mistake.kind}"].remedy,
            location=Location(mistake.file, mistake.line) if mistake.line else None,
        )
        for mistake in mistakes
    )


def _finding(found: _Found, document: Document, catalogue: Catalogue) -> Finding:
    check = check_of(found.rule, catalogue)
    at = document.line(("config", CONFIG_KEY, *found.place))
    return Finding(
        rule=found.rule,
        severity=check.severity if check else Severity.DENY,
        resource=shown(found.place),
        property=found.property,
        value=found.value,
        countries=found.countries,
        message=found.message,
        remedy=found.remedy or (check.remedy if check else ""),
        location=Location(document.name, at) if at else None,
    )


def _compiled(spec: FabricSpec, catalogue: Catalogue) -> tuple[Boundary | None, list[_Found]]:
    try:
        return compile_boundary(spec.residency, catalogue, host=str(country_of(spec, catalogue))), []
    except ResidencyError as wrong:
        return None, [
            _Found(
                "residency/relaxation" if problem.refused else "spec/value",
                ("residency", *problem.place),
                problem.text,
                property=str(problem.place[-1]),
            )
            for problem in wrong.problems
        ]


def _misnamed(name: str, spec: FabricSpec, catalogue: Catalogue) -> Iterator[_Found]:
    """A stack that is called after another platform's region, or after another region, than it is made in."""
    platform, _, region = name.partition("-")
    known = catalogue.regions.get(region)
    if known and known.platform == platform and (platform, region) != (spec.platform, spec.region):
        key, said, got = ("region", region, spec.region)
        if platform != spec.platform:
            key, said, got = ("platform", platform, spec.platform)
        message = (
            f"expected {said}, as the stack is called {name}, got {got}: write {key}: {said}, or call the file "
            f"Pulumi.{spec.platform}-{spec.region}.yaml"
        )
        yield _Found("spec/value", (key,), message, key, got)


def _unknown(every: Iterable[Leg]) -> Iterator[_Found]:
    for leg in every:
        if not leg.countries:
            message = f"{leg.subject}: {leg.unknown or 'no fact says in which countries it is'}"
            hint = remedy_for_unknown(leg.key)
            yield _Found("catalogue/unknown", leg.key, message, leg.purpose, leg.where, remedy=hint)


def _verdicts(
    every: Iterable[Leg], spec: FabricSpec, catalogue: Catalogue, boundary: Boundary, on: date
) -> Iterator[_Found]:
    """One finding for each key and regime: a region in the wrong country is one mistake, whatever happens there."""
    refused: dict[tuple[Place, str], list[tuple[Leg, str, str, str, tuple[Country, ...]]]] = {}
    for leg in every:
        for flow in leg.flows() if leg.countries else ():
            verdict = boundary.decide(flow, on)
            if not verdict.allowed:
                group = verdict.rule if verdict.rule.startswith("residency/") else verdict.rule.partition("/")[0]
                told_apart = (leg, verdict.rule, flow.data_class, verdict.reason, verdict.countries)
                refused.setdefault((leg.key, group), []).append(told_apart)
    for (key, group), cases in refused.items():
        first, rule, _, reason, _ = cases[0]
        purposes = list(dict.fromkeys(str(leg.purpose) for leg, *_ in cases))
        classes = list(dict.fromkeys(data_class for _, _, data_class, _, _ in cases))
        also = f", and so are {', '.join(purposes[1:])}" if purposes[1:] else ""
        yield _Found(
            rule,
            key,
            f"{reason}{also} ({', '.join(classes)} data)",
            ", ".join(purposes),
            first.where,
            tuple(sorted({country for *_, countries in cases for country in countries})),
            remedy(list(dict.fromkeys(leg for leg, *_ in cases)), group, spec, catalogue, boundary, on),
        )


def _contradictions(spec: FabricSpec, catalogue: Catalogue) -> Iterator[_Found]:
    home = country_of(spec, catalogue)
    named: list[tuple[Place, str, tuple[Country, ...], Iterable[Country]]] = []
    for place, candidate in spec.candidates():
        if server := candidate.endpoint:
            known = model_countries(catalogue, host_of(server.url))
            named.append(((*place, "endpoint", "countries"), server.url, server.countries, known))
    sinks = [
        *((("logs", "sinks", name), found) for name, found in spec.logs.sinks.items()),
        *((("telemetry", name), found) for name, found in spec.telemetry.items()),
    ]
    for place, sink in sinks:
        if sink.countries and home:
            known = telemetry_countries(catalogue, host_of(sink.url), home)
            named.append(((*place, "countries"), sink.url, sink.countries, known))
    for place, url, countries, known in named:
        left_out = tuple(sorted(set(known) - set(countries)))
        if left_out:
            message = f"{host_of(url)}: the catalogue knows {told(left_out)} besides {told(countries)}"
            hint = "Name all the countries of the host, or write it as managed." if "endpoint" in place else ""
            yield _Found("catalogue/contradiction", place, message, "countries", ", ".join(countries), left_out, hint)


def _relaxations(spec: FabricSpec, on: date) -> Iterator[_Found]:
    for index, relaxation in enumerate(spec.residency.relaxations):
        if reason := lapse(relaxation.expires, on):
            message = f"the relaxation of {relaxation.regime} for {told(relaxation.countries)} does not hold: {reason}"
            place = ("residency", "relaxations", index)
            yield _Found("residency/expired", place, message, "expires", str(relaxation.expires))


def _evidence(spec: FabricSpec, catalogue: Catalogue) -> Iterator[_Found]:
    for name in dict.fromkeys(spec.residency.regimes):
        for document in catalogue.regimes[name].require if name in catalogue.regimes else ():
            if not spec.residency.evidence.get(document, "").strip():
                place = ("residency", "evidence", document)
                yield _Found(f"{name}/evidence", place, f"{name} requires {document}, and none is named", document)


def _partitions(spec: FabricSpec, catalogue: Catalogue) -> Iterator[_Found]:
    """Of every region that the stack is in, and of every place where it calls a model."""
    for name in dict.fromkeys(spec.residency.regimes):
        allowed = catalogue.regimes[name].partitions if name in catalogue.regimes else {}
        for place, called in _called(spec, catalogue):
            if other_partition(catalogue, (name,), called):
                region = catalogue.regions.get(called)
                its = f"partition {region.partition}" if region else "no partition"
                those = ", ".join(partition for each in allowed.values() for partition in each)
                message = f"the model is called at {called}, in {its}; {name} allows {those}"
                yield _Found(f"{name}/partition", place, message, "partition", its)
        for place, region in spec.regions():
            found = catalogue.regions[region]
            if found.partition not in allowed.get(found.platform, (found.partition,)):
                those = " or ".join(allowed[found.platform]) or f"none of {found.platform}"
                message = f"{region} is in partition {found.partition}; {name} allows {those}"
                yield _Found(f"{name}/partition", place, message, "partition", found.partition)


def _called(spec: FabricSpec, catalogue: Catalogue) -> Iterator[tuple[Place, str]]:
    """Where models of a provider are called: region, multi-region or host."""
    for place, candidate in spec.candidates():
        if candidate.managed:
            try:
                yield (*place, "managed", "region"), served(candidate, catalogue).called
            except UnknownServing:
                continue  # a finding of its own
        elif candidate.endpoint and model_countries(catalogue, host := host_of(candidate.endpoint.url)):
            yield (*place, "endpoint", "url"), host


def _custody(spec: FabricSpec, catalogue: Catalogue) -> Iterator[_Found]:
    held = spec.keys.custody
    for name in dict.fromkeys(spec.residency.regimes):
        if name in catalogue.regimes and held not in catalogue.regimes[name].custody:
            allowed = " or ".join(catalogue.regimes[name].custody)
            message = f"keys are in custody of {held}; {name} allows {allowed}"
            yield _Found(f"{name}/custody", ("keys", "custody"), message, "custody", held)


def _stale(spec: FabricSpec, catalogue: Catalogue, on: date) -> Iterator[_Found]:
    newest, days = max(source.as_of for source in catalogue.sources.values()), spec.residency.catalogue_days
    if newest + timedelta(days=days) < on:
        message = f"the catalogue's newest fact is of {newest}, more than {days} days before {on}"
        yield _Found("catalogue/stale", ("residency", "catalogue_days"), message, "catalogue_days", str(days))


def _is_waivable(rule: str, catalogue: Catalogue) -> bool:
    check = check_of(rule, catalogue)
    return check is None or check.waivable


def _waivers(spec: FabricSpec, findings: Iterable[Finding], catalogue: Catalogue, on: date) -> Iterator[_Found]:
    """What is wrong with the waivers themselves. Rules on resources have their findings in the plan, not here."""
    answered = {(finding.rule, finding.resource) for finding in findings}
    for index, waiver in enumerate(spec.waivers):
        place = ("waivers", index)
        if not _is_waivable(waiver.rule, catalogue):
            yield _Found("waiver/not-waivable", place, f"{waiver.rule} is never waived", "rule", waiver.rule)
        elif reason := lapse(waiver.expires, on):
            message = f"the waiver of {waiver.rule} at {waiver.resource} does not hold: {reason}"
            yield _Found("waiver/expired", place, message, "expires", str(waiver.expires))
        elif (waiver.rule, waiver.resource) not in answered and not _is_resource_rule(waiver.rule):
            near = nearest(f"{waiver.rule} at {waiver.resource}", [f"{rule} at {where}" for rule, where in answered])
            message = f"there is no finding of {waiver.rule} at {waiver.resource}{near}"
            yield _Found("waiver/unused", place, message, "rule", waiver.rule)


def _is_resource_rule(rule: str) -> bool:
    """Loaded only where a waiver names one: there are more than a hundred."""
    return RESOURCE_RULE.fullmatch(rule) is not None and rule in import_module("regions.rules").RULES
