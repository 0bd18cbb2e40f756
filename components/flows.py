"""Every flow that a FabricSpec declares: which data, for what purpose, in which countries, and the key that says so.

This is what review decides about, and what the auditor's map shows. No Pulumi here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from components.spec import Candidate, Destination, FabricSpec, ModelServer, Redundancy, country_of
from regions.boundary import Flow
from regions.catalogue import HOST, Catalogue, Country
from regions.documents import Place
from regions.endpoints import ContextTooLong, Serving, UnknownServing, guardrail, serving, servings
from regions.hosts import base_url
from regions.residency import DataClass, Purpose

_CLOUDS = re.compile(
    r"(.+\.)?(amazonaws\.com(\.cn)?|amazonaws\.eu|api\.aws|api\.amazonwebservices\.(eu|com\.cn)"
    r"|googleapis\.com|azure\.(com|us|cn)|microsoft\.com)"
)
"""The clouds' own hosts (residency-facts.md §1.7, §2.3, §3, §4): behind them the model and its way decide."""
_MACHINES = re.compile(
    r".+\.(compute|elb)\.amazonaws\.com(\.cn)?|.+\.elb\.[a-z]+(-[a-z]+)+-[0-9]+\.amazonaws\.com(\.cn)?"
    r"|.+\.vpce-svc-[0-9a-f]+\.[a-z0-9-]+\.vpce\.amazonaws\.com(\.cn)?"
    r"|.+\.cloudapp\.azure\.com|.+\.compute\.internal"
    r"|.+\.(?P<first>compute-1)\.amazonaws\.com"
)
"""Names that a cloud gives to its tenants' machines, load balancers and services: what serves there is their own.

``first``: us-east-1, the one region whose machines' names do not say it.
"""


@dataclass(frozen=True)
class Leg:
    """One declared place of data. ``key``: what in the stack file decides it. ``where``: region, host or machine.

    ``countries`` is empty where no fact says where it is, and ``unknown`` says why. ``source``: the catalogue's fact.
    """

    key: Place
    subject: str
    purpose: Purpose
    where: str
    countries: tuple[Country, ...]
    data_classes: tuple[DataClass, ...]
    source: str | None = None
    unknown: str | None = None

    def flows(self) -> Iterator[Flow]:
        """One for each data class."""
        for data_class in self.data_classes:
            yield Flow(self.subject, self.purpose, self.countries, data_class)


def legs(spec: FabricSpec, catalogue: Catalogue) -> Iterator[Leg]:
    """Every leg of a spec."""
    yield from _stack(spec, catalogue)
    yield from _backups(spec, catalogue)
    yield from _keys(spec, catalogue)
    yield from _logs(spec, catalogue)
    yield from _models(spec, catalogue)
    yield from _core_systems(spec)


def _leg(
    spec: FabricSpec,
    key: Place,
    subject: str,
    purpose: Purpose,
    where: str,
    countries: tuple[Country, ...],
    source: str | None = None,
    unknown: str | None = None,
) -> Leg:
    """A leg of all data classes of the stack."""
    return Leg(key, subject, purpose, where, countries, tuple(spec.residency.data_classes), source, unknown)


def _stack(spec: FabricSpec, catalogue: Catalogue) -> Iterator[Leg]:
    for purpose in (Purpose.REST, Purpose.PROCESS):
        yield _in_region(spec, catalogue, _home(spec), "the stack", purpose, spec.region)


def _home(spec: FabricSpec) -> Place:
    """The key that decides where all is that names no region of its own."""
    return ("region",) if spec.country is None else ("country",)


def _backups(spec: FabricSpec, catalogue: Catalogue) -> Iterator[Leg]:
    region, store = spec.backup.region or spec.region, spec.backup.store
    key = ("backup", "region") if spec.backup.region else _home(spec)
    if store is None:
        yield _in_region(spec, catalogue, key, "backups", Purpose.BACKUP, region)
    else:
        known = model_countries(catalogue, host_of(store.url))
        countries = tuple(dict.fromkeys((*store.countries, *known)))
        yield _leg(spec, ("backup", "store"), "backups", Purpose.BACKUP, host_of(store.url), countries)
    if spec.backup.redundancy is Redundancy.GEO:
        found = catalogue.regions.get(region)
        pair = found.pair if found else None
        key, subject = ("backup", "redundancy"), f"geo-redundant copies of {region}"
        if pair is None:
            unknown = f"the catalogue knows no paired region of {region}, so where its copies go is not known"
            yield _leg(spec, key, subject, Purpose.BACKUP, "its pair", (), unknown=unknown)
        else:
            yield _in_region(spec, catalogue, key, subject, Purpose.BACKUP, pair)


def _keys(spec: FabricSpec, catalogue: Catalogue) -> Iterator[Leg]:
    region = spec.keys.region or spec.region
    key = ("keys", "region") if spec.keys.region else _home(spec)
    yield _in_region(spec, catalogue, key, "keys", Purpose.KEYS, region)
    for index, replica in enumerate(spec.keys.replicas):
        yield _in_region(spec, catalogue, ("keys", "replicas", index), "key replica", Purpose.KEYS, replica)


def _logs(spec: FabricSpec, catalogue: Catalogue) -> Iterator[Leg]:
    key = ("logs", "region") if spec.logs.region else _home(spec)
    yield _in_region(spec, catalogue, key, "logs", Purpose.LOGS, spec.logs.region or spec.region)
    for name, sink in spec.logs.sinks.items():
        yield _to_host(spec, catalogue, ("logs", "sinks", name), f"log sink {name}", sink)
    for name, destination in spec.telemetry.items():
        yield _to_host(spec, catalogue, ("telemetry", name), f"telemetry {name}", destination)


