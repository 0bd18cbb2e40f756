"""Observability on Google Cloud: every log in one bucket of the region under an own key, and nothing in the other."""

from typing import Any

import pytest

from components.observability.gcp import (
    ALARMS,
    AUDITED,
    GcpObservability,
    GcpObservabilityArgs,
    GcpObservabilityError,
)
from tests.fixtures.gcp import PROJECT, built, reviewed_alone
from tests.fixtures.recording import Graph, conforms
from tests.fixtures.workloads import unmet

BUCKET = "gcp:logging/projectBucketConfig:ProjectBucketConfig"
SINK = "gcp:logging/projectSink:ProjectSink"
EXCLUSION = "gcp:logging/projectExclusion:ProjectExclusion"
GRANT = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
AUDIT = "gcp:projects/iAMAuditConfig:IAMAuditConfig"
ALARM = "gcp:monitoring/alertPolicy:AlertPolicy"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
REGION = "europe-west3"
CELL_OBSERVABILITY: list[tuple[str, str, dict[str, Any]]] = [
    (BUCKET, "-logs", {"location": ..., "retentionDays": ..., "cmekSettings.kmsKeyName": ...}),
    (GRANT, "-logs-grant", {"role": "roles/cloudkms.cryptoKeyEncrypterDecrypter", "member": ..., "cryptoKeyId": ...}),
    (SINK, "-sink", {"destination": ..., "uniqueWriterIdentity": True}),
    (EXCLUSION, "-default", {"filter": "severity>=DEFAULT"}),
    *((AUDIT, f"-audit-{service}", {"service": ..., "auditLogConfigs.1.logType": "DATA_READ"}) for service in AUDITED),
    *((ALARM, f"-{alarm}", {"conditions.0.conditionMatchedLog.filter": ..., "enabled": True}) for alarm in ALARMS),
]


def observability(*, preview: bool = False, **other: Any) -> Graph:
    args: GcpObservabilityArgs = {
        "stack": "gcp-a",
        "project": PROJECT,
        "region": REGION,
        "key": "key-id",
        "days": 365,
        "notify": ("platform@corp.example",),
        **other,
    }
    return built(lambda opts: GcpObservability("observability", args, opts), REGION, preview=preview)


@pytest.mark.parametrize("preview", [False, True])
def test_it_keeps_what_every_component_keeps(preview: bool) -> None:
    conforms(observability(preview=preview), "loomstead:observability:Observability")


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(observability(), CELL_OBSERVABILITY) == []


def test_the_bucket_is_the_regions_kept_and_encrypted_once_logging_may_use_the_key() -> None:
    graph = observability(days=30)
    bucket, grant = graph.named("observability-logs"), graph.named("observability-logs-grant")

    assert bucket.properties["location"] == REGION
    assert bucket.properties["retentionDays"] == 30
    assert bucket.properties["cmekSettings"] == {"kmsKeyName": "key-id"}
    assert (bucket.protect, bucket.retain_on_delete) == (True, True)
    assert grant.urn in bucket.dependencies
    assert grant.properties["member"].endswith("@gcp-sa-logging.iam.gserviceaccount.com")


def test_every_log_goes_there_and_none_to_the_bucket_that_nobody_placed() -> None:
    graph = observability()
    sink, exclusion = graph.named("observability-sink"), graph.named("observability-default")

    assert sink.properties["destination"] == (
        f"logging.googleapis.com/projects/{PROJECT}/locations/{REGION}/buckets/gcp-a"
    )
    assert "filter" not in sink.properties
    assert graph.named("observability-logs").properties["bucketId"] == "gcp-a"
    assert sink.urn in exclusion.dependencies


def test_alarms_are_mailed_to_those_who_are_named() -> None:
    graph = observability(notify=("a@corp.example", "b@corp.example"))

    assert {each.properties["labels"]["email_address"] for each in graph.of(CHANNEL)} == {
        "a@corp.example",
        "b@corp.example",
    }
    assert {tuple(each.properties["notificationChannels"]) for each in graph.of(ALARM)} == {
        ("observability-mail-0-name", "observability-mail-1-name")
    }


def test_where_nobody_is_named_alarms_are_shown_all_the_same() -> None:
    graph = observability(notify=())

    assert graph.of(CHANNEL) == []
    assert len(graph.of(ALARM)) == len(ALARMS)


def test_it_tells_where_each_is_kept() -> None:
    graph = observability()
    found = graph.outputs[graph.component("loomstead:observability:Observability").urn]

    assert found["logs"] == found["traces"] == "observability-logs-id"
    assert found["metrics"] == f"projects/{PROJECT}"
    assert found["alarms"] == [f"observability-{alarm}-name" for alarm in ALARMS]


@pytest.mark.parametrize("days", [0, 3651])
def test_days_that_google_does_not_keep_are_refused(days: int) -> None:
    with pytest.raises(GcpObservabilityError, match=f"1 to 3650 days, got {days}"):
        observability(days=days)


@pytest.mark.parametrize("preview", [False, True])
def test_the_rules_have_nothing_against_it(preview: bool) -> None:
    assert reviewed_alone(observability(preview=preview), "eu-strict", REGION) == []
