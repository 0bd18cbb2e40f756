"""What a first stack file says, section by section, each with what an engineer has to know of it."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

from components.aws.hosts import SUFFIXES, registry
from components.infrastructure import Engine, Extent, Refused, Size
from components.postgres.aws_authority import authority
from components.spec import Custody, Platform, Redundancy
from regions.catalogue import HOST, Catalogue
from scripts.preflight.wanted import GCP_SERVICES
from scripts.stack_file.model import candidates
from scripts.stack_file.wish import Wish

ACCOUNTS = {
    Platform.AWS: "111122223333",
    Platform.AZURE: "00000000-0000-0000-0000-000000000000",
    Platform.GCP: "example-project",
}
NOBODY = "00000000-0000-0000-0000-000000000000"
FOUNDATIONS = (Platform.AZURE, Platform.GCP)
"""Whose extent is foundation yet."""
_ACCOUNT_IS = {
    Platform.AWS: "The only AWS account that this stack is made in",
    Platform.AZURE: "The only subscription that this stack is made in",
    Platform.GCP: (
        "The only project that this stack is made in. It is in an organisation whose log settings name this region "
        "(`_Required` is else global), with these services on: " + ", ".join(GCP_SERVICES)
    ),
}
_MONTHLY = {Size.SMALL: 4000, Size.MEDIUM: 9000, Size.LARGE: 20_000}
_UNBUDGETED = ("aws-us-gov",)
"""Partitions that are billed in an account of another."""
_LOG_DAYS, _BACKUP_DAYS = 365, 14
_LONG_KEPT = ("us-hipaa",)
"""Regimes whose records are kept for six years (45 CFR 164.316(b)(2)(i))."""
_SIX_YEARS = 2192
_AZURE_LOG_DAYS = 730
"""The longest for which a workspace keeps what can be asked at once."""
_LONGEST_BACKUP = 35
_SIGNED_FOR = timedelta(days=360)
TO_SIGN, TO_BRING = "# waivers:", "# authority:"
"""How lines begin that wait for a person."""
_WAIVER = f"""\
# A person has to sign here before `loomstead plan` is clean: rule A26 finds one resource, the private zone with the
# gateway's name, because Route 53's control plane is in no region. For a year at most. Name who answers for it, and
# take the # away:
{TO_SIGN}
#   - rule: A26
#     resource: fabric-runtime-edge-zone
#     reason: Route 53's control plane is global; this private zone holds the gateway's name alone
#     approver: dpo@corp.example # CHANGE
#     expires: "{{expires}}"
"""
_AUTHORITY = f"""\
  # RDS's authority in {{region}} is not known here: before `pulumi up`, name the file of the region's bundle, which
  # AWS publishes (RDS User Guide, Using SSL/TLS), and take the # away:
  {TO_BRING} rds-{{region}}.pem
