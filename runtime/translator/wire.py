"""Per endpoint of the Manifest: what LiteLLM is told, and the one place where the request that it makes may go.

The hosts are written down here and not taken from LiteLLM, whose own idea of a region is what they check.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from regions.catalogue import Kind, Protocol
from regions.manifest import Manifest, ModelEndpoint
from runtime.settings import StartError

MANTLE = "mantle"
GLOBAL = "global"


@dataclass(frozen=True)
class Wire:
    """``model``, ``arguments``: for LiteLLM. The request must go to ``host``, by a path that holds ``path``, and have
    the members of ``body``."""

    model: str
    host: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""
    body: Mapping[str, str] = field(default_factory=dict)


def wires(manifest: Manifest) -> dict[str, Wire]:
    """By name of each endpoint that is to be translated; raises ``StartError`` with a line for each that cannot be."""
    found, wrong = {}, []
    for endpoint in manifest.models:
        if endpoint.protocol is not Protocol.TRANSLATED:
            continue
        make = _PROVIDERS.get(endpoint.provider or "")
        if make is None or endpoint.region is None:
            wrong.append(f"{endpoint.name}: expected a provider of {', '.join(_PROVIDERS)}, got {endpoint.provider}")
            continue
        found[endpoint.name] = make(endpoint, endpoint.region)
        if not found[endpoint.name].host:
            wrong.append(f"{endpoint.name}: expected a url, the base of its resource")
    if wrong:
        raise StartError("\n".join(wrong))
    return found


def _bedrock(endpoint: ModelEndpoint, region: str) -> Wire:
    model = endpoint.upstream_model
    if endpoint.via == MANTLE:
        host, arguments = _place(endpoint, f"bedrock-mantle.{region}.api.aws", "api_base")
        return Wire(f"bedrock_mantle/{model}", host, {"aws_region_name": region, **arguments}, body={"model": model})
    host, arguments = _place(
        endpoint, f"bedrock-runtime.{region}.{_aws_suffix(region)}", "aws_bedrock_runtime_endpoint"
    )
    called = f"bedrock/converse/{model}" if endpoint.kind is Kind.CHAT else f"bedrock/{model}"
    return Wire(called, host, {"aws_region_name": region, **arguments}, path=f"/model/{quote(model, safe='')}/")


def _vertex(endpoint: ModelEndpoint, location: str) -> Wire:
    if location == GLOBAL:
        host = "aiplatform.googleapis.com"
    elif "-" in location:
        host = f"{location}-aiplatform.googleapis.com"
    else:  # jurisdictional: eu, us
        host = f"aiplatform.{location}.rep.googleapis.com"
    model = f"vertex_ai/{endpoint.upstream_model}"
    return Wire(model, host, {"vertex_location": location}, path=f"/locations/{location}/")


def _anthropic(endpoint: ModelEndpoint, called: str) -> Wire:
    """A geography is asked for unless any will do: models that offer none refuse to be asked."""
    model = endpoint.upstream_model
    geography = {} if endpoint.via in (None, GLOBAL) else {"inference_geo": endpoint.via}
    host, arguments = _place(endpoint, called, "api_base")
    arguments.setdefault("api_base", f"https://{called}")
    return Wire(f"anthropic/{model}", host, {**arguments, **geography}, body={"model": model, **geography})


def _azure_anthropic(endpoint: ModelEndpoint, _region: str) -> Wire:
    """The deployment's SKU decides how far it reaches; what can be checked here is the resource."""
    model = endpoint.upstream_model
    host, arguments = _place(endpoint, "", "api_base")
    return Wire(f"azure_ai/{model}", host, arguments, body={"model": model})


_PROVIDERS: Mapping[str, Callable[[ModelEndpoint, str], Wire]] = {
    "bedrock": _bedrock,
    "vertex": _vertex,
    "anthropic": _anthropic,
    "azure-anthropic": _azure_anthropic,
}


def _place(endpoint: ModelEndpoint, host: str, argument: str) -> tuple[str, dict[str, str]]:
    """The host, and LiteLLM's argument for it: that of the endpoint's own URL where the Manifest has one."""
    if endpoint.url is None:
        return host, {}
    return urlsplit(endpoint.url).netloc, {argument: endpoint.url}


def _aws_suffix(region: str) -> str:
    """DNS suffix of the region's partition (residency-facts.md §4)."""
    by_prefix = {"cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu"}
    return next((suffix for prefix, suffix in by_prefix.items() if region.startswith(prefix)), "amazonaws.com")
