"""The engine from its Go modules, pinned by ``go/go.mod`` and ``go/go.sum``: needs a module proxy, no Pulumi site."""

from pathlib import Path

from scripts import go_modules
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
    """Fill ``folder`` with the engine and its launchers. Raises ``StepFailed``."""
    variables = {_VERSION_VARIABLE: f"v{version}"}
    go_modules.build(MODULE, {folder / "pulumi": _PACKAGE}, variables, "engine", step, report)
    _write_launchers(folder)


def _write_launchers(folder: Path) -> None:
    for name, arguments in LAUNCHERS.items():
        launcher = folder / name
        launcher.write_text(_LAUNCHER.format(arguments=arguments))
        launcher.chmod(0o755)
