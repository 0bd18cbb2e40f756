"""What the shell part does on a machine that lacks something; uv and Python are stand-ins that say what they are asked.

That the real ones make the real environment is shown by every run of ``scripts/test``.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from components.naming import REPOSITORY

TOOLS = ("bash", "cat", "chmod", "cut", "dirname", "mkdir", "mktemp", "mv", "rm", "sed", "sort")
PINNED = "9.9.9"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone in a folder with spaces, as far as the bootstrap looks at it."""
    scripts = tmp_path / "a clone" / "scripts"
    scripts.mkdir(parents=True)
    shutil.copy(REPOSITORY / "scripts" / "bootstrap.sh", scripts)
    (scripts / "uv.txt").write_text(f"# a comment\nuv=={PINNED} \\\n    --hash=sha256:00\n")
    return scripts.parent


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A PATH that has the shell's tools and no more."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool) or pytest.fail(f"this machine has no {tool}"))
    return folder


def put(machine: Path, name: str, body: str) -> None:
    (machine / name).write_text(f"#!/bin/sh\n{body}\n")
    (machine / name).chmod(0o755)


def put_python(machine: Path, body: str) -> None:
    """A ``python3`` that is new enough and does ``body`` when it is asked for more."""
    put(machine, "python3", f'[ "$1" = -c ] && echo "$0" && exit\n{body}')


def put_uv(machine: Path, version: str) -> None:
    put(machine, "uv", f'[ "$1" = --version ] && echo "uv {version}" || printf "<%s>" "$@"')


def bootstrap(clone: Path, machine: Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", 'set -euo pipefail; . "$1/scripts/bootstrap.sh"; echo "root=$root"', "bash", str(clone)]
    variables = {"PATH": str(machine), "HOME": str(clone.parent), "PIP_NO_INDEX": "1", **more}
    return subprocess.run(command, env=variables, capture_output=True, text=True)


def test_without_a_python_that_is_new_enough_it_says_so(clone: Path, machine: Path) -> None:
    put(machine, "python3", "exit 1")
    done = bootstrap(clone, machine)
    assert done.returncode == 1
    assert "No Python ≥ 3.11 on PATH" in done.stderr


@pytest.mark.parametrize("version", [PINNED, "9.10.0", "10.0.0"])
def test_a_uv_on_path_that_is_new_enough_makes_the_environment(clone: Path, machine: Path, version: str) -> None:
    put_python(machine, "exit 1")
    put_uv(machine, version)
    done = bootstrap(clone, machine)
    options = "<--frozen><--inexact><--extra><local>"
    wanted = f"<sync><--project><{clone}>{options}<--python><{machine / 'python3'}>root={clone}\n"
    assert done.stdout == wanted


def test_an_environment_that_is_there_keeps_its_python(clone: Path, machine: Path) -> None:
    put_python(machine, "exit 1")
    put_uv(machine, PINNED)
    (clone / ".venv" / "bin").mkdir(parents=True)
    put(clone / ".venv" / "bin", "python", "")
    done = bootstrap(clone, machine)
    assert done.stdout == f"<sync><--project><{clone}><--frozen><--inexact><--extra><local><--quiet>root={clone}\n"


def test_more_is_installed_where_it_is_asked_for(clone: Path, machine: Path) -> None:
    put_python(machine, "exit 1")
    put_uv(machine, PINNED)
    done = bootstrap(clone, machine, LOOMSTEAD_SYNC="--extra translator")
    assert "<--extra><local><--extra><translator>" in done.stdout


def test_run_by_itself_its_options_are_what_more_is_installed(clone: Path, machine: Path) -> None:
    put_python(machine, "exit 1")
    put_uv(machine, PINNED)
    command = [str(clone / "scripts" / "bootstrap.sh"), "--extra", "aws"]
    variables = {"PATH": f"{machine}:/usr/bin:/bin", "HOME": str(clone.parent)}
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert done.returncode == 0
    assert "<--frozen><--inexact><--extra><local><--extra><aws>" in done.stdout


def test_options_of_who_sources_it_are_none_of_its_own(clone: Path, machine: Path) -> None:
    put_python(machine, "exit 1")
    put_uv(machine, PINNED)
    command = ["bash", "-c", '. "$0/scripts/bootstrap.sh"; echo "$@"', str(clone), "--no-demo"]
    variables = {"PATH": str(machine), "HOME": str(clone.parent)}
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert done.stdout.count("--no-demo") == 1


def test_without_the_venv_module_it_names_the_ways_out(clone: Path, machine: Path) -> None:
    put_python(machine, "echo ensurepip is not available >&2; exit 1")
    put_uv(machine, "9.9.8")
    done = bootstrap(clone, machine)
    assert done.returncode == 1
    for words in ("ensurepip is not available", "apt-get install python3-venv", f"put uv ≥ {PINNED} on PATH"):
        assert words in done.stderr
    assert not list(clone.parent.glob(".cache/loomstead/uv/*"))


PYTHON_WITH_PIP = """
mkdir -p "$3/bin"
cat > "$3/bin/pip" <<'PIP'
#!/bin/sh
{pip}
PIP
chmod +x "$3/bin/pip"
"""


def test_without_an_index_for_uv_it_says_what_pip_needs(clone: Path, machine: Path) -> None:
    put_python(machine, PYTHON_WITH_PIP.format(pip="echo no index >&2; exit 1"))
    done = bootstrap(clone, machine)
    assert done.returncode == 1
    assert "no index" in done.stderr
    assert f"uv {PINNED} cannot be had" in done.stderr


def test_the_pinned_uv_is_put_into_the_cache_once_and_used_from_there(clone: Path, machine: Path) -> None:
    pip = (
        'while [ "$1" != --target ]; do shift; done; mkdir -p "$2/bin"\n'
        'echo "#!/bin/sh" > "$2/bin/uv"; echo "echo pinned" >> "$2/bin/uv"; chmod +x "$2/bin/uv"'
    )
    put_python(machine, PYTHON_WITH_PIP.format(pip=pip))
    first = bootstrap(clone, machine)
    put_python(machine, "exit 1")
    second = bootstrap(clone, machine)
    assert first.stdout == second.stdout == f"pinned\nroot={clone}\n"
    assert [place.name for place in (clone.parent / ".cache" / "loomstead" / "uv").iterdir()] == [PINNED]


def test_sourcing_env_without_an_environment_says_what_to_run(clone: Path) -> None:
    shutil.copy(REPOSITORY / "scripts" / "env", clone / "scripts")
    command = ["bash", "-c", '. "$1/scripts/env"; echo "still here"', "bash", str(clone)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "still here\n"
    assert "run scripts/up first" in done.stderr


def test_sourcing_env_puts_the_engine_on_path(tmp_path: Path) -> None:
    line = f'. "{REPOSITORY}/scripts/env" && pulumi version && command -v loomstead && echo "$PULUMI_BACKEND_URL"'
    variables = {**os.environ, "LOOMSTEAD_HOME": str(tmp_path / "a home")}
    done = subprocess.run(["bash", "-c", line], env=variables, capture_output=True, text=True, check=True)
    version, command, backend = done.stdout.splitlines()
    assert version.startswith("v3.")
    assert command == str(REPOSITORY / ".venv" / "bin" / "loomstead")
    assert backend == f"file://{tmp_path}/a%20home/pulumi?create_dir=true"
