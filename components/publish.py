"""The one writer of the Manifest: what the stack file says, and what the parts answered when they were up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import pulumi
from pulumi import Input

from components.model_endpoints import model_endpoints
from components.spec import FabricSpec, country_of
from regions.boundary import Boundary
from regions.canonical import canonical
from regions.catalogue import Catalogue, Country
from regions.manifest import (
    Client,
    CoreSystem,
    Endpoints,
    Identities,
    Limits,
    Manifest,
    ScopeClass,
)


@dataclass(frozen=True)
class Ground:
    """What is known before anything is up."""

    stack: str
    spec: FabricSpec
    boundary: Boundary
    catalogue: Catalogue

    @property
    def country(self) -> Country:
        """Where the stack stands; raises ``LookupError`` for a region that the catalogue does not know."""
        country = country_of(self.spec, self.catalogue)
        if country is None:
            raise LookupError(f"region: the catalogue does not know where {self.spec.region} stands")
        return country


class Answers(TypedDict):
    """What the parts answered; ``endpoints`` and ``core_systems`` as ``regions.manifest`` has them.

    ``model_url``: of the model server that the fabric runs, where it runs one.
    """

    endpoints: Mapping[str, Input[Any]]
    model_url: Input[str] | None
    core_systems: Sequence[Mapping[str, Input[str]]]
    issuer: Input[str]
    clients: Input[Sequence[Mapping[str, Any]]]


def manifest_text(ground: Ground, answers: Answers) -> pulumi.Output[str]:
    """The Manifest's JSON, once everything has answered. In one form, because the engine gives back the members of an
    object in any order."""
    return pulumi.Output.all(**answers).apply(
        lambda found: canonical(build(ground, found).model_dump(mode="json")).decode()
    )


def build(ground: Ground, answers: Mapping[str, Any]) -> Manifest:
    """The Manifest; ``answers`` are those of ``Answers``, known by now."""
    spec = ground.spec
    return Manifest(
        stack=ground.stack,
        platform=spec.platform,
        region=spec.region,
        country=ground.country,
        boundary=ground.boundary,
        boundary_digest=ground.boundary.digest,
        catalogue_digest=ground.catalogue.digest,
        spec_digest=spec.digest,
        endpoints=Endpoints(**answers["endpoints"]),
        models=tuple(model_endpoints(spec, ground.catalogue, ground.country, answers["model_url"])),
        core_systems=tuple(CoreSystem(**system) for system in answers["core_systems"]),
        scope_classes=tuple(
            ScopeClass(name=name, core_system=scope.core_system, tools=scope.tools)
            for name, scope in sorted(spec.scope_classes.items())
        ),
        identities=Identities(
            issuer=answers["issuer"], clients=tuple(Client(**client) for client in answers["clients"])
        ),
        limits=Limits(**spec.limits.model_dump()),
    )
