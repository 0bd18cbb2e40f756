"""The checks before a first `pulumi up`: what is known of a place, held against what a stack file asks for."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from ipaddress import ip_network
from urllib.parse import parse_qs, urlsplit

from components.fabric import asked_for, lacking
from components.infrastructure import Refused
from components.parity import NotSupported, require
from components.postgres.aws_authority import authority
from components.review import StackReview, line
from components.spec import FabricSpec, Platform
from regions.boundary import Boundary, Flow, told
from regions.catalogue import HOST, Catalogue, Country
from regions.documents import shown
from regions.residency import Purpose
from scripts.cost.estimate import CODE as BUDGET
from scripts.cost.estimate import NoPrices, estimate, over_budget
from scripts.preflight.cluster import cluster
from scripts.preflight.facts import Facts, Quota, State
from scripts.preflight.organisation import organisation
from scripts.preflight.reach import reached
from scripts.preflight.results import RECORD, Grade, Result, passed, unknown

ENGINE = (3, 255)
"""The oldest engine that the SDK's own version works with."""
KUBERNETES = (1, 30)
"""Since when ValidatingAdmissionPolicy is stable (kubernetes.io, 2024-04-17)."""
STALE = timedelta(days=7)
_PLACEHOLDERS = re.compile(r"sha256:0{64}|\b(111122223333|123456789012)\b|0{8}-0{4}-|\.example\b")
"""Account numbers that AWS keeps for documentation, names that RFC 2606 keeps, digests of nothing."""
_MARKED = re.compile(r"([^#]*\S)\s+# CHANGE\b.*")


@dataclass(frozen=True)
class Asked:
    """What a preflight is about. ``wanted``: quota → how much of it the fabric takes. ``names``: that it gives.

    ``actions``: that the deployer must be allowed. ``brought``: Secrets that a person lays down in a cluster, with
    their keys. ``constraints``: of an organisation, with values that the stack needs. ``backend``: URL of Pulumi's
    state, none: nobody said. ``marked``: line → what the stack file says there and marks as a person's to change.
    """

    review: StackReview
    catalogue: Catalogue
    today: date
    wanted: Mapping[str, float]
    names: tuple[str, ...]
    actions: tuple[str, ...]
    brought: Mapping[str, tuple[str, ...]]
    constraints: Mapping[str, tuple[str, ...]]
    backend: str | None
    marked: Mapping[int, str]


def preflight(asked: Asked, facts: Facts | None) -> list[Result]:
    """Every check, in the order in which they matter; ``None``: no facts of the place could be had."""
    results = [*_stack_file(asked)]
    spec, boundary = asked.review.spec, asked.review.boundary
    if spec is None or boundary is None:
        return results
    results += _backend(asked.backend, boundary, asked)
    results += _cost(spec, asked.catalogue)
    if facts is None:
        subject = f"{spec.platform} {spec.region}"
        return [*results, Result("facts", Grade.INFO, subject, "nothing is known of it: no credentials", RECORD)]
    results += _age(facts, asked.today)
    results += _place(facts, spec)
    results += _permissions(facts, asked.actions)
    results += _quotas(facts, asked.wanted)
    results += _models(facts, spec)
    results += _policies(facts)
    results += organisation(facts, spec, asked.constraints)
    results += _networks(facts, spec)
    results += _names(facts, asked.names)
    results += _tools(facts, spec)
    results += reached(facts, spec)
    if spec.platform is Platform.KUBERNETES:
        results += cluster(facts, spec, asked.brought)
    return results


