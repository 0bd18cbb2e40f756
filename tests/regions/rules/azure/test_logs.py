"""Z19 to Z21 and Z30: where telemetry of Azure is stored."""

from typing import Any

import pytest

from regions.rules.azure import logs
from regions.rules.rule import UNKNOWN, Resource
from tests.fixtures.resources import resource
from tests.fixtures.rule_cases import Case, breaches, survivors
from tests.fixtures.rule_tables import Stack

WORKSPACE, APP = "azure-native:operationalinsights:Workspace", "azure-native:applicationinsights:Component"
METRICS, COLLECTION = "azure-native:monitor:AzureMonitorWorkspace", "azure-native:monitor:DataCollectionRule"
SETTING, CLUSTER = "azure-native:monitor:DiagnosticSetting", "azure-native:containerservice:ManagedCluster"
STORAGE, EVENTS = "azure-native:storage:StorageAccount", "azure-native:eventhub:Namespace"
BUS = "azure-native:servicebus:Namespace"
LONDON = Stack("uksouth", "uk-gdpr")
OWN_NAME = {
    WORKSPACE: "workspaceName",
    METRICS: "azureMonitorWorkspaceName",
    STORAGE: "accountName",
    EVENTS: "namespaceName",
    BUS: "namespaceName",
}


def store(type_: str, location: str) -> Resource:
    return resource(type_, "store", {OWN_NAME[type_]: "acme", "location": location})


def id_of(type_: str, more: str = "") -> str:
    """The name alone decides; a namespace is named with a rule or hub of it."""
    return f"/subscriptions/s/resourceGroups/fabric/providers/{type_.replace(':', '.')}/things/acme{more}"


def sent(list_: str, key: str, type_: str) -> dict[str, Any]:
    return {"location": "uksouth", "destinations": {list_: [{"name": "d", key: id_of(type_)}]}}


def agent(**config: Any) -> dict[str, Any]:
    return {"location": "uksouth", "addonProfiles": {"omsAgent": {"enabled": True, "config": config}}}


DESTINATIONS = [
    ("logAnalytics", "workspaceResourceId", WORKSPACE),
    ("monitoringAccounts", "accountResourceId", METRICS),
    ("eventHubs", "eventHubResourceId", EVENTS),
    ("eventHubsDirect", "eventHubResourceId", EVENTS),
    ("storageAccounts", "storageAccountResourceId", STORAGE),
    ("storageBlobsDirect", "storageAccountResourceId", STORAGE),
    ("storageTablesDirect", "storageAccountResourceId", STORAGE),
]
SETTINGS = [
    ("workspaceId", WORKSPACE, ""),
    ("storageAccountId", STORAGE, ""),
    ("eventHubAuthorizationRuleId", EVENTS, "/authorizationRules/send"),
    ("serviceBusRuleId", BUS, "/authorizationRules/send"),
]
COLLECTED: dict[str, Any] = {"azureMonitorProfile": {"metrics": {"enabled": True}}}

CASES = [
    LONDON.case("Z19", "workspace inside", WORKSPACE, {"location": "ukwest"}),
    LONDON.case("Z19", "workspace outside", WORKSPACE, {"location": "northeurope"}, "location"),
    LONDON.case(
        "Z19",
        "application's inside",
        APP,
        {"workspaceResourceId": id_of(WORKSPACE)},
        others=(store(WORKSPACE, "ukwest"),),
    ),
    LONDON.case(
        "Z19",
        "application's outside",
        APP,
        {"location": "uksouth", "workspaceResourceId": id_of(WORKSPACE)},
        "workspaceResourceId",
        others=(store(WORKSPACE, "northeurope"),),
    ),
    LONDON.case("Z19", "application's is not said", APP, {"location": "uksouth"}, "workspaceResourceId"),
    *(
        LONDON.case(
            "Z20", f"{key} in {where}", SETTING, {key: id_of(type_, more)}, *found, others=(store(type_, where),)
        )
        for key, type_, more in SETTINGS
        for where, found in (("ukwest", ()), ("northeurope", (key,)))
    ),
    LONDON.case("Z20", "nowhere", SETTING, {}),
    LONDON.case("Z20", "workspace of another plan", SETTING, {"workspaceId": id_of(WORKSPACE)}, "workspaceId"),
    LONDON.case("Z20", "workspace not known yet", SETTING, {"workspaceId": UNKNOWN}, "workspaceId"),
    LONDON.case("Z20", "to a partner", SETTING, {"marketplacePartnerId": "/acme"}, "marketplacePartnerId"),
    *(
        LONDON.case(
            "Z21", f"{list_} in {where}", COLLECTION, sent(list_, key, type_), *found, others=(store(type_, where),)
        )
        for list_, key, type_ in DESTINATIONS
        for where, found in (("ukwest", ()), ("northeurope", (f"destinations.{list_}[0].{key}",)))
    ),
    LONDON.case("Z21", "sent nowhere", COLLECTION, {"location": "uksouth"}),
    LONDON.case("Z21", "metrics inside", METRICS, {"location": "ukwest"}),
    LONDON.case("Z21", "metrics outside", METRICS, {"location": "northeurope"}, "location"),
    LONDON.case("Z21", "cluster without agent", CLUSTER, {"location": "uksouth"}),
    LONDON.case("Z21", "agent switched off", CLUSTER, {"addonProfiles": {"omsagent": {"enabled": False}}}),
    LONDON.case("Z21", "agent not known yet", CLUSTER, {"addonProfiles": {"omsagent": UNKNOWN}}, "addonProfiles"),
    LONDON.case("Z21", "agent that says nothing", CLUSTER, agent(), "addonProfiles"),
    LONDON.case("Z21", "another addon", CLUSTER, {"addonProfiles": {"azurepolicy": {"enabled": True}}}),
    LONDON.case(
        "Z21",
        "agent's inside",
        CLUSTER,
        agent(logAnalyticsWorkspaceResourceID=id_of(WORKSPACE)),
        others=(store(WORKSPACE, "uksouth"),),
    ),
    LONDON.case(
        "Z21",
        "agent's outside",
        CLUSTER,
        agent(logAnalyticsWorkspaceResourceID=id_of(WORKSPACE)),
        "addonProfiles",
        others=(store(WORKSPACE, "northeurope"),),
    ),
    LONDON.case("Z21", "metrics that nobody collects", CLUSTER, COLLECTED, "azureMonitorProfile.metrics.enabled"),
    LONDON.case(
        "Z21",
        "metrics collected",
        CLUSTER,
        COLLECTED,
        others=(resource(COLLECTION, "c", sent("monitoringAccounts", "accountResourceId", METRICS)),),
    ),
    LONDON.case(
        "Z21",
        "metrics, and logs collected",
        CLUSTER,
        COLLECTED,
        "azureMonitorProfile.metrics.enabled",
        others=(resource(COLLECTION, "c", sent("logAnalytics", "workspaceResourceId", WORKSPACE)),),
    ),
    LONDON.case("Z30", "given to Datadog", "azure-native:datadog:Monitor", {"location": "uksouth"}, ""),
    LONDON.case("Z30", "given to Elastic", "azure-native:elastic:Monitor", {"location": "uksouth"}, ""),
    LONDON.case(
        "Z30", "given to Weights & Biases", "azure-native:weightsandbiases:Instance", {"location": "uksouth"}, ""
    ),
    LONDON.case("Z30", "kept", WORKSPACE, {"location": "uksouth"}),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in logs.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(logs.RULES, CASES) == []
