"""Z01 and Z02: where Azure resources and their providers stand."""

import pytest

from regions.rules.azure import ground
from regions.rules.rule import UNKNOWN, Resource
from tests.fixtures.resources import resource
from tests.fixtures.rule_cases import Case, breaches, survivors
from tests.fixtures.rule_tables import Stack

VAULT, GROUP = "azure-native:recoveryservices:Vault", "azure-native:resources:ResourceGroup"
ACCOUNT, DEPLOYMENT = "azure-native:cognitiveservices:Account", "azure-native:cognitiveservices:Deployment"
SCOPE = "azure-native:monitor:PrivateLinkScope"
PROJECT = "azure-native:cognitiveservices:Project"
CONNECTION = "azure-native:cognitiveservices:ProjectConnection"
PROVIDER = "pulumi:providers:azure-native"
IRELAND, LONDON, VIRGINIA = Stack("northeurope"), Stack("uksouth", "uk-gdpr"), Stack("usgovvirginia", "us-cjis")
SINGAPORE = Stack("southeastasia", "sg-pdpa")


def group(location: str) -> Resource:
    return resource(GROUP, "group", {"resourceGroupName": "fabric", "location": location})


def account(location: str) -> Resource:
    return resource(ACCOUNT, "models", {"resourceGroupName": "fabric", "accountName": "acme", "location": location})


def project(location: str) -> Resource:
    return resource(PROJECT, "project", {"accountName": "acme", "projectName": "desk", "location": location})


GROUPED = {"resourceGroupName": "fabric"}
DEPLOYED = {"accountName": "acme", "deploymentName": "chat"}
CONNECTED = {"accountName": "acme", "projectName": "desk", "connectionName": "search"}

CASES = [
    IRELAND.case("Z01", "inside", VAULT, {"location": "westeurope"}),
    IRELAND.case("Z01", "inside, as the portal spells it", VAULT, {"location": "West Europe"}),
    IRELAND.case("Z01", "outside", VAULT, {"location": "uksouth"}, "location"),
    IRELAND.case("Z01", "outside, as the portal spells it", VAULT, {"location": "UK South"}, "location"),
    IRELAND.case("Z01", "of another cloud", VAULT, {"location": "usgovvirginia"}, "location"),
    IRELAND.case("Z01", "no region of the catalogue", VAULT, {"location": "westeurope9"}, "location"),
    IRELAND.case("Z01", "known to the cloud only", VAULT, {"location": UNKNOWN}, "location"),
    IRELAND.case("Z01", "a list of what a private address leads to", SCOPE, {"location": "global"}),
    IRELAND.case("Z01", "a global service that has content", VAULT, {"location": "global"}, "location"),
    IRELAND.case("Z01", "provider inside", VAULT, {}, provider="westeurope"),
    IRELAND.case("Z01", "provider outside", VAULT, {}, "location", provider="uksouth"),
    IRELAND.case("Z01", "nobody says where", VAULT, {}, "location"),
    IRELAND.case("Z01", "resource group inside", VAULT, GROUPED, others=(group("westeurope"),)),
    IRELAND.case("Z01", "resource group outside", VAULT, GROUPED, "location", others=(group("uksouth"),)),
    IRELAND.case("Z01", "resource group of another plan", VAULT, {"resourceGroupName": "theirs"}, "location"),
    IRELAND.case("Z01", "parent inside", DEPLOYMENT, DEPLOYED, others=(account("northeurope"),)),
    IRELAND.case(
        "Z01", "parent outside", DEPLOYMENT, DEPLOYED, "location", others=(account("uksouth"),), provider="northeurope"
    ),
    IRELAND.case(
        "Z01",
        "the nearest of two parents decides",
        CONNECTION,
        CONNECTED,
        "location",
        others=(account("northeurope"), project("uksouth")),
    ),
    IRELAND.case("Z01", "global service", "azure-native:search:Service", {"location": "global"}, "location"),
    IRELAND.case("Z01", "private zone is global", "azure-native:privatedns:PrivateZone", {"location": "Global"}),
    IRELAND.case(
        "Z01", "private zone outside", "azure-native:privatedns:PrivateZone", {"location": "uksouth"}, "location"
    ),
    IRELAND.case("Z01", "role is nowhere", "azure-native:authorization:RoleAssignment", {"principalId": "p"}),
    IRELAND.case("Z01", "the edge is for another rule", "azure-native:cdn:Profile", {"location": "Global"}),
    IRELAND.case(
        "Z01", "a copy is for another rule", "azure-native:containerregistry:Replication", {"location": "uksouth"}
    ),
    LONDON.case("Z01", "London under UK law", VAULT, {"location": "uksouth"}),
    LONDON.case("Z01", "Ireland under UK law", VAULT, {"location": "northeurope"}, "location"),
    SINGAPORE.case("Z01", "Singapore", VAULT, {"location": "southeastasia"}),
    SINGAPORE.case("Z01", "Hong Kong", VAULT, {"location": "eastasia"}, "location"),
    IRELAND.case("Z02", "says nothing", PROVIDER, {}),
    IRELAND.case("Z02", "public", PROVIDER, {"environment": "public", "location": "westeurope"}),
    IRELAND.case("Z02", "government", PROVIDER, {"environment": "usgovernment"}, "environment"),
    IRELAND.case("Z02", "cloud by its metadata", PROVIDER, {"metadataHost": "management.acme.example"}, "metadataHost"),
    IRELAND.case("Z02", "default location outside", PROVIDER, {"location": "eastus"}, "location"),
    VIRGINIA.case("Z02", "government, as its stack", PROVIDER, {"environment": "usgovernment"}),
    VIRGINIA.case("Z02", "public by default, unlike its stack", PROVIDER, {}, "environment"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in ground.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(ground.RULES, CASES) == []
