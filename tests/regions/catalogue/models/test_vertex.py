"""Where models of Vertex AI are called and answered, entered a second time: by cell and by jurisdiction."""

from collections.abc import Iterator

from regions.catalogue import Catalogue
from tests.fixtures.served import GCP_WORLD, UNION, Key, assert_served

CELLS = """
BR southamerica-east1: gemini-2.5-flash/128k
CA northamerica-northeast1: gemini-2.5-flash gemini-2.5-pro text-multilingual-embedding-002
FR europe-west9: gemini-2.5-flash/128k
DE europe-west3: gemini-2.5-flash/128k
GB europe-west2: gemini-2.5-flash/128k gemini-3.5-flash text-multilingual-embedding-002
AU australia-southeast1: gemini-2.5-flash/128k
IN asia-south1: gemini-2.5-flash/128k gemini-3.5-flash text-embedding-005 text-multilingual-embedding-002
JP asia-northeast1: gemini-2.5-flash/128k gemini-2.5-pro/64k gemini-3.5-flash
SG asia-southeast1: gemini-2.5-flash gemini-3.5-flash
KR asia-northeast3: gemini-2.5-flash/128k
"""
"""Google's promises for a country; after the slash, up to how much context."""
ONLY_THE_ZONE = {
    "europe-west4": ("mistral-medium-3 mistral-small-2503", UNION),
    "us-central1": ("deepseek-v3.1-maas", "US"),
}
GEMINI = (
    "gemini-3.5-flash gemini-3.1-flash-lite gemini-2.5-flash gemini-2.5-pro gemini-embedding-001 gemini-embedding-2"
)
CLAUDE_ON_VERTEX = (
    "claude-opus-4-8 claude-opus-4-7 claude-opus-4-5@20251101 claude-sonnet-5 claude-sonnet-4-6 "
    "claude-sonnet-4-5@20250929 claude-haiku-4-5@20251001"
)
JURISDICTIONS = {
    "eu": (f"{GEMINI} {CLAUDE_ON_VERTEX} text-embedding-005 mistral-medium-3 mistral-small-2503", UNION),
    "us": (
        f"{GEMINI} {CLAUDE_ON_VERTEX} text-embedding-005 mistral-medium-3 mistral-small-2503 deepseek-v3.1-maas "
        "gpt-oss-120b-maas llama-4-maverick-17b-128e-instruct-maas",
        "US",
    ),
    "global": (f"{GEMINI} {CLAUDE_ON_VERTEX}", GCP_WORLD),
}


def entered() -> Iterator[tuple[Key, str]]:
    for line in CELLS.strip().splitlines():
        where, models = line.split(": ")
        country, place = where.split()
        for cell in models.split():
            model, _, context = cell.partition("/")
            yield ("vertex", model, f"regional-{context}" if context else "regional", place), country
    for place, (models, countries) in ONLY_THE_ZONE.items():
        for model in models.split():
            yield ("vertex", model, "regional", place), countries
    for place, (models, countries) in JURISDICTIONS.items():
        for model in models.split():
            yield ("vertex", model, place, place), countries


def source_on_vertex(model: str, via: str) -> str:
    if model in {"gemini-3.5-flash", "gemini-2.5-flash", "gemini-2.5-pro"} and via in {"eu", "us"}:
        return "vertex-locations"
    of_google = model.startswith(("gemini", "text-")) or via == "global"
    return "vertex-residency" if of_google else "vertex-partners"


def check_countries(catalogue: Catalogue) -> None:
    assert_served(catalogue, "vertex", entered())


def check_contexts(catalogue: Catalogue) -> None:
    ends = {("vertex", "gemini-2.5-flash", "regional-128k"): 128, ("vertex", "gemini-2.5-pro", "regional-64k"): 64}
    for provider, models in catalogue.models.items():
        for name, model in models.items():
            for via, way in model.ways.items():
                end = ends.get((provider, name, via))
                assert way.context_tokens == (end and end * 1024), (provider, name, via)


def check_sources(catalogue: Catalogue) -> None:
    for name, model in catalogue.models["vertex"].items():
        for via, way in model.ways.items():
            assert way.source == source_on_vertex(name, via), (name, via)


def test_every_location_is_answered_where_its_source_says(catalogue: Catalogue) -> None:
    check_countries(catalogue)


def test_the_promise_of_a_cell_ends_with_its_context(catalogue: Catalogue) -> None:
    check_contexts(catalogue)


def test_locations_cite_what_says_so(catalogue: Catalogue) -> None:
    check_sources(catalogue)
