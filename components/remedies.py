"""What to change in a stack file so that a refused flow stays inside its Boundary."""

from collections.abc import Iterable
from datetime import date

from components.flows import Leg
from components.spec import FabricSpec
from regions.boundary import Boundary, Flow, told
from regions.catalogue import Catalogue, Country, TransferMode
from regions.documents import Place, shown

MOST_NAMED = 4
"""Regions that a remedy names."""


def remedy(legs: list[Leg], regime: str, spec: FabricSpec, catalogue: Catalogue, boundary: Boundary, on: date) -> str:
    """For legs of one key that one regime (or data class, or ``residency``) refuses."""
    inside = _inside(legs, boundary, on)
    own = _own_section(regime, catalogue)
    if not inside:
        names = " and ".join(spec.residency.regimes)
        way = f"change {own}, which refuses it" if own else "name fewer regimes or relax one"
        return f"No country is left for this under {names} and the stack's own rules: {way}."
    cause = f"; or change {own}, which refuses it" if own else _relax(legs, regime, spec, catalogue)
    return f"{_change(legs[0].key, inside, spec, catalogue, regime, legs[0])}{cause}."


def remedy_for_unknown(key: Place) -> str:
    """For a leg of which no fact says where it is."""
    match key:
        case ("backup", _):
            return "Take redundancy zone, or a region whose pair the catalogue knows."
        case ("logs", "sinks", _) | ("telemetry", _):
            return "Name its countries, and let somebody answer for that, or take a host that the catalogue knows."
        case ("guardrail", _):
            return "Leave the profile out, or take one that the catalogue knows in the stack's region."
        case ("models", _, "candidates", _, "endpoint"):
            return "Write it as managed: provider, model, region and sku."
        case ("models", _, "context_tokens"):
            return "Take no more than that, or a model and way whose promise has no such end."
    return "Take a model, way and region that the catalogue knows: `loomstead models where` lists them."


def _own_section(refuses: str, catalogue: Catalogue) -> str | None:
    """The stack's own rules that refuse, where no regime does."""
    if refuses in catalogue.regimes:
        return None
    above, _, section = refuses.rpartition("/")
    return shown((above, section) if above else ("residency", "data_classes", section))


def _inside(legs: Iterable[Leg], boundary: Boundary, on: date) -> list[Country]:
    """Every country where all of the legs would be allowed."""
    countries = {country for rule in boundary.rules for country in rule.countries}
    return sorted(
        country
        for country in countries
        if all(
            boundary.decide(Flow(leg.subject, leg.purpose, (country,), data_class), on).allowed
            for leg in legs
            for data_class in leg.data_classes
        )
    )


def _change(key: Place, inside: list[Country], spec: FabricSpec, catalogue: Catalogue, regime: str, leg: Leg) -> str:
    where = told(inside)
    match key:
        case ("models", _, "candidates", _, "managed", *rest):
            named = f" --regime {regime}" if regime in catalogue.regimes else ""
            listed = f"`loomstead models where{named} --data-class {leg.data_classes[0]}` lists them"
            text = f"{'Spill over to' if rest else 'Take'} a model that is answered in {where} alone ({listed})"
        case ("models", _, "candidates", _, "endpoint"):
            text = f"Take a server whose inference stays in {where}"
        case ("guardrail", "profile"):
            text = "Leave the profile out, so that the guardrail evaluates in the stack's region"
        case ("backup", "redundancy"):
            text = f"Take redundancy zone, or a region whose pair is in {where}"
        case ("logs", "sinks", _) | ("telemetry", _):
            text = f"Take a host that keeps what it is sent in {where}, or leave it out"
        case ("backup", "store"):
            text = f"Take a store that keeps what it is given in {where}"
        case ("core_systems", _):
            text = f"Reach this core system where it stands in {where}"
        case ("country",):
            text = f"Let the machine stand in {where}"
        case _:
            text = f"Take a region in {where}{_such_as(inside, spec, catalogue)}"
    return text


def _such_as(inside: list[Country], spec: FabricSpec, catalogue: Catalogue) -> str:
    own = catalogue.regions[spec.region]
    names = [
        name
        for name, region in catalogue.regions.items()
        if (region.platform, region.partition) == (own.platform, own.partition) and region.country in inside
    ]
    return f", such as {', '.join(names[:MOST_NAMED])}" if names else f"; {spec.platform} has none there"


def _relax(legs: list[Leg], regime: str, spec: FabricSpec, catalogue: Catalogue) -> str:
    found = catalogue.regimes.get(regime)
    classes = {data_class for leg in legs for data_class in leg.data_classes}
    if found is None or found.transfer_mode is TransferMode.NONE or classes <= set(found.fixed):
        return ""
    if not {leg.purpose for leg in legs} <= set(found.relaxed):
        return ""
    return f"; or record a relaxation of {regime} in {shown(('residency', 'relaxations'))}"
