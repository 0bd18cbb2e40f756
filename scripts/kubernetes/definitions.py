"""CustomResourceDefinitions of the operators that a fabric relies on, from their Go modules, each pinned by its hash.

An API server that has them says of a custom resource what it would in a cluster where the operator runs.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from components.naming import cache_folder
from regions.canonical import digest
from scripts import go_modules
from scripts.cache import cached
from scripts.command import StepFailed, run
from scripts.kubernetes import MODULE
from scripts.progress import Report

_STEP = "Definitions of custom resources"
_FETCH_SECONDS = 300


class Source(NamedTuple):
    """``hash``: of the module, as ``go.sum`` has it. ``files``: patterns of those that hold definitions."""

    module: str
    version: str
    hash: str
    files: Sequence[str]


SOURCES = (
    Source(
        "github.com/cloudnative-pg/cloudnative-pg",
        "v1.30.1",
        "h1:d1jxp0jQi7/3zrEhsv9ycD+G5ssmkNvDvTmogaGccCw=",
        ["config/crd/bases/postgresql.cnpg.io_*.yaml"],
    ),
    Source(
        "github.com/cloudnative-pg/plugin-barman-cloud",
        "v0.15.0",
        "h1:gNVytrzzYUE08wxLDrjfJqy1FPPSFkMe1OEr4s4pVI0=",
        ["config/crd/bases/*.yaml"],
    ),
    Source(
        "github.com/cert-manager/cert-manager",
        "v1.21.2",
        "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=",
        ["deploy/crds/cert-manager.io_*.yaml"],
    ),
    Source(
        "sigs.k8s.io/gateway-api",
        "v1.4.1",
        "h1:NPxFutNkKNa8UfLd2CMlEuhIPMQgDQ6DXNKG9sHbJU8=",
        ["config/crd/standard/gateway.networking.k8s.io_*.yaml"],
    ),
    Source(
        "github.com/kedacore/keda/v2",
        "v2.20.0",
        "h1:nPKQL9iKsPpoyq7BftlBzJiQzb2LdKHiqBIEG6ju3bk=",
        ["config/crd/bases/keda.sh_*.yaml"],
    ),
    Source(
        "github.com/cilium/cilium",
        "v1.19.0",
        "h1:hfPhb9TcoG3fRMA1/ExBFihEX1NpEWcUaV1jXJTkQVo=",
        ["pkg/k8s/apis/cilium.io/client/crds/v2/ciliumnetworkpolicies.yaml"],
    ),
)


def ensure_definitions(report: Report) -> Path:
    """The folder with a file for each definition, made where it is missing; raises ``StepFailed``."""
    name = digest([list(source) for source in SOURCES]).partition(":")[2][:12]
    return cached(cache_folder() / "definitions" / name, _STEP, report, _whole, partial(_fetch, report=report))


def definitions(folder: Path) -> Iterator[dict[str, Any]]:
    """Every CustomResourceDefinition of a folder that ``ensure_definitions`` gave."""
    for file in sorted(folder.glob("*.yaml")):
        yield from filter(None, yaml.load_all(file.read_bytes(), yaml.CSafeLoader))


def _whole(folder: Path) -> Path:
    if not (folder / "whole").exists():
        raise StepFailed(f"{folder} is not whole")
    return folder


def _fetch(making: Path, report: Report) -> Path:
    go = go_modules.toolchain(MODULE, _STEP, report)
    work = making / "modules"
    environment = {**os.environ, "GOMODCACHE": str(work), "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local"}
    # Nobody but the hash here is asked whether a module is the right one.
    environment |= {"GONOSUMDB": "*", "GOWORK": "off"}
    for source in SOURCES:
        report(_STEP, f"{source.module} {source.version}")
        for file in _files(go, source, environment):
            shutil.copy(file, making / file.name)
    shutil.rmtree(work)
    (making / "whole").touch()
    return making


def _files(go: str, source: Source, environment: dict[str, str]) -> list[Path]:
    argv = [go, "mod", "download", "-json", f"{source.module}@{source.version}"]
    told = json.loads(run(argv, timeout=_FETCH_SECONDS, environment=environment))
    if told["Sum"] != source.hash:
        raise StepFailed(f"{source.module} {source.version} has the hash {told['Sum']}, not {source.hash}")
    found = [file for pattern in source.files for file in Path(told["Dir"]).glob(pattern)]
    if not found:
        raise StepFailed(f"{source.module} {source.version} has no {' or '.join(source.files)}")
    return found
