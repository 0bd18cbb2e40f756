"""Every candidate of every model class as the Manifest has it: where it is called, and what its replies may say."""

from collections.abc import Iterator
from typing import Any

from components.flows import host_of, model_countries, served
from components.spec import FabricSpec, Hosted, Managed, ModelClass, ModelServer
from regions.catalogue import Catalogue, Country, Protocol, Signal
from regions.endpoints import Serving, servings
from regions.manifest import ModelEndpoint


def model_endpoints(
    spec: FabricSpec, catalogue: Catalogue, country: Country, hosted_url: str | None
) -> Iterator[ModelEndpoint]:
    """``country``: where the stack stands. ``hosted_url``: of the model server that it runs, where it runs one.

    Raises ``UnknownServing`` for a managed candidate of which the catalogue does not know where it answers.
    """
    for class_name, model_class in spec.models.items():
        for name, candidate in model_class.candidates.items():
            spilled = model_class.spilled(name)
            yield ModelEndpoint(
                name=f"{class_name}/{name}",
                model_class=class_name,
                kind=model_class.kind,
                context_tokens=model_class.context_tokens,
                data_classes=candidate.data_classes or tuple(spec.residency.data_classes),
                weight=candidate.weight,
                priority=candidate.priority,
                shadow_percent=candidate.shadow_percent,
                version=candidate.version,
                **_with_spillover(
                    _server(model_class, name, spec, catalogue, country, hosted_url),
                    [_server(model_class, to, spec, catalogue, country, hosted_url) for to in spilled],
                ),
            )


def hosted_name(hosted: Hosted) -> str:
    """The name by which the fabric's own model server knows its model."""
    if hosted.staged:
        return hosted.staged.name
    return hosted.weights or (hosted.gguf.stem if hosted.gguf else "")


def any_translated(spec: FabricSpec, catalogue: Catalogue) -> bool:
    """Whether a candidate's provider does not speak OpenAI's format."""
    managed = (candidate.managed for _, candidate in spec.candidates())
    return any(found and catalogue.providers[found.provider].protocol is Protocol.TRANSLATED for found in managed)


def signal_values(catalogue: Catalogue, serving: Serving) -> tuple[str, ...]:
    """What the provider's signal may say of an answer that was made where it may be; sorted, () for no signal.

    Azure's header names a region, and any of the partition will do that stands in one of the serving's countries.
    Anthropic's usage names a geography, which is a way of the catalogue: any will do that reaches no further. A model
    that offers no choice of one names none.
    """
    provider = catalogue.providers[serving.provider]
    if provider.signal is Signal.REGION_HEADER:
        partition = catalogue.regions[serving.called].partition
        regions = {name: at for name, at in catalogue.regions.items() if at.partition == partition}
        return tuple(sorted(name for name, at in regions.items() if at.country in serving.countries))
    if provider.signal is Signal.INFERENCE_GEO:
        ways = [*servings(catalogue, provider=serving.provider, model=serving.model, called=serving.called)]
        inside = [way.via for way in ways if set(way.countries) <= set(serving.countries)]
        return tuple(sorted(inside)) if len(ways) > 1 else ()
    return ()


def _server(
    model_class: ModelClass,
    name: str,
    spec: FabricSpec,
    catalogue: Catalogue,
    country: Country,
    hosted_url: str | None,
) -> dict[str, Any]:
    """The members of ``ModelEndpoint`` that say which server a candidate is, and where."""
    candidate = model_class.candidates[name]
    if candidate.managed:
        serving = served(candidate, catalogue).with_context(model_class.context_tokens)
        return _managed(catalogue, candidate.managed, serving)
    if candidate.endpoint:
        return _given(candidate.endpoint, catalogue)
    return {
        "protocol": Protocol.OPENAI,
        "url": hosted_url,
        "provider": None,
        "region": spec.region,
        "upstream_model": hosted_name(candidate.hosted) if candidate.hosted else "",
        "countries": (country,),
    }


def _with_spillover(server: dict[str, Any], targets: list[dict[str, Any]]) -> dict[str, Any]:
    """A call may be answered wherever it spills over to, and its reply then says so."""
    every = [server, *targets]
    countries = {country for one in every for country in one["countries"]}
    values = {value for one in every for value in one.get("signal_values", ())}
    return (
        {**server, "countries": tuple(sorted(countries)), "signal_values": tuple(sorted(values))} if targets else server
    )


def _given(server: ModelServer, catalogue: Catalogue) -> dict[str, Any]:
    """Its author's countries count, and so do those that the catalogue knows of its host."""
    known = model_countries(catalogue, host_of(server.url))
    return {
        "protocol": Protocol.OPENAI,
        "url": server.url,
        "provider": None,
        "region": None,
        "upstream_model": server.model,
        "countries": tuple(dict.fromkeys((*server.countries, *known))),
        "credential": server.credential,
    }


def _managed(catalogue: Catalogue, managed: Managed, serving: Serving) -> dict[str, Any]:
    provider = catalogue.providers[managed.provider]
    values = signal_values(catalogue, serving)
    direct = f"https://{serving.called}/v1" if provider.protocol is Protocol.OPENAI else None
    return {
        "protocol": provider.protocol,
        "url": managed.url or direct,
        "provider": managed.provider,
        "region": serving.called,
        "via": serving.via,
        "upstream_model": managed.model,
        "countries": serving.countries,
        "signal": provider.signal if values else None,
        "signal_values": values,
        "credential": managed.credential,
    }
