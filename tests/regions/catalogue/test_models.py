"""What holds for the models of every provider, entered a second time; countries are in models/."""

from regions.catalogue import Catalogue, Confidence, Kind, Mode, Protocol, Signal

PROMISED_FOR_A_ZONE = {"mistral-medium-3", "mistral-small-2503", "deepseek-v3.1-maas"}
"""Models that a Vertex region has and Google promises for its jurisdiction only."""


def mode_of(provider: str, model: str, via: str) -> Mode:
    if provider in {"openai", "anthropic", "mistral"}:
        return Mode.DIRECT
    if via.lower().startswith("global") or via == "DeveloperTier":
        return Mode.GLOBAL
    regional = via in {"in-region", "mantle", "Standard", "ProvisionedManaged"} or via.startswith("regional")
    return Mode.REGIONAL if regional and model not in PROMISED_FOR_A_ZONE else Mode.ZONE


def check_modes(catalogue: Catalogue) -> None:
    for provider, models in catalogue.models.items():
        for name, model in models.items():
            for via, way in model.ways.items():
                assert way.mode is mode_of(provider, name, via), (provider, name, via)


def check_providers(catalogue: Catalogue) -> None:
    assert {
        name: (provider.platform, provider.protocol, provider.signal) for name, provider in catalogue.providers.items()
    } == {
        "bedrock": ("aws", Protocol.TRANSLATED, None),
        "azure": ("azure", Protocol.OPENAI, Signal.REGION_HEADER),
        "azure-anthropic": ("azure", Protocol.TRANSLATED, None),
        "vertex": ("gcp", Protocol.TRANSLATED, None),
        "openai": (None, Protocol.OPENAI, None),
        "anthropic": (None, Protocol.TRANSLATED, Signal.INFERENCE_GEO),
        "mistral": (None, Protocol.OPENAI, None),
    }


def check_kinds(catalogue: Catalogue) -> None:
    for models in catalogue.models.values():
        for name, model in models.items():
            expected = Kind.EMBEDDINGS if "embed" in name else Kind.RERANK if "rerank" in name else Kind.CHAT
            assert model.kind is expected, name


VENDORS = {
    "claude": "Anthropic",
    "nova": "Amazon",
    "titan": "Amazon",
    "amazon.": "Amazon",
    "cohere": "Cohere",
    "deepseek": "DeepSeek",
    "llama": "Meta",
    "mistral": "Mistral AI",
    "gemini": "Google",
    "gpt": "OpenAI",
    "text-embedding-3": "OpenAI",
    "text-embedding-ada": "OpenAI",
    "text-": "Google",
    "o": "OpenAI",
}
"""By the first of these that stands in the id."""


def check_vendors(catalogue: Catalogue) -> None:
    for models in catalogue.models.values():
        for name, model in models.items():
            assert model.vendor == next(vendor for part, vendor in VENDORS.items() if part in name), name


HELD = {
    "bedrock-profiles": ("2025-12-02", "verified"),
    "openai-residency": ("2026-02-23", "verified"),
    **dict.fromkeys(["azure-zones", "azure-provisioned-zones"], ("2026-05-08", "verified")),
    "azure-developer": ("2026-05-08", "known"),
    "azure-provisioned": ("2026-05-11", "verified"),
    "azure-standard": ("2026-06-11", "verified"),
    **dict.fromkeys(["bedrock-cards", "bedrock-mantle", "bedrock-knowledge-bases"], ("2026-07-01", "verified")),
    **dict.fromkeys(["bedrock-guardrails", "vertex-residency", "vertex-partners"], ("2026-07-01", "verified")),
    **dict.fromkeys(["bedrock-offered", "bedrock-global-callers", "vertex-locations"], ("2026-07-01", "secondary")),
    "bedrock-listed-by-users": ("2026-08-08", "secondary"),
    "mistral-regional": ("2026-08-17", "secondary"),
    "azure-claude": ("2026-09-02", "verified"),
    "anthropic-residency": ("2026-10-01", "verified"),
    "azure-region-header": ("2026-11-22", "secondary"),
}


def check_held(catalogue: Catalogue) -> None:
    for name, (day, confidence) in HELD.items():
        source = catalogue.sources[name]
        assert (source.as_of.isoformat(), source.confidence) == (day, Confidence(confidence)), name


SOURCE_OF_PROVIDER = {
    "bedrock": "bedrock-cards",
    "azure": "azure-region-header",
    "azure-anthropic": "azure-claude",
    "vertex": "vertex-residency",
    "openai": "openai-residency",
    "anthropic": "anthropic-residency",
    "mistral": "mistral-regional",
}


def check_provider_sources(catalogue: Catalogue) -> None:
    assert {name: provider.source for name, provider in catalogue.providers.items()} == SOURCE_OF_PROVIDER


def test_a_mode_is_regional_zone_global_or_the_vendors_host(catalogue: Catalogue) -> None:
    check_modes(catalogue)


def test_providers_say_how_they_are_spoken_to_and_where_a_reply_tells_its_place(catalogue: Catalogue) -> None:
    check_providers(catalogue)
    check_provider_sources(catalogue)


def test_models_are_chat_embeddings_or_rerank_and_have_a_vendor(catalogue: Catalogue) -> None:
    check_kinds(catalogue)
    check_vendors(catalogue)


def test_sources_held_on_their_day(catalogue: Catalogue) -> None:
    check_held(catalogue)
