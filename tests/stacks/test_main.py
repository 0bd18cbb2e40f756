"""Plain `pulumi up --skip-preview` of every wrong stack file, on the real engine: refused, and nothing is created."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import pytest

from components.checks import SAYS_ITS_REMEDY
from components.naming import REPOSITORY
from scripts.engine import ensure_engine, environment
from tests.fixtures.fabric import silent
from tests.fixtures.stacks import WRONG, rule_of

WORKERS = 2
NOT_OURS_TO_SEE = {"spec/yaml"}
"""The engine reads the YAML, and gives the program values."""
BY_DAY = {"catalogue/stale"}
"""Found as of a later day only."""

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Ended:
    """``resources``: the types that the state holds afterwards."""

    code: int
    said: str
    resources: list[str]


class Project:
    """This repository's program on a backend of its own. A stack's configuration is what ``--config-file`` names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        own = environment(ensure_engine(silent), folder)
        self._variables = {name: text for name, text in os.environ.items() if name != "LOOMSTEAD_STACK_FILE"} | own
        text = (REPOSITORY / "Pulumi.yaml").read_text()
        text = text.replace("main: stacks", f"main: {json.dumps(str(REPOSITORY / 'stacks'))}")
        text = text.replace("stackConfigDir: stacks\n", "").replace(".venv", json.dumps(str(REPOSITORY / ".venv")))
        (folder / "Pulumi.yaml").write_text(text)
        self._stacks: SimpleQueue[str] = SimpleQueue()
        for number in range(WORKERS):
            self._pulumi("stack", "select", "--create", f"wrong-{number}")
            self._stacks.put(f"wrong-{number}")

    def up(self, file: Path) -> Ended:
        """`pulumi up` of a copy of the file, in which the engine may write its salt."""
        config = shutil.copy(file, self._folder / file.name)
        stack = self._stacks.get()
        try:
            up = self._pulumi("up", "--stack", stack, "--config-file", str(config), "--yes", "--skip-preview")
            resources = self._resources(stack)
        finally:
            self._stacks.put(stack)
        return Ended(up.returncode, up.stdout + up.stderr, resources)

    def _resources(self, stack: str) -> list[str]:
        """Read where the engine keeps it: `pulumi stack export` is another engine's start for each file."""
        (state,) = self._folder.glob(f"pulumi/.pulumi/stacks/*/{stack}.json")
        held = json.loads(state.read_text())["checkpoint"]["latest"] or {}
        return [found["type"] for found in held.get("resources") or []]

    def _pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["pulumi", *arguments, "--non-interactive", "--color=never", "--cwd", str(self._folder)]
        return subprocess.run(command, env=self._variables, capture_output=True, text=True, timeout=200)


@pytest.fixture(scope="module")
def ups(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Path, Future[Ended]]]:
    """Every wrong file on its way through the engine."""
    project = Project(tmp_path_factory.mktemp("a project with spaces"))
    with ThreadPoolExecutor(WORKERS) as pool:
        yield {file: pool.submit(project.up, file) for file in WRONG}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("file", WRONG, ids=lambda file: file.stem)
def test_pulumi_up_of_a_wrong_stack_file_creates_nothing(file: Path, ups: dict[Path, Future[Ended]]) -> None:
    ended = ups[file].result()
    assert ended.code != 0
    assert set(ended.resources) <= {"pulumi:pulumi:Stack"}, "only the engine's own root"
    if rule_of(file) not in NOT_OURS_TO_SEE | BY_DAY:
        assert f": {rule_of(file)}: " in ended.said
        assert ("Remedy: " in ended.said) is (rule_of(file) != SAYS_ITS_REMEDY)
        assert "Traceback" not in ended.said
