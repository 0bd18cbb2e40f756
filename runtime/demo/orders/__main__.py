"""``python -m runtime.demo.orders``: serve the order system on loopback until told to stop."""

import logging
import sys

import httpx
import uvicorn

from runtime.demo.orders.app import create_app
from runtime.demo.orders.settings import read_settings
from runtime.settings import START_REFUSED, StartError


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = read_settings()
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return START_REFUSED
    app = create_app(settings, httpx.AsyncClient(trust_env=False))
    uvicorn.run(app, host="127.0.0.1", port=settings.port, access_log=False, log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
