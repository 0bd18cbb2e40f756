"""The Pulumi program: review the stack file, and only then build the fabric it asks for."""

import json
from datetime import UTC, datetime
from typing import Any

import pulumi

from components.fabric import Incomplete, build
from components.infrastructure import Refused
from components.naming import stack_file
from components.parity import NotSupported
from components.publish import Ground
from components.review import refusal, review_read
from components.spec import SpecError
from regions.catalogue import CatalogueError, load_catalogue

REFUSALS = (SpecError, CatalogueError, NotSupported, Incomplete, Refused)


def main() -> None:
    """Register the whole stack, or nothing of it: what is refused is refused before the first resource."""
    try:
        fabric = build(ground_of(pulumi.get_stack()))
    except REFUSALS as refused:
        raise pulumi.RunError(str(refused)) from refused
    for name, output in fabric.outputs.items():
        pulumi.export(name, output)


def ground_of(stack: str) -> Ground:
    """What Pulumi read of the stack, once review has nothing against it; raises ``RunError`` with all that it has."""
    catalogue = load_catalogue()
    reviewed = review_read(stack_file(stack), fabric_read(), stack, catalogue, datetime.now(UTC).date())
    if reviewed.open or reviewed.spec is None or reviewed.boundary is None:
        raise pulumi.RunError(refusal(reviewed))
    return Ground(stack, reviewed.spec, reviewed.boundary, catalogue)


def fabric_read() -> Any:
    """The object under ``loomstead:fabric``, ``None`` where there is none, as text where it is no object."""
    text = pulumi.Config("loomstead").get("fabric")
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text


main()
