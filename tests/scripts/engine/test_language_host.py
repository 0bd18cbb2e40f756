"""The real engine with the language host: small programs go through it as the fabric does."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import grpc
import pytest
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from components.naming import REPOSITORY
from scripts.engine import ensure_engine, environment
from scripts.progress import progress
from tests.fixtures.processes import ended

PROJECT = """
name: small
main: a program
stackConfigDir: a program
runtime: python
"""

STACK_FILE = """\
# a comment that must stay
config:
  small:greeting: hello # here too
  small:list: [1, 2]
"""

PROGRAM = """
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Provider(ResourceProvider):
    def create(self, props):
        return CreateResult("id", {**props, "made": props["wish"].upper()})

class Wish(Resource):
    made: pulumi.Output[str]
    def __init__(self, wish):
        super().__init__(Provider(), "wish", {"wish": wish, "made": None})

config = pulumi.Config()
if config.get("broken"):
    raise ValueError("on purpose")
if config.get("refused"):
    raise pulumi.RunError("refused, and this is why")
print("the program says something")
pulumi.export("made", Wish(config.require("greeting")).made)
"""

PACK = """
import sys
print("engine", sys.argv[1], flush=True)
print("trouble", file=sys.stderr, flush=True)
sys.exit(4)
"""


ENGINE = """
import subprocess, sys, time
command = [sys.executable, "-m", "scripts.engine.language_host", "engine:1"]
host = subprocess.Popen(command, stdout=subprocess.PIPE)
host.stdout.readline()
print(host.pid, flush=True)
time.sleep(60)
"""


class Project:
    """A project and its home, both in folders with spaces; ``pulumi`` runs the real engine in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack_file = folder / "a program" / "Pulumi.local.yaml"
        self.stack_file.parent.mkdir(parents=True)
        self.stack_file.with_name("__main__.py").write_text(PROGRAM)
        self.stack_file.write_text(STACK_FILE + _salt())
        (folder / "Pulumi.yaml").write_text(PROJECT)
        with progress() as report:
            engine = ensure_engine(report)
        self.environment = {**os.environ, **environment(engine, folder / "a home")}

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["pulumi", *arguments, "--non-interactive", "--color", "never"]
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)


def _salt() -> str:
    """The line of the real stack file."""
    text = (REPOSITORY / "stacks" / "Pulumi.local.yaml").read_text()
    return next(line for line in text.splitlines(keepends=True) if line.startswith("encryptionsalt:"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a stack that is not up."""
    project = Project(tmp_path / "a project")
    project.pulumi("stack", "init", "local")
    return project


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Generator[Project]:
    """A project whose stack is up; for tests that leave its files as they are."""
    project = Project(tmp_path_factory.mktemp("up") / "a project 100%")
    project.pulumi("stack", "init", "local")
    done = project.pulumi("up", "--yes", "--skip-preview")
    assert done.returncode == 0, done.stdout + done.stderr
    yield project
    destroyed = project.pulumi("destroy", "--yes", "--skip-preview")
    assert "2 deleted" in destroyed.stdout, destroyed.stdout


def test_a_program_with_a_dynamic_resource_goes_up_and_stays(up: Project) -> None:
    assert json.loads(up.pulumi("stack", "output", "--json").stdout) == {"made": "HELLO"}
    again = up.pulumi("up", "--yes", "--skip-preview")
    assert "2 unchanged" in again.stdout
    assert "the program says something" in again.stdout


def test_the_committed_stack_file_stays_as_it_is(up: Project) -> None:
    assert up.stack_file.read_text() == STACK_FILE + _salt()


def test_an_exception_of_the_program_is_told_once_with_its_own_traceback(project: Project) -> None:
    project.pulumi("config", "set", "broken", "yes")
    failed = project.pulumi("preview")
    assert failed.returncode != 0
    assert failed.stdout.count("ValueError: on purpose") == 1
    assert "__main__.py" in failed.stdout
    assert "site-packages/pulumi" not in failed.stdout


def test_a_refusal_of_the_program_is_told_without_a_traceback(project: Project) -> None:
    project.pulumi("config", "set", "refused", "yes")
    refused = project.pulumi("preview")
    assert refused.returncode != 0
    assert "error: refused, and this is why" in refused.stdout
    assert "Traceback" not in refused.stdout


def test_about_and_install_find_nothing_to_complain_about(project: Project) -> None:
    about = json.loads(project.pulumi("about", "--json").stdout)
    assert {"name": "pulumi", "version": "3.255.0"} in about["dependencies"]
    installed = project.pulumi("install")
    assert installed.returncode == 0
    assert "nothing to install" in installed.stdout + installed.stderr


@pytest.fixture
def host() -> Generator[tuple[subprocess.Popen[str], language_pb2_grpc.LanguageRuntimeStub]]:
    """A language host, and how the engine would talk to it."""
    command = [sys.executable, "-m", "scripts.engine.language_host", "engine:1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        port = (process.stdout or pytest.fail("no output")).readline().strip()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield process, language_pb2_grpc.LanguageRuntimeStub(channel)
        process.terminate()


def test_a_policy_pack_is_run_and_what_it_says_is_passed_on(host, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(PACK)
    request = language_pb2.RunPluginRequest(
        pwd=str(tmp_path),
        kind="analyzer",
        args=["engine:1"],
        env=[f"{name}={value}" for name, value in os.environ.items()],
        info=language_pb2.ProgramInfo(program_directory=str(tmp_path)),
    )
    said = list(host[1].RunPlugin(request))
    assert b"".join(answer.stdout for answer in said) == b"engine engine:1\n"
    assert b"".join(answer.stderr for answer in said) == b"trouble\n"
    assert said[-1].exitcode == 4


def test_the_host_ends_at_once_when_the_engine_says_so(host) -> None:
    host[0].terminate()
    assert host[0].wait(10) == 0


def test_the_host_ends_with_an_engine_that_was_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", ENGINE], stdout=subprocess.PIPE, text=True) as engine:
        pid = int((engine.stdout or pytest.fail("no output")).readline())
        engine.kill()
    assert ended(pid)
