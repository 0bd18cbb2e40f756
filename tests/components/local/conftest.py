"""A supervisord of its own for each test, in a home whose path is as awkward as a path may be."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.local.orphans import marked
from components.local.supervisor import Supervisor


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "100 % of it #1 ;[a] 'b'" / "local"


@pytest.fixture
def supervisor(home: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(home)
    supervisor.start()
    yield supervisor
    supervisor.stop()
    assert marked(home) == []
