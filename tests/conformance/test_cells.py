"""Every cell of capabilities.md is in the fabrics that are shipped, and a fabric without it would not pass."""

import pytest

from components.spec import Platform
from tests.conformance.cells import Row, rows, unmet, without
from tests.conformance.fabrics import URNS, fabric, offered, spec_of, urns
from tests.fixtures.recording import Graph

STACKS = offered()
OFFERED = sorted({spec_of(stack).platform for stack in STACKS})
ROWS = [(platform, row) for platform in OFFERED for row in rows(platform)]


def graphs(platform: Platform) -> list[Graph]:
    return [fabric(stack) for stack in STACKS if spec_of(stack).platform is platform]


@pytest.mark.parametrize(("platform", "row"), ROWS, ids=str)
def test_a_shipped_fabric_has_what_the_cell_says_and_one_without_it_is_found_out(platform: Platform, row: Row) -> None:
    having = [graph for graph in graphs(platform) if not unmet(graph, row)]

    assert having, f"no stack of {platform} has {row}"
    assert all(unmet(without(graph, row), row) for graph in having)


@pytest.mark.parametrize("stack", STACKS)
def test_every_resource_has_a_component_as_parent_and_an_explicit_provider(stack: str) -> None:
    graph = fabric(stack)
    components = {each.urn for each in graph.resources if not each.custom}
    strays = [each.name for each in graph.resources if each.custom and each.parent not in components]
    on_default = [
        each.name
        for each in graph.resources
        if each.custom and each.provider is None and not each.type.startswith(("pulumi:providers:", "pulumi-python:"))
    ]

    assert strays == []
    assert on_default == []


@pytest.mark.parametrize("stack", STACKS)
def test_no_refactoring_gives_a_resource_another_urn(stack: str) -> None:
    """It would be made anew. What is meant is written by ``python -m tests.conformance.fabrics``."""
    assert urns(fabric(stack)) == (URNS / f"{stack}.txt").read_text().splitlines()


@pytest.mark.parametrize("stack", STACKS)
def test_every_urn_is_one_resource(stack: str) -> None:
    found = urns(fabric(stack))
    assert len(set(found)) == len(found)
