"""Which of a stack's models Azure runs in the stack's own resource, and as which deployments. Plain data; no Pulumi.

The gateway calls a deployment by the name of its model, so one deployment of each model has that name.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from components.infrastructure import Refused
from components.spec import Candidate, FabricSpec, Managed, Size
from regions.catalogue import Catalogue

PROVIDER = "azure"
_HOST = re.compile(r"(?P<account>[a-z0-9][a-z0-9-]{0,62}[a-z0-9])\.openai\.azure\.(com|us|cn)")
_VERSION = re.compile(r"\((?P<version>[^()]+)\)$")
_PROVISIONED, _PAID_PER_TOKEN = "ProvisionedManaged", "Standard"
CAPACITY: Mapping[Size, tuple[int, int]] = {Size.SMALL: (30, 50), Size.MEDIUM: (150, 100), Size.LARGE: (500, 200)}
"""Thousands of tokens a minute of a ``Standard`` deployment, and units of a provisioned one."""


class AzureModelsError(Refused):
    """The models asked for cannot be had; nothing was created. The message says what, and what to do."""


@dataclass(frozen=True)
class Deployment:
    """``version``: as the catalogue has it, ``None`` for a model of one alone. ``spillover``: another's name."""

    name: str
    model: str
    version: str | None
    sku: str
    capacity: int
    spillover: str | None


@dataclass(frozen=True)
class Hosting:
    """``account``: the resource's name and subdomain. ``host``: where it is called. ``endpoints``: base URL of each
    candidate. ``deployments``: each after the one that it spills over to."""

    account: str
    host: str
    endpoints: Mapping[str, str]
    deployments: tuple[Deployment, ...]


@dataclass(frozen=True)
class _Wanted:
    """``key``: of the candidate, in the stack file. ``spills``: the candidate's name that it hands over to."""

    key: str
    model_class: str
    name: str
    candidate: Candidate
    managed: Managed

    @property
    def called(self) -> bool:
        return bool(self.candidate.weight or self.candidate.shadow_percent)


def hosting(spec: FabricSpec, catalogue: Catalogue) -> Hosting | None:
    """What is made for the candidates of Azure in the stack's own region; ``None`` where there are none.

    Raises ``AzureModelsError`` with all that is wrong.
    """
    wanted = list(_wanted(spec))
    if not wanted:
        return None
    faults: list[str] = []
    host, account = _resource(wanted, faults)
    names = _names(wanted, faults)
    deployments = {
        names[each.key]: _deployment(each, wanted, names, spec, catalogue, faults) for each in _in_order(wanted)
    }
    if faults:
        raise AzureModelsError("\n".join(faults))
    endpoints = {f"{each.model_class}/{each.name}": str(each.managed.url) for each in wanted}
    return Hosting(account, host, endpoints, tuple(deployments.values()))


def _wanted(spec: FabricSpec) -> Iterator[_Wanted]:
    for (_, model_class, _, name), found in spec.candidates():
        if found.managed and (found.managed.provider, found.managed.region) == (PROVIDER, spec.region):
            key = f"models.{model_class}.candidates.{name}"
            yield _Wanted(key, str(model_class), str(name), found, found.managed)


def _resource(wanted: list[_Wanted], faults: list[str]) -> tuple[str, str]:
    hosts = sorted({urlsplit(each.managed.url or "").hostname or "" for each in wanted})
    if len(hosts) > 1:
        faults.append(
            f"{wanted[0].key}.managed.url: {', '.join(hosts)} are several resources, and one is made: give one"
        )
    found = _HOST.fullmatch(hosts[0])
    if found is None:
        faults.append(
            f"{wanted[0].key}.managed.url: {hosts[0] or 'none'} is not the host of a resource made here: take "
            "https://<a name of its own>.openai.azure.com/openai/v1"
        )
    return hosts[0], found["account"] if found else ""


def _names(wanted: list[_Wanted], faults: list[str]) -> dict[str, str]:
    """By candidate, the name of its deployment: candidates with the same model and SKU share one."""
    names: dict[str, str] = {}
    for model in dict.fromkeys(each.managed.model for each in wanted):
        same = [each for each in wanted if each.managed.model == model]
        skus = list(dict.fromkeys(str(each.managed.sku) for each in same))
        called = [sku for sku in skus if any(each.called for each in same if each.managed.sku == sku)] or skus[:1]
        if len(called) > 1:
            faults.append(
                f"{', '.join(each.key for each in same)}: {model} is called by {' and '.join(called)}, and the gateway "
                "calls a deployment by its model's name: call one, and let the other have weight 0 as its spillover"
            )
        for each in same:
            names[each.key] = model if each.managed.sku == called[0] else f"{model}-{str(each.managed.sku).lower()}"
    return names


def _in_order(wanted: list[_Wanted]) -> list[_Wanted]:
    """What is spilled over to before what spills."""
    return sorted(wanted, key=lambda each: each.managed.spillover is not None)


def _deployment(
    each: _Wanted,
    wanted: list[_Wanted],
    names: Mapping[str, str],
    spec: FabricSpec,
    catalogue: Catalogue,
    faults: list[str],
) -> Deployment:
    managed, sku = each.managed, str(each.managed.sku)
    sharing = [other.managed for other in wanted if names[other.key] == names[each.key]]
    if len({(other.capacity, other.spillover) for other in sharing}) > 1:
        faults.append(f"{each.key}: its deployment {names[each.key]} is asked for with other capacity or spillover too")
    per_token, provisioned = CAPACITY[spec.size]
    version = _VERSION.search(catalogue.models[PROVIDER][managed.model].title)
    return Deployment(
        name=names[each.key],
        model=managed.model,
        version=version["version"] if version else None,
        sku=sku,
        capacity=managed.capacity or (provisioned if sku.endswith(_PROVISIONED) else per_token),
        spillover=_spillover(each, wanted, names, faults),
    )


def _spillover(each: _Wanted, wanted: list[_Wanted], names: Mapping[str, str], faults: list[str]) -> str | None:
    """Azure hands over from provisioned units to the same model paid per token, answered in the same places."""
    if each.managed.spillover is None:
        return None
    to = next(
        (
            other
            for other in wanted
            if (other.model_class, other.name) == (each.model_class, each.managed.spillover)
            and other.managed.model == each.managed.model
        ),
        None,
    )
    sku = str(each.managed.sku)
    if to is None or not sku.endswith(_PROVISIONED) or to.managed.sku != sku.replace(_PROVISIONED, _PAID_PER_TOKEN):
        faults.append(
            f"{each.key}.managed.spillover: Azure hands over from a deployment of sku {_PROVISIONED} to one of the "
            f"same model and sku {_PAID_PER_TOKEN} in the same resource: name such a candidate, or leave it out"
        )
        return None
    return names[to.key]
