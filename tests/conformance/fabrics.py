"""The graph of each shipped stack that its platform can make, recorded once.

offered()     names of those stacks
fabric(name)  what the program registers for one
urns(graph)   its resources' URNs, as the engine writes them

``python -m tests.conformance.fabrics`` writes the snapshots of the URNs anew.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from components.fabric import asked_for, build
from components.loading import load_spec
from components.naming import REPOSITORY
from components.parity import NotSupported, require
from components.publish import Ground
from components.review import refusal, review
from components.spec import FabricSpec
from regions.catalogue import load_catalogue
from scripts.rehearsal.answers import Place, answers
from scripts.rehearsal.fills import fills
from scripts.rehearsal.outputs import Made
from scripts.rehearsal.shipped import shipped
from tests.fixtures.recording import Graph, Recorded, record
from tests.fixtures.resources import ON

URNS = Path(__file__).parent / "urns"


def offered() -> list[str]:
    """Stacks that ask for nothing that components/parity.py says their platform does not have."""
    return [name for name in shipped() if _is_offered(spec_of(name))]


def spec_of(stack: str) -> FabricSpec:
    return load_spec(REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml")


def _is_offered(spec: FabricSpec) -> bool:
    try:
        require(asked_for(spec, load_catalogue()), spec.platform)
    except NotSupported:
        return False
    return True


@cache
def fabric(stack: str) -> Graph:
    ground = _ground(stack)
    place = Place(ground.spec.region, ground.spec.account or "")
    made: dict[str, Mapping[str, Any]] = {}

    def filled(type_: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        made[f"{name}-id"] = inputs
        return fills(Made(type_, f"::{name}", place, 0), inputs, made.get)

    return record(lambda: build(ground), answers=filled, calls=answers(place), stack=stack)


def _ground(stack: str) -> Ground:
    reviewed = review(REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml", load_catalogue(), ON)
    if reviewed.open or reviewed.spec is None or reviewed.boundary is None:
        raise AssertionError(refusal(reviewed))
    return Ground(stack, reviewed.spec, reviewed.boundary, load_catalogue())


def urns(graph: Graph) -> list[str]:
    """Type of every parent, own type and name: what decides whether a resource is the one that was there before."""
    by_urn = {each.urn: each for each in graph.resources}
    return sorted(f"{'$'.join(_types(each, by_urn))}::{each.name}" for each in graph.resources)


def _types(resource: Recorded, by_urn: Mapping[str, Recorded]) -> Iterator[str]:
    if resource.parent in by_urn:
        yield from _types(by_urn[resource.parent], by_urn)
    yield resource.type


def main() -> None:
    for stack in offered():
        (URNS / f"{stack}.txt").write_text("\n".join(urns(fabric(stack))) + "\n")


if __name__ == "__main__":
    main()
