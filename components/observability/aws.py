"""Observability on AWS: CloudWatch for logs, X-Ray for traces, Prometheus for metrics, and a topic for alarms.

All of it is in the region and under the stack's key. What the cluster's collector sends where, ``exporters`` says; who
is told of alarms subscribes to the topic. A person's address is no subscription here, for it names no region.

Standard output of pods is none of it: nothing of the fabric may read the nodes' files.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.aws.alarms import Watched, create_alarm
from components.aws.documents import document
from components.aws.logs import checked_days, create_log_group
from components.infrastructure import Refused
from components.observability.contract import Observability

SOURCES = ("gateway", "worker")
"""What sends logs to the collector, by its ``service.name``."""
PIPELINES: Mapping[str, tuple[str, ...]] = {
    "traces": ("awsxray",),
    "metrics": ("prometheusremotewrite",),
    **{f"logs/{source}": (f"awscloudwatchlogs/{source}",) for source in SOURCES},
}
"""Which exporter gets what."""
_INDEXED = "otel.resource.loomstead.stack"
"""How the exporter for X-Ray calls what the collector says of all: the stack's name."""
METRICS_DAYS = 1095
"""The longest that a workspace keeps metrics (Amazon Managed Service for Prometheus, quotas)."""
_GIB = 2**30
_DATABASE = "AWS/RDS"
BUSY_PERCENT, FULL_GIB, BEHIND_SECONDS = 90, 10, 60


class AwsObservabilityArgs(TypedDict):
    """``key``: ARN of what encrypts all of it. ``log_days``: how long logs are kept; metrics as long, three years at
    most. ``databases``: by role (``primary``, ``replica``) the identifier of each that is watched.

    ``traces_key``: whether ``key`` encrypts X-Ray's traces. X-Ray has one such setting in an account and region, so
    one stack alone of these may say so; X-Ray keeps traces for 30 days, whatever is said here.
    """

    stack: str
    region: str
    key: Input[str]
    log_days: int
    databases: Mapping[str, str]
    traces_key: bool


