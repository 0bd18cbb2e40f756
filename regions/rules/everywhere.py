"""Rules on what runs on every cloud: X01 to X05.

``pulumi:pulumi:Stack`` is the root of every Pulumi program. Whoever asks X04 gives it what the project and stack files
say of the state, as they spell it: ``{"backend": {"url": …}, "secretsprovider": …}``.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from regions.catalogue import HOST
from regions.findings import Severity
from regions.residency import Purpose
from regions.rules import gateways
from regions.rules.azure import places as azure
from regions.rules.clauses import host_declared, outside
from regions.rules.gcp import places as gcp
from regions.rules.rule import UNSET, Breach, Clause, Plan, Resource, ResourceRule

_KEYS_WITH_THE_STATE = (UNSET, "", "default", "passphrase")
"""Secrets providers whose key is the backend's, or a phrase that somebody knows."""

_JUDGED = frozenset({"aws", "azure-native", "gcp", "kubernetes", "temporalcloud"})
_AT_HOME = frozenset({"loomstead", "pulumi", "pulumi-python", "random", "tls"})
"""Packages that move nothing themselves: our components and processes, the engine, values made while deploying."""
_VERSIONED = re.compile(r"azure-native:[^:]+/v[0-9]")
"""A token of azure-native 2 and before: the rules name a type without its version, as azure-native 3 does."""


def _unjudged(value: Any, resource: Resource, plan: Plan) -> Iterator[str]:
    package = resource.type.removeprefix("pulumi:providers:").partition(":")[0]
    if package not in _JUDGED | _AT_HOME or _VERSIONED.match(resource.type):
        yield f"no rule is about {resource.type}, so where it keeps or sends data is not known"


def _temporal_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    """``aws-eu-central-1``: the cloud, then its region; another cloud than the stack's is no breach."""
    if value is UNSET:
        yield "its regions are not said"
        return
    cloud, _, name = str(value).partition("-")
    region = plan.catalogue.regions.get(name)
    country = plan.country(name)
    if region is None or country is None or region.platform != cloud:
        yield f"{value} is no region of the catalogue, so nothing allows it"
        return
    for purpose in (Purpose.REST, Purpose.PROCESS):
        if breach := plan.outside(f"{resource.name} in {name}", purpose, (country,)):
            yield breach
            return


def _told_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach]:
    check = host_declared(Purpose.LOGS)
    for place, _, setting in gateways.telemetry_settings(value):
        if not isinstance(setting, str):
            yield Breach(place, setting, "it comes from elsewhere, so where telemetry is sent is not known")
        elif not gateways.is_in_cluster(setting):
            for found in check(setting, resource, plan):
                breach = Breach(place, setting, found) if isinstance(found, str) else found
                yield Breach(place, setting, breach.message, breach.countries)


def _routed_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach]:
    for place, document in gateways.configurations(value):
        yield from gateways.routes_outside(place, document, plan)


def _kept_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    try:
        url = urlsplit("" if value is UNSET else str(value))
    except ValueError:
        yield "it is no URL, so where the state is kept is not known"
        return
    said = {key: values[0] for key, values in parse_qs(url.query).items()}
    if url.scheme == "file":
        if plan.catalogue.regions[plan.region].country != HOST:
            yield "it is on the machine that deploys, and which country that stands in is not known"
    elif url.scheme == "s3" and "region" in said:
        yield from _outside(plan, resource, Purpose.REST, said["region"])
    elif url.scheme in _STORES:
        name = said.get("storage_account", "") if url.scheme == "azblob" else url.netloc
        yield from _outside(plan, resource, Purpose.REST, _STORES[url.scheme](plan, name))
    else:
        yield "it is Pulumi Cloud or another service, and where that keeps the state is not known"


def _bucket_region(plan: Plan, name: str) -> str | None:
    bucket = plan.named("aws:s3/bucket:Bucket", name)
    return None if bucket is None else bucket.properties.get("region") or bucket.region


