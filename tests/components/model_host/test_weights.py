"""Which model file is served, and what is said when it is not there."""

import hashlib
from pathlib import Path

import pytest

from components.loading import load_spec
from components.model_host.weights import WeightsMissing, weights_of
from components.naming import REPOSITORY
from components.spec import FabricSpec
from regions.catalogue import load_catalogue

NAME = "qwen2.5-coder-1.5b-instruct-q4_k_m"


def spec(**candidate: object) -> FabricSpec:
    shipped = load_spec(REPOSITORY / "stacks" / "Pulumi.local.yaml")
    models = {"chat-small": {"candidates": {"here": candidate}}}
    return FabricSpec.model_validate({**shipped.model_dump(), "models": models})


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOOMSTEAD_CACHE", str(tmp_path / "cache of models"))


def test_a_name_is_found_by_its_hash_in_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "cache of models" / "models" / f"{load_catalogue().weights[NAME].sha256}.gguf"
    path.parent.mkdir(parents=True)
    path.touch()

    assert weights_of(spec(hosted={"weights": NAME}), load_catalogue()) == path
    assert len(path.stem) == hashlib.sha256().digest_size * 2


def test_a_file_of_ones_own_is_served_from_where_it_lies(tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.touch()

    assert weights_of(spec(hosted={"gguf": own}), load_catalogue()) == own


def test_an_endpoint_needs_no_file() -> None:
    given = {"url": "http://127.0.0.1:1/v1", "model": "theirs", "countries": ("DE",)}

    assert weights_of(spec(endpoint=given), load_catalogue()) is None


def test_a_missing_file_is_refused_with_the_ways_to_one() -> None:
    with pytest.raises(WeightsMissing, match=r"`loomstead up` fetches it.*gguf.*endpoint"):
        weights_of(spec(hosted={"weights": NAME}), load_catalogue())
    with pytest.raises(WeightsMissing, match=r"/nowhere/own\.gguf is not there"):
        weights_of(spec(hosted={"gguf": Path("/nowhere/own.gguf")}), load_catalogue())
