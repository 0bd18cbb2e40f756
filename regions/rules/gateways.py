"""What programs are told by the resources that run them: telemetry hosts, and the routes of a model gateway.

Settings are found wherever they stand: in a ConfigMap's data, a container's ``env``, a chart's values, and in JSON or
YAML text inside them.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address
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
_TOLD = re.compile(rf"\b({_TELEMETRY.pattern})[\"']?[ \t]*[:=][ \t]*[\"']?([^\s\"',;}}]+)")
"""A setting in text that is neither JSON nor YAML: an env file, a command, a template."""
_SERVICE = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
"""The name of a Kubernetes Service (RFC 1035): never a number, which is an address in disguise."""
_ADDRESSES = ("api_base", "base_url", "aws_bedrock_runtime_endpoint")
"""What makes LiteLLM call another address than the region's."""
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
    elif isinstance(value, str) and _TELEMETRY.search(value):
        yield from _told_in(value, place)


def _told_in(text: str, place: str) -> Iterator[tuple[str, str, Any]]:
    for read in (json.loads, yaml.safe_load):
        with suppress(ValueError, yaml.YAMLError):
            document = read(text)
            if isinstance(document, Mapping | list):
                yield from telemetry_settings(document, place)
                return
    for found in _TOLD.finditer(text):
        yield f"{place}.{found[1]}".lstrip("."), found[1], found[found.re.groups]


def is_in_cluster(url: str) -> bool:
    """Whether a URL or host is the same machine, or a service of the same cluster."""
    host = host_of(url)
    if host is None:
        return False
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return _SERVICE.fullmatch(host) is not None or host.endswith((".svc", ".svc.cluster.local"))


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
    moved = next((key for key in _ADDRESSES if params.get(key)), None)
    if moved is not None and provider in ("bedrock", "vertex_ai"):
        raise UnknownServing(f"{moved} is {params[moved]!r}, and where that answers {provider} is not known")
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
