"""Z14 to Z18: Azure's vaults, registries and keys."""

from typing import Any

import pytest

from regions.rules.azure import copies
from regions.rules.rule import UNKNOWN
from tests.fixtures.rule_cases import Case, breaches, survivors
from tests.fixtures.rule_tables import Stack

RECOVERY, BACKUPS = "azure-native:recoveryservices:Vault", "azure-native:dataprotection:BackupVault"
REPLICATION, KEYS = "azure-native:containerregistry:Replication", "azure-native:keyvault:Vault"
HSM = "azure-native:keyvault:ManagedHsm"
IRELAND, SAO_PAULO, SINGAPORE = Stack("northeurope"), Stack("brazilsouth", "br-lgpd"), Stack("southeastasia", "sg-pdpa")
LONDON, MILAN = Stack("uksouth", "uk-gdpr"), Stack("italynorth")
TIER = "properties.redundancySettings.standardTierStorageRedundancy"
RESTORE = "properties.redundancySettings.crossRegionRestore"
STATE = "properties.featureSettings.crossRegionRestoreSettings.state"


def recovery(stack: Stack, **settings: str) -> dict[str, Any]:
    return {"location": stack.region, "properties": {"redundancySettings": settings}}


def backups(stack: Stack, type_: str, **more: Any) -> dict[str, Any]:
    return {"location": stack.region, "properties": {"storageSettings": [{"type": type_}], **more}}


def restore(state: str) -> dict[str, Any]:
    return {"featureSettings": {"crossRegionRestoreSettings": {"state": state}}}


def hsm(*regions: str) -> dict[str, Any]:
    return {"location": regions[0], "properties": {"regions": [{"name": region} for region in regions]}}


CASES = [
    SINGAPORE.case("Z14", "local", RECOVERY, recovery(SINGAPORE, standardTierStorageRedundancy="LocallyRedundant")),
    SINGAPORE.case("Z14", "in Hong Kong by default", RECOVERY, recovery(SINGAPORE), TIER),
    SINGAPORE.case(
        "Z14", "in Hong Kong", RECOVERY, recovery(SINGAPORE, standardTierStorageRedundancy="GeoRedundant"), TIER
    ),
    SINGAPORE.case(
        "Z14",
        "restored in Hong Kong",
        RECOVERY,
        recovery(SINGAPORE, standardTierStorageRedundancy="ZoneRedundant", crossRegionRestore="Enabled"),
        RESTORE,
    ),
    IRELAND.case("Z14", "in the Netherlands", RECOVERY, recovery(IRELAND, crossRegionRestore="Enabled")),
    SINGAPORE.case("Z15", "local", BACKUPS, backups(SINGAPORE, "LocallyRedundant", **restore("Disabled"))),
    SINGAPORE.case(
        "Z15", "in Hong Kong", BACKUPS, backups(SINGAPORE, "GeoRedundant"), "properties.storageSettings[0].type"
    ),
    SINGAPORE.case(
        "Z15", "nobody says how", BACKUPS, {"location": "southeastasia"}, "properties.storageSettings[].type"
    ),
    SINGAPORE.case(
        "Z15",
        "no storage said",
        BACKUPS,
        {"location": "southeastasia", "properties": {"storageSettings": []}},
        "properties.storageSettings.type",
    ),
    SINGAPORE.case(
        "Z15", "restored in Hong Kong", BACKUPS, backups(SINGAPORE, "ZoneRedundant", **restore("Enabled")), STATE
    ),
    SINGAPORE.case(
        "Z15",
        "replicated to Hong Kong",
        BACKUPS,
        backups(SINGAPORE, "ZoneRedundant", replicatedRegions=["southeastasia", "East Asia"]),
        "properties.replicatedRegions[1]",
    ),
    IRELAND.case(
        "Z15", "in the Netherlands", BACKUPS, backups(IRELAND, "GeoRedundant", replicatedRegions=["westeurope"])
    ),
    IRELAND.case("Z16", "inside", REPLICATION, {"location": "westeurope"}),
    IRELAND.case("Z16", "outside", REPLICATION, {"location": "eastus"}, "location"),
    IRELAND.case("Z16", "nobody says where", REPLICATION, {}, "location"),
    SINGAPORE.case("Z17", "copied to Hong Kong", KEYS, {"location": "southeastasia"}, "location"),
    SINGAPORE.case("Z17", "copied to Hong Kong, by its provider", KEYS, {}, "location", provider="southeastasia"),
    SAO_PAULO.case("Z17", "kept in São Paulo", KEYS, {"location": "Brazil South"}),
    MILAN.case("Z17", "region without a pair", KEYS, {"location": "italynorth"}),
    IRELAND.case("Z17", "copied to the Netherlands", KEYS, {"location": "northeurope"}),
    LONDON.case("Z17", "copied to Cardiff", KEYS, {"location": "uksouth"}),
    LONDON.case("Z17", "known to the cloud only", KEYS, {"location": UNKNOWN}, "location"),
    LONDON.case("Z17", "no region of the catalogue", KEYS, {"location": "uknorth"}, "location"),
    LONDON.case("Z18", "in one region", HSM, {"location": "uksouth"}),
    LONDON.case("Z18", "extended to Cardiff", HSM, hsm("uksouth", "ukwest")),
    LONDON.case("Z18", "extended to Ireland", HSM, hsm("uksouth", "northeurope"), "properties.regions[1].name"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in copies.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(copies.RULES, CASES) == []
