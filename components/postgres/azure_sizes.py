"""How large PostgreSQL on Azure is, and what Azure would refuse of it. Plain data; no Pulumi."""

import re
from dataclasses import dataclass
from typing import Literal

from components.infrastructure import Refused

_SKU = re.compile(r"^Standard_(?P<family>[BDE])(?P<cores>[0-9]+)[a-z]*(_v[0-9]+)?$")
_TIERS = {"D": "GeneralPurpose", "E": "MemoryOptimized"}
_STORAGE_GIB = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
"""The sizes of Azure's premium disks."""
_BACKUP_DAYS = range(7, 36)
_NAME = re.compile(r"^[a-z0-9](?!.*--)[a-z0-9-]{0,53}[a-z0-9]$")
"""Of a server, 63 at most, less what tells primary and replica apart."""


class AzurePostgresError(Refused):
    """The servers asked for cannot be made; nothing was created. The message says what, and what to do."""


@dataclass(frozen=True)
class Sku:
    """``tier``: as Azure calls the family of ``name``."""

    name: str
    tier: str
    cores: int


@dataclass(frozen=True)
class Asked:
    """What the servers are, checked. ``storage_gib``: of each, at first."""

    primary: Sku
    replica: Sku
    storage_gib: int


Size = Literal["small", "medium", "large"]
SIZES: dict[str, tuple[str, int]] = {
    "small": ("Standard_D2ds_v5", 64),
    "medium": ("Standard_D4ds_v5", 256),
    "large": ("Standard_E8ds_v5", 1024),
}
"""Compute of each server, and GiB of its disk."""


def asked(
    name: str,
    size: str,
    sku: str | None,
    replica_sku: str | None,
    storage_gib: int | None,
    backup_days: int,
    zones: int,
) -> Asked:
    """``None``: as the size has it, the replica as its primary. Raises ``AzurePostgresError``, all faults together."""
    if size not in SIZES:
        raise AzurePostgresError(f"size: {size!r} is none of {', '.join(SIZES)}")
    usual, storage = SIZES[size][0], storage_gib or SIZES[size][1]
    faults: list[str] = []
    if not _NAME.match(name):
        faults.append(f"name: {name!r}: take 2 to 55 lower-case letters, digits and single hyphens, none at an end")
    primary = _sku("machine", sku or usual, faults)
    replica = _sku("replica_machine", replica_sku, faults) if replica_sku else primary
    if primary and replica and replica.cores < primary.cores:
        faults.append(
            f"postgres.replica_machine: {replica.name} is smaller than the primary's {primary.name}: take one as large"
        )
    if storage not in _STORAGE_GIB:
        sizes = ", ".join(map(str, _STORAGE_GIB))
        faults.append(f"postgres.storage_gib: {storage} is no size of a disk: take one of {sizes}")
    if backup_days not in _BACKUP_DAYS:
        faults.append(f"postgres.backup_days: Azure keeps backups for 7 to 35 days, got {backup_days}")
    if zones < 1:
        faults.append(f"network.zones: {zones}: say how many availability zones the region has, one where it has none")
    if faults or primary is None or replica is None:
        raise AzurePostgresError("\n".join(faults))
    return Asked(primary, replica, storage)


def _sku(key: str, name: str, faults: list[str]) -> Sku | None:
    found = _SKU.match(name)
    if found is None:
        faults.append(
            f"postgres.{key}: {name!r} is no compute of a flexible server: take one such as {SIZES['small'][0]}"
        )
        return None
    if found["family"] == "B":
        faults.append(
            f"postgres.{key}: {name} is Burstable, which has neither replica nor standby, and agents read from a "
            f"replica alone: take {SIZES['small'][0]} or larger"
        )
        return None
    return Sku(name, _TIERS[found["family"]], int(found["cores"]))
