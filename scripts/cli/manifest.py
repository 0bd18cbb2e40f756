"""The signed Manifest of a stack that stands elsewhere, brought to the machine of who raises it."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from regions.manifest import Manifest
from regions.signature import SignatureError, verify_manifest
from scripts.cli.failure import CommandError
from scripts.cli.options import Stack
from scripts.cli.output import console
from scripts.cli.place import DEFAULT_STACK, Place
from scripts.cli.pulumi import Pulumi
from scripts.engine import ensure_engine
from scripts.progress import progress

Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write it to this file instead.", dir_okay=False, writable=True)
]


def manifest(stack: Stack = DEFAULT_STACK, output: Output = None) -> None:
    """Fetch and verify the Manifest of a stack in a cloud: `task`, `approvals` and `trace` find the gateway by it."""
    place = Place.of(stack)
    with progress() as report:
        engine = ensure_engine(report)
    path, found = fetch(place, Pulumi(engine, place), output)
    console.print(f"{os.path.relpath(path)}: {found.endpoints.gateway}, Boundary {found.boundary_digest}")


def fetch(place: Place, pulumi: Pulumi, output: Path | None = None) -> tuple[Path, Manifest]:
    """Where it was written, and the Manifest; raises ``CommandError``.

    The first time the key comes from the stack's state with it, and is kept; another key is refused from then on.
    """
    outputs = pulumi.outputs()
    if outputs is None:
        raise CommandError(
            f"Stack {place.stack!r} is not raised yet: `pulumi up -s {place.stack}`. "
            "If it is, set PULUMI_BACKEND_URL to where its state lies."
        )
    if not {"manifest", "manifest_key"} <= outputs.keys():
        raise CommandError(
            f"Stack {place.stack!r} exports no Manifest. A foundation has none, {DEFAULT_STACK!r} has its own in "
            f"{place.folder}; any other is not wholly up: `loomstead up{place.option}` goes on."
        )
    kept = place.secrets / "manifest.public.jwk"
    key = _key(kept, outputs["manifest_key"])
    try:
        found = verify_manifest(json.loads(outputs["manifest"]), key)
    except (SignatureError, ValueError) as error:
        raise CommandError(
            f"The Manifest of stack {place.stack!r}: {error}. If the deployer's key was changed, remove {kept} first."
        ) from error
    if found.stack != place.stack:
        raise CommandError(f"Stack {place.stack!r} exports the Manifest of stack {found.stack!r}.")
    path = output or place.folder / "manifest.json"
    place.secrets.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(json.dumps(key, sort_keys=True))
    path.write_text(outputs["manifest"])
    return path, found


def _key(kept: Path, exported: str) -> Any:
    """The deployer's public key: the one that is here already, else the one of the state."""
    try:
        return json.loads(kept.read_bytes() if kept.exists() else exported)
    except (OSError, ValueError) as error:
        raise CommandError(f"{kept}: this is no public key ({error}). Remove it, and run this again.") from error
