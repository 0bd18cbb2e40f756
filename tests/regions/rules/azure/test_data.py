"""Z08 to Z13: Azure databases and storage."""

from typing import Any

import pytest

from regions.rules.azure import data
from regions.rules.rule import UNKNOWN, Resource
from tests.fixtures.resources import resource
from tests.fixtures.rule_cases import Case, breaches, survivors
from tests.fixtures.rule_tables import Stack

POSTGRES, STORAGE = "azure-native:dbforpostgresql:Server", "azure-native:storage:StorageAccount"
REPLICATION, COSMOS = "azure-native:storage:ObjectReplicationPolicy", "azure-native:cosmosdb:DatabaseAccount"
SQL, DATABASE = "azure-native:sql:Server", "azure-native:sql:Database"
FAILOVER = "azure-native:sql:FailoverGroup"
IRELAND, SAO_PAULO = Stack("northeurope"), Stack("brazilsouth", "br-lgpd")
SINGAPORE, LONDON, MILAN = Stack("southeastasia", "sg-pdpa"), Stack("uksouth", "uk-gdpr"), Stack("italynorth")


def server(type_: str, location: str) -> Resource:
    return resource(type_, "primary", {"serverName": "orders", "resourceGroupName": "fabric", "location": location})


def account(location: str) -> Resource:
    return resource(STORAGE, "files", {"accountName": "acmefiles", "location": location})


def at(stack: Stack, **more: Any) -> dict[str, Any]:
    return {"location": stack.region, **more}


GEO: dict[str, Any] = {"backup": {"geoRedundantBackup": "Enabled"}}
PRIMARY = "/subscriptions/s/resourceGroups/fabric/providers/Microsoft.DBforPostgreSQL/flexibleServers/orders"
PARTNER = "/subscriptions/s/resourceGroups/fabric/providers/Microsoft.Sql/servers/orders"
REPLICA: dict[str, Any] = {"createMode": "Replica", "sourceServerResourceId": PRIMARY}
KEYED: dict[str, Any] = {"dataEncryption": {"geoBackupKeyURI": "https://acme.vault.azure.net/keys/k"}}
FILES = "/subscriptions/s/resourceGroups/fabric/providers/Microsoft.Storage/storageAccounts/acmefiles"
BACKUP, KEY = "backup.geoRedundantBackup", "dataEncryption.geoBackupKeyURI"
COPIED: dict[str, Any] = {"allowedCopyScope": "AAD"}
PERIODIC = "backupPolicy.periodicModeProperties.backupStorageRedundancy"


def periodic(redundancy: str | None, location: str = "northeurope") -> dict[str, Any]:
    properties = {} if redundancy is None else {"backupStorageRedundancy": redundancy}
    policy = {"type": "Periodic", "periodicModeProperties": properties}
    return {"location": location, "locations": [{"locationName": location}], "backupPolicy": policy}


