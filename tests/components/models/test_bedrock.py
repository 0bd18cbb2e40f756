"""What may be called of Bedrock is what the catalogue says of the stack's candidates, and inside its Boundary."""

from datetime import date
from typing import Any

import pytest

from components.infrastructure import Refused
from components.models.bedrock import Invocable, invocable
from components.spec import FabricSpec
from regions.boundary import compile_boundary
from regions.catalogue import load_catalogue

ON = date(2026, 11, 23)
CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"


def asked(region: str, regime: str, **models: dict[str, Any]) -> tuple[Invocable, ...]:
    catalogue = load_catalogue()
    spec = FabricSpec.model_validate(
        {
            "platform": "aws",
            "region": region,
            "residency": {"regimes": [regime], "data_classes": {"personal": {}}},
            "models": {"chat": {"candidates": models}},
        },
        strict=False,
    )
    boundary = compile_boundary(spec.residency, catalogue, host=catalogue.regions[region].country)
    return invocable(spec, catalogue, boundary, ON)


def bedrock(model: str, region: str, **more: str) -> dict[str, Any]:
    return {"managed": {"provider": "bedrock", "model": model, "region": region, **more}}


def test_a_profile_brings_its_model_in_every_region_that_may_answer() -> None:
    (found,) = asked("eu-central-1", "eu-gdpr", claude=bedrock(f"eu.{CLAUDE}", "eu-central-1"))

    assert (found.candidate, found.model, found.profile) == ("chat/claude", CLAUDE, f"eu.{CLAUDE}")
    assert {"eu-central-1", "eu-west-1", "eu-north-1"} <= set(found.regions)
    assert {load_catalogue().regions[region].partition for region in found.regions} == {"aws"}
    assert all(region.startswith("eu-") for region in found.regions)


def test_a_model_of_the_region_is_called_itself_and_answers_there() -> None:
    (found,) = asked("us-east-1", "us-hipaa", nova=bedrock("amazon.nova-pro-v1:0", "us-east-1"))

    assert found == Invocable("chat/nova", "amazon.nova-pro-v1:0", None, ("us-east-1",))


def test_what_is_no_model_of_bedrock_is_nobodys_here() -> None:
    own = {"endpoint": {"url": "https://vllm.internal/v1", "model": "q", "countries": ["DE"]}}

    assert asked("eu-central-1", "eu-gdpr", own=own) == ()


@pytest.mark.parametrize(
    ("region", "candidate", "told"),
    [
        ("eu-central-1", bedrock(f"global.{CLAUDE}", "eu-central-1"), "chat.candidates.wrong: global answers in any"),
        ("eu-central-1", bedrock(f"eu.{CLAUDE}", "eu-west-1"), "no private endpoint in eu-central-1 leads to"),
        (
            "eu-west-1",
            bedrock("anthropic.claude-opus-4-8", "eu-west-1", sku="mantle"),
            "mantle endpoint is not private",
        ),
        ("eu-west-2", bedrock(f"eu.{CLAUDE}", "eu-west-2"), "take a model that answers inside the Boundary alone"),
    ],
)
def test_what_may_not_be_called_is_refused_with_a_way_out(region: str, candidate: dict[str, Any], told: str) -> None:
    regime = "uk-gdpr" if region == "eu-west-2" else "eu-gdpr"

    with pytest.raises(Refused, match=told):
        asked(region, regime, wrong=candidate)
