"""What `loomstead up` asks of a stack and of this machine before the engine is started."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from components.naming import REPOSITORY
from components.spec import CONFIG_KEY
from scripts.cli import fabric
from scripts.cli.failure import CommandError
from scripts.cli.place import Place

BEDROCK = {"provider": "bedrock", "model": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "region": "eu-central-1"}


@pytest.fixture
def without_litellm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fabric, "find_spec", lambda name: None if name == "litellm" else find_spec(name))


@pytest.mark.usefixtures("without_litellm")
def test_a_cloud_s_gateway_has_its_translator_in_its_image() -> None:
    assert fabric._reviewed(Place.of("aws-eu-central-1")).platform == "aws"


@pytest.mark.usefixtures("without_litellm")
def test_a_gateway_on_this_machine_needs_it_here(tmp_path: Path) -> None:
    document = yaml.safe_load((REPOSITORY / "stacks" / "Pulumi.local.yaml").read_text())
    models = document["config"][CONFIG_KEY]["models"]
    models["chat-public"] = {"candidates": {"claude": {"managed": BEDROCK, "data_classes": ["public"]}}}
    file = tmp_path / "Pulumi.local.yaml"
    file.write_text(yaml.safe_dump(document))

    with pytest.raises(CommandError, match="LiteLLM"):
        fabric._reviewed(Place.of("local", file))
