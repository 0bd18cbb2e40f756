"""Where the vendors' own hosts answer, entered a second time."""

from collections.abc import Iterator

from regions.catalogue import Catalogue
from tests.fixtures.served import BOUNDARY, WORLD, Key, assert_served

OPENAI = (
    "gpt-5.2-2025-12-11 gpt-5.1-2025-11-13 gpt-5-2025-08-07 gpt-5-mini-2025-08-07 gpt-4.1-2025-04-14 "
    "gpt-4.1-mini-2025-04-14 gpt-4o-2024-11-20 o4-mini-2025-04-16 text-embedding-3-large text-embedding-3-small"
)
STORES_ONLY = "ae au ca gb in jp kr sg"
"""OpenAI's hosts of countries where it keeps what is stored, and nothing more."""
MISTRAL = "mistral-large-2512 mistral-medium-2604 mistral-small-2603"
CHOOSES_GEO = "claude-opus-5 claude-opus-4-8 claude-opus-4-7 claude-opus-4-6 claude-sonnet-5 claude-sonnet-4-6"
BEFORE_GEO = "claude-opus-4-5-20251101 claude-sonnet-4-5-20250929 claude-haiku-4-5-20251001"


def by_host() -> Iterator[tuple[Key, str]]:
    for model in OPENAI.split():
        yield ("openai", model, "host", "api.openai.com"), WORLD
        yield ("openai", model, "host", "us.api.openai.com"), "US"
        yield ("openai", model, "host", "eu.api.openai.com"), BOUNDARY
        for country in STORES_ONLY.split():
            yield ("openai", model, "host", f"{country}.api.openai.com"), WORLD
    for model in MISTRAL.split():
        yield ("mistral", model, "host", "api.mistral.ai"), WORLD
        yield ("mistral", model, "host", "api.eu.mistral.ai"), BOUNDARY
        yield ("mistral", model, "host", "api.us.mistral.ai"), "US"
    for model in f"{CHOOSES_GEO} {BEFORE_GEO}".split():
        yield ("anthropic", model, "global", "api.anthropic.com"), WORLD
    for model in CHOOSES_GEO.split():
        yield ("anthropic", model, "us", "api.anthropic.com"), "US"


def check_countries(catalogue: Catalogue) -> None:
    for provider in ("openai", "anthropic", "mistral"):
        assert_served(catalogue, provider, [(key, countries) for key, countries in by_host() if key[0] == provider])


def check_sources(catalogue: Catalogue) -> None:
    cited = {"openai": "openai-residency", "anthropic": "anthropic-residency", "mistral": "mistral-regional"}
    for provider, source in cited.items():
        ways = [way for model in catalogue.models[provider].values() for way in model.ways.values()]
        assert {way.source for way in ways} == {source}


def test_every_host_answers_where_its_source_says(catalogue: Catalogue) -> None:
    check_countries(catalogue)


def test_hosts_cite_what_says_so(catalogue: Catalogue) -> None:
    check_sources(catalogue)
