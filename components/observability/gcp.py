"""Observability on Google Cloud: every log of the project in one bucket of the region, under the stack's own key.

A project comes with two buckets that nobody placed. ``_Default``'s sink is emptied here by an exclusion, so nothing
reaches that bucket any more. ``_Required`` keeps what administrators did, for 400 days, where the organisation's or
folder's log settings said when the project was made (rule G11), else in ``global``: no project can change that, so
settle it first. Metrics are Cloud Monitoring's and traces Cloud Trace's, neither of which can be placed from here. So
traces are for a collector to write as logs, and what is a metric holds numbers and names of resources alone.

An alarm is a query of logs as they come in; Cloud Monitoring sends its mails, from no region in particular, and they
name the alarm and not what was logged.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import pulumi
from pulumi import Input, Output
from pulumi_gcp import kms, logging, monitoring, projects

from components.infrastructure import Refused
from components.observability.contract import Observability

MOST_DAYS = 3650
AUDITED = ("aiplatform", "cloudkms", "cloudsql", "secretmanager")
"""Whose reads and writes of data are logged; what administrators do always is."""
ALARMS: Mapping[str, str] = {
    "egress-denied": 'log_id("compute.googleapis.com/firewall") AND jsonPayload.disposition="DENIED"',
    "keys-denied": 'protoPayload.serviceName=("cloudkms.googleapis.com" OR "secretmanager.googleapis.com")'
    " AND protoPayload.status.code=7",
    "models-failing": 'protoPayload.serviceName="aiplatform.googleapis.com"'
    " AND protoPayload.status.code=(8 OR 13 OR 14)",
    "databases-failing": 'resource.type="cloudsql_database" AND severity>=CRITICAL',
    "guardrails-changed": 'protoPayload.serviceName="orgpolicy.googleapis.com"'
    ' AND protoPayload.methodName=~"(Create|Update|Delete)Policy"',
}
"""What nobody should find in the logs, by name of the alarm. Codes are those of google.rpc.Code: 7 denied, 8 exhausted,
13 internal, 14 unavailable."""
_ONCE_IN = "900s"
_CLOSED_AFTER = "86400s"


class GcpObservabilityError(Refused):
    """The logs cannot be kept so; nothing was created. The message says what, and what to do."""


class GcpObservabilityArgs(TypedDict):
    """``key``: full name of the key that encrypts logs. ``days``: that they are kept. ``notify``: mail addresses that
    alarms go to; none: they are shown, and nobody is told."""

    stack: str
    project: str
    region: str
    key: Input[str]
    days: int
    notify: Sequence[str]


class GcpObservability(Observability):
    """``logs``, ``traces``: full name of the log bucket. ``metrics``: the project whose metrics they are."""

    def __init__(self, name: str, args: GcpObservabilityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(args["days"])
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self._data = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        bucket = self._create_bucket()
        self.logs = bucket.id
        self._create_sinks(bucket)
        self._create_audit()
        channels = [self._create_channel(number, address) for number, address in enumerate(args["notify"])]
        self.alarms = Output.all(*(self._create_alarm(alarm, channels) for alarm in ALARMS))
        self.traces, self.metrics = self.logs, Output.from_input(f"projects/{args['project']}")
        self.register_outputs({key: getattr(self, key) for key in ("logs", "traces", "metrics", "alarms")})

    def _create_bucket(self) -> logging.ProjectBucketConfig:
        return logging.ProjectBucketConfig(
            f"{self._name}-logs",
            project=self._args["project"],
            location=self._args["region"],
            bucket_id=self._args["stack"],
            description=f"Every log of {self._args['stack']}",
            retention_days=self._args["days"],
            cmek_settings={"kms_key_name": self._usable_key()},
            opts=self._data,
        )

    def _usable_key(self) -> Output[str]:
        """The key, once Cloud Logging's own account may use it: it logs nothing to a bucket whose key it has lost."""
        settings = logging.get_project_cmek_settings_output(
            project=self._args["project"], opts=pulumi.InvokeOutputOptions(parent=self)
        )
        grant = kms.CryptoKeyIAMMember(
            f"{self._name}-logs-grant",
            crypto_key_id=self._args["key"],
            role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
            member=Output.concat("serviceAccount:", settings.service_account_id),
            opts=self._data,
        )
        return Output.all(self._args["key"], grant.id).apply(lambda known: known[0])

    def _create_sinks(self, bucket: logging.ProjectBucketConfig) -> None:
        """All of it to the stack's bucket, and nothing to the one that is there."""
        project, region, stack = self._args["project"], self._args["region"], self._args["stack"]
        sink = logging.ProjectSink(
            f"{self._name}-sink",
            project=project,
            destination=f"logging.googleapis.com/projects/{project}/locations/{region}/buckets/{stack}",
            description=f"Every log of {project}, kept in {region}",
            unique_writer_identity=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[bucket]),
        )
        logging.ProjectExclusion(
            f"{self._name}-default",
            project=project,
            filter="severity>=DEFAULT",
            description=f"Kept by the bucket {stack} in {region} alone",
            # Else a log of the meantime would be nowhere.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[sink]),
        )

    def _create_audit(self) -> None:
        for service in AUDITED:
            projects.IAMAuditConfig(
                f"{self._name}-audit-{service}",
                project=self._args["project"],
                service=f"{service}.googleapis.com",
                audit_log_configs=[{"log_type": kind} for kind in ("ADMIN_READ", "DATA_READ", "DATA_WRITE")],
                opts=self._child,
            )

    def _create_channel(self, number: int, address: str) -> Output[str]:
        return monitoring.NotificationChannel(
            f"{self._name}-mail-{number}",
            project=self._args["project"],
            type="email",
            display_name=f"{self._args['stack']}: {address}",
            labels={"email_address": address},
            opts=self._child,
        ).name

    def _create_alarm(self, alarm: str, channels: Sequence[Output[str]]) -> Output[str]:
        return monitoring.AlertPolicy(
            f"{self._name}-{alarm}",
            project=self._args["project"],
            display_name=f"{self._args['stack']}: {alarm}",
            combiner="OR",
            enabled=True,
            severity="ERROR",
            conditions=[{"display_name": alarm, "condition_matched_log": {"filter": ALARMS[alarm]}}],
            alert_strategy={"notification_rate_limit": {"period": _ONCE_IN}, "auto_close": _CLOSED_AFTER},
            notification_channels=[*channels],
            opts=self._child,
        ).name


def check(days: int) -> None:
    """Raises ``GcpObservabilityError``."""
    if not 1 <= days <= MOST_DAYS:
        raise GcpObservabilityError(f"logs.days: Google Cloud keeps logs for 1 to {MOST_DAYS} days, got {days}")
