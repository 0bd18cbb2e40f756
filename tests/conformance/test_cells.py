"""Every cell of capabilities.md is in the fabrics that are shipped, and a fabric without it would not pass."""

import pytest

from components.spec import Platform
from scripts.rehearsal.shipped import shipped
from tests.conformance.cells import Row, rows, unmet, without
from tests.conformance.fabrics import URNS, fabric, refused, spec_of, urns
from tests.fixtures.recording import Graph

STACKS = shipped()
OFFERED = sorted({spec_of(stack).platform for stack in STACKS})
ROWS = [(platform, row) for platform in OFFERED for row in rows(platform)]


WANTING = {"aws-eusc-de-east-1": "postgres.authority"}
"""By stack, the key that whoever deploys it has to add."""
NOT_ASKED_FOR = {
    (Platform.AWS, "controls"): "an organisation's service control policies: the stack's account is its management's",
    (Platform.AWS, "controls-attached"): "the same",
    (Platform.AWS, "models-log"): "a log of prompts",
    (Platform.AWS, "models-prompts-encryption"): "the same",
    (Platform.AWS, "models-prompts-lifecycle"): "the same",
}
"""By ending of the name, what a stack file may ask for and no shipped one does: the components' own tests hold it."""


def not_asked_for(platform: Platform, row: Row) -> str | None:
    return NOT_ASKED_FOR.get((platform, row.suffix.removeprefix("-")))


def graphs(platform: Platform) -> list[Graph]:
    """Objects of Kubernetes are the same on every platform that has a cluster."""
    shared = platform is Platform.KUBERNETES
    return [fabric(stack) for stack in STACKS if shared or spec_of(stack).platform is platform]


@pytest.mark.parametrize(("platform", "row"), [each for each in ROWS if not_asked_for(*each) is None], ids=str)
def test_a_shipped_fabric_has_what_the_cell_says_and_one_without_it_is_found_out(platform: Platform, row: Row) -> None:
    having = [graph for graph in graphs(platform) if not unmet(graph, row)]

    assert having, f"no stack of {platform} has {row}"
    assert all(unmet(without(graph, row), row) for graph in having)


def test_what_no_stack_asks_for_is_in_none() -> None:
    optional = [each for each in ROWS if not_asked_for(*each)]
    assert [row for platform, row in optional if not all(unmet(graph, row) for graph in graphs(platform))] == []


def test_only_what_is_written_here_keeps_a_shipped_stack_from_being_made() -> None:
    refusals = {stack: why for stack in STACKS if (why := refused(stack))}
    assert refusals.keys() == WANTING.keys()
    assert all(WANTING[stack] in why for stack, why in refusals.items())


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
