"""What Google Cloud's fabric is made of, read from the stack file, and all that Google or this fabric would refuse.

Everything here is decided before anything is made.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from components.identity import gcp as identity
from components.infrastructure import OwnNetwork, Refused
from components.keys import gcp as keys
from components.models.gcp_plan import PROVIDER, Hosting, hosting
from components.naming import gcp_issuer
from components.network.exits import Exit, exits
from components.network.gcp_ground import divide, outward
from components.observability import gcp as observability
from components.postgres import gcp as postgres
from components.publish import Ground
from components.spec import FabricSpec, Redundancy
from regions.catalogue import Catalogue, Custody
from regions.endpoints import UnknownServing
from regions.rules.rule import Plan

Found = TypeVar("Found")

_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
"""A project's id; in a universe of its own with that one's prefix."""
_OF_A_FABRIC = ("cluster", "gateway", "orchestrator", "cache", "triggers")
_OF_OTHERS = {"directory": "Azure's", "guardrail": "Amazon Bedrock's", "ports": "for this machine"}


class GcpFabricError(Refused):
    """The fabric asked for cannot be made on Google Cloud; nothing was created. One line a cause, with what to do."""


@dataclass(frozen=True)
class Planned:
    """``plan``: whose Boundary decides. ``issuer``: ``iss`` of the gateway's tokens, a name that nobody looks up.
    ``exits``: that the runtime may call."""

    plan: Plan
    universe: str
    project: str
    cidr: str
    issuer: str
    exits: tuple[Exit, ...]
    hosting: Hosting | None
    databases: postgres.GcpPostgresSizes


def planned(ground: Ground) -> Planned:
    """Raises ``GcpFabricError`` with all that is wrong."""
    spec = ground.spec
    plan = Plan(ground.boundary, ground.catalogue, datetime.now(UTC).date(), spec.region)
    faults = [*_wanting(spec), *_unknown(spec)]
    if faults or not (spec.account and spec.network.cidr):
        raise GcpFabricError("\n".join(faults))
    made = _collected(lambda: hosting(spec, ground.catalogue), faults)
    found = Planned(
        plan=plan,
        universe=plan.partition,
        project=spec.account,
        cidr=spec.network.cidr,
        issuer=gcp_issuer(ground.stack),
        exits=() if faults else _collected(lambda: _exits(spec, ground.catalogue), faults) or (),
        hosting=made,
        databases=_databases(spec),
    )
    faults += _refused(spec, ground.stack, found)
    if faults:
        raise GcpFabricError("\n".join(faults))
    return found


def _exits(spec: FabricSpec, catalogue: Catalogue) -> tuple[Exit, ...]:
    """Without Vertex AI's hosts, which have addresses of the network."""
    models = {
        name: found.model_copy(
            update={
                "candidates": {
                    candidate: each
                    for candidate, each in found.candidates.items()
                    if each.managed is None or each.managed.provider != PROVIDER
                }
            }
        )
        for name, found in spec.models.items()
    }
    return exits(spec.model_copy(update={"models": models}), catalogue)


def own_network(own: OwnNetwork) -> dict[str, str | tuple[str, str]]:
    """Names of what is there, as ``GcpNetworkArgs`` has them."""
    found: dict[str, str | tuple[str, str]] = {"network": own.id, "subnetwork": own.workloads[0]}
    if own.egress:
        found["apis"] = own.egress
    if own.primary and own.replica:
        found["database_ranges"] = (own.primary[0], own.replica[0])
    return found


def _wanting(spec: FabricSpec) -> Iterator[str]:
    if not _PROJECT.fullmatch(spec.account or ""):
        yield f"account: expected the id of a project, got {spec.account or 'nothing'}"
    if spec.network.cidr is None:
        yield "network.cidr: expected a private /16: what an own network has not is made in it"
    own = spec.network.own
    if own and (len(own.workloads) != 1 or len(own.primary) > 1 or len(own.primary) != len(own.replica)):
        yield (
            "network.own: expected workloads of one subnetwork, and primary and replica of one peered range each, or "
            "neither: a range of its own is the replica's boundary"
        )
    if own and own.endpoints:
        yield "network.own.endpoints: Google's APIs have one address, which is egress: leave it out"
    if spec.network.zones:
        yield "network.zones: Google Cloud's subnetworks and databases span their region's zones: leave it out"
    if spec.network.addresses:
        yield "network.addresses: Google's firewall takes names of hosts: leave it out"


def _unknown(spec: FabricSpec) -> Iterator[str]:
    """What other platforms have, and what Google Cloud has in another way."""
    for section in _OF_A_FABRIC:
        if section in spec.model_fields_set:
            yield f"{section}: not built yet on gcp, whose extent is foundation: leave it out"
    for section, whose in _OF_OTHERS.items():
        if section in spec.model_fields_set:
            yield f"{section}: {whose}: leave it out"
    for section, region in (("keys", spec.keys.region), ("backup", spec.backup.region), ("logs", spec.logs.region)):
        if region not in (None, spec.region):
            yield f"{section}.region: on gcp it is the stack's, {spec.region}: leave it out"
    yield from _of_keys_and_databases(spec)


def _of_keys_and_databases(spec: FabricSpec) -> Iterator[str]:
    if spec.keys.replicas:
        yield "keys.replicas: Cloud KMS's keys of a region have none: leave it out"
    if spec.keys.custody is Custody.EXTERNAL and not spec.keys.encryption:
        yield "keys.custody: a key held outside is not made here: name it as keys.encryption, or take custody customer"
    if spec.backup.redundancy is Redundancy.GEO:
        yield "backup.redundancy: Cloud SQL's backups are in one region or in a multi-region: take zone"
    for key in ("image", "authority"):
        if getattr(spec.postgres, key) is not None:
            yield f"postgres.{key}: Cloud SQL runs its own, and answers for its certificate itself: leave it out"
    if "." in (spec.postgres.version or ""):
        yield f"postgres.version: Cloud SQL takes a major version alone, got {spec.postgres.version}"


def _databases(spec: FabricSpec) -> postgres.GcpPostgresSizes:
    asked = spec.postgres
    sizes: postgres.GcpPostgresSizes = {
        "size": spec.size.value,
        "statement_timeout_ms": asked.replica.statement_timeout_ms,
        "backups": asked.backup_days,
    }
    if asked.version and asked.version.isdecimal():
        sizes["version"] = int(asked.version)
    if asked.machine:
        sizes["primary_tier"] = asked.machine
    if asked.replica_machine:
        sizes["replica_tier"] = asked.replica_machine
    if asked.storage_gib:
        sizes["storage_gib"] = asked.storage_gib
        sizes["most_storage_gib"] = max(asked.storage_gib, postgres.SIZES[spec.size].most)
    return sizes


def _refused(spec: FabricSpec, stack: str, found: Planned) -> Iterator[str]:
    """What each part refuses of its own accord."""
    own, scopes = spec.keys.encryption, sorted(spec.scope_classes)
    checks: tuple[Callable[[], object], ...] = (
        lambda: (divide(found.cidr), outward(found.exits, found.universe)),
        lambda: keys.checked(own, spec.region) if own else None,
        lambda: postgres.checked(found.databases),
        lambda: identity.check(stack, found.issuer, scopes),
        lambda: observability.check(spec.logs.days),
    )
    faults: list[str] = []
    for check in checks:
        _collected(check, faults)
    yield from faults


def _collected(asked: Callable[[], Found], faults: list[str]) -> Found | None:
    try:
        return asked()
    except (Refused, UnknownServing) as refused:
        faults.append(str(refused))
        return None
