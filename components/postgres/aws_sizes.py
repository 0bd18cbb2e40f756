"""How large PostgreSQL on AWS is. Plain data; no Pulumi."""

from typing import NamedTuple


class Size(NamedTuple):
    """Storage in GiB: at first, and the most that it grows to by itself."""

    primary: str
    replica: str
    storage: int
    most: int


SIZES: dict[str, Size] = {
    "small": Size("db.t4g.medium", "db.t4g.medium", 50, 200),
    "medium": Size("db.m7g.large", "db.m7g.large", 200, 1000),
    "large": Size("db.r7g.2xlarge", "db.r7g.xlarge", 1000, 8000),
}
