"""The architecture holds: who may import whom, what starts without Pulumi, and that no test file is lost."""

import subprocess
import sys
from pathlib import Path

import grimp
import pytest

REPOSITORY = Path(__file__).parents[2]


def test_the_import_contracts_hold() -> None:
    # A process of its own: import-linter silences every logger of the one it runs in.
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-cache", "--no-logo"], capture_output=True, text=True, cwd=REPOSITORY)
    assert run.returncode == 0, run.stdout + run.stderr


def test_regions_need_the_standard_library_and_four_packages() -> None:
    graph = grimp.build_graph("regions", include_external_packages=True, cache_dir=None)
    outside = {name for name in graph.modules if graph.is_module_squashed(name)} - set(sys.stdlib_module_names)
    assert outside <= {"pydantic", "pydantic_core", "yaml", "rfc8785", "joserfc"}


@pytest.mark.parametrize(
    "module", ["components.spec", "regions.boundary", "regions.signature", "runtime.agents.definition"]
)
def test_what_judges_files_starts_without_pulumi_and_servers(module: str) -> None:
    heavy = {"pulumi", "grpc", "fastapi", "temporalio", "sqlalchemy", "httpx"}
    program = f"import sys, {module}; print(*{heavy} & {{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert run.stdout.split() == []


def test_every_file_with_tests_is_collected() -> None:
    lost = [
        str(file.relative_to(REPOSITORY))
        for file in (REPOSITORY / "tests").rglob("*.py")
        if not file.name.startswith("test_") and "\ndef test_" in file.read_text().replace("async def", "def")
    ]
    assert lost == [], "rename to test_*.py, or pytest never runs them"