def _gcs_region(plan: Plan, name: str) -> str | None:
    bucket = gcp.named(plan, name, "gcp:storage/bucket:Bucket")
    return None if bucket is None else gcp.place(bucket)


def _azure_region(type_: str) -> Any:
    def region(plan: Plan, name: str) -> str | None:
        found = azure.named(plan, name, type_)
        return None if found is None else azure.place(found, plan)

    return region


_STORES = {"s3": _bucket_region, "gs": _gcs_region, "azblob": _azure_region("azure-native:storage:StorageAccount")}


def _encrypted_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    if value in _KEYS_WITH_THE_STATE:
        return
    text = str(value)
    region = re.search(
        r"[?&]region=([^&]+)|^awskms:///arn:[^:]+:kms:([^:]+):|^gcpkms://projects/[^/]+/locations/([^/]+)/", text
    )
    vault = re.match(r"azurekeyvault://([^./]+)\.", text)
    if vault is not None:
        where = _azure_region("azure-native:keyvault:Vault")(plan, vault[1])
    else:
        where = None if region is None else next(found for found in region.groups() if found)
    yield from _outside(plan, resource, Purpose.KEYS, where)


def _outside(plan: Plan, resource: Resource, purpose: Purpose, where: str | None) -> Iterator[Breach | str]:
    if not isinstance(where, str):
        yield "neither it nor a resource of this plan says which region it is in"
    elif breach := outside(plan, resource, purpose, where):
        yield breach


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="X01",
        title="Temporal Cloud outside the Boundary",
        severity=Severity.DENY,
        types=("temporalcloud:index/namespace:Namespace",),
        trap="a namespace's replica crosses borders: those of Frankfurt are in Ireland, London, and on another cloud",
        remedy="list regions inside the Boundary only",
        source="docs.temporal.io, cloud/regions; pulumi-temporalcloud 0.6.2",
        clauses=(Clause("regions[]", _temporal_within),),
    ),
    ResourceRule(
        id="X02",
        title="Telemetry sent outside the Boundary",
        severity=Severity.DENY,
        types=("*",),
        trap="one environment variable sends traces, prompts included, to a vendor's host",
        remedy="a collector in the cluster, a host whose countries the Boundary allows, or one that the stack declares",
        source="the vendors' own pages, catalogue/telemetry.yaml",
        clauses=(Clause("", _told_within),),
    ),
    ResourceRule(
        id="X03",
        title="Model gateway that routes outside the Boundary",
        severity=Severity.DENY,
        types=("*",),
        trap="one entry or fallback of the gateway's configuration is enough to leave",
        remedy="routes with their region written out, to models that the catalogue has; fallbacks among them",
        source="LiteLLM 1.106.2, proxy configuration; catalogue/models",
        clauses=(Clause("", _routed_within),),
    ),
    ResourceRule(
        id="X04",
        title="Pulumi's state outside the Boundary",
        severity=Severity.WARN,
        types=("pulumi:pulumi:Stack",),
        trap="state holds every output; by default it is in Pulumi Cloud, and so is the key to its secrets",
        remedy="a backend in a bucket inside the Boundary, with its region (export PULUMI_BACKEND_URL="
        "'s3://BUCKET?region=REGION'), and a key there as secrets provider",
        source="pulumi.com, using a DIY backend, and secrets",
        clauses=(Clause("backend.url", _kept_within, own=True), Clause("secretsprovider", _encrypted_within, own=True)),
    ),
    ResourceRule(
        id="X05",
        title="Resource that no rule speaks of",
        severity=Severity.DENY,
        types=("*",),
        trap="aws-native, azure, google-native, command, snowflake: another package reaches the same clouds, unseen",
        remedy="the package that has rules (aws, azure-native 3, gcp, kubernetes, temporalcloud), or a waiver",
        source="pulumi.com, registry: packages and their type tokens",
        clauses=(Clause("", _unjudged),),
    ),
)
