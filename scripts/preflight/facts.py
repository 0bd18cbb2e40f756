"""What is known of the place where a stack is to stand. Nothing said is nothing known: no check passes on a guess."""

import json
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from components.spec import Platform
from regions.documents import shown
from regions.expectations import Expectations


class FactsError(Exception):
    """A file of facts that cannot be read; says which, and what is wrong in it."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)


class Quota(_Frozen):
    """``limit`` and what of it is taken, in the quota's own unit (vCPUs, addresses, machines)."""

    limit: float = Field(ge=0)
    used: float = Field(0, ge=0)


class State(StrEnum):
    """Of a name that the stack will give: ``deleted`` ones are kept for days by the cloud, and cannot be given."""

    FREE = "free"
    OWN = "own"
    TAKEN = "taken"
    DELETED = "deleted"


class Operator(_Frozen):
    """``image``: the one that it puts into pods of others."""

    version: str | None = None
    image: str | None = None


class _Values(_Frozen):
    allowed: tuple[str, ...] = Field((), alias="allowedValues")
    denied: tuple[str, ...] = Field((), alias="deniedValues")


class Rule(_Frozen):
    """Of a policy on Google Cloud, as `gcloud org-policies describe --effective --format json` has it in
    ``spec.rules``."""

    values: _Values = _Values.model_validate({})
    allow_all: bool = Field(False, alias="allowAll")
    deny_all: bool = Field(False, alias="denyAll")
    condition: dict[str, str] | None = None

    @property
    def allowed(self) -> tuple[str, ...]:
        return self.values.allowed

    @property
    def denied(self) -> tuple[str, ...]:
        return self.values.denied

    @property
    def conditional(self) -> bool:
        return self.condition is not None


class Reach(StrEnum):
    """Of the API of the stack's own cluster, from this machine. ``absent``: no such cluster is there yet."""

    ABSENT = "absent"
    ANSWERS = "answers"
    SILENT = "silent"


class Facts(_Frozen):
    """``None``: nobody asked.

    ``account``, ``principal``: whose credentials they are. ``permissions``: action → allowed there. ``quotas``: by
    ``vcpu``, ``gpu``, ``addresses``. ``zones``: that the region offers. ``models``: id → callable from the region.
    ``policies``: the organisation's policy → what it forbids that the fabric does. ``networks``: name → block that the
    new network must not overlap, peered ones and on-premises routes too. ``names``: name → its state.
    ``versions``: of ``pulumi``, and of the API server as ``kubernetes``. ``apis``: groups that a cluster serves.
    ``storage_classes``: of a cluster. ``regions``, ``gpus``: nodes by their labels of region and GPU. ``operators``: by
    name, those that were seen to run. ``secrets``: ``namespace/name`` → keys; none where it is not there, null where
    its namespace is not. ``reach``, ``machine``: whether the cluster's API answers this machine, and the address that
    it would call from. ``organisation``: that a project of Google Cloud is in, empty where it is in none.
    ``constraints``: its effective policies, by constraint.
    """

    platform: Platform
    region: str
    recorded: datetime
    account: str | None = None
    principal: str | None = None
    permissions: dict[str, bool] | None = None
    quotas: dict[str, Quota] | None = None
    zones: tuple[str, ...] | None = None
    models: dict[str, bool] | None = None
    policies: dict[str, str] | None = None
    networks: dict[str, IPv4Network | IPv6Network] | None = None
    names: dict[str, State] | None = None
    versions: dict[str, str] | None = None
    apis: tuple[str, ...] | None = None
    storage_classes: tuple[str, ...] | None = None
    regions: dict[str, int] | None = None
    gpus: dict[str, int] | None = None
    operators: dict[str, Operator] | None = None
    secrets: dict[str, tuple[str, ...] | None] | None = None
    reach: Reach | None = None
    machine: IPv4Address | IPv6Address | None = None
    organisation: str | None = None
    constraints: dict[str, tuple[Rule, ...]] | None = None


def read(path: Path) -> Facts:
    """Facts that were recorded; raises ``FactsError``."""
    try:
        found = json.loads(path.read_bytes())
        return Facts.model_validate(found)
    except OSError as error:
        raise FactsError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as wrong:
        told = Expectations(Facts, found).explain(wrong)
        lines = [": ".join(filter(None, (str(path), shown(place), problem))) for place, problem in told]
        raise FactsError("\n".join(dict.fromkeys(lines))) from None
    except ValueError as error:
        raise FactsError(f"{path} is not JSON: {error}") from error
