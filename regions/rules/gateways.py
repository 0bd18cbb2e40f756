"""What programs are told by the resources that run them: telemetry hosts, and the routes of a model gateway.

Settings are found wherever they stand: in a ConfigMap's data, a container's ``env``, a chart's values, and in JSON or
YAML text inside them.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from regions.endpoints import UnknownServing, serving
from regions.hosts import host_of
from regions.residency import Purpose
from regions.rules.azure.models import deployed
from regions.rules.azure.places import named
from regions.rules.rule import Breach, Plan

_TELEMETRY = re.compile(
    r"OTEL_EXPORTER_OTLP_([A-Z]+_)?ENDPOINT|DD_SITE|DD_URL|LANGFUSE_(OTEL_)?HOST|LANGFUSE_BASE_URL|SENTRY_DSN"
)
_HOSTS = {"anthropic": "api.anthropic.com", "mistral": "api.mistral.ai", "openai": "api.openai.com"}
"""Where LiteLLM calls a vendor when no ``api_base`` says otherwise."""
_OWN_SERVERS = ("hosted_vllm", "openai")
_CALLBACKS = {
    "datadog": "DD_SITE",
    "langfuse": "LANGFUSE_HOST",
    "langfuse_otel": "LANGFUSE_OTEL_HOST",
    "otel": "OTEL_EXPORTER_OTLP_ENDPOINT",
    "sentry": "SENTRY_DSN",
}
"""By LiteLLM's callback, what tells it the host. ``prometheus`` sends nothing."""
_FALLBACKS = ("fallbacks", "default_fallbacks", "context_window_fallbacks", "content_policy_fallbacks")


def telemetry_settings(value: Any, place: str = "") -> Iterator[tuple[str, str, Any]]:
    """Place, name and value of each telemetry host that a program is told; ``None``: it is taken from elsewhere."""
    if isinstance(value, Mapping):
        name = str(value.get("name"))
        if _TELEMETRY.fullmatch(name):
            yield f"{place}.value".lstrip("."), name, value.get("value")
        for key, inner in value.items():
            if _TELEMETRY.fullmatch(str(key)):
                yield f"{place}.{key}".lstrip("."), key, inner
            else:
                yield from telemetry_settings(inner, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from telemetry_settings(item, f"{place}[{index}]")
    elif isinstance(value, str) and value[:1] in ("[", "{") and _TELEMETRY.search(value):
        yield from telemetry_settings(_parsed(value), place)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def is_in_cluster(url: str) -> bool:
    """Whether a URL or host is the same machine, or a service of the same cluster."""
    host = host_of(url)
    if host is None:
        return False
    return host == "127.0.0.1" or "." not in host or host.endswith((".svc", ".svc.cluster.local"))


def configurations(value: Any, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each gateway configuration (what has a ``model_list``), with its place; text that cannot be read is one."""
    if isinstance(value, Mapping) and "model_list" in value:
        yield place, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from configurations(inner, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from configurations(item, f"{place}[{index}]")
    elif isinstance(value, str) and "model_list" in value:
        try:
            document = yaml.safe_load(value)
        except yaml.YAMLError:
            document = None
        yield place, document if isinstance(document, Mapping) else {"model_list": None}


def routes_outside(place: str, document: Mapping[str, Any], plan: Plan) -> Iterator[Breach]:
    """What a gateway's configuration lets out: routes, fallbacks that are none of them, callbacks without a host."""
    entries = document["model_list"] if isinstance(document.get("model_list"), list) else None
    if entries is None:
        yield Breach(place, "", "it cannot be read, so where it routes is not known")
        return
    groups = {str(entry.get("model_name")) for entry in entries if isinstance(entry, Mapping)}
    sections = [document.get("litellm_settings"), document.get("router_settings")]
    for index, entry in enumerate(entries):
        params = entry.get("litellm_params") if isinstance(entry, Mapping) else None
        where = f"{place}.model_list[{index}].litellm_params".lstrip(".")
        sections.append(params)
        yield from _route_outside(where, params if isinstance(params, Mapping) else {}, plan)
    settings = [section for section in sections if isinstance(section, Mapping)]
    for name in sorted({name for section in settings for name in _fallbacks(section)} - groups):
        yield from _route_outside(f"{place}.fallbacks".lstrip("."), {"model": name}, plan)
    yield from _callbacks_outside(place, settings, plan)


def _route_outside(place: str, params: Mapping[str, Any], plan: Plan) -> Iterator[Breach]:
    try:
        subject, countries = _answered(params, plan)
    except UnknownServing as unknown:
        yield Breach(place, params.get("model"), str(unknown))
        return
    if breach := plan.outside(subject, Purpose.PROCESS, countries):
        yield Breach(place, params.get("model"), breach.message, breach.countries)


def _answered(params: Mapping[str, Any], plan: Plan) -> tuple[str, tuple[str, ...]]:
    """What answers a route, and in which countries; raises ``UnknownServing``."""
    provider, _, model = str(params.get("model")).partition("/")
    base = params.get("api_base")
    if provider == "azure":
        deployment = named(plan, model, "azure-native:cognitiveservices:Deployment")
        if deployment is None:
            raise UnknownServing(f"{model} is not one deployment of this plan, so where it is answered is not known")
        found = deployed(deployment, plan)
    elif provider == "bedrock":
        found = serving(plan.catalogue, "bedrock", model.removeprefix("converse/"), str(params.get("aws_region_name")))
    elif provider == "vertex_ai":
        found = serving(plan.catalogue, "vertex", model, str(params.get("vertex_location")))
    elif provider in _OWN_SERVERS and isinstance(base, str) and is_in_cluster(base):
        return f"{model} at {base}", (plan.country(plan.region) or plan.boundary.host,)
    elif provider in _HOSTS:
        host = host_of(base) if isinstance(base, str) else _HOSTS[provider]
        found = serving(plan.catalogue, provider, model, str(host))
    else:
        raise UnknownServing(f"nothing says where {params.get('model')!r} is answered")
    return f"{found.model} by {found.via} at {found.called}", found.countries


def _fallbacks(section: Mapping[str, Any]) -> Iterator[str]:
    for key in _FALLBACKS:
        for item in section.get(key) or ():
            targets = item.values() if isinstance(item, Mapping) else [[item]]
            yield from (str(name) for names in targets for name in (names if isinstance(names, list) else [names]))


def _callbacks_outside(place: str, settings: list[Mapping[str, Any]], plan: Plan) -> Iterator[Breach]:
    """A callback sends prompts to its vendor; where to, X02 judges once some resource of the plan says it."""
    told = {name for resource in plan.resources for _, name, _ in telemetry_settings(resource.properties)}
    for section in settings:
        for key in ("callbacks", "success_callback", "failure_callback"):
            names = section.get(key) or []
            for name in names if isinstance(names, list) else [names]:
                if name != "prometheus" and _CALLBACKS.get(name) not in told:
                    yield Breach(f"{place}.{key}".lstrip("."), name, "nothing in this plan says which host it sends to")
