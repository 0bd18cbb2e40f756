"""The catalogue whose facts are checked, and a copy of its files that may be spoilt.

Every ``check_…`` of the modules beside this takes the catalogue, so that a mutated one can be handed in.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from regions import catalogue as package
from regions.catalogue import Catalogue, load_catalogue

Change = Callable[[str, str, str], int]
"""Replaces the first occurrence in a file of the copy; gives the line where it stood."""


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    folder = Path(package.__file__).parent
    return shutil.copytree(folder, tmp_path / "catalogue", ignore=shutil.ignore_patterns("*.py", "*.json", "__*"))


@pytest.fixture
def change(copied: Path) -> Change:
    def replace(name: str, old: str, new: str) -> int:
        before, found, after = (copied / name).read_text().partition(old)
        assert found, f"{name} has no {old!r}"
        (copied / name).write_text(before + new + after)
        return before.count("\n") + 1

    return replace
