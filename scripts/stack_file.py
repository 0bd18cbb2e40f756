"""A first stack file for a region under regimes, reviewed before it is given out: valid, or it says why not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from components.aws.hosts import SUFFIXES, registry
from components.infrastructure import Extent, Size
from components.review import StackReview, line, review_read
from components.spec import CONFIG_KEY, Platform
from regions.boundary import Flow, compile_boundary
from regions.catalogue import HOST, Catalogue, Country, Kind, Mode
from regions.endpoints import Serving, servings
from regions.residency import DataClass, DataClassRules, Purpose, Residency

_FIRST_MODES = (Mode.REGIONAL, Mode.ZONE)
"""The nearest first; what answers anywhere is nobody's first choice, whatever a regime allows."""
_OTHER_HOST = "mantle"
"""Bedrock's second host, for which an id alone does not ask."""
_ACCOUNTS = {
    Platform.AWS: "111122223333",
    Platform.AZURE: "00000000-0000-0000-0000-000000000000",
    Platform.GCP: "example-project",
}
_CERTIFICATES = {
    Platform.AWS: "arn:{partition}:acm:{region}:111122223333:certificate/00000000-0000-0000-0000-000000000000"
}
_FOUNDATIONS = (Platform.AZURE, Platform.GCP)


class NoStackFile(Exception):
    """The region cannot hold what was wished for; says which rules are against it, and which regions have none."""


@dataclass(frozen=True)
class Wish:
    """``country``: of machines of one's own. ``evidence``: reference by the key that a regime wants it under."""

    platform: Platform
    region: str
    regimes: tuple[str, ...]
    size: Size
    data_classes: tuple[DataClass, ...] = (DataClass.PERSONAL,)
    country: Country | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)


def draft(wish: Wish, name: str, catalogue: Catalogue, today: date) -> str:
    """The text of ``Pulumi.<name>.yaml``; raises ``NoStackFile``."""
    found, fabric = _reviewed(wish, name, catalogue, today)
    if found.open:
        raise NoStackFile(_reasons(found, wish, name, catalogue, today))
    config = {CONFIG_KEY: fabric, "pulumi:disable-default-providers": ["aws", "azure-native", "gcp", "kubernetes"]}
    body = yaml.safe_dump({"config": config}, sort_keys=False, width=110, default_flow_style=None, allow_unicode=True)
    return _HEADER.format(name=name, **vars(wish) | {"regimes": ", ".join(wish.regimes)}) + body


_HEADER = """\
# yaml-language-server: $schema=../components/fabric.schema.json
# {platform} {region} under {regimes}. What ends in .example, is all zeros or was made up is yours to name:
# `loomstead preflight {name}` lists it. `loomstead review {name}` says at any time whether data stays where it must.
"""


def _reviewed(wish: Wish, name: str, catalogue: Catalogue, today: date) -> tuple[StackReview, dict[str, Any]]:
    fabric = _fabric(wish, catalogue, today)
    return review_read(Path(f"Pulumi.{name}.yaml"), fabric, name, catalogue, today), fabric


def _reasons(found: StackReview, wish: Wish, name: str, catalogue: Catalogue, today: date) -> str:
    of_region = [finding for finding in found.open if finding.resource == "region"]
    why = [f"  {line(finding)}" for finding in of_region or found.open]
    others = [
        region
        for region, facts in catalogue.regions.items()
        if facts.platform == wish.platform and region != wish.region
        if not _reviewed(replace(wish, region=region), name, catalogue, today)[0].open
    ]
    instead = f"Regions of {wish.platform} that can: {', '.join(others)}." if others else ""
    none = f"No region of {wish.platform} can, with what was given."
    return "\n".join([f"{wish.region} cannot hold {', '.join(wish.regimes)}:", *why, instead or none])


def _fabric(wish: Wish, catalogue: Catalogue, today: date) -> dict[str, Any]:
    facts = catalogue.regions.get(wish.region)
    country = wish.country if facts is None or facts.country == HOST else facts.country
    asked = facts is not None and facts.country == HOST
    fabric: dict[str, Any] = {
        "platform": str(wish.platform),
        "region": wish.region,
        **({"country": country} if asked and country else {}),
        **({"extent": str(Extent.FOUNDATION)} if wish.platform in _FOUNDATIONS else {}),
        "size": str(wish.size),
        **_residency(wish),
        **_ground(wish, facts.partition if facts else ""),
    }
    fabric["models"] = {"chat": {"candidates": {"first": _candidate(wish, catalogue, country, today)}}}
    if "core_systems" not in fabric and wish.platform not in _FOUNDATIONS and country:
        system = {"url": "https://orders.corp.example", "openapi": "https://orders.corp.example/openapi.json"}
        fabric["core_systems"] = {"orders": {**system, "country": country}}
        fabric["scope_classes"] = {"orders-read": {"core_system": "orders", "tools": ["orders.get"]}}
    return fabric


