"""Every candidate reaches the Manifest with the countries where it may answer, and what its replies may say of them."""

from typing import Any

import pytest

from components.flows import model_countries
from components.loading import load_spec
from components.model_endpoints import model_endpoints, signal_values
from components.naming import REPOSITORY
from components.spec import FabricSpec
from regions.catalogue import Catalogue, Kind, Protocol, Signal, load_catalogue
from regions.endpoints import ContextTooLong, UnknownServing, serving, servings
from regions.manifest import ModelEndpoint
from regions.residency import DataClass

HOSTED_URL = "http://127.0.0.1:20006/v1"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def published(candidates: dict[str, Any], **model_class: Any) -> dict[str, ModelEndpoint]:
    """Endpoints by candidate of a stack in Germany."""
    shipped = load_spec(REPOSITORY / "stacks" / "Pulumi.local.yaml")
    models = {"chat": {**model_class, "candidates": candidates}}
    spec = FabricSpec.model_validate({**shipped.model_dump(), "models": models})
    found = model_endpoints(spec, load_catalogue(), "DE", HOSTED_URL)
    return {endpoint.name.removeprefix("chat/"): endpoint for endpoint in found}


def managed(provider: str, model: str, region: str, **more: Any) -> ModelEndpoint:
    return published({"there": {"managed": {"provider": provider, "model": model, "region": region, **more}}})["there"]


def test_a_hosted_model_answers_where_the_stack_stands() -> None:
    (model,) = published({"here": {"hosted": {"weights": "qwen2.5-coder-1.5b-instruct-q4_k_m"}}}).values()

    assert (model.name, model.model_class, model.url) == ("chat/here", "chat", HOSTED_URL)
    assert model.upstream_model == "qwen2.5-coder-1.5b-instruct-q4_k_m"
    assert (model.provider, model.region, model.countries) == (None, "local", ("DE",))
    assert model.protocol is Protocol.OPENAI


def test_an_endpoint_given_keeps_its_own_name_countries_and_credential() -> None:
    given = {"url": "http://model/v1", "model": "theirs", "countries": ("FR", "DE"), "credential": "theirs-key"}
    model = published({"given": {"endpoint": given}})["given"]

    assert (model.url, model.upstream_model, model.countries) == ("http://model/v1", "theirs", ("FR", "DE"))
    assert model.credential == "theirs-key"


def test_an_endpoint_at_a_known_host_may_also_answer_where_the_catalogue_says(catalogue: Catalogue) -> None:
    given = {"url": "https://api.openai.com/v1", "model": "gpt-5.2-2025-12-11", "countries": ("DE",)}
    model = published({"given": {"endpoint": given}})["given"]

    assert set(model.countries) == {"DE", *model_countries(catalogue, "api.openai.com")} > {"DE", "US"}


def test_what_a_candidate_says_of_weight_order_and_data_is_published_as_said() -> None:
    given = {"url": "http://model/v1", "model": "theirs", "countries": ("DE",)}
    said = {"endpoint": given, "weight": 3, "priority": 1, "version": "theirs-2", "data_classes": (DataClass.PUBLIC,)}
    models = published(
        {"one": said, "two": {"endpoint": given, "shadow_percent": 5}}, kind=Kind.EMBEDDINGS, context_tokens=1000
    )

    one, two = models["one"], models["two"]
    assert (one.weight, one.priority, one.version, one.data_classes) == (3, 1, "theirs-2", (DataClass.PUBLIC,))
    assert (two.weight, two.shadow_percent) == (1, 5)
    assert two.data_classes == (DataClass.PUBLIC, DataClass.INTERNAL, DataClass.PERSONAL)
    assert {(model.kind, model.context_tokens) for model in models.values()} == {(Kind.EMBEDDINGS, 1000)}


