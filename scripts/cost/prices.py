"""Dated list prices by region, read from ``regions/catalogue/prices/<platform>.yaml`` when somebody asks what it costs.

They are no part of the catalogue's digest: no decision of a Boundary rests on a price. What a table does not hold for a
region has the price of a region that more is known of, where both are of one partition, and says so; else it has none.
"""

import json
from datetime import date
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from components.naming import REPOSITORY
from regions.catalogue import Catalogue, Source
from regions.documents import DocumentError

TABLES = REPOSITORY / "regions" / "catalogue" / "prices"
Amount = Annotated[float, Field(gt=0)]


class PriceError(DocumentError):
    """A table of prices is not as it has to be: file, place and what is wrong."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Item(_Section):
    """``unit``: what one costs. ``everywhere``: the price in all regions of the table's partition, where it is one.
    ``sources``: by region, of a price that is from elsewhere than the item's others."""

    unit: str
    source: str
    everywhere: Amount | None = None
    regions: dict[str, Amount] = Field({})
    sources: dict[str, str] = Field({})


class Table(_Section):
    """Of US dollars. ``known``: regions whose prices stand in for others of their partition, best first."""

    known: tuple[str, ...] = Field(min_length=1)
    sources: dict[str, Source]
    items: dict[str, Item]


class Price(_Section):
    """``of``: the region that it is asked in, where that is not the stack's own."""

    amount: float
    unit: str
    source: str
    as_of: date
    confidence: str
    of: str | None


class Prices:
    """The prices of one platform, as one region has them."""

    def __init__(self, table: Table, region: str, catalogue: Catalogue) -> None:
        self.table, self._region = table, region
        partitions = [found.partition for name in (region, *table.known) if (found := catalogue.regions.get(name))]
        self._kin = len(partitions) == 1 + len(table.known) and len(set(partitions)) == 1

    def of(self, item: str) -> Price | None:
        """``None``: no source here says what it costs there."""
        found = self.table.items.get(item)
        if found is None:
            return None
        if self._kin and found.everywhere:
            return self._price(found, found.everywhere, self._region)
        for region in (self._region, *(self.table.known if self._kin else ())):
            if amount := found.regions.get(region):
                return self._price(found, amount, region)
        return None

    def _price(self, item: Item, amount: float, region: str) -> Price:
        source = self.table.sources[item.sources.get(region, item.source)]
        return Price(
            amount=amount,
            unit=item.unit,
            source=source.title,
            as_of=source.as_of,
            confidence=str(source.confidence),
            of=None if region == self._region else region,
        )


def load(platform: str, region: str, catalogue: Catalogue, folder: Path = TABLES) -> Prices | None:
    """``None`` where nobody keeps prices of a platform. Raises ``PriceError``."""
    file = folder / f"{platform}.yaml"
    if not file.is_file():
        return None
    try:
        told = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        table = Table.model_validate_json(json.dumps(told, default=str))
    except ValidationError as wrong:
        raise PriceError(
            f"{file}: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in wrong.errors()
        ) from wrong
    named = {name for item in table.items.values() for name in (item.source, *item.sources.values())}
    if unknown := sorted(named - table.sources.keys()):
        raise PriceError([f"{file}: {', '.join(unknown)}: no such source in its `sources`"])
    return Prices(table, region, catalogue)
