"""The one residency decision: may this data, for this purpose, be in these countries?

A stack's residency section and the catalogue's regimes compile to a ``Boundary``; review, the resource plan, the policy
pack and each model call ask the same ``Boundary.decide``. Steps, first refusal wins: purpose known, data class
declared, countries named, then each country against each regime, so another regime can only take away. No clock, no
I/O, no order: the same input gives the same verdict and the same digest.

Malformed input raises (``CatalogueError``, ``ResidencyError``); a refusal is a ``Verdict``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field

from regions.canonical import digest
from regions.catalogue import Catalogue, Country
from regions.expectations import nearest


class ResidencyError(Exception):
    """The residency section cannot be compiled; one line per cause."""


class Purpose(StrEnum):
    """What happens to the data in a country; ``keys``: where the keys that encrypt it are held."""

    REST = "rest"
    PROCESS = "process"
    LOGS = "logs"
    BACKUP = "backup"
    KEYS = "keys"


class DataClass(StrEnum):
    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Residency(_Frozen):
    """The stack file's residency section: regimes by name (all must agree), and the data classes that may be here."""

    regimes: tuple[str, ...] = Field(min_length=1)
    data_classes: tuple[DataClass, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Flow:
    """Data of one class on its way to every country in ``countries``. Plain text on purpose: unknown is refused."""

    subject: str
    purpose: str
    countries: tuple[str, ...]
    data_class: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """``rule``: ``<regime>/<purpose>`` or ``residency/<check>``; ``countries``: the flow's, refused: those outside."""

    allowed: bool
    rule: str
    reason: str
    countries: tuple[str, ...]


class Rule(_Frozen):
    """One regime's answer for one purpose."""

    regime: str
    purpose: Purpose
    countries: tuple[Country, ...]

    @property
    def id(self) -> str:
        return f"{self.regime}/{self.purpose}"


class Boundary(_Frozen):
    """A compiled residency section; all of it sorted, so that equal meaning has an equal digest."""

    host: Country
    data_classes: tuple[DataClass, ...]
    rules: tuple[Rule, ...]

    @cached_property
    def digest(self) -> str:
        return digest(self.model_dump(mode="json"))

    @cached_property
    def _rules_of(self) -> dict[str, list[tuple[Rule, frozenset[str]]]]:
        return {
            purpose: [(rule, frozenset(rule.countries)) for rule in self.rules if rule.purpose == purpose]
            for purpose in Purpose
        }

    def decide(self, flow: Flow) -> Verdict:
        """Allowed or refused, with the rule and the chain of reasons."""
        rules = self._rules_of.get(flow.purpose)
        if not rules:
            known = ", ".join(purpose for purpose, found in self._rules_of.items() if found)
            return _refused(flow, "residency/purpose", f"no rule for purpose {flow.purpose!r}; known: {known}")
        if flow.data_class not in self.data_classes:
            known = ", ".join(self.data_classes)
            problem = f"data class {flow.data_class!r} is not declared for this stack; declared: {known}"
            return _refused(flow, "residency/data-class", problem)
        if not flow.countries:
            return _refused(flow, "residency/countries", "its countries are not known")
        for rule, allowed in rules:
            outside = tuple(sorted(set(flow.countries) - allowed))
            if outside:
                return _refused(flow, rule.id, _outside(rule, outside), outside)
        chain = "; ".join(f"{rule.id} allows it" for rule, _ in rules)
        reason = f"{flow.subject}: {flow.purpose} of {flow.data_class} data in {', '.join(flow.countries)}: {chain}"
        return Verdict(True, "residency/inside", reason, flow.countries)


def _refused(flow: Flow, rule: str, problem: str, countries: tuple[str, ...] | None = None) -> Verdict:
    return Verdict(False, rule, f"{flow.subject}: {problem}", flow.countries if countries is None else countries)


def _outside(rule: Rule, outside: tuple[str, ...]) -> str:
    return (
        f"{rule.purpose} in {', '.join(outside)} is outside {rule.regime}, "
        f"which allows it in {', '.join(rule.countries) or 'no country'}"
    )


def compile_boundary(residency: Residency, catalogue: Catalogue, *, host: Country) -> Boundary:
    """The Boundary of a stack that stands in ``host``; raises ``ResidencyError`` for an unknown regime or country."""
    problems = [
        _unknown("regime", name, catalogue.regimes) for name in residency.regimes if name not in catalogue.regimes
    ]
    if host not in catalogue.countries.names:
        problems.append(_unknown("country", host, catalogue.countries.names))
    if not residency.regimes:
        problems.append("no regime: a Boundary needs one")
    if problems:
        raise ResidencyError("\n".join(problems))
    return Boundary(
        host=host,
        data_classes=tuple(sorted(set(residency.data_classes))),
        rules=tuple(
            Rule(
                regime=name,
                purpose=purpose,
                countries=tuple(sorted(catalogue.expand(getattr(catalogue.regimes[name], purpose), host))),
            )
            for name in sorted(set(residency.regimes))
            for purpose in Purpose
        ),
    )


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    return f"the catalogue has no {kind} {name!r}{nearest(name, known)}"