"""


class Section(NamedTuple):
    """``after``: lines that follow, all comments."""

    key: str
    value: Any
    comment: str = ""
    after: str = ""


def sections(wish: Wish, catalogue: Catalogue, today: date) -> tuple[Section, ...]:
    """In the order of a shipped stack file."""
    return (
        *_place(wish, catalogue),
        _residency(wish, today),
        *_ground(wish, catalogue),
        *_kept(wish, catalogue),
        *_work(wish, catalogue, today),
        *_budget(wish, catalogue),
    )


def _place(wish: Wish, catalogue: Catalogue) -> Iterator[Section]:
    yield Section("platform", str(wish.platform))
    yield Section("region", wish.region)
    if catalogue.regions[wish.region].country == HOST:
        yield Section("country", wish.stands_in(catalogue), "Where the machines stand")
    if wish.platform in FOUNDATIONS:
        yield Section("extent", str(Extent.FOUNDATION), f"All that there is of {wish.platform} yet: no cluster")
    yield Section("size", str(wish.size), "small, medium or large; every part also takes numbers of its own")
    if wish.platform in ACCOUNTS:
        yield Section("account", ACCOUNTS[wish.platform], _ACCOUNT_IS[wish.platform])
    if wish.platform is Platform.AZURE:
        directory = {
            "tenant": NOBODY,
            "administrators": NOBODY,
            "administrators_name": "database-administrators",
            "issuer": "https://issuer.agents.example",
        }
        comment = (
            "Entra's tenant; object id and name of the group that administers databases; and the public address where "
            "Entra fetches the gateway's keys"
        )
        yield Section("directory", directory, comment)


def _residency(wish: Wish, today: date) -> Section:
    said = {"evidence": {str(key): value for key, value in wish.evidence.items()}} if wish.evidence else {}
    classes: dict[str, Any] = {str(found): {} for found in wish.data_classes}
    return Section(
        "residency",
        {"regimes": list(wish.regimes), "data_classes": classes, **said},
        f"`loomstead review --explain {wish.regimes[0]}/rest` says where data may be, and by which source",
        _WAIVER.format(expires=today + _SIGNED_FOR) if wish.platform is Platform.AWS else "",
    )


def _ground(wish: Wish, catalogue: Catalogue) -> Iterator[Section]:
    """What a fabric stands on, with examples where only its owner knows."""
    if wish.platform is Platform.KUBERNETES:
        yield Section(
            "keys", {"custody": str(Custody.EXTERNAL)}, "Who runs the API server holds the key to its Secrets"
        )
        cluster = {
            "context": "onprem",
            "server": "https://k8s.corp.example:6443",
            "storage_class": "replicated-encrypted",
            "cilium": True,
            "encrypted_at_rest": True,
            "key": "kms-plugin",
        }
        yield Section("cluster", cluster, "Declared, not made: all of it is yours to say, and nobody can see it inside")
        yield _gateway(wish, catalogue)
        place = {"url": "https://otlp.corp.example", "countries": [wish.stands_in(catalogue)]}
        yield Section("telemetry", {"observability": place}, "Where the collector sends traces and metrics")
        return
    own = "Private addresses that meet no network of yours; `own:` names a network that is there"
    if wish.platform is Platform.AWS:
        own += ". Its zones are the region's a, b and c where `zones:` names none"
    yield Section("network", {"cidr": "10.20.0.0/16"}, own)
    held = "customer: keys of the stack's own; `encryption:` names one of yours instead"
    yield Section("keys", {"custody": str(Custody.CUSTOMER)}, held)
    if wish.platform is Platform.AWS:
        first = (
            "Its API is private: raise the stack with `extent: foundation` first, attach its network to the one that "
            "deployers and operators are in (callers), then take `extent: fabric`"
        )
        yield Section("cluster", {"callers": ["10.8.0.0/16"]}, first)
        yield _gateway(wish, catalogue)
        yield Section("orchestrator", {"engine": str(Engine.STEP_FUNCTIONS)}, "Or temporal, on the cluster")


def _gateway(wish: Wish, catalogue: Catalogue) -> Section:
    partition = catalogue.regions[wish.region].partition
    images, certificate = "registry.corp.example", "corp-ca"
    if wish.platform is Platform.AWS and partition in SUFFIXES:
        images = registry(ACCOUNTS[wish.platform], wish.region, partition)
        certificate = f"arn:{partition}:acm:{wish.region}:{ACCOUNTS[wish.platform]}:certificate/{NOBODY}"
    gateway = {
        "image": f"{images}/loomstead@sha256:{'0' * 64}",
        "host": "agents.corp.example",
        "certificate": certificate,
    }
    whose = "cert-manager's ClusterIssuer" if wish.platform is Platform.KUBERNETES else "ARN in ACM of the region"
    return Section(
        "gateway",
        gateway,
        f"The runtime's image by digest, the name that callers use, and its certificate: the {whose}",
    )


def _kept(wish: Wish, catalogue: Catalogue) -> Iterator[Section]:
    """Logs, backups and databases."""
    long = any(regime in _LONG_KEPT for regime in wish.regimes)
    if wish.platform is Platform.KUBERNETES:
        store = {
            "url": "https://s3.corp.example",
            "bucket": f"s3://loomstead-backups/{wish.region}",
            "countries": [wish.stands_in(catalogue)],
        }
        yield Section(
            "backup", {"store": store}, "A store that speaks S3, and every country where it keeps what it gets"
        )
    else:
        longest = _AZURE_LOG_DAYS if wish.platform is Platform.AZURE else _SIX_YEARS
        comment = "How long logs are kept" + (": six years, as the regime asks for" if long else "")
        if long and longest < _SIX_YEARS:
            comment = "The longest that Azure keeps what can be asked at once; for six years, export them"
        yield Section("logs", {"days": longest if long else _LOG_DAYS}, comment)
        yield Section("backup", {"redundancy": str(Redundancy.ZONE)}, "In the region's zones, and in no other region")
    postgres = {
        "backup_days": _LONGEST_BACKUP if long else _BACKUP_DAYS,
        "replica": {"connection_limit": 20, "statement_timeout_ms": 5000},
    }
    agents = "The replica is what agents read from. Machines and storage are the size's where nothing is said"
    unknown = wish.platform is Platform.AWS and not _authority_known(wish.region)
    yield Section("postgres", postgres, agents, _AUTHORITY.format(region=wish.region) if unknown else "")


def _authority_known(region: str) -> bool:
    try:
        authority(region, None)
    except Refused:
        return False
    return True


def _work(wish: Wish, catalogue: Catalogue, today: date) -> Iterator[Section]:
    chat = {"context_tokens": 32_768, "candidates": candidates(wish, catalogue, today)}
    yield Section(
        "models", {"chat": chat}, "Agents ask for the class; who answers it is named here, and inside the Boundary"
    )
    url = "https://orders.corp.example"
    system = {"url": url, "openapi": f"{url}/openapi.json", "country": wish.stands_in(catalogue)}
    yield Section("core_systems", {"orders": system}, "Whose tools agents call, by their OpenAPI document")
    scope = {"core_system": "orders", "tools": ["orders.get"]}
    yield Section("scope_classes", {"orders-read": scope}, "Sets of rights there: operation ids of that document")


def _budget(wish: Wish, catalogue: Catalogue) -> Iterator[Section]:
    partition = catalogue.regions[wish.region].partition
    if wish.platform in (Platform.AWS, Platform.AZURE) and partition not in _UNBUDGETED:
        budget = {"monthly": _MONTHLY[wish.size], "notify": ["platform@corp.example"]}
        yield Section("budget", budget, "US dollars, and who is told; `loomstead cost` says what to expect")