def test_a_bedrock_profile_is_published_with_every_country_it_reaches(catalogue: Catalogue) -> None:
    profile = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
    model = managed("bedrock", profile, "eu-central-1")

    assert model.countries == serving(catalogue, "bedrock", profile, "eu-central-1").countries
    assert len(model.countries) > 1
    assert (model.upstream_model, model.region, model.via) == (profile, "eu-central-1", "eu")
    assert (model.protocol, model.url) == (Protocol.TRANSLATED, None)


def test_a_vendors_own_host_is_called_in_openais_format() -> None:
    model = managed("openai", "gpt-5.2-2025-12-11", "eu.api.openai.com")

    assert (model.protocol, model.url) == (Protocol.OPENAI, "https://eu.api.openai.com/v1")
    assert "US" not in model.countries


def test_an_azure_resource_is_called_at_its_own_address() -> None:
    url = "https://ours.openai.azure.com/openai/v1"
    model = managed("azure", "gpt-4.1", "swedencentral", sku="Standard", url=url)

    assert (model.url, model.countries, model.via) == (url, ("SE",), "Standard")
    assert (model.signal, model.signal_values) == (Signal.REGION_HEADER, ("swedencentral", "swedensouth"))


def test_a_call_that_spills_over_is_answered_wherever_it_may_end() -> None:
    url = "https://ours.openai.azure.com/openai/v1"
    places = {"main": "swedencentral", "burst": "francecentral", "more": "uksouth"}
    nexts = {"main": "burst", "burst": "more", "more": None}
    azure = {"provider": "azure", "model": "gpt-4o", "sku": "Standard", "url": url}
    models = published(
        {name: {"managed": {**azure, "region": region, "spillover": nexts[name]}} for name, region in places.items()}
    )

    assert {name: model.countries for name, model in models.items()} == {
        "main": ("FR", "GB", "SE"),
        "burst": ("FR", "GB"),
        "more": ("GB",),
    }
    assert set(models["more"].signal_values) < set(models["burst"].signal_values) < set(models["main"].signal_values)
    assert {"swedencentral", "francecentral", "uksouth"} <= set(models["main"].signal_values)


def test_what_the_catalogue_does_not_know_is_not_published() -> None:
    with pytest.raises(UnknownServing):
        managed("bedrock", "eu.anthropic.claude-next-v1:0", "eu-central-1")


def test_a_longer_context_than_its_countries_are_promised_for_is_not_published() -> None:
    flash = {"managed": {"provider": "vertex", "model": "gemini-2.5-flash", "region": "europe-west3"}}
    assert published({"there": flash}, context_tokens=131_072)["there"].countries == ("DE",)
    with pytest.raises(ContextTooLong, match="promised for DE with up to 131072 tokens of context"):
        published({"there": flash}, context_tokens=131_073)


def test_anthropics_geographies_are_inside_only_where_they_reach_no_further(catalogue: Catalogue) -> None:
    assert managed("anthropic", "claude-opus-4-8", "api.anthropic.com", sku="us").signal_values == ("us",)
    assert managed("anthropic", "claude-opus-4-8", "api.anthropic.com", sku="global").signal_values == ("global", "us")


def test_a_model_without_a_choice_of_geography_is_not_judged_by_one() -> None:
    model = managed("anthropic", "claude-opus-4-5-20251101", "api.anthropic.com")

    assert (model.via, model.signal, model.signal_values) == ("global", None, ())


def test_every_signalled_region_of_azure_stands_in_the_countries_of_the_serving(catalogue: Catalogue) -> None:
    found = [one for one in servings(catalogue, provider="azure") if one.countries]
    assert found
    for one in found:
        values = signal_values(catalogue, one)
        assert {catalogue.regions[name].country for name in values} <= set(one.countries)
        assert one.called in values
        assert {catalogue.regions[name].partition for name in values} == {catalogue.regions[one.called].partition}


def test_a_provider_without_a_signal_has_no_values(catalogue: Catalogue) -> None:
    assert signal_values(catalogue, next(servings(catalogue, provider="bedrock"))) == ()
