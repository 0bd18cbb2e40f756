"""What a runtime process is told by its environment: where the Manifest is, and by which key it must be signed.

Nothing that decides residency has a default.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

START_REFUSED = 78
"""Exit code of a process that may not start (EX_CONFIG of sysexits.h)."""


class StartError(Exception):
    """The process may not start; the message has one line for each cause."""


@dataclass(frozen=True)
class Settings:
    """``manifest``, ``manifest_key``: files. ``secrets``: folder of the 0600 files. ``checkpoints``: folder."""

    stack: str
    region: str
    manifest: Path
    manifest_key: Path
    secrets: Path
    checkpoints: Path


_VARIABLES = {
    "stack": "LOOMSTEAD_STACK",
    "region": "LOOMSTEAD_REGION",
    "manifest": "LOOMSTEAD_MANIFEST",
    "manifest_key": "LOOMSTEAD_MANIFEST_KEY",
    "secrets": "LOOMSTEAD_SECRETS",
    "checkpoints": "LOOMSTEAD_CHECKPOINTS",
}


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment; raises ``StartError`` that names every variable missing."""
    missing = [name for name in _VARIABLES.values() if not environment.get(name)]
    if missing:
        raise StartError("\n".join(f"{name} is not set: `pulumi up` starts the runtime with it" for name in missing))
    values = {field: environment[name] for field, name in _VARIABLES.items()}
    return Settings(
        stack=values["stack"],
        region=values["region"],
        manifest=Path(values["manifest"]),
        manifest_key=Path(values["manifest_key"]),
        secrets=Path(values["secrets"]),
        checkpoints=Path(values["checkpoints"]),
    )
