"""What Azure's keys are asked for, checked before anything is created."""

import re
from dataclasses import dataclass
from enum import StrEnum

import pulumi
from pulumi import Input
from pulumi_azure_native import keyvault

from components.infrastructure import Refused
from regions.rules import RULES
from regions.rules.rule import Plan, Resource

_NAME = re.compile(r"^[A-Za-z](?!.*--)[A-Za-z0-9-]{1,22}[A-Za-z0-9]$")
_VAULT = re.compile(
    r"^/subscriptions/[^/]+/resourceGroups/([^/]+)/providers/Microsoft\.KeyVault/vaults/([^/]+)$", re.IGNORECASE
)
_COPIED = RULES["Z17"]


class AzureKeysError(Refused):
    """The keys asked for cannot be made; nothing was created. The message says what, and what to do."""


class Store(StrEnum):
    """What holds keys; the value is the name of its part that a private endpoint leads to."""

    VAULT = "vault"
    HSM = "managedhsm"


@dataclass(frozen=True)
class Vault:
    """``group``: its resource group's name. ``uri``: where it answers."""

    id: Input[str]
    group: Input[str]
    name: Input[str]
    uri: Input[str]


def store_for(plan: Plan) -> Store:
    """A vault, unless what Azure copies from one in the plan's region would leave the Boundary."""
    vault = Resource("azure-native:keyvault:Vault", "vault", {"location": plan.region})
    return Store.HSM if any(_COPIED.findings(vault, plan)) else Store.VAULT


def checked_name(name: str) -> str:
    """Raises ``AzureKeysError`` where Azure would not take it."""
    if not _NAME.match(name):
        raise AzureKeysError(
            f"keys: {name!r} names no vault: take 3 to 24 letters, digits and single hyphens, a letter first"
        )
    return name


def checked_vault(id_: str, region: str, opts: pulumi.InvokeOptions) -> Vault:
    """The own vault; raises ``AzureKeysError`` with all that is wrong with it."""
    named = _VAULT.match(id_)
    if named is None:
        raise AzureKeysError(
            f"{id_!r} is the id of no vault: expected "
            "/subscriptions/…/resourceGroups/…/providers/Microsoft.KeyVault/vaults/…"
        )
    group, name = named.groups()
    found = keyvault.get_vault(resource_group_name=group, vault_name=name, opts=opts)
    properties = found.properties
    faults = {
        f"it is in {found.location}, the stack in {region}: take one there": found.location != region,
        "it has no purge protection, without which a database cannot take its key": (
            not properties.enable_purge_protection
        ),
        "it goes by access policies: let it go by roles": not properties.enable_rbac_authorization,
        "it answers the public internet: disable that": properties.public_network_access != "Disabled",
    }
    wrong = [text for text, is_so in faults.items() if is_so]
    if wrong:
        raise AzureKeysError(f"vault {name}: " + "; ".join(wrong))
    return Vault(id_, group, name, str(properties.vault_uri))
