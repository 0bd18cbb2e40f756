"""A shipped stack is planned on the real engine, with neither a cloud nor credentials."""

from datetime import date

from components.naming import REPOSITORY
from components.review import review
from regions.catalogue import load_catalogue
from scripts.engine import ensure_engine
from scripts.graph import findings_in
from scripts.plan.graph import planned
from scripts.progress import progress

FILE = REPOSITORY / "stacks" / "Pulumi.azure-swedencentral.yaml"
ON = date(2026, 11, 23)


def test_a_stack_is_planned_whole_and_nothing_in_it_is_against_the_boundary() -> None:
    catalogue = load_catalogue()
    reviewed = review(FILE, catalogue, ON)
    with progress() as report:
        engine = ensure_engine(report)

    graph = planned(reviewed, engine)

    types = {state.type for state in graph.states}
    assert {"azure-native:network:VirtualNetwork", "azure-native:dbforpostgresql:Server"} <= types
    assert {each.rule for each in findings_in(graph, reviewed, catalogue, ON)} <= {"X04"}