def _stack_file(asked: Asked) -> Iterator[Result]:
    reviewed, spec = asked.review, asked.review.spec
    for finding in reviewed.open:
        yield Result("spec/review", Grade.FAIL, finding.resource, line(finding), finding.remedy)
    if spec is None:
        return
    if not reviewed.open:
        yield passed("spec/review", reviewed.stack, "nothing against it")
    try:
        require(asked_for(spec, asked.catalogue), spec.platform)
        yield passed("spec/capabilities", spec.platform, "has all that is asked for")
    except NotSupported as lacks:
        remedy = "leave it out, or take another platform or extent"
        yield Result("spec/capabilities", Grade.FAIL, spec.platform, str(lacks), remedy)
    for place, what in lacking(spec):
        yield Result("spec/incomplete", Grade.FAIL, shown(place), f"expected {what}", "write it into the stack file")
    yield from _authority(spec)
    for place, value in _values(spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)):
        if _PLACEHOLDERS.search(value) and not any(value in text for text in asked.marked.values()):
            yield Result("spec/placeholder", Grade.FAIL, place, f"{value} is an example", "write your own")
    for number, text in asked.marked.items():
        remedy = "write your own, and take the mark away"
        yield Result("spec/placeholder", Grade.FAIL, f"line {number}", f"{text} is marked CHANGE", remedy)


def _authority(spec: FabricSpec) -> Iterator[Result]:
    """Of RDS: a file of the deployer's, in a region of which nobody here has it."""
    if spec.platform is not Platform.AWS:
        return
    try:
        authority(spec.region, spec.postgres.authority)
    except Refused as wanting:
        key, _, message = str(wanting).partition(": ")
        yield Result("spec/file", Grade.FAIL, key, message, "write the file's path into the stack file")


def marked(text: str) -> dict[int, str]:
    """The lines of a stack file that end in CHANGE, and more that is said of it, without their comments."""
    lines = enumerate(text.splitlines(), 1)
    found = {number: _MARKED.fullmatch(line) for number, line in lines}
    return {number: match[1].strip() for number, match in found.items() if match}


