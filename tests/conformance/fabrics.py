"""The graph of each shipped stack, as whoever deploys it completes its file, recorded once.

fabric(name)  what the program registers for one
urns(graph)   its resources' URNs, as the engine writes them

``python -m tests.conformance.fabrics`` writes the snapshots of the URNs anew.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from components.fabric import Incomplete, build, check
from components.infrastructure import Refused
from components.loading import load_spec
from components.naming import REPOSITORY
from components.parity import NotSupported
from components.publish import Ground
from components.review import refusal, review
from components.spec import FabricSpec
from regions.catalogue import load_catalogue
from scripts.rehearsal.answers import Place, answers
from scripts.rehearsal.fills import fills
from scripts.rehearsal.outputs import Made
from scripts.rehearsal.shipped import plan_of, shipped
from tests.fixtures.recording import Graph, Recorded, record
from tests.fixtures.resources import ON

MADE_HERE = {
    "public": {role: {"kid": role} for role in ("manifest", "operator")},
    "generation": 1,
    "secrets": "secrets",
    "manifest_key": "manifest",
    "document": "{}",
    "digest": "digest",
}
"""What resources of our own answer (components/signing.py, components/keys/local.py)."""
URNS = Path(__file__).parent / "urns"


def refused(stack: str) -> str | None:
    """Why a stack cannot be made as its file is shipped, before anything is."""
    with _deployer(stack):
        try:
            check(_ground(REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml"))
        except (NotSupported, Incomplete, Refused) as why:
            return str(why)
    return None


def spec_of(stack: str) -> FabricSpec:
    return load_spec(REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml")


@contextmanager
def _deployer(stack: str) -> Generator[Path]:
    """The environment of whoever deploys it, and their stack file."""
    with plan_of(stack, None) as plan, TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for variable, value in plan.environment.items():
            patch.setenv(variable, value)
        file = Path(folder, f"Pulumi.{stack}.yaml")
        file.write_text(yaml.safe_dump({"config": plan.config}))
        yield file


def fabric(stack: str) -> Graph:
    """Recorded once; raises what the stack is refused with."""
    graph = _recorded(stack)
    if isinstance(graph, Exception):
        raise graph
    return graph


@cache
def _recorded(stack: str) -> Graph | Exception:
    try:
        return _record(stack)
    except Exception as refused:  # noqa: BLE001  each test says it, without making it again
        return refused


def _record(stack: str) -> Graph:
    made: dict[str, Mapping[str, Any]] = {}

    def filled(type_: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        made[f"{name}-id"] = inputs
        if type_.startswith("pulumi-python:"):
            return MADE_HERE
        return fills(Made(type_, f"::{name}", place, 0), inputs, made.get)

    with _deployer(stack) as file:
        ground = _ground(file)
        place = Place(ground.spec.region, ground.spec.account or "")
        return record(lambda: build(ground), answers=filled, calls=answers(place, made.get), stack=stack)


def _ground(file: Path) -> Ground:
    reviewed = review(file, load_catalogue(), ON)
    if reviewed.open or reviewed.spec is None or reviewed.boundary is None:
        raise AssertionError(refusal(reviewed))
    return Ground(reviewed.stack, reviewed.spec, reviewed.boundary, load_catalogue())


def urns(graph: Graph) -> list[str]:
    """Type of every parent, own type and name: what decides whether a resource is the one that was there before."""
    by_urn = {each.urn: each for each in graph.resources}
    return sorted(f"{'$'.join(_types(each, by_urn))}::{each.name}" for each in graph.resources)


def _types(resource: Recorded, by_urn: Mapping[str, Recorded]) -> Iterator[str]:
    if resource.parent in by_urn:
        yield from _types(by_urn[resource.parent], by_urn)
    yield resource.type


def main() -> None:
    for stack in shipped():
        (URNS / f"{stack}.txt").write_text("\n".join(urns(fabric(stack))) + "\n")


if __name__ == "__main__":
    main()
