"""What somebody asks a stack file for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from components.infrastructure import Size
from components.spec import Platform
from regions.catalogue import HOST, Catalogue, Country
from regions.residency import DataClass


@dataclass(frozen=True)
class Wish:
    """``country``: of machines of one's own. ``evidence``: reference by the key that a regime wants it under."""

    platform: Platform
    region: str
    regimes: tuple[str, ...]
    size: Size
    data_classes: tuple[DataClass, ...] = (DataClass.PERSONAL,)
    country: Country | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)

    def stands_in(self, catalogue: Catalogue) -> Country:
        """Raises ``LookupError`` where neither the catalogue nor the wish says it."""
        found = catalogue.regions[self.region].country
        country = self.country if found == HOST else found
        if country is None:
            raise LookupError(f"{self.region}: nobody says in which country it is")
        return country

    def wanted(self, catalogue: Catalogue) -> dict[str, str]:
        """Documents that regimes require and that are not named: by key, the regime that does."""
        return {
            str(key): regime
            for regime in self.regimes
            for key in catalogue.regimes[regime].require
            if not self.evidence.get(key, "").strip()
        }
