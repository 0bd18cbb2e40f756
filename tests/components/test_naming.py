"""Where things lie follows the environment, and never the working folder."""

from pathlib import Path

import pytest

from components.naming import REPOSITORY, cache_folder, stack_file, stack_home


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("LOOMSTEAD_HOME", "LOOMSTEAD_CACHE", "LOOMSTEAD_STACK_FILE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_word_state_lies_in_the_repository() -> None:
    assert stack_home("local") == REPOSITORY / ".loomstead" / "local"
    assert stack_file("local") == REPOSITORY / "stacks" / "Pulumi.local.yaml"
    assert (REPOSITORY / "Pulumi.yaml").exists()


def test_the_environment_moves_home_file_and_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOOMSTEAD_HOME", "a home")
    monkeypatch.setenv("LOOMSTEAD_STACK_FILE", "/other/Pulumi.local.yaml")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")

    assert stack_home("local") == tmp_path / "a home" / "local"
    assert stack_file("local") == Path("/other/Pulumi.local.yaml")
    assert cache_folder() == Path("/caches/loomstead")
    monkeypatch.setenv("LOOMSTEAD_CACHE", "/mine")
    assert cache_folder() == Path("/mine")
