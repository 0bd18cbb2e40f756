"""Logs and metrics on Azure: where they are stored, which is not where they come from."""

from collections.abc import Iterator, Mapping
from typing import Any

from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.azure.places import refers_within, stands_within
from regions.rules.clauses import absent, exists
from regions.rules.rule import EMPTY, UNSET, Breach, Clause, Plan, Resource, ResourceRule, values_at

_WORKSPACE = "azure-native:operationalinsights:Workspace"
_METRICS = "azure-native:monitor:AzureMonitorWorkspace"
_STORAGE = "azure-native:storage:StorageAccount"
_EVENTS = "azure-native:eventhub:Namespace"
_COLLECTION = "azure-native:monitor:DataCollectionRule"
_CLUSTER = "azure-native:containerservice:ManagedCluster"
_DESTINATIONS = {
    "logAnalytics[].workspaceResourceId": _WORKSPACE,
    "monitoringAccounts[].accountResourceId": _METRICS,
    "eventHubs[].eventHubResourceId": _EVENTS,
    "eventHubsDirect[].eventHubResourceId": _EVENTS,
    "storageAccounts[].storageAccountResourceId": _STORAGE,
    "storageBlobsDirect[].storageAccountResourceId": _STORAGE,
    "storageTablesDirect[].storageAccountResourceId": _STORAGE,
}
"""What a data collection rule may send to, each a list of ids of Azure."""
_AGENT_WORKSPACE = "loganalyticsworkspaceresourceid"


def _agent_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    """The cluster's agent for logs names its workspace among free settings, in either spelling."""
    profiles = value.items() if isinstance(value, Mapping) else ()
    for profile in (found for name, found in profiles if name.casefold() == "omsagent"):
        (_, enabled), (_, config) = *values_at(profile, "enabled"), *values_at(profile, "config")
        if enabled in (UNSET, False):
            continue
        settings = config.items() if isinstance(config, Mapping) else ()
        workspace = next((text for key, text in settings if key.casefold() == _AGENT_WORKSPACE), UNSET)
        check = refers_within(Purpose.LOGS, _WORKSPACE, unset="omsagent does not say which workspace it sends to")
        yield from check(workspace, resource, plan)


def _metrics_collected(value: Any, resource: Resource, plan: Plan) -> Iterator[str]:
    """Where a cluster's metrics go is said by a data collection rule, which is judged itself."""
    collected = any(
        value not in (UNSET, EMPTY)
        for rule in plan.resources
        if rule.type == _COLLECTION
        for _, value in values_at(rule.properties, "destinations.monitoringAccounts[].accountResourceId")
    )
    if value is True and not collected:
        yield "no data collection rule of this plan says which workspace the metrics go to"


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="Z19",
        title="Telemetry stored outside the Boundary",
        severity=Severity.DENY,
        types=(_WORKSPACE, "azure-native:applicationinsights:Component"),
        trap="telemetry rests in the workspace's region, whatever the region of the application",
        remedy="a workspace of this plan inside the Boundary, as workspaceResourceId",
        source="pulumi-azure-native 3.29.0; known",
        clauses=(
            Clause("", stands_within(Purpose.LOGS), types=(_WORKSPACE,)),
            Clause(
                "workspaceResourceId",
                refers_within(Purpose.LOGS, _WORKSPACE, unset="which workspace stores its telemetry is not said"),
                types=("azure-native:applicationinsights:Component",),
            ),
        ),
    ),
    ResourceRule(
        id="Z20",
        title="Diagnostic logs sent outside the Boundary",
        severity=Severity.DENY,
        types=("azure-native:monitor:DiagnosticSetting",),
        trap="logs may go to any region's workspace, account or event hub, and to a partner's service",
        remedy="destinations of this plan inside the Boundary, no marketplace partner",
        source="pulumi-azure-native 3.29.0",
        clauses=(
            Clause("workspaceId", refers_within(Purpose.LOGS, _WORKSPACE)),
            Clause("storageAccountId", refers_within(Purpose.LOGS, _STORAGE)),
            Clause("eventHubAuthorizationRuleId", refers_within(Purpose.LOGS, _EVENTS)),
            Clause("serviceBusRuleId", refers_within(Purpose.LOGS, "azure-native:servicebus:Namespace")),
            Clause("marketplacePartnerId", absent("a partner's service gets the logs")),
        ),
    ),
    ResourceRule(
        id="Z21",
        title="Collected telemetry sent outside the Boundary",
        severity=Severity.DENY,
        types=(_COLLECTION, _METRICS, _CLUSTER),
        trap="data collection rules and a cluster's agents send to workspaces of any region",
        remedy="destinations of this plan inside the Boundary",
        source="pulumi-azure-native 3.29.0",
        clauses=(
            *(
                Clause(f"destinations.{path}", refers_within(Purpose.LOGS, type_), types=(_COLLECTION,))
                for path, type_ in _DESTINATIONS.items()
            ),
            Clause("", stands_within(Purpose.LOGS), types=(_METRICS,)),
            Clause("addonProfiles", _agent_within, types=(_CLUSTER,)),
            Clause("azureMonitorProfile.metrics.enabled", _metrics_collected, types=(_CLUSTER,)),
        ),
    ),
    ResourceRule(
        id="Z30",
        title="Telemetry given to a partner",
        severity=Severity.WARN,
        types=(
            "azure-native:datadog:Monitor",
            "azure-native:elastic:Monitor",
            "azure-native:weightsandbiases:Instance",
        ),
        trap="the partner's service stores the telemetry at its own site, whatever the location of the resource",
        remedy="keep telemetry in a workspace inside the Boundary, or have the vendor's site justified by a waiver",
        source="pulumi-azure-native 3.29.0; known",
        clauses=(Clause("", exists("the partner stores what it is sent")),),
    ),
)
