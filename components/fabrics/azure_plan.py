"""What Azure's fabric is made of, read from the stack file: names, and all that Azure or this fabric would refuse.

Everything here is decided before anything is made.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TypeVar

from components.identity import azure as identity
from components.infrastructure import OwnNetwork, Refused
from components.keys import azure as keys
from components.keys.azure import AzureKeysChosen
from components.keys.azure_checks import Store, store_for
from components.models.azure_plan import Hosting, hosting
from components.network import azure_plan as network
from components.network.azure_plan import AzureNetworkError, Service
from components.network.exits import exits
from components.observability.azure import MAILING
from components.postgres import azure_sizes as postgres
from components.publish import Ground
from components.spec import FabricSpec, Redundancy
from regions.catalogue import Custody
from regions.endpoints import UnknownServing
from regions.residency import Purpose
from regions.rules.rule import Plan

Found = TypeVar("Found")

_SUBSCRIPTION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ZONES = ("1", "2", "3")
_LOG_DAYS = range(30, 731)
"""For which a workspace keeps what can be asked at once."""
_OF_A_FABRIC = ("cluster", "gateway", "orchestrator", "cache", "triggers")
_LOGINS = {
    "public": "login.microsoftonline.com",
    "usgovernment": "login.microsoftonline.us",
    "china": "login.partner.microsoftonline.cn",
}
"""By cloud of Azure, where Entra gives the tokens that databases and models take."""


class AzureFabricError(Refused):
    """The fabric asked for cannot be made on Azure; nothing was created. One line a cause, with what to do."""


@dataclass(frozen=True)
class Planned:
    """``plan``: whose Boundary decides. ``name``, ``vault``, ``log_account``: unique in their cloud. ``hosts``: that
    the runtime may call. ``mailing``: the region that mails alarms, empty for none. ``since``: first of this month."""

    plan: Plan
    environment: str
    subscription: str
    tenant: str
    administrator: str
    administrator_name: str
    cidr: str
    name: str
    vault: str
    log_account: str
    hosts: tuple[str, ...]
    hosting: Hosting | None
    mailing: str
    since: str


def planned(ground: Ground) -> Planned:
    """Raises ``AzureFabricError`` with all that is wrong."""
    spec, today = ground.spec, datetime.now(UTC).date()
    plan = Plan(ground.boundary, ground.catalogue, today, spec.region)
    faults = [*_wanting(spec), *_unknown(spec)]
    if faults or not (spec.account and spec.network.cidr and spec.directory):
        raise AzureFabricError("\n".join(faults))
    made = _collected(lambda: hosting(spec, ground.catalogue), faults)
    unique = sha256(f"{spec.account}/{ground.stack}".encode()).hexdigest()[:6]
    found = Planned(
        plan=plan,
        environment=plan.partition,
        subscription=spec.account,
        tenant=spec.directory.tenant,
        administrator=spec.directory.administrators,
        administrator_name=spec.directory.administrators_name,
        cidr=spec.network.cidr,
        name=f"{ground.stack}-{unique}",
        vault=f"{ground.stack[:17].rstrip('-')}-{unique}",
        log_account=f"flows{re.sub('[^a-z0-9]', '', ground.stack)[:13]}{unique}",
        hosts=tuple(_collected(lambda: _hosts(spec, plan, made), faults) or ()),
        hosting=made,
        mailing=_mailing(plan),
        since=_month(today),
    )
    faults += _refused(spec, found)
    if faults:
        raise AzureFabricError("\n".join(faults))
    return found


def keys_chosen(spec: FabricSpec, plan: Plan, name: str) -> AzureKeysChosen:
    """What an HSM needs, and a vault has itself: who opens it, and where the secrets are instead."""
    chosen: AzureKeysChosen = {"vault": spec.keys.encryption} if spec.keys.encryption else {}
    if spec.directory and store_for(plan) is Store.HSM:
        chosen["administrators"] = spec.directory.key_administrators
        chosen["secrets"] = f"kubernetes:{name}-runtime/secrets"
    return chosen


def own_subnets(own: OwnNetwork) -> dict[str, str]:
    """Ids by role of the subnets that are there."""
    runtime, tools = own.workloads
    return {"runtime": runtime, "tools": tools, **({"endpoints": own.endpoints[0]} if own.endpoints else {})}


def _wanting(spec: FabricSpec) -> Iterator[str]:
    if not _SUBSCRIPTION.fullmatch(spec.account or ""):
        yield f"account: expected the id of a subscription, got {spec.account or 'nothing'}"
    if spec.directory is None:
        yield "directory: expected tenant, administrators and administrators_name"
    if spec.network.cidr is None:
        yield "network.cidr: expected a private block, /22 or wider: the databases' subnets are always made in it"
    own = spec.network.own
    if own and (len(own.workloads) != 2 or len(own.endpoints) > 1 or own.primary or own.replica):
        yield (
            "network.own: expected workloads of two subnets, the runtime's and the tools', endpoints of one at most, "
            "and no primary or replica: their rules are the agents' boundary, so they are made here"
        )
    if own and own.egress is None:
        yield "network.own.egress: expected the private address of the firewall that lets out the declared hosts"
    wrong = sorted({*spec.network.zones} - {*_ZONES})
    if wrong:
        yield f"network.zones: {', '.join(wrong)} are no zones of Azure, which are {', '.join(_ZONES)}"


def _unknown(spec: FabricSpec) -> Iterator[str]:
    """What other platforms have, and what Azure has in another way."""
    for section in _OF_A_FABRIC:
        if section in spec.model_fields_set:
            yield f"{section}: not built yet on azure, whose extent is foundation: leave it out"
    for section, region in (("keys", spec.keys.region), ("backup", spec.backup.region), ("logs", spec.logs.region)):
        if region not in (None, spec.region):
            yield f"{section}.region: on azure it is the stack's, {spec.region}: leave it out"
    if spec.keys.replicas:
        yield "keys.replicas: Azure's keys have none: leave it out"
    if spec.keys.custody is Custody.EXTERNAL:
        yield "keys.custody: Azure's services take keys of Key Vault and Managed HSM alone, which is custody customer"
    if spec.backup.redundancy is Redundancy.GEO:
        yield (
            "backup.redundancy: a copy in the paired region is encrypted with a key in that region, and none is made "
            "there: take zone"
        )
    if spec.logs.days not in _LOG_DAYS:
        yield f"logs.days: Azure keeps logs for {_LOG_DAYS[0]} to {_LOG_DAYS[-1]} days, got {spec.logs.days}"
    if "." in (spec.postgres.version or ""):
        yield f"postgres.version: Azure takes a major version and sees to the minor one, got {spec.postgres.version}"


def _hosts(spec: FabricSpec, plan: Plan, made: Hosting | None) -> list[str]:
    """Whom the runtime calls outside; the stack's own models have a private address."""
    called = [each for each in exits(spec, plan.catalogue) if made is None or each.host != made.host]
    wrong = [f"{each.host}:{each.port}" for each in called if each.port != network.HTTPS]
    if wrong:
        raise AzureNetworkError(
            f"network: egress to {', '.join(wrong)}: the firewall lets out HTTPS on {network.HTTPS} alone, so have "
            "what listens elsewhere answer there"
        )
    return network.hosts_allowed([*(each.host for each in called), _LOGINS[plan.partition]])


