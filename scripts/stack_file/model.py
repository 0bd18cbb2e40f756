"""The model that a first stack file names: one of the platform's own that the Boundary lets read all of its data."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from components.models.azure_plan import CAPACITY
from components.models.azure_plan import PROVIDER as AZURE
from components.models.gcp_plan import PROVIDER as VERTEX
from components.spec import Platform
from regions.boundary import Flow, compile_boundary
from regions.catalogue import Catalogue, Kind, Mode
from regions.endpoints import BEDROCK, IN_REGION, Serving, servings
from regions.residency import DataClassRules, Purpose, Residency
from scripts.stack_file.wish import Wish

PREFERRED = (
    "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "anthropic.claude-opus-4-8",
    "anthropic.claude-haiku-4-5-20251001-v1:0",
    "amazon.nova-pro-v1:0",
    "mistral.mistral-large-3-675b-instruct",
    "openai.gpt-oss-120b-1:0",
    "amazon.nova-2-lite-v1:0",
    "amazon.nova-lite-v1:0",
    "mistral.magistral-small-2509",
    "meta.llama3-3-70b-instruct-v1:0",
    "gpt-5.5",
    "gpt-5.4",
    "gpt-5.2",
    "gpt-5.1",
    "gpt-5",
    "gpt-4.1",
    "gpt-5-mini",
    "gpt-4.1-mini",
    "gpt-4o",
    "gemini-3.5-flash",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
)
"""By provider, what an agent with tools is best begun with. No fact of the catalogue says how able a model is, since
when it is there or what it costs, so somebody has to; a model that is not here comes after these, by name."""
_PROVIDERS = {Platform.AWS: BEDROCK, Platform.AZURE: AZURE, Platform.GCP: VERTEX}
_MODES = (Mode.REGIONAL, Mode.ZONE)
"""The nearest first; what answers anywhere is nobody's first choice, whatever a regime allows."""
_OTHER_HOST = "mantle"
"""Bedrock's second host, which has no private endpoint."""
_PROVISIONED = "Provisioned"
_AZURE_ENDS = {"usgovernment": "us", "china": "cn"}
"""Of its hosts, by cloud of Azure; else com."""


def candidates(wish: Wish, catalogue: Catalogue, today: date) -> dict[str, Any]:
    """One, by its name: paid by the token before provisioned, then by ``PREFERRED``, then the nearest; where the
    platform has none, a server of one's own to be named."""
    allowed = [found for found in _servings(wish, catalogue) if _allowed(found, wish, catalogue, today)]
    if allowed:
        found = min(allowed, key=_order)
        return {found.provider: {"managed": _managed(found, wish, catalogue)}}
    countries = [wish.stands_in(catalogue)]
    server = {"url": "https://models.corp.example/v1", "model": "mistral-small", "countries": countries}
    return {"own": {"endpoint": server}}


def _order(found: Serving) -> tuple[bool, int, int, str]:
    rank = PREFERRED.index(found.model) if found.model in PREFERRED else len(PREFERRED)
    return _PROVISIONED in found.via, rank, _MODES.index(found.mode), found.model


def _servings(wish: Wish, catalogue: Catalogue) -> Iterator[Serving]:
    if wish.platform in _PROVIDERS:
        for found in servings(catalogue, provider=_PROVIDERS[wish.platform], called=wish.region):
            chat = catalogue.models[found.provider][found.model].kind is Kind.CHAT
            if chat and found.via != _OTHER_HOST and found.mode in _MODES:
                yield found


def _allowed(found: Serving, wish: Wish, catalogue: Catalogue, today: date) -> bool:
    classes = {data_class: DataClassRules() for data_class in wish.data_classes}
    residency = Residency(regimes=wish.regimes, data_classes=classes)
    boundary = compile_boundary(residency, catalogue, host=wish.stands_in(catalogue))
    flows = (Flow("model", Purpose.PROCESS, found.countries, data_class) for data_class in wish.data_classes)
    return all(boundary.decide(flow, today).allowed for flow in flows)


def _managed(found: Serving, wish: Wish, catalogue: Catalogue) -> dict[str, Any]:
    named = {"provider": found.provider, "model": found.model, "region": found.called}
    if found.provider == BEDROCK and found.via != IN_REGION:
        return {**named, "model": f"{found.via}.{found.model}"}
    if found.provider != AZURE:
        return named
    end = _AZURE_ENDS.get(catalogue.regions[found.called].partition, "com")
    per_token, provisioned = CAPACITY[wish.size]
    capacity = provisioned if _PROVISIONED in found.via else per_token
    return {**named, "sku": found.via, "capacity": capacity, "url": f"https://example.openai.azure.{end}/openai/v1"}