def _residency(wish: Wish) -> dict[str, Any]:
    classes: dict[str, Any] = {str(found): {} for found in wish.data_classes}
    said = {"evidence": {str(key): value for key, value in wish.evidence.items()}} if wish.evidence else {}
    return {"residency": {"regimes": list(wish.regimes), "data_classes": classes, **said}}


def _ground(wish: Wish, partition: str) -> dict[str, Any]:
    """What a fabric stands on, with examples where only its owner knows."""
    if wish.platform is Platform.KUBERNETES:
        cluster = {
            "context": "onprem",
            "server": "https://k8s.corp.example:6443",
            "storage_class": "replicated-encrypted",
            "cilium": True,
            "encrypted_at_rest": True,
            "key": "kms-plugin",
        }
        return {"keys": {"custody": "external"}, "cluster": cluster, "gateway": _gateway(wish, partition)}
    ground: dict[str, Any] = {"account": _ACCOUNTS[wish.platform], "network": {"cidr": "10.20.0.0/16"}}
    if wish.platform is Platform.AZURE:
        nobody = "00000000-0000-0000-0000-000000000000"
        ground["directory"] = {"tenant": nobody, "administrators": nobody, "administrators_name": "database-admins"}
    if wish.platform is Platform.AWS:
        ground |= {"cluster": {"callers": ["10.8.0.0/16"]}, "gateway": _gateway(wish, partition)}
    return ground


def _gateway(wish: Wish, partition: str) -> dict[str, Any]:
    certificate = _CERTIFICATES.get(wish.platform, "corp-ca").format(region=wish.region, partition=partition)
    own = wish.platform is Platform.AWS and partition in SUFFIXES
    images = registry(_ACCOUNTS[wish.platform], wish.region, partition) if own else "registry.corp.example"
    image = f"{images}/loomstead@sha256:{'0' * 64}"
    return {"image": image, "host": "agents.corp.example", "certificate": certificate}


def _candidate(wish: Wish, catalogue: Catalogue, country: Country | None, today: date) -> dict[str, Any]:
    """The nearest model of the platform's own that the Boundary lets read all of it, else a server to be named."""
    for found in sorted(_servings(wish, catalogue), key=lambda one: _FIRST_MODES.index(one.mode)):
        if _allowed(found, wish, catalogue, country, today):
            return {"managed": _managed(found, catalogue)}
    at = {"url": "https://models.corp.example/v1", "model": "mistral-small", "countries": [country or "XX"]}
    return {"endpoint": at}


def _servings(wish: Wish, catalogue: Catalogue) -> Iterator[Serving]:
    for found in servings(catalogue, called=wish.region):
        own = catalogue.providers[found.provider].platform == wish.platform
        if (
            own
            and found.via != _OTHER_HOST
            and found.mode in _FIRST_MODES
            and catalogue.models[found.provider][found.model].kind is Kind.CHAT
        ):
            yield found


def _allowed(found: Serving, wish: Wish, catalogue: Catalogue, country: Country | None, today: date) -> bool:
    classes = {data_class: DataClassRules() for data_class in wish.data_classes}
    residency = Residency(regimes=wish.regimes, data_classes=classes)
    boundary = compile_boundary(residency, catalogue, host=str(country))
    flows = (Flow("model", Purpose.PROCESS, found.countries, data_class) for data_class in wish.data_classes)
    return all(boundary.decide(flow, today).allowed for flow in flows)


_AZURE_ENDS = {"usgovernment": "us", "china": "cn"}
"""Of its hosts, by cloud of Azure; else com."""


def _managed(found: Serving, catalogue: Catalogue) -> dict[str, Any]:
    named = {"provider": found.provider, "model": found.model, "region": found.called}
    if found.provider == "bedrock" and found.via != "in-region":
        return {**named, "model": f"{found.via}.{found.model}"}
    if found.provider.startswith("azure"):
        end = _AZURE_ENDS.get(catalogue.regions[found.called].partition, "com")
        return {**named, "sku": found.via, "url": f"https://example.openai.azure.{end}/openai/v1"}
    return named