def _values(value: object, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _values(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _values(inner, f"{place}[{index}]")


def _backend(url: str | None, boundary: Boundary, asked: Asked) -> Iterator[Result]:
    """Pulumi's state names every resource, and holds its secrets as ciphertext: it rests somewhere too."""
    if url is None:
        yield Result("backend/place", Grade.INFO, "state backend", "not known", "set PULUMI_BACKEND_URL, or log in")
        return
    countries = backend_countries(url, asked.catalogue)
    if countries is None:
        yield Result("backend/place", Grade.WARN, url, "its URL does not say where it lies", _place_of(url))
        return
    if not countries:
        yield _here(url, asked)
        return
    for data_class in boundary.data_classes:
        verdict = boundary.decide(
            Flow("state backend", Purpose.REST, tuple(sorted(countries)), data_class), asked.today
        )
        if not verdict.allowed:
            message = f"it lies in {told(sorted(countries))}: {verdict.reason}"
            yield Result("backend/place", Grade.FAIL, url, message, "keep the state in a bucket inside the Boundary")
            return
    yield passed("backend/place", url, f"it lies in {told(sorted(countries))}")


def _place_of(url: str) -> str:
    """Only S3's URL has a region (gocloud.dev, blob: ``s3blob``, ``azureblob``, ``gcsblob``)."""
    if urlsplit(url).scheme == "s3":
        return "name the bucket's region: s3://…?region="
    return "see to it that it lies inside the Boundary: Pulumi has no word for its place"


def _here(url: str, asked: Asked) -> Result:
    """As rule X04 has it: a cloud's stack says nothing of where the machine stands that deploys it."""
    spec = asked.review.spec
    if spec and asked.catalogue.regions[spec.region].country == HOST:
        return passed("backend/place", url, "it lies on a machine of your own, as the fabric does")
    message = "it lies on the machine that deploys, and which country that stands in is not known (X04)"
    remedy = "keep it in a bucket inside the Boundary: export PULUMI_BACKEND_URL='s3://BUCKET?region=REGION'"
    return Result("backend/place", Grade.WARN, url, message, remedy)


def backend_countries(url: str, catalogue: Catalogue) -> frozenset[Country] | None:
    """Where Pulumi's state lies; none for a file here, ``None`` where its URL does not say."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return frozenset()
    if parts.hostname in ("app.pulumi.com", "api.pulumi.com"):
        return frozenset({"US"})
    region = catalogue.regions.get(parse_qs(parts.query).get("region", [""])[0])
    return frozenset({region.country}) if region else None


def _cost(spec: FabricSpec, catalogue: Catalogue) -> Iterator[Result]:
    """A typical month against the budget; what nobody priced is in neither."""
    if spec.budget is None:
        return
    try:
        found = estimate(spec, catalogue)
    except NoPrices as unknown:
        yield Result(BUDGET, Grade.INFO, "budget", str(unknown), "reckon it yourself")
        return
    if found.total is None:
        yield Result(BUDGET, Grade.INFO, "budget", f"no price is known in {spec.region}", "reckon it yourself")
    elif over := over_budget(spec, found):
        yield Result(BUDGET, Grade.WARN, "budget", over, "raise budget.monthly, or take a smaller size")
    else:
        typical = f"a typical month is ${found.total.typical:,.0f} of ${spec.budget.monthly:,}"
        yield passed(BUDGET, "budget", f"{typical}, {len(found.unpriced)} things unpriced")


def _age(facts: Facts, today: date) -> Iterator[Result]:
    if facts.recorded.astimezone(UTC).date() > today:
        message = f"recorded on {facts.recorded.date()}, which has not come"
        yield Result("facts", Grade.FAIL, f"{facts.platform} {facts.region}", message, "record them anew")
    elif today - facts.recorded.date() > STALE:
        message = f"recorded on {facts.recorded.date()}, more than {STALE.days} days ago"
        yield Result("facts", Grade.WARN, f"{facts.platform} {facts.region}", message, "record them anew")
    else:
        yield passed("facts", f"{facts.platform} {facts.region}", f"as of {facts.recorded:%Y-%m-%d %H:%M}")


def _place(facts: Facts, spec: FabricSpec) -> Iterator[Result]:
    if (facts.platform, facts.region) != (spec.platform, spec.region):
        message = f"the facts are of {facts.platform} {facts.region}"
        yield Result(
            "credentials/place", Grade.FAIL, f"{spec.platform} {spec.region}", message, "give those of the stack"
        )
    if spec.platform is Platform.KUBERNETES:
        return
    if facts.account is None:
        yield unknown("credentials/account", "account")
    elif facts.account != spec.account:
        remedy = f"sign in to {spec.account}, or correct account in the stack file"
        yield Result("credentials/account", Grade.FAIL, facts.account, f"expected account {spec.account}", remedy)
    else:
        yield passed("credentials/account", facts.account, f"as {facts.principal or 'somebody'}")


def _permissions(facts: Facts, actions: tuple[str, ...]) -> Iterator[Result]:
    if not actions:
        message = f"what a deployer on {facts.platform} has to be allowed is not listed here"
        yield Result("permissions", Grade.INFO, "permissions", message, "`loomstead plan` lists what is made")
        return
    if facts.permissions is None:
        yield unknown("permissions", "permissions")
        return
    denied = [action for action in actions if facts.permissions.get(action) is False]
    untold = [action for action in actions if action not in facts.permissions]
    if denied:
        message = f"not allowed: {', '.join(denied)}"
        yield Result("permissions", Grade.FAIL, f"{len(denied)} actions", message, "have them granted to the deployer")
    if untold:
        yield Result("permissions", Grade.INFO, f"{len(untold)} actions", f"not known: {', '.join(untold)}", RECORD)
    if not denied and not untold:
        yield passed("permissions", f"{len(actions)} actions", "allowed")


def _quotas(facts: Facts, wanted: Mapping[str, float]) -> Iterator[Result]:
    for name, amount in wanted.items():
        quota = (facts.quotas or {}).get(name)
        if quota is None:
            yield unknown(f"quota/{name}", name)
        else:
            yield _quota(name, amount, quota)


def _quota(name: str, amount: float, quota: Quota) -> Result:
    left = quota.limit - quota.used
    message = f"{amount:g} wanted, {left:g} of {quota.limit:g} left"
    if amount > left:
        remedy = "ask the cloud for more, which takes days, or take a smaller size"
        return Result(f"quota/{name}", Grade.FAIL, name, message, remedy)
    return passed(f"quota/{name}", name, message)


def _models(facts: Facts, spec: FabricSpec) -> Iterator[Result]:
    for managed in sorted({(each.provider, each.model) for each in spec.managed()}):
        code, subject = "models/access", " ".join(managed)
        callable_there = (facts.models or {}).get(managed[1])
        if callable_there is None:
            yield Result(
                code, Grade.INFO, subject, "the catalogue has it; whether this account may is not known", RECORD
            )
        elif callable_there:
            yield passed(code, subject, "may be called")
        else:
            remedy = "have access to it granted in the provider's console, or take another candidate"
            yield Result(code, Grade.FAIL, subject, f"may not be called from {spec.region}", remedy)


def _policies(facts: Facts) -> Iterator[Result]:
    if facts.policies is None:
        yield unknown("policies", "organisation's policies")
    for name, forbids in (facts.policies or {}).items():
        yield Result("policies", Grade.FAIL, name, forbids, "have the organisation except this account, or do without")
    if facts.policies == {}:
        yield passed("policies", "organisation's policies", "forbid nothing that the fabric does")


def _networks(facts: Facts, spec: FabricSpec) -> Iterator[Result]:
    if facts.zones is None:
        if spec.network.zones:
            yield unknown("network/zones", ", ".join(spec.network.zones))
    elif strays := sorted(set(spec.network.zones) - set(facts.zones)):
        remedy = f"take some of {', '.join(facts.zones)}"
        yield Result("network/zones", Grade.FAIL, ", ".join(strays), f"{spec.region} does not offer them", remedy)
    if spec.network.cidr is None:
        return
    block = ip_network(spec.network.cidr)
    if facts.networks is None:
        yield unknown("network/overlap", str(block))
        return
    clashes = {name: other for name, other in facts.networks.items() if block.overlaps(other)}
    for name, other in clashes.items():
        remedy = "take addresses that nobody has whom the fabric will ever be connected to"
        yield Result("network/overlap", Grade.WARN, str(block), f"{name} has {other}", remedy)
    if not clashes:
        yield passed("network/overlap", str(block), "nobody has these addresses")


def _names(facts: Facts, names: tuple[str, ...]) -> Iterator[Result]:
    states = facts.names or {}
    if untold := [name for name in names if name not in states]:
        yield Result("names/free", Grade.INFO, f"{len(untold)} names", f"not known: {', '.join(untold)}", RECORD)
    for name in names:
        match states.get(name):
            case State.DELETED:
                remedy = "restore it, purge it, or wait until the cloud has forgotten it"
                yield Result("names/deleted", Grade.FAIL, name, "somebody deleted it and the cloud keeps it", remedy)
            case State.TAKEN:
                yield Result("names/taken", Grade.FAIL, name, "somebody else has it", "name the stack otherwise")
    if names and all(states.get(name) in (State.FREE, State.OWN) for name in names):
        yield passed("names/free", f"{len(names)} names", "can be given")


def _tools(facts: Facts, spec: FabricSpec) -> Iterator[Result]:
    wanted = "kubernetes" if spec.platform is Platform.KUBERNETES else "pulumi"
    for tool, oldest in (("pulumi", ENGINE), ("kubernetes", KUBERNETES)):
        version = (facts.versions or {}).get(tool)
        if version is None:
            if tool == wanted:
                needed = f"see that it is {'.'.join(map(str, oldest))} or newer"
                yield Result(f"tools/{tool}", Grade.INFO, tool, "not known", needed)
            continue
        found = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
        if found < oldest:
            least = ".".join(map(str, oldest))
            yield Result(f"tools/{tool}", Grade.FAIL, version, f"expected {least} or newer", f"bring {tool} to {least}")
        else:
            yield passed(f"tools/{tool}", version, "new enough")
