"""PostgreSQL as the real engine raises it, in a home whose path is as awkward as a path may be."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from components.local.orphans import marked
from components.local.supervisor import Supervisor
from components.postgres import access
from scripts.engine import ensure_engine, environment
from scripts.progress import progress
from tests.fixtures.postgres import Database

STACK = Path(__file__).with_name("stack")


@dataclass
class Raised:
    """A stack of PostgreSQL alone. ``limits`` are what the next ``up`` asks for."""

    home: Path
    engine: dict[str, str]
    program: Path
    limits: access.Limits

    def pulumi(self, *arguments: str) -> str:
        """What the engine says; fails with all of it where it fails."""
        asked = {
            "TEST_HOME": str(self.home),
            "TEST_CONNECTIONS": str(self.limits.connection_limit),
            "TEST_TIMEOUT_MS": str(self.limits.statement_timeout_ms),
        }
        argv = ["pulumi", *arguments, "--non-interactive", "--cwd", str(self.program)]
        done = subprocess.run(argv, env={**os.environ, **self.engine, **asked}, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self, *arguments: str) -> int:
        """Raise it; how many resources were updated."""
        said = self.pulumi("up", "--yes", "--skip-preview", "--stack", "test", *arguments)
        updated = re.search(r"~ (\d+) updated", said)
        return int(updated[1]) if updated else 0

    def state(self) -> list[dict[str, Any]]:
        """The resources as Pulumi remembers them."""
        return json.loads(self.pulumi("stack", "export", "--stack", "test"))["deployment"]["resources"]

    def at(self, server: str, database: str = "orders") -> Database:
        """A database of ``server``: primary or replica."""
        return Database("127.0.0.1", self.ports[server], database, self.home / "secrets")

    @cached_property
    def ports(self) -> dict[str, int]:
        return json.loads(self.pulumi("stack", "output", "--json", "--stack", "test"))

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.home)


@pytest.fixture(scope="module")
def raised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raised]:
    """One stack for all tests of a module; it begins with what interrupted runs left, and ends with nothing left."""
    home = tmp_path_factory.mktemp("home") / "100 % of it #1 ;[a] 'b'" / "local"
    for half_made in ("primary.part", "replica.part"):
        (home / "postgres" / half_made / "base").mkdir(parents=True)
    with progress() as report:
        engine = environment(ensure_engine(report), home.parent)
    # `stack init` writes a file beside the program.
    program = shutil.copytree(STACK, home.parent / "program")
    raised = Raised(home, engine, program, access.Limits(connection_limit=3, statement_timeout_ms=500))
    try:
        raised.pulumi("stack", "init", "test")
        raised.up()
        yield raised
    finally:
        raised.pulumi("destroy", "--yes", "--skip-preview", "--stack", "test", "--remove")
    assert marked(home) == []
    assert not home.exists()