def _models(spec: FabricSpec, catalogue: Catalogue) -> Iterator[Leg]:
    for place, candidate in spec.candidates():
        leg = _model(spec, catalogue, place, candidate)
        yield leg
        model_class = spec.models[str(place[1])]
        for to in model_class.spilled(str(place[3])):
            target = _model(spec, catalogue, (*place[:-1], to), model_class.candidates[to])
            key, subject = (*place, "managed", "spillover"), f"spillover of {leg.subject}"
            yield replace(target, key=key, subject=subject, data_classes=leg.data_classes)
    if spec.guardrail and spec.guardrail.profile:
        key, profile = ("guardrail", "profile"), spec.guardrail.profile
        try:
            countries, unknown = guardrail(catalogue, profile, spec.region), None
        except UnknownServing as error:
            countries, unknown = (), str(error)
        fact = catalogue.guardrails.get(profile)
        source = fact.source if fact else None
        yield _leg(spec, key, f"guardrail {profile}", Purpose.PROCESS, profile, countries, source, unknown)


def _model(spec: FabricSpec, catalogue: Catalogue, key: Place, candidate: Candidate) -> Leg:
    classes = candidate.data_classes or tuple(spec.residency.data_classes)
    subject = f"model {key[1]}/{key[3]}"
    if candidate.managed:
        key, tokens = (*key, "managed"), spec.models[str(key[1])].context_tokens
        try:
            found = served(candidate, catalogue).with_context(tokens)
        except UnknownServing as error:
            key = (*key[:2], "context_tokens") if isinstance(error, ContextTooLong) else key
            return Leg(key, subject, Purpose.PROCESS, candidate.managed.region, (), classes, unknown=str(error))
        where = f"{found.called} by {found.via}"
        return Leg(key, subject, Purpose.PROCESS, where, found.countries, classes, found.source)
    if candidate.endpoint:
        return _endpoint((*key, "endpoint"), subject, candidate.endpoint, classes, catalogue)
    country = country_of(spec, catalogue)
    return Leg(_home(spec), subject, Purpose.PROCESS, spec.region, (country,) if country else (), classes)


def _endpoint(
    key: Place, subject: str, server: ModelServer, classes: tuple[DataClass, ...], catalogue: Catalogue
) -> Leg:
    host = host_of(server.url)
    if _CLOUDS.fullmatch(host) and not _MACHINES.fullmatch(host):
        unknown = f"{host} is a cloud's host, which does not tell where its models run: write it as managed"
        return Leg(key, subject, Purpose.PROCESS, host, (), classes, unknown=unknown)
    countries = tuple(sorted({*server.countries, *model_countries(catalogue, host)}))
    return Leg(key, subject, Purpose.PROCESS, host, countries, classes)


def served(candidate: Candidate, catalogue: Catalogue) -> Serving:
    """What the catalogue knows of a managed candidate; raises ``UnknownServing``."""
    managed = candidate.managed
    if managed is None:
        raise UnknownServing("it is no managed model")
    return serving(catalogue, managed.provider, managed.model, managed.region, via=managed.sku)


def _core_systems(spec: FabricSpec) -> Iterator[Leg]:
    for name, system in spec.core_systems.items():
        for purpose in (Purpose.REST, Purpose.PROCESS) if system.country else ():
            where, countries = str(system.url), (str(system.country),)
            yield _leg(spec, ("core_systems", name), f"core system {name}", purpose, where, countries)


def _in_region(spec: FabricSpec, catalogue: Catalogue, key: Place, subject: str, purpose: Purpose, region: str) -> Leg:
    found = catalogue.regions.get(region)
    country = country_of(spec, catalogue, region)
    if found is None or country is None:
        unknown = f"{region} is no region of the catalogue"
        return _leg(spec, key, subject, purpose, region, (), unknown=unknown)
    return _leg(spec, key, subject, purpose, region, (country,), source=found.source)


def _to_host(spec: FabricSpec, catalogue: Catalogue, key: Place, subject: str, to: Destination) -> Leg:
    host = host_of(to.url)
    home = country_of(spec, catalogue)
    known = telemetry_countries(catalogue, host, home) if home and (to.countries or host in catalogue.telemetry) else ()
    countries = tuple(sorted({*known, *(to.countries or ())}))
    fact = catalogue.telemetry.get(host)
    source = fact.source if fact else None
    unknown = None if countries else f"the catalogue does not know where {host} keeps what it is sent: name `countries`"
    return _leg(spec, key, subject, Purpose.LOGS, host, countries, source, unknown)


def telemetry_countries(catalogue: Catalogue, host: str, home: Country) -> tuple[Country, ...]:
    """Where a vendor's host, or else the known one above it, keeps what it is sent; none where no fact says so.

    Whoever names the countries of an unknown host does not leave those of the known one above it.
    """
    name = host if host in catalogue.telemetry else catalogue.telemetry_site(host)
    return (catalogue.telemetry_countries(name, home) if name else None) or ()


def host_of(url: str) -> str:
    """The host that a URL of the spec names."""
    return base_url(url).hostname or ""


def model_countries(catalogue: Catalogue, host: str) -> tuple[Country, ...]:
    """Where a vendor's host, or else the known one above it, may answer by any of its models, or a cloud's machine is.

    None for a host that the catalogue does not know.
    """
    if machine := _MACHINES.fullmatch(host):
        names = ["us-east-1"] if machine["first"] else host.split(".")
        return tuple(sorted({catalogue.regions[name].country for name in names if name in catalogue.regions} - {HOST}))
    labels = host.split(".")
    for above in (".".join(labels[index:]) for index in range(len(labels) - 1)):
        if countries := {country for found in servings(catalogue, called=above) for country in found.countries}:
            return tuple(sorted(countries))
    return ()
