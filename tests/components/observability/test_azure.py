"""Observability on Azure: kept in the region, reached by the network alone, and alarms that stay there too."""

from collections.abc import Sequence
from typing import Any

import pytest

from components.observability.azure import ALARMS, MAILING, AzureObservability, AzureObservabilityArgs
from regions.catalogue import load_catalogue
from tests.fixtures.azure import built
from tests.fixtures.recording import Graph, conforms, reviewed
from tests.fixtures.workloads import unmet

ALARM = "azure-native:monitor:ScheduledQueryRule"
MAILS = "azure-native:monitor:ActionGroup"
SCOPE = "azure-native:monitor:PrivateLinkScope"
CELL_OBSERVABILITY: list[tuple[str, str, dict[str, Any]]] = [
    (
        "azure-native:applicationinsights:Component",
        "-traces",
        {
            "location": ...,
            "workspaceResourceId": ...,
            "ingestionMode": "LogAnalytics",
            "disableLocalAuth": True,
            "publicNetworkAccessForIngestion": "Disabled",
            "publicNetworkAccessForQuery": "Disabled",
        },
    ),
    (
        "azure-native:monitor:AzureMonitorWorkspace",
        "-metrics",
        {"location": ..., "publicNetworkAccess": "Disabled"},
    ),
    (
        SCOPE,
        "-scope",
        {
            "accessModeSettings.ingestionAccessMode": "PrivateOnly",
            "accessModeSettings.queryAccessMode": "PrivateOnly",
        },
    ),
    ("azure-native:monitor:PrivateLinkScopedResource", "-scope-logs", {"linkedResourceId": ...}),
    ("azure-native:monitor:PrivateLinkScopedResource", "-scope-traces", {"linkedResourceId": ...}),
    (
        "azure-native:network:PrivateEndpoint",
        "observability-endpoint",
        {"privateLinkServiceConnections.0.groupIds": ["azuremonitor"]},
    ),
    *((ALARM, f"-{alarm}", {"criteria.allOf.0.query": ..., "enabled": True, "scopes": ...}) for alarm in ALARMS),
]


def observability(
    region: str = "swedencentral",
    mailing: str = "swedencentral",
    notify: Sequence[str] = ("platform@corp.example",),
    zones: Sequence[str] = ("monitor", "monitor-ods"),
    *,
    workspace: bool = False,
    preview: bool = False,
) -> Graph:
    args: AzureObservabilityArgs = {
        "stack": "s",
        "region": region,
        "group": "stack",
        "logs": "logs-id",
        "endpoints": "endpoints-id",
        "zones": {zone: f"{zone}-zone-id" for zone in zones},
        "notify": notify,
        "mailing": mailing,
    }
    return built(
        lambda opts: AzureObservability("observability", args, opts), region, preview=preview, workspace=workspace
    )


@pytest.mark.parametrize("preview", [False, True])
def test_it_keeps_what_every_component_keeps(preview: bool) -> None:
    conforms(observability(preview=preview), "loomstead:observability:Observability")


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(observability(), CELL_OBSERVABILITY) == []


def test_the_private_address_is_for_logs_and_traces_by_all_their_names() -> None:
    graph = observability()

    assert {
        each.properties["linkedResourceId"] for each in graph.of("azure-native:monitor:PrivateLinkScopedResource")
    } == {"logs-id", "observability-traces-id"}
    names = graph.named("observability-endpoint-names").properties["privateDnsZoneConfigs"]
    assert [each["privateDnsZoneId"] for each in names] == ["monitor-zone-id", "monitor-ods-zone-id"]
    listed = {each.urn for each in graph.of("azure-native:monitor:PrivateLinkScopedResource")}
    assert listed <= graph.named("observability-endpoint").dependencies


def test_alarms_ask_the_logs_and_mail_those_that_are_named() -> None:
    graph = observability()
    alarms = graph.of(ALARM)

    assert {each.properties["criteria"]["allOf"][0]["query"] for each in alarms} == set(ALARMS.values())
    assert {tuple(each.properties["actions"]["actionGroups"]) for each in alarms} == {("observability-mails-id",)}
    (mails,) = graph.of(MAILS)
    assert [each["emailAddress"] for each in mails.properties["emailReceivers"]] == ["platform@corp.example"]


@pytest.mark.parametrize(("mailing", "notify"), [("", ("a@corp.example",)), ("swedencentral", ())])
def test_where_nobody_can_be_mailed_alarms_are_still_shown(mailing: str, notify: Sequence[str]) -> None:
    graph = observability(mailing=mailing, notify=notify)

    assert graph.of(MAILS) == []
    assert len(graph.of(ALARM)) == len(ALARMS)
    assert not any("actions" in each.properties for each in graph.of(ALARM))


def test_where_the_private_names_are_not_known_there_is_no_way_in() -> None:
    assert observability(zones=()).of(SCOPE) == []


def test_outputs_say_where_each_is_kept() -> None:
    graph = observability()

    assert graph.outputs[graph.component("loomstead:observability:Observability").urn] == {
        "logs": "logs-id",
        "traces": "observability-traces-id",
        "metrics": "observability-metrics-id",
        "alarms": [f"observability-{alarm}-id" for alarm in ALARMS],
    }


@pytest.mark.parametrize(
    ("regime", "region", "mailing"),
    [("eu-gdpr", "swedencentral", "swedencentral"), ("ch-fadp", "switzerlandnorth", "")],
)
def test_the_rules_have_nothing_against_it(regime: str, region: str, mailing: str) -> None:
    assert reviewed(observability(region, mailing, workspace=True), regime, region) == []


@pytest.mark.parametrize("mailing", ["swedencentral", "global"])
def test_an_action_group_outside_the_boundary_is_a_finding(mailing: str) -> None:
    graph = observability("switzerlandnorth", mailing, workspace=True)

    assert [each.rule for each in reviewed(graph, "ch-fadp", "switzerlandnorth")] == ["Z01"]


def test_regions_that_mail_are_regions_of_azure() -> None:
    assert {load_catalogue().regions[region].platform for region in MAILING} == {"azure"}
