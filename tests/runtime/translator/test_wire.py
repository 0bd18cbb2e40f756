"""Where a request may go is written down from the Manifest alone, and what cannot be called is told at the start."""

from typing import Any

import pytest

from regions.catalogue import Kind
from runtime.settings import StartError
from runtime.translator.wire import Wire, wires
from tests.fixtures.issuer import manifest
from tests.runtime.translator.conftest import PROFILE, published, translated


def wire(provider: str, region: str, model: str, via: str, **more: Any) -> Wire:
    models = (translated("it", provider, region, model, via, **more),)
    (found,) = wires(manifest("http://127.0.0.1:9").model_copy(update={"models": models})).values()
    return found


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "bedrock-runtime.eu-central-1.amazonaws.com"),
        ("us-gov-west-1", "bedrock-runtime.us-gov-west-1.amazonaws.com"),
        ("eusc-de-east-1", "bedrock-runtime.eusc-de-east-1.amazonaws.eu"),
        ("cn-north-1", "bedrock-runtime.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_bedrock_is_called_in_its_region_by_its_whole_id(region: str, host: str) -> None:
    found = wire("bedrock", region, PROFILE, "eu")

    assert found.host == host
    assert found.arguments == {"aws_region_name": region}
    assert found.path == f"/model/{PROFILE.replace(':', '%3A')}/"


def test_what_is_only_at_mantle_is_called_there() -> None:
    found = wire("bedrock", "eu-north-1", "anthropic.claude-opus-4-8", "mantle")

    assert found.host == "bedrock-mantle.eu-north-1.api.aws"
    assert found.body == {"model": "anthropic.claude-opus-4-8"}


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("europe-west3", "europe-west3-aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
    ],
)
def test_vertex_is_called_at_its_location(location: str, host: str) -> None:
    found = wire("vertex", location, "gemini-2.5-flash", "eu")

    assert (found.host, found.path) == (host, f"/locations/{location}/")
    assert found.arguments == {"vertex_location": location}


def test_a_geography_is_asked_for_unless_any_will_do() -> None:
    us = wire("anthropic", "api.anthropic.com", "claude-opus-4-8", "us")
    anywhere = wire("anthropic", "api.anthropic.com", "claude-opus-4-8", "global")

    assert us.host == anywhere.host == "api.anthropic.com"
    assert us.body == {"model": "claude-opus-4-8", "inference_geo": "us"}
    assert anywhere.body == {"model": "claude-opus-4-8"}


def test_a_resource_of_its_own_is_called_at_its_url() -> None:
    url = "https://ours.services.ai.azure.com/anthropic"
    found = wire("azure-anthropic", "swedencentral", "claude-opus-4-8", "GlobalStandard", url=url)

    assert found.host == "ours.services.ai.azure.com"
    assert found.arguments == {"api_base": url}


def test_embeddings_are_not_asked_as_a_conversation() -> None:
    found = wire("bedrock", "eu-central-1", "amazon.titan-embed-text-v2:0", "in-region", kind=Kind.EMBEDDINGS)

    assert found.model == "bedrock/amazon.titan-embed-text-v2:0"


def test_what_speaks_openais_format_is_not_translated() -> None:
    assert "chat-small/own" not in wires(published("http://127.0.0.1:9"))


def test_a_provider_that_nobody_wrote_down_may_not_start() -> None:
    models = (translated("one", "elsewhere", "eu", "m", "eu"), translated("two", "azure-anthropic", "eu", "m", "S"))
    with pytest.raises(StartError) as caught:
        wires(manifest("http://127.0.0.1:9").model_copy(update={"models": models}))

    assert "chat-small/one: expected a provider of bedrock, vertex," in str(caught.value)
    assert "chat-small/two: expected a url" in str(caught.value)
