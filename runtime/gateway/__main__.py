"""``python -m runtime.gateway``: one gateway process, on the address of its URL or on ``LOOMSTEAD_LISTEN``."""

import logging
import sys
from urllib.parse import urlsplit

import uvicorn

from regions.manifest import Manifest
from runtime.gateway.app import create_app
from runtime.sessions import is_loopback
from runtime.settings import LISTEN, START_REFUSED, StartError, read_settings
from runtime.startup import load_manifest


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = read_settings()
        manifest = load_manifest(settings)
        host, port = settings.listen or _own(manifest)
        app = create_app(settings, manifest)
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return START_REFUSED
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            proxy_headers=False,
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=settings.grace,
        )
    )
    server.run()
    return 0 if server.started else 1


def _own(manifest: Manifest) -> tuple[str, int]:
    """The gateway's own URL, where that is an address of this machine; raises ``StartError``."""
    address = urlsplit(manifest.endpoints.gateway)
    if address.hostname is None or not is_loopback(address.hostname):
        raise StartError(f"{LISTEN} is not set, and {manifest.endpoints.gateway} is no address of this machine")
    return address.hostname, address.port or 80


if __name__ == "__main__":
    sys.exit(main())
