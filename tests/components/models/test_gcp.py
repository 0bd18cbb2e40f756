"""Managed models on Google Cloud: who may call them, what is kept of a call, and which can be had at all."""

import json
from typing import Any

import pytest

from components.models.gcp import GcpModels, GcpModelsArgs
from components.models.gcp_plan import PUBLISHERS, GcpModelsError, Hosting, hosting, invocable
from components.spec import FabricSpec
from regions.catalogue import load_catalogue
from tests.fixtures.gcp import PROJECT, built, reviewed_alone
from tests.fixtures.recording import Graph, conforms
from tests.fixtures.workloads import unmet

ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"
MEMBER = "gcp:projects/iAMMember:IAMMember"
CACHE = "gcp:vertex/aiCacheConfig:AiCacheConfig"
REGION = "europe-west3"
FLASH = "publishers/google/models/gemini-2.5-flash:predict"
CELL_MODELS: list[tuple[str, str, dict[str, Any]]] = [
    (ROLE, "-caller", {"permissions": ["aiplatform.endpoints.predict"], "roleId": ...}),
    (MEMBER, "-caller-member", {"member": ..., "role": ..., "project": ...}),
    (CACHE, "-no-cache", {"disableCache": True}),
]


def spec(region: str = REGION, **managed: Any) -> FabricSpec:
    found = {"provider": "vertex", "model": "gemini-2.5-flash", "region": region, **managed}
    return FabricSpec.model_validate_json(
        json.dumps(
            {
                "platform": "gcp",
                "region": region if "-" in region else REGION,
                "residency": {"regimes": ["eu-strict"], "data_classes": {"personal": {}}},
                "models": {"chat": {"candidates": {"flash": {"managed": found}}}},
            }
        )
    )


def models(*, preview: bool = False) -> Graph:
    asked = hosting(spec(), load_catalogue())
    assert asked
    args: GcpModelsArgs = {"stack": "gcp-a", "project": PROJECT, "hosting": asked, "caller": "runtime@example"}
    return built(lambda opts: GcpModels("models", args, opts), REGION, preview=preview)


@pytest.mark.parametrize("preview", [False, True])
def test_it_keeps_what_every_component_keeps(preview: bool) -> None:
    conforms(models(preview=preview), "loomstead:models:Models")


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(models(), CELL_MODELS) == []


def test_the_runtimes_account_may_predict_and_nothing_else() -> None:
    graph = models()
    (role,) = graph.of(ROLE)
    (member,) = graph.of(MEMBER)

    assert role.properties["permissions"] == ["aiplatform.endpoints.predict"]
    assert role.properties["roleId"] == "loomstead_gcp_a_models"
    assert member.properties["role"] == "models-caller-name"
    assert member.properties["member"] == "serviceAccount:runtime@example"


def test_it_tells_where_each_is_called_and_what_may_be() -> None:
    graph = models()

    assert graph.outputs[graph.component("loomstead:models:Models").urn] == {
        "endpoints": {"chat/flash": "https://europe-west3-aiplatform.googleapis.com"},
        "invocable": [FLASH],
    }


def test_another_region_inside_the_universe_may_answer() -> None:
    asked = spec().model_copy(update={"region": "europe-west9"})

    assert hosting(asked, load_catalogue()) == Hosting(
        {"chat/flash": "https://europe-west3-aiplatform.googleapis.com"}, (FLASH,)
    )


def test_a_stack_without_vertex_has_none() -> None:
    assert hosting(spec(provider="azure", model="gpt-4.1"), load_catalogue()) is None


def test_a_models_versions_are_one_and_every_vendor_of_the_catalogue_has_its_publisher() -> None:
    catalogue = load_catalogue()

    assert invocable(catalogue, ["claude-opus-4-5@20251101"]) == (
        "publishers/anthropic/models/claude-opus-4-5:predict",
    )
    assert {each.vendor for each in catalogue.models["vertex"].values()} == set(PUBLISHERS)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (spec("eu"), r"models\.chat\.candidates\.flash\.managed\.region: eu is no region of googleapis\.com"),
        (spec("global"), "global is no region"),
        (spec(credential="key"), "the runtime's own account calls Vertex AI"),
        (spec().model_copy(update={"region": "u-france-east1"}), r"europe-west3 is no region of s3nsapis\.fr"),
    ],
)
def test_what_the_network_does_not_reach_is_refused(asked: FabricSpec, reason: str) -> None:
    with pytest.raises(GcpModelsError, match=reason):
        hosting(asked, load_catalogue())


def test_the_rules_have_nothing_against_it() -> None:
    assert reviewed_alone(models(), "eu-strict", REGION) == []