def _refused(spec: FabricSpec, found: Planned) -> Iterator[str]:
    """What each part refuses of its own accord."""
    sizes, zones = spec.postgres, network.ZONES.get(found.environment, {})
    scopes = sorted(spec.scope_classes)
    chosen = keys_chosen(spec, found.plan, found.name)
    checks: tuple[Callable[[], object], ...] = (
        lambda: network.addresses(found.cidr),
        lambda: keys.check(found.plan, found.vault, tuple(map(str, zones)), chosen),
        lambda: postgres.asked(
            found.name,
            str(spec.size),
            sizes.machine,
            sizes.replica_machine,
            sizes.storage_gib,
            sizes.backup_days,
            max(1, len(spec.network.zones)),
        ),
        lambda: identity.check(spec.directory.issuer if spec.directory else None, scopes),
    )
    faults: list[str] = []
    for check in checks:
        _collected(check, faults)
    yield from faults
    if found.hosting and store_for(found.plan) is Store.HSM:
        yield (
            "models: Azure encrypts a managed model's resource with a key's version, and tells none of an HSM's, which "
            f"{spec.region} needs: call models of another region's resource by their url, inside the Boundary"
        )
    if found.hosting and Service.MODELS not in zones:
        yield f"models: the private name of Azure's models in its cloud {found.environment} is unknown: leave them out"


def _collected(asked: Callable[[], Found], faults: list[str]) -> Found | None:
    try:
        return asked()
    except (Refused, UnknownServing) as refused:
        faults.append(str(refused))
        return None


def _mailing(plan: Plan) -> str:
    """The stack's region or another inside the Boundary, of those that mail."""
    for region in (plan.region, *MAILING):
        country = plan.country(region)
        if region in MAILING and country and plan.catalogue.regions[region].partition == plan.partition:
            purposes = (Purpose.LOGS, Purpose.REST, Purpose.PROCESS)
            if not any(plan.outside("alarms", purpose, (country,)) for purpose in purposes):
                return region
    return ""


def _month(today: date) -> str:
    return today.replace(day=1).isoformat()