CASES = [
    IRELAND.case("Z08", "by default", POSTGRES, at(IRELAND)),
    IRELAND.case("Z08", "none", POSTGRES, at(IRELAND, backup={"geoRedundantBackup": "Disabled"})),
    IRELAND.case("Z08", "from Ireland to the Netherlands", POSTGRES, at(IRELAND, **GEO)),
    IRELAND.case("Z08", "word that Azure lacks", POSTGRES, at(IRELAND, backup={"geoRedundantBackup": "On"}), BACKUP),
    IRELAND.case("Z08", "nobody says from where", POSTGRES, GEO, BACKUP),
    MILAN.case("Z08", "from a region without a pair", POSTGRES, at(MILAN, **GEO), BACKUP),
    SAO_PAULO.case("Z08", "from São Paulo to Texas", POSTGRES, at(SAO_PAULO, **GEO), BACKUP),
    SAO_PAULO.case("Z08", "replica takes its source's", POSTGRES, at(SAO_PAULO, **GEO, createMode="Replica")),
    SINGAPORE.case("Z08", "from Singapore to Hong Kong", POSTGRES, at(SINGAPORE, **GEO), BACKUP),
    LONDON.case("Z08", "from London to Cardiff", POSTGRES, at(LONDON, **GEO)),
    SINGAPORE.case("Z08", "adopted, so its default is not known", POSTGRES, at(SINGAPORE), BACKUP, adopted=True),
    IRELAND.case("Z09", "no copy", POSTGRES, at(IRELAND)),
    SINGAPORE.case(
        "Z09", "beside its source", POSTGRES, at(SINGAPORE, **REPLICA), others=(server(POSTGRES, "Southeast Asia"),)
    ),
    IRELAND.case(
        "Z09", "in another region inside", POSTGRES, at(IRELAND, **REPLICA), others=(server(POSTGRES, "westeurope"),)
    ),
    SINGAPORE.case(
        "Z09",
        "in Hong Kong",
        POSTGRES,
        {"location": "eastasia", **REPLICA},
        "sourceServerResourceId",
        others=(server(POSTGRES, "southeastasia"),),
    ),
    IRELAND.case("Z09", "of a server of another plan", POSTGRES, at(IRELAND, **REPLICA), "sourceServerResourceId"),
    IRELAND.case(
        "Z09",
        "of a server not known yet",
        POSTGRES,
        at(IRELAND, createMode="GeoRestore", sourceServerResourceId=UNKNOWN),
        "sourceServerResourceId",
    ),
    SINGAPORE.case(
        "Z09",
        "role of a copy in Hong Kong",
        POSTGRES,
        {"location": "eastasia", "replicationRole": "GeoAsyncReplica"},
        "replicationRole",
    ),
    SINGAPORE.case(
        "Z09", "role of a copy nobody knows where", POSTGRES, {"replicationRole": "GeoAsyncReplica"}, "replicationRole"
    ),
    IRELAND.case("Z09", "role of a copy inside", POSTGRES, at(IRELAND, replicationRole="GeoAsyncReplica")),
    SINGAPORE.case(
        "Z09", "role of a copy beside", POSTGRES, {"location": "eastasia", "replicationRole": "AsyncReplica"}
    ),
    SINGAPORE.case("Z09", "key in Hong Kong", POSTGRES, at(SINGAPORE, **KEYED), KEY),
    SINGAPORE.case("Z09", "replica takes its source's key", POSTGRES, at(SINGAPORE, **KEYED, createMode="Replica")),
    IRELAND.case("Z09", "key in the Netherlands", POSTGRES, at(IRELAND, **KEYED)),
    *(
        stack.case("Z10", f"{sku} in {stack.region}", STORAGE, at(stack, sku={"name": sku}), *found)
        for sku, stack, found in (
            ("Standard_LRS", SAO_PAULO, ()),
            ("StandardV2_ZRS", SAO_PAULO, ()),
            ("Standard_GRS", SAO_PAULO, ("sku.name",)),
            ("Standard_RAGRS", SAO_PAULO, ("sku.name",)),
            ("Standard_GZRS", SAO_PAULO, ("sku.name",)),
            ("Standard_RAGZRS", SAO_PAULO, ("sku.name",)),
            ("StandardV2_GRS", SAO_PAULO, ("sku.name",)),
            ("StandardV2_GZRS", SAO_PAULO, ("sku.name",)),
            ("Standard_GRS", IRELAND, ()),
            ("Standard_GRS", LONDON, ()),
            ("Standard_GRS", SINGAPORE, ("sku.name",)),
            ("Standard_XRS", IRELAND, ("sku.name",)),
        )
    ),
    IRELAND.case("Z10", "no SKU", STORAGE, at(IRELAND), "sku.name"),
    IRELAND.case("Z11", "within the tenant", STORAGE, COPIED | {"allowCrossTenantReplication": False}),
    IRELAND.case("Z11", "within the tenant by default", STORAGE, COPIED),
    IRELAND.case(
        "Z11",
        "to other tenants",
        STORAGE,
        COPIED | {"allowCrossTenantReplication": True},
        "allowCrossTenantReplication",
    ),
    IRELAND.case("Z11", "to any account", STORAGE, {}, "allowedCopyScope"),
    IRELAND.case("Z11", "to a scope that Azure lacks", STORAGE, {"allowedCopyScope": "All"}, "allowedCopyScope"),
    IRELAND.case(
        "Z11", "to an account inside", REPLICATION, {"destinationAccount": FILES}, others=(account("westeurope"),)
    ),
    IRELAND.case(
        "Z11",
        "to an account outside",
        REPLICATION,
        {"destinationAccount": "ACMEFILES"},
        "destinationAccount",
        others=(account("uksouth"),),
    ),
    IRELAND.case(
        "Z11", "to an account of another plan", REPLICATION, {"destinationAccount": FILES}, "destinationAccount"
    ),
    IRELAND.case("Z11", "to nobody knows where", REPLICATION, {}, "destinationAccount"),
    SAO_PAULO.case("Z12", "backups beside", COSMOS, periodic("Local", "brazilsouth")),
    SAO_PAULO.case("Z12", "backups in Texas", COSMOS, periodic("Geo", "brazilsouth"), PERIODIC),
    SAO_PAULO.case("Z12", "backups in Texas by default", COSMOS, periodic(None, "brazilsouth"), PERIODIC),
    SAO_PAULO.case(
        "Z12",
        "continuous backups",
        COSMOS,
        {
            "location": "brazilsouth",
            "locations": [{"locationName": "Brazil South"}],
            "backupPolicy": {"type": "Continuous"},
        },
    ),
    IRELAND.case("Z12", "backups in the Netherlands by default", COSMOS, periodic(None)),
    IRELAND.case("Z12", "in no place said", COSMOS, periodic("Zone") | {"locations": []}, "locations.locationName"),
    IRELAND.case(
        "Z12",
        "second location outside",
        COSMOS,
        periodic("Zone") | {"locations": [{"locationName": "North Europe"}, {"locationName": "UK South"}]},
        "locations[1].locationName",
    ),
    IRELAND.case("Z12", "policy not known yet", COSMOS, periodic("Zone") | {"backupPolicy": UNKNOWN}, "backupPolicy"),
    SAO_PAULO.case("Z13", "backups beside", DATABASE, at(SAO_PAULO, requestedBackupStorageRedundancy="Zone")),
    SAO_PAULO.case("Z13", "backups in Texas by default", DATABASE, at(SAO_PAULO), "requestedBackupStorageRedundancy"),
    SAO_PAULO.case(
        "Z13",
        "backups in Texas",
        DATABASE,
        at(SAO_PAULO, requestedBackupStorageRedundancy="GeoZone"),
        "requestedBackupStorageRedundancy",
    ),
    IRELAND.case("Z13", "backups in the Netherlands", DATABASE, at(IRELAND)),
    IRELAND.case(
        "Z13", "partner inside", FAILOVER, {"partnerServers": [{"id": PARTNER}]}, others=(server(SQL, "westeurope"),)
    ),
    IRELAND.case(
        "Z13",
        "partner outside",
        FAILOVER,
        {"partnerServers": [{"id": PARTNER}]},
        "partnerServers[0].id",
        others=(server(SQL, "uksouth"),),
    ),
    IRELAND.case(
        "Z13", "partner of another plan", FAILOVER, {"partnerServers": [{"id": PARTNER}]}, "partnerServers[0].id"
    ),
    IRELAND.case("Z13", "no partner said", FAILOVER, {}, "partnerServers.id"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in data.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(data.RULES, CASES) == []


def test_names_the_paired_region_and_its_country() -> None:
    case = SAO_PAULO.case("Z08", "from São Paulo to Texas", POSTGRES, at(SAO_PAULO, **GEO), BACKUP)
    (found,) = data.RULES[0].findings(case.resource, case.plan)
    assert found.countries == ("US",)
    assert "brazilsouth is southcentralus" in found.message
    assert found.value == "Enabled"
