"""Before a runtime process opens a socket: is this Manifest the one that the deployer signed for this very place?"""

import json
from pathlib import Path
from typing import Any

from regions.manifest import Manifest
from regions.signature import SignatureError, verify_manifest
from runtime.settings import Published, StartError

_REMEDY = "`pulumi up` writes and signs the Manifest anew"


def load_manifest(settings: Published) -> Manifest:
    """The verified Manifest of this stack and region; raises ``StartError`` with one line for each cause."""
    document = _read_json(settings.manifest, "Manifest")
    key = _read_json(settings.manifest_key, "verifying key")
    try:
        manifest = verify_manifest(document, key)
    except SignatureError as error:
        raise StartError(f"{settings.manifest}: {error}; {_REMEDY}") from error
    differences = [
        f"{settings.manifest}: it is for {field} {getattr(manifest, field)!r}, "
        f"this process runs in {expected!r}; {_REMEDY}"
        for field, expected in (("stack", settings.stack), ("region", settings.region))
        if getattr(manifest, field) != expected
    ]
    if differences:
        raise StartError("\n".join(differences))
    return manifest


def _read_json(path: Path, what: str) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise StartError(f"{path}: the {what} cannot be read: {error.strerror}; {_REMEDY}") from error
    except ValueError as error:
        raise StartError(f"{path}: the {what} is not JSON: {error}; {_REMEDY}") from error
