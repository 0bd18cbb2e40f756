"""What a rule on resources is, and how it is asked.

A resource is plain: type token, name, properties as its SDK spells them (camelCase), and the region of its provider. So
the same rules hold for a planned graph, inside ``pulumi up``, and for a resource typed into a test.

A rule is a list of clauses, each about one property. What a clause cannot decide is a finding, never a pass: a value
that only the cloud will know (``UNKNOWN``), an unset property of an adopted resource, a region the catalogue lacks.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from fnmatch import fnmatchcase
from functools import cache, cached_property
from typing import Any, Final

from regions.boundary import Boundary, Flow
from regions.catalogue import HOST, Catalogue, Country
from regions.findings import Finding, Severity
from regions.residency import Purpose


class _Mark(Enum):
    UNKNOWN = "not known before the cloud answers"
    UNSET = "unset"
    EMPTY = "an empty list"


UNKNOWN: Final = _Mark.UNKNOWN
"""Stands in ``properties`` for an output that a preview does not know."""
UNSET: Final = _Mark.UNSET
"""What a clause sees where the property is absent, or a list on its way has no items."""
EMPTY: Final = _Mark.EMPTY
"""Stands for the items of an empty list: no check sees it. At an adopted resource it says that there are none."""


LONGEST_VALUE: Final = 200
"""Characters of a value that a finding tells: a policy would fill the page."""


@dataclass(frozen=True)
class Resource:
    """``region``: its provider's; ``None`` where the provider has none. ``adopted``: read or imported, so that an unset
    property says nothing about the cloud's default. ``sources``: by top-level property, the planned resources of whose
    outputs its unknown values are made."""

    type: str
    name: str
    properties: Mapping[str, Any]
    region: str | None = None
    adopted: bool = False
    sources: Mapping[str, "tuple[Resource, ...]"] = field(default_factory=dict)


@dataclass(frozen=True)
class Breach:
    """``property``: with the index of the item; empty, as ``value`` may be: as the clause has it. ``countries``: those
    outside."""

    property: str
    value: Any
    message: str
    countries: tuple[Country, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What rules are asked against: the Boundary, and all resources that are planned together.

    ``region``: the stack's. ``hosts``: telemetry hosts that the stack declares.
    """

    boundary: Boundary
    catalogue: Catalogue
    on: date
    region: str
    resources: tuple[Resource, ...] = ()
    hosts: frozenset[str] = frozenset()

    @cached_property
    def partition(self) -> str:
        """The partition of the stack's region."""
        return self.catalogue.regions[self.region].partition

    @cached_property
    def regimes(self) -> frozenset[str]:
        """The regimes of the Boundary."""
        return frozenset(rule.id.partition("/")[0] for rule in self.boundary.rules).intersection(self.catalogue.regimes)

    def country(self, region: str) -> Country | None:
        """Where a region of the catalogue stands."""
        found = self.catalogue.regions.get(region)
        if found is None:
            return None
        return self.boundary.host if found.country == HOST else found.country

    def outside(self, subject: str, purpose: Purpose, countries: tuple[Country, ...]) -> Breach | None:
        """Why the data classes of the stack may not all be in these countries; no countries: not known, so refused."""
        for data_class in self.boundary.data_classes:
            verdict = self.boundary.decide(Flow(subject, purpose, countries, data_class), self.on)
            if not verdict.allowed:
                return Breach("", "", f"{verdict.rule}: {verdict.reason}", verdict.countries)
        return None

    def named(self, type_pattern: str, *names: str) -> Resource | None:
        """The planned resource of a type that any of the names, ids or ARNs mean; ``None`` where there is not just one.

        A resource goes by its properties ``id``, ``arn``, ``name``, ``bucket`` and ``identifier``, else by its name in
        the program.
        """
        called = {id(found): found for name in set(names) for found in self._called.get(name, ())}
        found = [resource for resource in called.values() if fnmatchcase(resource.type, type_pattern)]
        return found[0] if len(found) == 1 else None

    @cached_property
    def _called(self) -> dict[str, list[Resource]]:
        called: dict[str, list[Resource]] = {}
        for resource in self.resources:
            for name in names_of(resource):
                called.setdefault(name, []).append(resource)
        return called


def names_of(resource: Resource) -> set[str]:
    """What other resources may call it; by its name in the program only where it says no other."""
    properties = (resource.properties.get(key) for key in ("id", "arn", "name", "bucket", "identifier"))
    return {value for value in properties if isinstance(value, str)} or {resource.name}


Check = Callable[[Any, Resource, Plan], Iterable[Breach | str]]
"""Value (or ``UNSET``), resource, plan → what is wrong; a text is a breach of the value as it stands."""


@dataclass(frozen=True)
class Follows:
    """A check that can judge a value before the cloud answers too, by the resources of whose outputs it is made.

    What the program made of those outputs is not seen: once the value is known, ``check`` decides.
    """

    check: Check
    sources: Callable[[tuple[Resource, ...], Resource, Plan], Iterable[Breach | str]]

    def __call__(self, value: Any, resource: Resource, plan: Plan) -> Iterable[Breach | str]:
        return self.check(value, resource, plan)


