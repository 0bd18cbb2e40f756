"""Azure's backup vaults, registries and keys: what they copy to other regions by themselves."""

from collections.abc import Iterator
from typing import Any

from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.azure.places import copies_within, paired_within, place
from regions.rules.clauses import region_name, within
from regions.rules.rule import Breach, Clause, Plan, Resource, ResourceRule

_KEPT_IN_REGION = ("brazilsouth", "westus3")
"""Regions with a pair whose key vaults are zone-redundant and not copied to it."""


def _vault_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    where = region_name(place(resource, plan) or "")
    region = plan.catalogue.regions.get(where)
    if region is None:
        yield Breach("location", where, "where it stands is not known, so neither is its paired region")
    elif region.pair is not None and where not in _KEPT_IN_REGION:
        for found in paired_within(plan, resource, Purpose.KEYS):
            yield found if isinstance(found, str) else Breach("location", where, found.message, found.countries)


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="Z14",
        title="Recovery vault copied to the paired region",
        severity=Severity.DENY,
        types=("azure-native:recoveryservices:Vault",),
        trap="a vault is geo-redundant unless told otherwise",
        remedy="redundancySettings: standardTierStorageRedundancy LocallyRedundant or ZoneRedundant, "
        "crossRegionRestore Disabled",
        source="pulumi-azure-native 3.29.0; default known",
        clauses=(
            Clause(
                "properties.redundancySettings.standardTierStorageRedundancy",
                copies_within(
                    Purpose.BACKUP,
                    geo=("GeoRedundant",),
                    local=("LocallyRedundant", "ZoneRedundant"),
                    unset="GeoRedundant",
                ),
            ),
            Clause(
                "properties.redundancySettings.crossRegionRestore",
                copies_within(Purpose.BACKUP, geo=("Enabled",), local=("Disabled",), unset="Disabled"),
            ),
        ),
    ),
    ResourceRule(
        id="Z15",
        title="Backup vault copied to another region",
        severity=Severity.DENY,
        types=("azure-native:dataprotection:BackupVault",),
        trap="storage that is geo-redundant, restore across regions and replicatedRegions keep backups elsewhere",
        remedy="storageSettings LocallyRedundant or ZoneRedundant, no restore across regions, no replicatedRegions",
        source="pulumi-azure-native 3.29.0",
        clauses=(
            Clause(
                "properties.storageSettings[].type",
                copies_within(
                    Purpose.BACKUP,
                    geo=("GeoRedundant",),
                    local=("LocallyRedundant", "ZoneRedundant"),
                    unset="GeoRedundant",
                ),
            ),
            Clause(
                "properties.featureSettings.crossRegionRestoreSettings.state",
                copies_within(Purpose.BACKUP, geo=("Enabled",), local=("Disabled",), unset="Disabled"),
            ),
            Clause("properties.replicatedRegions[]", within(Purpose.BACKUP)),
        ),
    ),
    ResourceRule(
        id="Z16",
        title="Registry replicated outside the Boundary",
        severity=Severity.WARN,
        types=("azure-native:containerregistry:Replication",),
        trap="images, and what was built into them, are copied to the region",
        remedy="set location to a region inside the Boundary",
        source="pulumi-azure-native 3.29.0",
        clauses=(Clause("location", within(Purpose.REST, unset="its region is not said")),),
    ),
    ResourceRule(
        id="Z17",
        title="Key vault copied to the paired region",
        severity=Severity.DENY,
        types=("azure-native:keyvault:Vault",),
        trap="Azure copies keys and secrets to the paired region, and no setting stops it: Singapore's to Hong Kong",
        remedy="take a region whose pair is inside the Boundary, one without a pair, or a Managed HSM",
        source="Microsoft, include of Key Vault's redundancy, 2024-06; MicrosoftDocs/azure-docs, regions-paired.md",
        clauses=(Clause("", _vault_within),),
    ),
    ResourceRule(
        id="Z18",
        title="Managed HSM extended outside the Boundary",
        severity=Severity.DENY,
        types=("azure-native:keyvault:ManagedHsm",),
        trap="each region that is added holds the keys",
        remedy="list regions inside the Boundary only",
        source="pulumi-azure-native 3.29.0",
        clauses=(Clause("properties.regions[].name", within(Purpose.KEYS)),),
    ),
)
