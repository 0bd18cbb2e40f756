"""The one residency decision: may this data, for this purpose, be in these countries?

A stack's residency section and the catalogue's regimes compile to a ``Boundary``; review, the resource plan, the policy
pack and each model call ask the same ``Boundary.decide``. Steps, first refusal wins: purpose known, data class
declared, countries named and none denied, then each country against each rule, so another regime can only take away.
No clock, no I/O, no order: the same input gives the same verdict and the same digest.

Malformed input raises (``CatalogueError``, ``ResidencyError``); a refusal is a ``Verdict``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from pydantic import BaseModel, ConfigDict

from regions.canonical import digest
from regions.catalogue import HOST, Adequacy, Catalogue, Country, CountryTerm, Regime, TransferMode
from regions.documents import Place
from regions.expectations import nearest
from regions.residency import Basis, DataClass, Purpose, Relaxation, Residency

MOST_TOLD = 8
"""Countries that a reason lists; the verdict holds them all."""


@dataclass(frozen=True)
class Problem:
    """One cause why a residency section is not compiled: where in it, and what.

    ``refused``: well-formed, and not permitted; else the catalogue does not know a name.
    """

    place: Place
    text: str
    refused: bool = False


class ResidencyError(Exception):
    """The residency section cannot be compiled; one line per cause."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.text for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Flow:
    """Data of one class on its way to every country in ``countries``. Plain text on purpose: unknown is refused."""

    subject: str
    purpose: str
    countries: tuple[str, ...]
    data_class: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """``rule``: ``<regime>/<purpose>``, ``<data class>/<purpose>`` or ``residency/<check>``.

    ``countries``: the flow's; refused: those outside.
    """

    allowed: bool
    rule: str
    reason: str
    countries: tuple[str, ...]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Exemption(_Frozen):
    """What a relaxation adds to a rule, up to and with the day ``until``."""

    countries: tuple[Country, ...]
    data_classes: tuple[DataClass, ...]
    basis: Basis
    approver: str
    until: date


class Rule(_Frozen):
    """One answer for one purpose. ``data_class``: the only one it is about."""

    id: str
    purpose: Purpose
    data_class: DataClass | None = None
    countries: tuple[Country, ...]
    exemptions: tuple[Exemption, ...] = ()

    def allowed(self, data_class: str, on: date) -> frozenset[Country]:
        """The countries for a data class on a day."""
        exempt = (
            country
            for exemption in self.exemptions
            if data_class in exemption.data_classes and on <= exemption.until
            for country in exemption.countries
        )
        return frozenset((*self.countries, *exempt))


class Boundary(_Frozen):
    """A compiled residency section; all of it sorted, so that equal meaning has an equal digest."""

    host: Country
    data_classes: tuple[DataClass, ...]
    denied: tuple[Country, ...]
    rules: tuple[Rule, ...]

    @cached_property
    def digest(self) -> str:
        return digest(self.model_dump(mode="json"))

    @cached_property
    def _denied(self) -> frozenset[str]:
        return frozenset(self.denied)

    @cached_property
    def _days(self) -> dict[tuple[str, str, date], list[tuple[Rule, frozenset[str]]]]:
        return {}

    def _rules_on(self, purpose: str, data_class: str, on: date) -> list[tuple[Rule, frozenset[str]]]:
        """The rules of a purpose and data class as they stand on a day; none for an unknown purpose."""
        key = (purpose, data_class, on)
        if key not in self._days:
            if len(self._days) > 1000:
                self._days.clear()
            self._days[key] = [
                (rule, rule.allowed(data_class, on))
                for rule in self.rules
                if rule.purpose == purpose and rule.data_class in (None, data_class)
            ]
        return self._days[key]

    def decide(self, flow: Flow, on: date) -> Verdict:
        """Allowed or refused on a day, with the rule and the chain of reasons."""
        if flow.data_class not in self.data_classes:
            known = ", ".join(self.data_classes)
            problem = f"data class {flow.data_class!r} is not declared for this stack; declared: {known}"
            return _refused(flow, "residency/data-class", problem)
        rules = self._rules_on(flow.purpose, flow.data_class, on)
        if not rules:
            known = ", ".join(sorted({rule.purpose for rule in self.rules}))
            return _refused(flow, "residency/purpose", f"no rule for purpose {flow.purpose!r}; known: {known}")
        if not flow.countries:
            return _refused(flow, "residency/countries", "its countries are not known")
        if not self._denied.isdisjoint(flow.countries):
            outside = tuple(sorted(self._denied.intersection(flow.countries)))
            return _refused(flow, "residency/deny", f"{told(outside)} is denied by the stack file", outside)
        for rule, allowed in rules:
            if not allowed.issuperset(flow.countries):
                outside = tuple(sorted(set(flow.countries) - allowed))
                return _refused(flow, rule.id, _outside(rule, outside, allowed, on), outside)
        chain = "; ".join(f"{rule.id} allows it{_exempted(rule, flow, on)}" for rule, _ in rules)
        reason = f"{flow.subject}: {flow.purpose} of {flow.data_class} data in {told(flow.countries)}: {chain}"
        return Verdict(True, "residency/inside", reason, flow.countries)


