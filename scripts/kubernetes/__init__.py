"""A real Kubernetes API server and its etcd, from Go modules pinned by ``go/go.sum``: no nodes, nothing runs on them.

What they take of an object, and refuse, is what any cluster of this version would.
"""

import re
from functools import partial
from pathlib import Path

from components.naming import cache_folder
from scripts import go_modules
from scripts.cache import cached
from scripts.command import StepFailed, run
from scripts.progress import Report

MODULE = Path(__file__).parent / "go"
VERSION = re.findall(r"^\tk8s\.io/kubernetes v(\S+)", (MODULE / "go.mod").read_text(), re.MULTILINE)[0]
API_SERVER, ETCD = "kube-apiserver", "etcd"

_STEP = f"Kubernetes API server {VERSION}"
_PACKAGES = {API_SERVER: "k8s.io/kubernetes/cmd/kube-apiserver", ETCD: "go.etcd.io/etcd/server/v3"}
_VERSION_PACKAGE = "k8s.io/component-base/version"


def ensure_kubernetes(report: Report) -> Path:
    """The folder with ``kube-apiserver`` and ``etcd``, made where it is missing; raises ``StepFailed``."""
    return cached(cache_folder() / "kubernetes" / VERSION, _STEP, report, _running, partial(_build, report=report))


def _running(folder: Path) -> Path:
    said = run([str(folder / API_SERVER), "--version"], timeout=30)
    if said != f"Kubernetes v{VERSION}":
        raise StepFailed(f"`{folder / API_SERVER} --version` said {said[:80]!r}, not v{VERSION}")
    run([str(folder / ETCD), "--version"], timeout=30)
    return folder


def _build(making: Path, report: Report) -> Path:
    major, minor, _ = VERSION.split(".")
    said = {"gitVersion": f"v{VERSION}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    variables = {f"{_VERSION_PACKAGE}.{name}": value for name, value in said.items()}
    programs = {making / name: package for name, package in _PACKAGES.items()}
    go_modules.build(MODULE, programs, variables, "kubernetes", _STEP, report)
    return making
