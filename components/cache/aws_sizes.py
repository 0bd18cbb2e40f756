"""How large a cache on AWS is. Plain data; no Pulumi."""

from typing import NamedTuple


class Size(NamedTuple):
    """``nodes``: one primary and its replicas."""

    machine: str
    nodes: int


SIZES: dict[str, Size] = {
    "small": Size("cache.t4g.small", 2),
    "medium": Size("cache.m7g.large", 2),
    "large": Size("cache.r7g.large", 3),
}
