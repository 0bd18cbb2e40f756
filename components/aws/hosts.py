"""What AWS's hosts are called. Plain data; no Pulumi."""

import re
from collections.abc import Mapping
from typing import Final

from components.infrastructure import Refused

SUFFIXES: Final[Mapping[str, str]] = {
    "aws": "amazonaws.com",
    "aws-us-gov": "amazonaws.com",
    "aws-eusc": "amazonaws.eu",
}
"""Partition → what its hosts end with (residency-facts.md §4)."""


def registry(account: str, region: str, partition: str) -> str:
    """Host of an account's private registry in the region."""
    return f"{account}.dkr.ecr.{region}.{SUFFIXES[partition]}"


def check_registry(image: str, region: str, partition: str) -> None:
    """Raises ``Refused`` for an image that nodes have no way to: ECR's endpoint is the only one that they reach."""
    expected = registry("<account>", region, partition)
    host = image.partition("/")[0]
    if not re.fullmatch(re.escape(expected).replace("<account>", r"\d{12}"), host):
        raise Refused(
            f"gateway.image: {host} is no registry that nodes in {region} reach; copy the image, and those of the "
            f"operators, to one of {expected}, whose account is 12 digits"
        )
