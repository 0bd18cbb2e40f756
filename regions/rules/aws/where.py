"""Where AWS resources and their providers stand: A01, A02."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from regions.findings import Severity
from regions.hosts import host_of
from regions.residency import Purpose
from regions.rules.clauses import host_declared, outside, stands_within
from regions.rules.rule import UNKNOWN, UNSET, Breach, Check, Clause, Plan, Resource, ResourceRule

_AWS_HOST = re.compile(r"(^|\.)(amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|api\.aws|on\.aws)$")
_REGION_LABEL = re.compile(r"(?<![a-z0-9])[a-z]{2,}(?:-[a-z]+)+-[0-9]+(?![a-z0-9])")


def region_in(text: str) -> str | None:
    """The region that a host's or service's name holds, known or not."""
    found = _REGION_LABEL.search(text)
    return found[0] if found else None


def host_within(purpose: Purpose, *, unset: str | None = None) -> Check:
    """A URL or host that the stack declares, of known telemetry, or of AWS in a region where the purpose is allowed."""
    declared = host_declared(purpose, unset=unset)

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        host = host_of(str(value))
        if value is UNSET or host is None or host in plan.hosts or not _AWS_HOST.search(host):
            yield from declared(value, resource, plan)
            return
        region = region_in(host)
        if region is None:
            yield f"{host} is a host of AWS that names no region, so where it leads is not known"
        elif breach := outside(plan, resource, purpose, region):
            yield breach

    return check


def _endpoints_within() -> Check:
    """Custom endpoints by service, as the SDK has them or as the engine has them: in JSON."""
    within_a_region = host_within(Purpose.PROCESS)

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        if value is UNSET:
            return
        services = _services(value)
        if services is None:
            yield "these endpoints cannot be read, so where calls go is not known"
            return
        for service, url in services:
            for found in within_a_region(url, resource, plan):
                text = found if isinstance(found, str) else found.message
                countries = () if isinstance(found, str) else found.countries
                yield Breach("", "", f"{service} is called at {url}: {text}", countries)

    return check


def _services(value: Any) -> list[tuple[str, str]] | None:
    """Service and URL of each endpoint; ``None`` where it is not readable."""
    try:
        read = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None
    each = read if isinstance(read, list | tuple) else [read]
    if not all(isinstance(item, Mapping) for item in each):
        return None
    pairs = [(service, url) for item in each for service, url in item.items() if url is not None]
    return None if any(url is UNKNOWN for _, url in pairs) else [(service, str(url)) for service, url in pairs]


KEYS = ("aws:kms/*", "aws:cloudhsmv2/*")
BACKUPS = ("aws:backup/*", "aws:dlm/*")
LOGS = ("aws:cloudwatch/log*", "aws:cloudtrail/*")
"""Types that hold nothing but keys, backups or logs; every other one may hold data and work on it."""


def _held(resource: Resource) -> bool:
    return any(resource.type.startswith(kind.removesuffix("*")) for kind in (*KEYS, *BACKUPS, *LOGS))


def _named_region_list(resource: Resource) -> bool:
    """A replication set's ``region`` is a list of other regions (A34 judges it), not its own."""
    return resource.type == "aws:ssmincidents/replicationSet:ReplicationSet"


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="A01",
        title="AWS resource outside the Boundary",
        severity=Severity.DENY,
        types=("aws:*",),
        trap="each resource may name a region of its own, whatever region its provider has",
        remedy="leave region out, or name a region inside the Boundary",
        source="residency-facts.md §7 A01, pulumi_aws 7.51.1",
        clauses=(
            Clause(
                "region",
                stands_within(Purpose.REST, Purpose.PROCESS),
                unless=lambda resource: _held(resource) or _named_region_list(resource),
                own=True,
            ),
            Clause("region", stands_within(Purpose.KEYS), types=KEYS, own=True),
            Clause("region", stands_within(Purpose.BACKUP), types=BACKUPS, own=True),
            Clause("region", stands_within(Purpose.LOGS), types=LOGS, own=True),
        ),
    ),
    ResourceRule(
        id="A02",
        title="AWS provider outside the Boundary",
        severity=Severity.DENY,
        types=("pulumi:providers:aws",),
        trap="a provider of another region or partition, or with endpoints of its own, takes all its resources there",
        remedy="name the stack's region, and no endpoints but those of AWS in a region inside the Boundary",
        source="residency-facts.md §7 A02 and §4, pulumi_aws 7.51.1",
        clauses=(
            Clause("region", stands_within(Purpose.REST, Purpose.PROCESS)),
            Clause("endpoints[]", _endpoints_within()),
        ),
    ),
)
