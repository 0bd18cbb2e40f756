"""How large PostgreSQL on AWS is. Plain data; no Pulumi."""

from collections.abc import Mapping
from typing import NamedTuple

from components.infrastructure import Refused


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


def sized(size: str, machines: Mapping[str, str], storage_gib: int | None, most_storage_gib: int | None) -> Size:
    """The size's; raises ``Refused`` for what RDS would. ``machines``: by key. Storage in GiB."""
    found = SIZES.get(size)
    if found is None:
        raise Refused(f"postgres: no size {size!r}; sizes are {', '.join(SIZES)}")
    if wrong := [f"postgres.{key}: {name}" for key, name in machines.items() if not name.startswith("db.")]:
        raise Refused("\n".join(f"{each} is no machine of RDS; take one such as {found.primary}" for each in wrong))
    storage, most = storage_gib or found.storage, most_storage_gib or found.most
    if most <= storage:
        raise Refused(
            f"postgres.storage_gib: {storage} is not below the {most} that it grows to; name less storage, or a larger "
            "size"
        )
    return found
