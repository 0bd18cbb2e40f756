"""From a stack file to a FabricSpec, or every mistake in it.

Checked here is what the types cannot tell: names that nobody declares, and sections that the platform does not have.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from components.spec import CONFIG_KEY, FabricSpec, Hosted, Managed, ModelClass, Platform, Port, SpecError
from regions.catalogue import HOST, Catalogue, Country, Kind, load_catalogue
from regions.documents import Document, Place, shown
from regions.endpoints import UnknownServing, serving
from regions.expectations import nearest
from regions.hosts import base_url

_AZURE_HOSTS = {
    "public": (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"),
    "usgovernment": (".openai.azure.us", ".cognitiveservices.azure.us"),
    "china": (".openai.azure.cn", ".cognitiveservices.azure.cn"),
}
"""Under what a resource's own host is, by partition (residency-facts.md §2.3; China's as its other services')."""
_CLOUDS_OWN = (
    *("account", "directory", "network", "cluster", "gateway", "cache", "triggers", "budget", "size", "extent"),
    *("orchestrator", "keys", "backup", "logs", "telemetry", "guardrail"),
)
_LACKING = {
    Platform.AWS: ("directory", "ports"),
    Platform.AZURE: ("guardrail", "ports"),
    Platform.GCP: ("guardrail", "directory", "ports"),
    Platform.KUBERNETES: ("guardrail", "directory", "account", "ports"),
    Platform.LOCAL: _CLOUDS_OWN,
}
_MIDNIGHT = " 00:00:00 +0000 UTC"


def load_spec(path: Path) -> FabricSpec:
    """The FabricSpec of a stack file; raises ``SpecError`` with every mistake."""
    return spec_in(Document.read(path, SpecError), load_catalogue())


def spec_in(document: Document, catalogue: Catalogue) -> FabricSpec:
    """The FabricSpec in a stack file; raises ``SpecError`` with every mistake."""
    return document.model(
        FabricSpec, at=("config", CONFIG_KEY), error=SpecError, check=partial(_mistakes, catalogue=catalogue)
    )


def document_of(path: Path, read: Any) -> Document:
    """What Pulumi ``read`` (``None``: no fabric) as a stack file, whose lines are told where ``path`` shows them.

    Pulumi does not say which file it read: under ``--config-file`` it is another one than ``path``, which then may not
    be there at all. Raises ``SpecError`` where it is there and is no YAML.
    """
    value = {"config": {} if read is None else {CONFIG_KEY: _as_written(read)}}
    return Document.read(path, SpecError).holding(value) if path.exists() else Document("--config-file", value, {})


def _as_written(value: Any) -> Any:
    """Dates as they stand in the file: to Pulumi's reader a plain one is a time, which it writes as Go prints times."""
    match value:
        case dict():
            return {key: _as_written(inner) for key, inner in value.items()}
        case list():
            return [_as_written(inner) for inner in value]
        case str():
            return value.removesuffix(_MIDNIGHT)
    return value


def _mistakes(spec: FabricSpec, catalogue: Catalogue) -> Iterator[tuple[Place, str]]:
    yield from _unknown_to_catalogue(spec, catalogue)
    yield from _country(spec, catalogue)
    yield from _models(spec)
    yield from _not_on_platform(spec)
    yield from _unfit_ports(spec)
    for name, scope in spec.scope_classes.items():
        if scope.core_system not in spec.core_systems:
            yield ("scope_classes", name, "core_system"), _unknown(scope.core_system, spec.core_systems)
        if len(set(scope.tools)) < len(scope.tools):
            yield ("scope_classes", name, "tools"), "expected each tool once"


