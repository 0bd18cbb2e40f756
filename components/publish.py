"""The one writer of the Manifest: what the stack file says, and what the parts answered when they were up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import pulumi
from pulumi import Input

from components.keys.contract import Keys
from components.local.manifest_file import ManifestFile
from components.spec import FabricSpec
from regions.boundary import Boundary
from regions.canonical import canonical
from regions.manifest import (
    Client,
    CoreSystem,
    Endpoints,
    Identities,
    Limits,
    Manifest,
    ModelEndpoint,
    ScopeClass,
)


@dataclass(frozen=True)
class Ground:
    """What is known before anything is up."""

    stack: str
    spec: FabricSpec
    boundary: Boundary
    catalogue_digest: str


class Answers(TypedDict):
    """What the parts answered; ``endpoints`` and ``core_systems`` as ``regions.manifest`` has them."""

    endpoints: Mapping[str, Input[Any]]
    model_url: Input[str]
    core_systems: Sequence[Mapping[str, Input[str]]]
    issuer: Input[str]
    clients: Input[Sequence[Mapping[str, Any]]]


def publish(
    name: str, ground: Ground, answers: Answers, home: Input[str], keys: Keys, opts: pulumi.ResourceOptions
) -> ManifestFile:
    """Build the Manifest once everything has answered, and sign it with the deployer's key."""
    manifest = pulumi.Output.all(**answers).apply(lambda found: _text(build(ground, found)))
    kid = keys.public.apply(lambda public: public["manifest"]["kid"])
    return ManifestFile(name, {"home": home, "manifest": manifest, "secrets": keys.secrets, "kid": kid}, opts)


def _text(manifest: Manifest) -> str:
    # In one form, because the engine gives back the members of an object in any order.
    return canonical(manifest.model_dump(mode="json")).decode()


def build(ground: Ground, answers: Mapping[str, Any]) -> Manifest:
    """The Manifest; ``answers`` are those of ``Answers``, known by now."""
    spec = ground.spec
    return Manifest(
        stack=ground.stack,
        platform=spec.platform,
        region=spec.region,
        country=spec.country,
        boundary=ground.boundary,
        boundary_digest=ground.boundary.digest,
        catalogue_digest=ground.catalogue_digest,
        spec_digest=spec.digest,
        endpoints=Endpoints(**answers["endpoints"]),
        models=(_model(spec, answers["model_url"]),),
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


def _model(spec: FabricSpec, url: str) -> ModelEndpoint:
    model = spec.model
    return ModelEndpoint(
        name=model_name(spec),
        model_class=model.model_class,
        url=url,
        upstream_model=model_name(spec),
        countries=model.endpoint.countries if model.endpoint else (spec.country,),
        context_tokens=model.context_tokens,
    )


def model_name(spec: FabricSpec) -> str:
    """The name by which the upstream knows its model."""
    model = spec.model
    if model.endpoint:
        return model.endpoint.model
    return model.weights or (model.gguf.stem if model.gguf else "")