def told(countries: Iterable[Country]) -> str:
    """The countries as a sentence has them: the first ones, and how many more."""
    every = tuple(countries)
    rest = len(every) - MOST_TOLD
    return ", ".join(every[:MOST_TOLD]) + (f" and {rest} more" if rest > 0 else "")


def _refused(flow: Flow, rule: str, problem: str, countries: tuple[str, ...] | None = None) -> Verdict:
    return Verdict(False, rule, f"{flow.subject}: {problem}", flow.countries if countries is None else countries)


def _outside(rule: Rule, outside: tuple[str, ...], allowed: frozenset[str], on: date) -> str:
    expired = [exemption for exemption in rule.exemptions if exemption.until < on]
    lapsed = "".join(
        f"; the relaxation for {told(exemption.countries)} ended on {exemption.until}" for exemption in expired
    )
    return (
        f"{rule.purpose} in {told(outside)} is outside {rule.id.partition('/')[0]}, "
        f"which allows it in {told(sorted(allowed)) or 'no country'}{lapsed}"
    )


def _exempted(rule: Rule, flow: Flow, on: date) -> str:
    outside = set(flow.countries) - set(rule.countries)
    grounds = sorted(
        {
            f" by relaxation ({exemption.basis}, approved by {exemption.approver}, until {exemption.until})"
            for exemption in rule.exemptions
            if flow.data_class in exemption.data_classes
            and on <= exemption.until
            and not outside.isdisjoint(exemption.countries)
        }
    )
    return "".join(grounds)


def compile_boundary(residency: Residency, catalogue: Catalogue, *, host: Country) -> Boundary:
    """The Boundary of a stack that stands in ``host``; raises ``ResidencyError`` with every problem."""
    problems = [*_unknown_names(residency, catalogue, host), *_unpermitted(residency, catalogue, host)]
    if problems:
        raise ResidencyError(problems)
    rules = [
        *_regime_rules(residency, catalogue, host),
        *_class_rules(residency, catalogue, host),
        *_allow_rules(residency, catalogue, host),
    ]
    return Boundary(
        host=host,
        data_classes=tuple(sorted(residency.data_classes)),
        denied=tuple(sorted(catalogue.expand(residency.deny, host))),
        rules=tuple(sorted(rules, key=lambda rule: (rule.id, rule.purpose))),
    )


def _regime_rules(residency: Residency, catalogue: Catalogue, host: Country) -> Iterator[Rule]:
    for name in set(residency.regimes):
        for purpose in Purpose:
            exemptions = {
                exemption.model_dump_json(): exemption
                for relaxation in residency.relaxations
                if relaxation.regime == name and purpose in relaxation.purposes
                for exemption in _exemptions(relaxation, catalogue, host)
            }
            countries = catalogue.expand(getattr(catalogue.regimes[name], purpose), host)
            yield Rule(
                id=f"{name}/{purpose}",
                purpose=purpose,
                countries=tuple(sorted(countries)),
                exemptions=tuple(exemptions[key] for key in sorted(exemptions)),
            )


def _class_rules(residency: Residency, catalogue: Catalogue, host: Country) -> Iterator[Rule]:
    for data_class, own in residency.data_classes.items():
        for purpose in Purpose:
            terms = getattr(own, purpose)
            if terms is not None:
                countries = tuple(sorted(catalogue.expand(terms, host)))
                yield Rule(id=f"{data_class}/{purpose}", purpose=purpose, data_class=data_class, countries=countries)


def _allow_rules(residency: Residency, catalogue: Catalogue, host: Country) -> Iterator[Rule]:
    if residency.allow is not None:
        countries = tuple(sorted(catalogue.expand(residency.allow, host)))
        for purpose in Purpose:
            yield Rule(id="residency/allow", purpose=purpose, countries=countries)


