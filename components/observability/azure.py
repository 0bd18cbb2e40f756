"""Observability on Azure: logs, traces and metrics in the stack's region, reached by the network's own way in alone.

Logs and traces lie in the network's workspace, where its services' logs are. Metrics in Prometheus' format have a
workspace of their own. A private link scope lets the network, and nobody else, send and ask.

Three limits. The workspace is encrypted with Microsoft's keys: Azure takes an own key for a dedicated cluster of
workspaces alone, which is paid for 100 GB a day at least. Azure's metric and activity alerts are kept outside any
region, so alarms are queries of the logs, which are kept in theirs. And mails are sent by an action group, of which
Azure has regional ones in few regions: where none is inside the Boundary, alarms are shown and nobody is mailed.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_azure_native import applicationinsights, monitor

from components.azure.private import create_way_in
from components.observability.contract import Observability

MAILING = ("swedencentral", "germanywestcentral", "southcentralus", "northcentralus")
"""Regions in which an action group can be kept and work: MicrosoftDocs/azure-monitor-docs, action-groups.md."""
ALARMS = {
    "egress-denied": 'AZFWApplicationRule | where Action == "Deny"',
    "keys-denied": 'AzureDiagnostics | where ResourceProvider == "MICROSOFT.KEYVAULT" and httpStatusCode_d == 403',
    "models-failing": 'AzureDiagnostics | where ResourceProvider == "MICROSOFT.COGNITIVESERVICES"'
    " and toint(ResultSignature) >= 429",
    "databases-failing": 'AzureDiagnostics | where ResourceProvider == "MICROSOFT.DBFORPOSTGRESQL"'
    ' and errorLevel_s in ("FATAL", "PANIC")',
}
"""What nobody should find in the logs, by name of the alarm."""


class AzureObservabilityArgs(TypedDict):
    """``group``: name of the resource group. ``logs``: id of the workspace. ``endpoints``: the subnet of private
    endpoints. ``zones``: ids of the private DNS zones of Azure Monitor; none: its way in is not made.

    ``notify``: mail addresses that alarms go to. ``mailing``: the region that mails them, empty for none.
    """

    stack: str
    region: str
    group: Input[str]
    logs: Input[str]
    endpoints: Input[str]
    zones: Mapping[str, Input[str]]
    notify: Sequence[str]
    mailing: str


class AzureObservability(Observability):
    """``traces``: id of the Application Insights component. ``metrics``: of the Monitor workspace."""

    def __init__(self, name: str, args: AzureObservabilityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self.logs = Output.from_input(args["logs"])
        self.traces = self._create_traces()
        self.metrics = self._create_metrics()
        if args["zones"]:
            self._create_way_in()
        actions = self._create_actions() if args["mailing"] and args["notify"] else []
        self.alarms = Output.all(*(self._create_alarm(alarm, actions) for alarm in ALARMS))
        self.register_outputs(
            {"logs": self.logs, "traces": self.traces, "metrics": self.metrics, "alarms": self.alarms}
        )

    def _create_traces(self) -> Output[str]:
        return applicationinsights.Component(
            f"{self._name}-traces",
            resource_group_name=self._args["group"],
            location=self._args["region"],
            application_type=applicationinsights.ApplicationType.OTHER,
            kind="other",
            ingestion_mode=applicationinsights.IngestionMode.LOG_ANALYTICS,
            workspace_resource_id=self._args["logs"],
            disable_local_auth=True,
            public_network_access_for_ingestion="Disabled",
            public_network_access_for_query="Disabled",
            opts=self._child,
        ).id

    def _create_metrics(self) -> Output[str]:
        return monitor.AzureMonitorWorkspace(
            f"{self._name}-metrics",
            resource_group_name=self._args["group"],
            location=self._args["region"],
            public_network_access=monitor.PublicNetworkAccess.DISABLED,
            opts=self._child,
        ).id

    def _create_way_in(self) -> None:
        """The scope is a list of what the private address leads to: it has no region, and nothing is kept in it."""
        args = self._args
        scope = monitor.PrivateLinkScope(
            f"{self._name}-scope",
            resource_group_name=args["group"],
            location="global",
            access_mode_settings=monitor.AccessModeSettingsArgs(
                ingestion_access_mode=monitor.AccessMode.PRIVATE_ONLY, query_access_mode=monitor.AccessMode.PRIVATE_ONLY
            ),
            opts=self._child,
        )
        listed = [
            monitor.PrivateLinkScopedResource(
                f"{self._name}-scope-{role}",
                resource_group_name=args["group"],
                scope_name=scope.name,
                linked_resource_id=target,
                opts=self._child,
            )
            for role, target in (("logs", self.logs), ("traces", self.traces))
        ]
        # The address is made for what the scope lists at that time.
        target = Output.all(scope.id, *(each.id for each in listed)).apply(lambda ids: ids[0])
        create_way_in(
            self._name,
            args["region"],
            args["group"],
            args["endpoints"],
            "azuremonitor",
            target,
            args["zones"],
            self._child,
        )

    def _create_actions(self) -> list[Output[str]]:
        made = monitor.ActionGroup(
            f"{self._name}-mails",
            resource_group_name=self._args["group"],
            location=self._args["mailing"],
            group_short_name="loomstead",
            enabled=True,
            email_receivers=[
                monitor.MicrosoftCommonEmailReceiverArgs(
                    name=f"mail-{index}", email_address=address, use_common_alert_schema=True
                )
                for index, address in enumerate(self._args["notify"])
            ],
            opts=self._child,
        )
        return [made.id]

    def _create_alarm(self, alarm: str, actions: Sequence[Output[str]]) -> Output[str]:
        found = monitor.ConditionArgs(
            query=ALARMS[alarm],
            time_aggregation=monitor.TimeAggregation.COUNT,
            operator=monitor.ConditionOperator.GREATER_THAN,
            threshold=0,
            failing_periods=monitor.ConditionFailingPeriodsArgs(
                min_failing_periods_to_alert=1, number_of_evaluation_periods=1
            ),
        )
        return monitor.ScheduledQueryRule(
            f"{self._name}-{alarm}",
            resource_group_name=self._args["group"],
            location=self._args["region"],
            display_name=f"{self._args['stack']}: {alarm}",
            kind="LogAlert",
            scopes=[self._args["logs"]],
            severity=2,
            evaluation_frequency="PT15M",
            window_size="PT15M",
            criteria=monitor.ScheduledQueryRuleCriteriaArgs(all_of=[found]),
            actions=monitor.ActionsArgs(action_groups=[*actions]) if actions else None,
            # The tables that it asks are there once something was logged.
            skip_query_validation=True,
            auto_mitigate=False,
            enabled=True,
            opts=self._child,
        ).id
