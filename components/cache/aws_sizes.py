"""How large a cache on AWS is. Plain data; no Pulumi."""

from typing import NamedTuple

from components.infrastructure import Refused


class Size(NamedTuple):
    """``nodes``: one primary and its replicas."""

    machine: str
    nodes: int


SIZES: dict[str, Size] = {
    "small": Size("cache.t4g.small", 2),
    "medium": Size("cache.m7g.large", 2),
    "large": Size("cache.r7g.large", 3),
}


def checked_machine(machine: str) -> str:
    """Raises ``Refused`` for one that is not ElastiCache's."""
    if not machine.startswith("cache."):
        raise Refused(f"cache.machine: {machine!r} is no machine of ElastiCache, such as {SIZES['small'].machine}")
    return machine