def _exemptions(relaxation: Relaxation, catalogue: Catalogue, host: Country) -> Iterator[Exemption]:
    """By the day they end: an adequacy decision may end before the relaxation that rests on it."""
    until: dict[date, list[Country]] = {}
    for country in catalogue.expand(relaxation.countries, host):
        edge = adequacy(catalogue, relaxation.regime, country, host) if relaxation.basis is Basis.ADEQUACY else None
        ends = min(relaxation.expires, edge.expires) if edge and edge.expires else relaxation.expires
        until.setdefault(ends, []).append(country)
    for day, countries in until.items():
        yield Exemption(
            countries=tuple(sorted(countries)),
            data_classes=tuple(sorted(set(relaxation.data_classes))),
            basis=relaxation.basis,
            approver=relaxation.approver,
            until=day,
        )


def adequacy(catalogue: Catalogue, regime: str, to: Country, host: Country) -> Adequacy | None:
    """The decision by which data under a regime may go to a country, read in its own direction only.

    One that covers a part of the regime's home (the Union, of the EEA) holds for a stack that stands in that part.
    """
    home = catalogue.expand(catalogue.regimes[regime].rest, host)
    for edge in catalogue.adequacy:
        origin = catalogue.expand((edge.origin,), host)
        covered = home <= origin or (host in origin and not home.isdisjoint(origin))
        if covered and to in catalogue.expand((edge.to,), host):
            return edge
    return None


def _unknown_names(residency: Residency, catalogue: Catalogue, host: Country) -> Iterator[Problem]:
    names = catalogue.countries.names
    regimes: list[tuple[Place, str]] = [
        *((("regimes", index), name) for index, name in enumerate(residency.regimes)),
        *((("relaxations", index, "regime"), found.regime) for index, found in enumerate(residency.relaxations)),
    ]
    for place, name in regimes:
        if name not in catalogue.regimes:
            yield Problem(place, _unknown("regime", name, catalogue.regimes))
    for place, term in _terms(residency):
        if term not in names and term not in catalogue.groups and term != HOST:
            yield Problem(place, _unknown("country or group", term, {*names, *catalogue.groups, HOST}))
    if host not in names:
        yield Problem(("country",), _unknown("country", host, names))


def _terms(residency: Residency) -> Iterator[tuple[Place, CountryTerm]]:
    lists: list[tuple[Place, tuple[CountryTerm, ...]]] = [
        (("allow",), residency.allow or ()),
        (("deny",), residency.deny),
        *((("relaxations", index, "countries"), found.countries) for index, found in enumerate(residency.relaxations)),
        *(
            (("data_classes", data_class, purpose), getattr(own, purpose) or ())
            for data_class, own in residency.data_classes.items()
            for purpose in Purpose
        ),
    ]
    for place, terms in lists:
        for index, term in enumerate(terms):
            yield (*place, index), term


def _unpermitted(residency: Residency, catalogue: Catalogue, host: Country) -> Iterator[Problem]:
    """Relaxations that the regime does not allow, or that rest on no decision."""
    for index, relaxation in enumerate(residency.relaxations):
        regime = catalogue.regimes.get(relaxation.regime)
        if regime is None:
            continue
        for key, text in _objections(relaxation, regime, residency, catalogue, host):
            yield Problem(("relaxations", index, key), text, refused=True)


def _objections(
    relaxation: Relaxation, regime: Regime, residency: Residency, catalogue: Catalogue, host: Country
) -> Iterator[tuple[str, str]]:
    name = relaxation.regime
    if name not in residency.regimes:
        yield "regime", f"the stack is not under {name}: there is nothing to relax"
    if regime.transfer_mode is TransferMode.NONE:
        yield "regime", f"{name} is never relaxed"
    elif regime.transfer_mode is TransferMode.ADEQUACY and relaxation.basis is Basis.DOCUMENTED:
        yield "basis", f"{name} is relaxed to countries with an adequacy decision only"
    for purpose in sorted(set(relaxation.purposes) - set(regime.relaxed)):
        yield "purposes", f"{name} is never relaxed for {purpose}"
    for fixed in sorted(set(regime.fixed) & set(relaxation.data_classes)):
        yield "data_classes", f"{name} is never relaxed for {fixed} data"
    if relaxation.basis is Basis.ADEQUACY:
        for country in sorted(catalogue.expand(relaxation.countries, host) & catalogue.countries.names.keys()):
            edge = adequacy(catalogue, name, country, host)
            if edge is None:
                yield "countries", f"the catalogue has no adequacy decision of {name} for {country}"
            elif edge.scope is not None and relaxation.reference is None:
                yield "reference", f"the decision for {country} covers {edge.scope}: name what shows that it applies"


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    return f"the catalogue has no {kind} {name!r}{nearest(name, known)}"
