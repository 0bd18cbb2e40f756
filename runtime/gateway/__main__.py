"""``python -m runtime.gateway``: one gateway process on the address that the Manifest gives it."""

import logging
import sys
from urllib.parse import urlsplit

import uvicorn

from runtime.gateway.app import create_app
from runtime.settings import START_REFUSED, StartError, read_settings
from runtime.startup import load_manifest


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = read_settings()
        manifest = load_manifest(settings)
        app = create_app(settings, manifest)
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return START_REFUSED
    address = urlsplit(manifest.endpoints.gateway)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=address.hostname or "127.0.0.1",
            port=address.port or 80,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            proxy_headers=False,
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=10,
        )
    )
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