def _unknown_to_catalogue(spec: FabricSpec, catalogue: Catalogue) -> Iterator[tuple[Place, str]]:
    regions = {name for name, region in catalogue.regions.items() if region.platform == spec.platform}
    for place, region in spec.regions():
        if region not in regions:
            elsewhere = catalogue.regions.get(region)
            hint = f", a region of {elsewhere.platform}" if elsewhere else nearest(region, regions)
            yield place, f"expected a region of {spec.platform}, got {region}{hint}"
    for place, candidate in spec.candidates():
        weights = candidate.hosted.weights if candidate.hosted else None
        if weights is not None and weights not in catalogue.weights:
            yield (*place, "hosted", "weights"), _unknown(weights, catalogue.weights)
        if candidate.hosted:
            yield from _hosted((*place, "hosted"), candidate.hosted, spec.platform)
        if candidate.managed:
            yield from _managed((*place, "managed"), candidate.managed, catalogue)
            wanted = spec.models[str(place[1])].kind
            yield from _unfit((*place, "managed"), candidate.managed, wanted, catalogue)
    for place, country in _countries(spec):
        if country not in catalogue.countries.names:
            yield place, f"expected a country of ISO 3166-1 alpha-2, got {country}"


def _hosted(place: Place, hosted: Hosted, platform: Platform) -> Iterator[tuple[Place, str]]:
    if (platform is Platform.LOCAL) is (hosted.staged is not None):
        here = "weights or gguf" if platform is Platform.LOCAL else "staged"
        yield place, f"expected {here}: it is what a model server on {platform} is given"


def _managed(place: Place, managed: Managed, catalogue: Catalogue) -> Iterator[tuple[Place, str]]:
    provider = catalogue.providers.get(managed.provider)
    if provider is None:
        yield (*place, "provider"), _unknown(managed.provider, catalogue.providers)
    elif provider.platform != Platform.AZURE and managed.spillover is not None:
        yield (*place, "spillover"), f"expected no spillover: {managed.provider} has none"
    elif provider.platform == Platform.AZURE and managed.url is None:
        yield place, "expected url, the base of the resource: such as https://<resource>.openai.azure.com/openai/v1"
    elif provider.platform != Platform.AZURE and managed.url is not None:
        yield (*place, "url"), f"expected no url: the catalogue tells where {managed.provider}'s own hosts answer"
    elif managed.url is not None and (region := catalogue.regions.get(managed.region)):
        hosts = _AZURE_HOSTS.get(region.partition, ())
        url = base_url(managed.url)
        if url.scheme != "https" or not (url.hostname or "").endswith(hosts):
            under = " or ".join(f"https://<resource>{host}" for host in hosts) or "a region of Azure"
            yield (*place, "url"), f"expected {under}, as {managed.region} has it, got {managed.url}"


def _unfit(place: Place, managed: Managed, wanted: Kind, catalogue: Catalogue) -> Iterator[tuple[Place, str]]:
    try:
        found = serving(catalogue, managed.provider, managed.model, managed.region, via=managed.sku)
    except UnknownServing:
        return  # for the review to say, with what is known
    kind = catalogue.models[found.provider][found.model].kind
    if kind is not wanted:
        yield (*place, "model"), f"expected a model of kind {wanted}, got {managed.model}, which is for {kind}"
    if found.called != managed.region:
        yield (*place, "region"), f"expected {found.called}, the region of the ARN, got {managed.region}"


def _country(spec: FabricSpec, catalogue: Catalogue) -> Iterator[tuple[Place, str]]:
    region = catalogue.regions.get(spec.region)
    if region is None:
        return
    if region.country == HOST and spec.country is None:
        yield (), f"expected the key country: where the machines of {spec.region} stand"
    if region.country != HOST and spec.country is not None:
        yield ("country",), f"expected no country: {spec.region} stands in {region.country}"


