"""The ways out of a fabric: every host outside it that its stack file declares, and no other."""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from components.flows import served
from components.infrastructure import Refused
from components.spec import Candidate, FabricSpec
from regions.catalogue import Catalogue


class UnknownExit(Refused):
    """A host that the fabric has to call cannot be told from the stack file; says which key, and what to give."""


class Exit(NamedTuple):
    """``host``: a name or an address."""

    host: str
    port: int


def exits(spec: FabricSpec, catalogue: Catalogue) -> tuple[Exit, ...]:
    """Every host that the runtime calls: models, core systems, log sinks, telemetry. Sorted, each once.

    Raises ``UnknownExit`` for a provider whose host is its region's affair, ``UnknownServing`` for a model that the
    catalogue does not know.
    """
    return tuple(sorted({*runtime_exits(spec, catalogue), *telemetry_exits(spec)}))


def runtime_exits(spec: FabricSpec, catalogue: Catalogue) -> tuple[Exit, ...]:
    """Those of the gateway itself, where a collector of its own sends logs and telemetry. Raises as ``exits`` does."""
    return tuple(sorted({_exit(url) for url in _urls(spec, catalogue)}))


def telemetry_exits(spec: FabricSpec) -> tuple[Exit, ...]:
    """Where logs and telemetry are sent."""
    destinations = (*spec.logs.sinks.values(), *spec.telemetry.values())
    return tuple(sorted({_exit(destination.url) for destination in destinations}))


def _urls(spec: FabricSpec, catalogue: Catalogue) -> Iterator[str]:
    for place, candidate in spec.candidates():
        if url := _called(candidate, ".".join(map(str, place)), catalogue):
            yield url
    for system in spec.core_systems.values():
        yield from filter(None, [system.url, system.openapi if (system.openapi or "").startswith("http") else None])


def _called(candidate: Candidate, key: str, catalogue: Catalogue) -> str | None:
    """Where a candidate is called; ``None`` for the model server that the fabric runs itself."""
    if candidate.endpoint:
        return candidate.endpoint.url
    if candidate.managed is None:
        return None
    if candidate.managed.url:
        return candidate.managed.url
    called = served(candidate, catalogue).called
    if "." not in called:
        raise UnknownExit(f"{key}.managed.url: expected where {candidate.managed.provider} is called in {called}")
    return f"https://{called}"


def _exit(url: str) -> Exit:
    parts = urlsplit(url)
    return Exit(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
