"""How large PostgreSQL on Google Cloud is. Plain data; no Pulumi."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sized:
    """Storage in GiB: at first, and the most that it grows to by itself. ``connections``: sessions at once."""

    primary: str
    replica: str
    storage: int
    most: int
    connections: int


SIZES: dict[str, Sized] = {
    "small": Sized("db-custom-2-8192", "db-custom-2-8192", 50, 200, 200),
    "medium": Sized("db-custom-4-16384", "db-custom-4-16384", 200, 1000, 400),
    "large": Sized("db-custom-16-65536", "db-custom-8-32768", 1000, 8000, 800),
}
"""Tiers: vCPUs, and MiB of memory."""