def _models(spec: FabricSpec) -> Iterator[tuple[Place, str]]:
    declared = set(spec.residency.data_classes)
    hosted = [place for place, candidate in spec.candidates() if candidate.hosted]
    for place in hosted[1:]:
        yield (*place, "hosted"), f"expected one hosted candidate in a stack: {shown(hosted[0])} is one"
    for place, candidate in spec.candidates():
        for index, data_class in enumerate(candidate.data_classes or ()):
            if data_class not in declared:
                yield (*place, "data_classes", index), _unknown(data_class, declared)
        if candidate.managed and candidate.managed.spillover is not None:
            for problem in _spillover(spec, spec.models[str(place[1])], str(place[3]), candidate.managed):
                yield (*place, "managed", "spillover"), problem


def _spillover(spec: FabricSpec, model_class: ModelClass, name: str, managed: Managed) -> Iterator[str]:
    """Azure spills over between deployments of one resource, and asks nobody which data it hands on."""
    siblings = model_class.candidates
    to = managed.spillover
    if to is None or to == name or to not in siblings:
        yield _unknown(str(to), siblings.keys() - {name})
        return
    target = siblings[to].managed
    if managed.url and (target is None or (target.provider, target.url) != (managed.provider, managed.url)):
        yield f"expected a deployment of {managed.provider} at the same url, got {to}"
    last = siblings[model_class.spilled(name)[-1]].managed
    if last and last.spillover == name:
        yield f"expected an end, got one that leads back to {name}"
    every = tuple(spec.residency.data_classes)
    lacking = set(siblings[name].data_classes or every) - set(siblings[to].data_classes or every)
    if lacking:
        yield f"expected one that may read {', '.join(sorted(lacking))} data too, got {to}"


def _not_on_platform(spec: FabricSpec) -> Iterator[tuple[Place, str]]:
    """Sections that the platform does not have: asking for one may not silently do nothing."""
    for section in _LACKING[spec.platform]:
        if section in spec.model_fields_set:
            yield (section,), f"expected no such section: platform {spec.platform} does not have it"
    if spec.backup.store and spec.platform is not Platform.KUBERNETES:
        yield ("backup", "store"), f"expected no store: platform {spec.platform} has its own"


def _countries(spec: FabricSpec) -> Iterator[tuple[Place, str]]:
    if spec.country is not None:
        yield ("country",), spec.country
    lists: list[tuple[Place, tuple[Country, ...]]] = [
        *(
            ((*place, "endpoint", "countries"), found.endpoint.countries)
            for place, found in spec.candidates()
            if found.endpoint
        ),
        *((("logs", "sinks", name, "countries"), sink.countries or ()) for name, sink in spec.logs.sinks.items()),
        *((("telemetry", name, "countries"), found.countries or ()) for name, found in spec.telemetry.items()),
        *([(("backup", "store", "countries"), spec.backup.store.countries)] if spec.backup.store else []),
        *(
            ((*place, "hosted", "staged", "store", "countries"), found.hosted.staged.store.countries)
            for place, found in spec.candidates()
            if found.hosted and found.hosted.staged and found.hosted.staged.store
        ),
    ]
    for place, countries in lists:
        for index, country in enumerate(countries):
            yield (*place, index), country
    for name, system in spec.core_systems.items():
        if system.country:
            yield ("core_systems", name, "country"), system.country


def _unfit_ports(spec: FabricSpec) -> Iterator[tuple[Place, str]]:
    if Port.MODEL in spec.ports and spec.hosted is None:
        yield ("ports", "model"), "expected no port: no candidate of models is hosted here"
    if Port.ORDERS in spec.ports and not any(system.demo for system in spec.core_systems.values()):
        yield ("ports", "orders"), "expected no port: no core system is demo: true"
    holders: dict[int, str] = {}
    for name, port in spec.ports.items():
        if port in holders:
            yield ("ports", name), f"expected a port of its own, got {port}, which {holders[port]} has"
        holders.setdefault(port, name)


def _unknown(name: str, known: Iterable[str]) -> str:
    return f"expected one of {', '.join(sorted(known)) or 'none declared'}, got {name}{nearest(name, known)}"