@dataclass(frozen=True)
class Clause:
    """One property and what it must be.

    ``path``: ``a.b[].c``, empty for the resource's existence. ``types``: the rule's types it is about; none: all.
    ``unless``: the resource needs no such thing (a replica, which takes its source's). ``own``: the property is the
    SDK's, not the cloud's, so that unset means the same at an adopted resource.
    """

    path: str
    check: Check
    types: tuple[str, ...] = ()
    unless: Callable[[Resource], bool] | None = None
    own: bool = False

    def breaches(self, resource: Resource, plan: Plan) -> Iterator[Breach]:
        """What this clause has against the resource."""
        if self.unless is not None and self.unless(resource):
            return
        for place, value in values_at(resource.properties, self.path):
            for found in self._wrong(place, value, resource, plan):
                breach = Breach("", "", found) if isinstance(found, str) else found
                yield replace(breach, property=breach.property or place, value=breach.value or value)

    def _wrong(self, place: str, value: Any, resource: Resource, plan: Plan) -> Iterable[Breach | str]:
        if value is UNKNOWN:
            sources = resource.sources.get(re.split(r"[.\[]", place, maxsplit=1)[0], ())
            if isinstance(self.check, Follows) and sources:
                return self.check.sources(sources, resource, plan)
            return ("its value is not known before the cloud answers, so nothing allows it",)
        if value is UNSET and resource.adopted and not self.own:
            return ("it is unset, and what the cloud has at an adopted resource is not known",)
        return self.check(UNSET if value is EMPTY else value, resource, plan)


@dataclass(frozen=True)
class ResourceRule:
    """``types``: tokens, ``*`` for any. ``regimes``: where it applies; none: under every regime.

    ``trap``: what goes wrong. ``source``: where the facts behind it stand. ``whole``: what the plan as a whole lacks.
    """

    id: str
    title: str
    severity: Severity
    types: tuple[str, ...]
    trap: str
    remedy: str
    source: str
    clauses: tuple[Clause, ...]
    regimes: tuple[str, ...] = ()
    whole: Callable[[Plan], Iterable[Breach]] | None = None

    def about(self, type_: str) -> bool:
        """Whether the rule is about resources of a type token."""
        return is_one_of(type_, self.types)

    def findings(self, resource: Resource, plan: Plan) -> Iterator[Finding]:
        """What the rule has against one resource; nothing where it is not about its type."""
        if not self.about(resource.type) or not self._holds(plan):
            return
        for clause in self.clauses:
            if clause.types and not is_one_of(resource.type, clause.types):
                continue
            for breach in clause.breaches(resource, plan):
                yield self._finding(resource.name, breach)

    def lacks(self, plan: Plan) -> Iterator[Finding]:
        """What the plan as a whole lacks, told of the type that is missing."""
        if self.whole is not None and self._holds(plan):
            for breach in self.whole(plan):
                yield self._finding(self.types[0], breach)

    def _holds(self, plan: Plan) -> bool:
        return not self.regimes or not plan.regimes.isdisjoint(self.regimes)

    def _finding(self, resource: str, breach: Breach) -> Finding:
        return Finding(
            rule=self.id,
            severity=self.severity,
            resource=resource,
            property=breach.property,
            value=_told(breach.value),
            countries=breach.countries,
            message=f"{self.title}: {breach.message}",
            remedy=self.remedy,
        )


@cache
def is_one_of(type_: str, patterns: tuple[str, ...]) -> bool:
    """Whether a type token is one of those named, ``*`` for any."""
    return any(fnmatchcase(type_, pattern) for pattern in patterns)


def values_at(properties: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """Each value under a path, with its own path; ``UNSET`` once where the property is absent or null.

    ``EMPTY`` once for a list without items, which clouds take as unset. What has no members where the path wants some
    is ``UNKNOWN``.
    """
    yield from _walk(properties, path.split(".") if path else [], "")


def _walk(value: Any, parts: list[str], place: str) -> Iterator[tuple[str, Any]]:
    if not parts or value is UNKNOWN:
        yield place, value
        return
    if not isinstance(value, Mapping):
        yield place, UNKNOWN
        return
    key, is_list = parts[0].removesuffix("[]"), parts[0].endswith("[]")
    here = f"{place}.{key}" if place else key
    inner = value.get(key)
    if inner is None:
        yield ".".join((here, *parts[1:])), UNSET
    elif not is_list or inner is UNKNOWN:
        yield from _walk(inner, parts[1:], here)
    else:
        items = inner if isinstance(inner, list | tuple) else [inner]
        if not items:
            yield ".".join((here, *parts[1:])), EMPTY
        for index, item in enumerate(items):
            yield from _walk(item, parts[1:], f"{here}[{index}]")


def _told(value: Any) -> str:
    if isinstance(value, _Mark):
        return value.value
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
