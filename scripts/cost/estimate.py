"""A month of a stack in US dollars: what is used, at the prices that are known; what nobody priced, by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from importlib import import_module

from components.parity import Capability
from components.spec import FabricSpec, Platform
from regions.catalogue import Catalogue
from scripts.cost.prices import Price, load
from scripts.cost.use import Use

USES: Mapping[Platform, str] = {
    Platform.AWS: "scripts.cost.aws",
    Platform.AZURE: "scripts.cost.azure",
    Platform.GCP: "scripts.cost.gcp",
}
CODE = "cost/budget"
"""Of the finding that a month typically costs more than the budget."""


class NoPrices(LookupError):
    """Nobody sends a bill for this platform."""


@dataclass(frozen=True)
class Amounts:
    """US dollars a month."""

    least: float = 0.0
    typical: float = 0.0
    most: float = 0.0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(self.least + other.least, self.typical + other.typical, self.most + other.most)


@dataclass(frozen=True)
class Line:
    """One thing that is paid for, at a price."""

    use: Use
    price: Price

    @property
    def amounts(self) -> Amounts:
        return Amounts(*(each * self.price.amount for each in (self.use.least, self.use.typical, self.use.most)))


@dataclass(frozen=True)
class Estimate:
    """``unpriced``: what is paid for and has no price here; it is in no sum."""

    lines: tuple[Line, ...]
    unpriced: tuple[Use, ...]

    @property
    def total(self) -> Amounts | None:
        """``None``: nothing has a price."""
        return _sum(self.lines) if self.lines else None

    @property
    def elsewhere(self) -> Amounts | None:
        """Of the total, what is at prices of another region than the stack's."""
        lines = tuple(line for line in self.lines if line.price.of)
        return _sum(lines) if lines else None

    @property
    def idle(self) -> float:
        """What nodes with GPUs cost, were all of them left on while nobody asks."""
        return sum(line.use.idle * line.price.amount for line in self.lines)

    def of(self, capability: Capability) -> Amounts | None:
        """``None``: nothing of it has a price."""
        lines = tuple(line for line in self.lines if line.use.capability is capability)
        return _sum(lines) if lines else None

    def unpriced_of(self, capability: Capability) -> int:
        return sum(use.capability is capability for use in self.unpriced)

    @property
    def capabilities(self) -> tuple[Capability, ...]:
        named = {each.capability for each in (*(line.use for line in self.lines), *self.unpriced)}
        return tuple(capability for capability in Capability if capability in named)


def estimate(spec: FabricSpec, catalogue: Catalogue) -> Estimate:
    """Raises ``NoPrices``, ``PriceError``, and ``Refused`` for machines that cannot be had."""
    if spec.platform not in USES:
        raise NoPrices(f"{spec.platform}: its machines are your own, and nobody here knows what they cost you")
    prices = load(spec.platform, spec.region, catalogue)
    lines, unpriced = [], []
    for use in import_module(USES[spec.platform]).used(spec, catalogue):
        price = prices.of(use.item) if prices else None
        if price is None:
            unpriced.append(use)
        else:
            lines.append(Line(use, price))
    return Estimate(tuple(lines), tuple(unpriced))


def dollars(amounts: Amounts | None) -> tuple[str, str, str]:
    """As tables show them; what has no price is never shown as nothing."""
    if amounts is None:
        return "unpriced", "unpriced", "unpriced"
    return f"{amounts.least:,.0f}", f"{amounts.typical:,.0f}", f"{amounts.most:,.0f}"


def over_budget(spec: FabricSpec, found: Estimate) -> str | None:
    """What to say where a typical month costs more than ``budget.monthly``."""
    if spec.budget is None or found.total is None or found.total.typical <= spec.budget.monthly:
        return None
    typical = found.total.typical
    more = f", and {len(found.unpriced)} more are unpriced" if found.unpriced else ""
    return f"a typical month is ${typical:,.0f}{more}; budget.monthly is ${spec.budget.monthly:,}"


def _sum(lines: tuple[Line, ...]) -> Amounts:
    return reduce(lambda total, line: total + line.amounts, lines, Amounts())
