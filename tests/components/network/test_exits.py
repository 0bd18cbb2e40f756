"""The ways out of a fabric are the hosts of its stack file."""

from pathlib import Path

import pytest
import yaml

from components.network.exits import Exit, UnknownExit, exits
from components.spec import FabricSpec
from regions.catalogue import load_catalogue

STACK = """
platform: kubernetes
region: onprem
country: DE
residency: {regimes: [eu-gdpr], data_classes: {personal: {}}}
models:
  chat:
    candidates:
      own: {hosted: {weights: a}}
      server: {endpoint: {url: "https://vllm.internal/v1", model: qwen, countries: [DE]}}
      again: {endpoint: {url: "https://vllm.internal/v2", model: qwen, countries: [DE]}}
      direct: {managed: {provider: mistral, model: MODEL, region: api.mistral.ai}}
core_systems:
  orders: {url: "http://orders.internal", openapi: "https://docs.internal:8443/openapi.json", country: DE}
  files: {url: "https://files.internal", openapi: "openapi/files.json", country: DE}
  shown: {demo: true}
logs: {sinks: {siem: {url: "https://siem.internal:6514", countries: [DE]}}}
telemetry: {traces: {url: "https://10.1.2.3:4318", countries: [DE]}}
"""


def spec(text: str) -> FabricSpec:
    mistral = next(iter(load_catalogue().models["mistral"]))
    return FabricSpec.model_validate(yaml.safe_load(text.replace("MODEL", mistral)), strict=False)


def test_every_host_that_is_called_is_there_once() -> None:
    assert exits(spec(STACK), load_catalogue()) == (
        Exit("10.1.2.3", 4318),
        Exit("api.mistral.ai", 443),
        Exit("docs.internal", 8443),
        Exit("files.internal", 443),
        Exit("orders.internal", 80),
        Exit("siem.internal", 6514),
        Exit("vllm.internal", 443),
    )


RIGHT = sorted(Path("tests/stacks/right").glob("*.kubernetes.yaml"))


@pytest.mark.parametrize("stack", RIGHT, ids=lambda path: path.stem)
def test_a_stack_of_the_platform_has_its_ways_out(stack: Path) -> None:
    fabric = yaml.safe_load(stack.read_text())["config"]["loomstead:fabric"]
    assert exits(FabricSpec.model_validate(fabric, strict=False), load_catalogue())


def test_a_clouds_model_whose_host_nobody_said_is_refused() -> None:
    models = load_catalogue().models["bedrock"].items()
    model, ways = next((name, found.ways) for name, found in models if "in-region" in found.ways)
    region = next(iter(ways["in-region"].calls))
    direct = "provider: mistral, model: MODEL, region: api.mistral.ai"
    text = STACK.replace(direct, f"provider: bedrock, model: {model}, region: {region}")
    expected = rf"^models\.chat\.candidates\.direct\.managed\.url: expected where bedrock is called in {region}$"
    with pytest.raises(UnknownExit, match=expected):
        exits(spec(text), load_catalogue())
