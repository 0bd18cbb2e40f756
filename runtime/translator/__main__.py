"""``python -m runtime.translator``: on the Unix socket ``LOOMSTEAD_TRANSLATOR``, which only its owner may use."""

import logging
import os
import socket
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import uvicorn

from regions.manifest import Manifest
from runtime.settings import START_REFUSED, StartError, read_published, required
from runtime.startup import load_manifest
from runtime.translator.egress import fence
from runtime.translator.wire import wires

INSTALL = "LiteLLM is not installed: run `scripts/bootstrap.sh --extra translator` once"


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    try:
        manifest = load_manifest(read_published())
        paths = required(os.environ, {"socket": "LOOMSTEAD_TRANSLATOR", "credentials": "LOOMSTEAD_CREDENTIALS"})
        if find_spec("litellm") is None:
            raise StartError(INSTALL)
        called, given = wires(manifest), _credentials(manifest, Path(paths["credentials"]))
        app = import_module("runtime.translator.app").create_app(called, given)
        fence({wire.host.partition(":")[0] for wire in called.values()})
        listener = _listen(Path(paths["socket"]))
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return START_REFUSED
    # asyncio's own loop: it resolves names by Python, where the fence stands; uvloop would go past it.
    config = uvicorn.Config(app, loop="asyncio", ws="none", access_log=False, log_config=None, server_header=False)
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    return 0 if server.started else 1


def _listen(path: Path) -> socket.socket:
    """Bound so that nobody else can connect, not even for a moment."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen()
    return listener


def _credentials(manifest: Manifest, folder: Path) -> dict[str, str]:
    """By endpoint, each the file ``upstream.<name>.key``; raises ``StartError`` that names every one missing."""
    found, missing = {}, []
    for endpoint in manifest.models:
        if endpoint.credential is None or endpoint.protocol != "translated":
            continue
        path = folder / f"upstream.{endpoint.credential}.key"
        try:
            found[endpoint.name] = path.read_text().strip()
        except OSError as error:
            missing.append(f"{endpoint.name}: {path}: {error.strerror}; write the credential there, mode 0600")
    if missing:
        raise StartError("\n".join(missing))
    return found


if __name__ == "__main__":
    sys.exit(main())