class AwsObservability(Observability):
    """``logs``: what the names of the log groups begin with. ``traces``: ARN of the stack's group in X-Ray.
    ``metrics``: URL of the workspace. ``alarms``: ARN of each made here. ``topic``: ARN, told of all of the stack's.

    ``exporters``, ``extensions``: of an OpenTelemetry collector, by name, as its configuration has them; ``PIPELINES``
    says which gets what. ``writable``: ARNs by IAM action that the collector's role needs.
    """

    topic: Output[str]
    exporters: Output[dict[str, Any]]
    extensions: Output[dict[str, Any]]
    writable: Output[dict[str, list[str]]]

    def __init__(self, name: str, args: AwsObservabilityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args = name, _checked(args)
        self._child = pulumi.ResourceOptions(parent=self)
        self._asked = pulumi.InvokeOutputOptions(parent=self)
        self._account = aws.get_caller_identity_output(opts=self._asked).account_id
        groups = {source: self._create_log_group(source, self._log_name(source)) for source in SOURCES}
        workspace = self._create_workspace()
        topic = self._create_topic()
        alarms = [*self._create_alarms(topic.arn)]
        self.logs = Output.from_input(f"/loomstead/{args['stack']}/")
        self.traces, self.metrics, self.topic = self._create_traces(), workspace.prometheus_endpoint, topic.arn
        self.alarms = Output.all(*(alarm.arn for alarm in alarms))
        self.exporters = Output.all(url=workspace.prometheus_endpoint).apply(lambda told: self._exporters(told["url"]))
        self.extensions = Output.from_input({"sigv4auth": {"region": args["region"], "service": "aps"}})
        self.writable = Output.all(workspace=workspace.arn, **{key: group.arn for key, group in groups.items()}).apply(
            _writable
        )
        self.register_outputs(
            {
                "logs": self.logs,
                "traces": self.traces,
                "metrics": self.metrics,
                "alarms": self.alarms,
                "topic": self.topic,
                "exporters": self.exporters,
                "extensions": self.extensions,
                "writable": self.writable,
            }
        )

    def _log_name(self, source: str) -> str:
        return f"/loomstead/{self._args['stack']}/{source}"

    def _create_log_group(self, role: str, called: str) -> aws.cloudwatch.LogGroup:
        return create_log_group(self, f"{self._name}-{role}-log", called, self._args["key"], self._args["log_days"])

    def _create_workspace(self) -> aws.amp.Workspace:
        """It logs where AWS's own services may write of themselves, under a name that says so."""
        args = self._args
        log = self._create_log_group("metrics", f"/aws/vendedlogs/loomstead/{args['stack']}/metrics")
        workspace = aws.amp.Workspace(
            f"{self._name}-metrics",
            alias=args["stack"],
            kms_key_arn=args["key"],
            logging_configuration={"log_group_arn": Output.format("{0}:*", log.arn)},
            opts=pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True),
        )
        aws.amp.WorkspaceConfiguration(
            f"{self._name}-metrics-kept",
            workspace_id=workspace.id,
            retention_period_in_days=min(args["log_days"], METRICS_DAYS),
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        return workspace

    def _create_traces(self) -> Output[str]:
        args = self._args
        if args["traces_key"]:
            aws.xray.EncryptionConfig(f"{self._name}-traces-key", type="KMS", key_id=args["key"], opts=self._child)
        group = aws.xray.Group(
            f"{self._name}-traces",
            group_name=args["stack"],
            filter_expression=f'annotation.{_INDEXED.replace(".", "_")} = "{args["stack"]}"',
            insights_configuration={"insights_enabled": False, "notifications_enabled": False},
            opts=self._child,
        )
        return group.arn

    def _create_topic(self) -> aws.sns.Topic:
        topic = aws.sns.Topic(
            f"{self._name}-alarms", kms_master_key_id=self._args["key"], signature_version=2, opts=self._child
        )
        sender = aws.get_service_principal_output(service_name="cloudwatch", opts=self._asked).name
        aws.sns.TopicPolicy(
            f"{self._name}-alarms-policy",
            arn=topic.arn,
            policy=document(
                {
                    "Sid": "AlarmsOfThisAccount",
                    "Effect": "Allow",
                    "Principal": {"Service": sender},
                    "Action": "sns:Publish",
                    "Resource": topic.arn,
                    "Condition": {"StringEquals": {"aws:SourceAccount": self._account}},
                },
                {
                    "Sid": "OverTlsAlone",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sns:Publish",
                    "Resource": topic.arn,
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ),
            opts=self._child,
        )
        return topic

    def _create_alarms(self, topic: Output[str]) -> list[aws.cloudwatch.MetricAlarm]:
        return [
            create_alarm(self, f"{self._name}-{role}-{kind}", watched, topic)
            for role, identifier in self._args["databases"].items()
            for kind, watched in _of_database(role, self._args["stack"], identifier).items()
        ]

    def _exporters(self, metrics: str) -> dict[str, Any]:
        """Each names its region: none is looked up where the collector runs."""
        region = self._args["region"]
        logs = {
            f"awscloudwatchlogs/{source}": {
                "region": region,
                "log_group_name": self._log_name(source),
                "log_stream_name": "collector",
            }
            for source in SOURCES
        }
        write = {"endpoint": f"{metrics}api/v1/remote_write", "auth": {"authenticator": "sigv4auth"}}
        traces = {"region": region, "indexed_attributes": [_INDEXED]}
        return {**logs, "awsxray": traces, "prometheusremotewrite": write}


def _of_database(role: str, stack: str, identifier: str) -> dict[str, Watched]:
    at, of = {"DBInstanceIdentifier": identifier}, f"The {role} of {stack}"
    found = {
        "busy": Watched(
            f"{of}: more than {BUSY_PERCENT} % of its processors for a quarter of an hour",
            _DATABASE,
            "CPUUtilization",
            "Average",
            BUSY_PERCENT,
            at,
            windows=3,
        ),
        "full": Watched(
            f"{of}: less than {FULL_GIB} GiB are free",
            _DATABASE,
            "FreeStorageSpace",
            "Minimum",
            FULL_GIB * _GIB,
            at,
            above=False,
        ),
    }
    if role == "replica":
        behind = f"{of}: agents read what is more than {BEHIND_SECONDS} s old"
        found["behind"] = Watched(behind, _DATABASE, "ReplicaLag", "Maximum", BEHIND_SECONDS, at)
    return found


def _writable(arns: Mapping[str, str]) -> dict[str, list[str]]:
    groups = [f"{arns[source]}:*" for source in SOURCES]
    return {
        "logs:CreateLogStream": groups,
        "logs:PutLogEvents": groups,
        "logs:DescribeLogStreams": groups,
        "aps:RemoteWrite": [arns["workspace"]],
        # X-Ray knows no resources for these (Service Authorization Reference)
        "xray:PutTraceSegments": ["*"],
        "xray:PutTelemetryRecords": ["*"],
    }


def _checked(args: AwsObservabilityArgs) -> AwsObservabilityArgs:
    checked_days(args["log_days"])
    if strays := args["databases"].keys() - {"primary", "replica"}:
        raise Refused(f"observability: no database is called {', '.join(sorted(strays))}; expected primary, replica")
    if len(args["stack"]) > 32:
        raise Refused(f"observability: {args['stack']!r} is too long for a group of X-Ray; take 32 characters at most")
    return args
