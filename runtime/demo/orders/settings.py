"""What the order system is told by its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.settings import StartError

_NAMES = ("ORDERS_PORT", "ORDERS_ISSUER", "ORDERS_PRIMARY", "ORDERS_REPLICA", "ORDERS_SECRETS")


@dataclass(frozen=True)
class Settings:
    """``primary``, ``replica``: host and port. ``secrets``: folder of the pgpass files. ``issuer``: its URL."""

    port: int
    issuer: str
    primary: tuple[str, int]
    replica: tuple[str, int]
    secrets: Path
    database: str = "orders"

    @property
    def url(self) -> str:
        """Where this system answers, and so the audience of the tokens it takes."""
        return f"http://127.0.0.1:{self.port}"


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment; raises ``StartError`` with one line for each variable that does not fit."""
    missing = [f"{name} is not set" for name in _NAMES if not environment.get(name)]
    if missing:
        raise StartError("\n".join(missing))
    try:
        return Settings(
            port=int(environment["ORDERS_PORT"]),
            issuer=environment["ORDERS_ISSUER"].rstrip("/"),
            primary=_address(environment["ORDERS_PRIMARY"]),
            replica=_address(environment["ORDERS_REPLICA"]),
            secrets=Path(environment["ORDERS_SECRETS"]),
        )
    except ValueError as error:
        raise StartError(
            f"ORDERS_PORT must be a number, ORDERS_PRIMARY and ORDERS_REPLICA host:port: {error}"
        ) from None


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)
