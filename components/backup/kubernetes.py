"""Backup on Kubernetes: the primary's log as it is written, and all of it once a night, to a bucket that is given.

CloudNativePG's plugin for Barman does it, which has to run beside the operator. Its bucket's key is put into the Secret
``backup`` by a person: Pulumi never has it. From both a point in time within ``days`` can be brought back
(docs/runbooks/restore-kubernetes.md).
"""

import re
from typing import Final, NotRequired, TypedDict
from urllib.parse import urlsplit

import pulumi
from pulumi import Input, Output
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.backup.contract import Backup
from components.infrastructure import Refused
from components.kubernetes.parts import PART_LABEL, STACK_LABEL, Part

STORE: Final = "backup"
"""Name of the ObjectStore, to which the primary's log goes."""
SECRET: Final = "backup"  # noqa: S105 its name
PLUGIN: Final = "barman-cloud.cloudnative-pg.io"
NIGHTLY: Final = "0 30 2 * * *"
"""With seconds, in UTC (cloudnative-pg 1.30.1, docs/src/backup.md)."""
_SIDECAR = {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}}
"""Of the plugin's container in each of the database's pods; the namespace's range would leave it too little."""
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._/-]*)?")


class KubernetesBackupArgs(TypedDict):
    """``namespace``: the primary's. ``bucket``: ``s3://bucket/path``. ``endpoint``: https URL of what serves it.

    ``days``: how long a point in time can be brought back. ``authority``: Secret in the namespace whose ``ca.crt``
    answers for the endpoint, where no public one does. ``schedule``: otherwise ``NIGHTLY``.
    """

    stack: str
    namespace: Input[str]
    bucket: str
    endpoint: str
    days: int
    authority: NotRequired[str]
    schedule: NotRequired[str]


class KubernetesBackup(Backup):
    """``store``: the bucket. Raises ``Refused``."""

    def __init__(self, name: str, args: KubernetesBackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        check_store(args["bucket"], args["endpoint"])
        _check(args)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        store = self._create_store()
        nightly = self._create_nightly(store)
        self.store = Output.all(store.urn, nightly.urn).apply(lambda _: args["bucket"])
        self.register_outputs({"store": self.store})

    def _create_store(self) -> CustomResource:
        args = self._args
        configuration = {
            "destinationPath": args["bucket"],
            "endpointURL": args["endpoint"],
            "s3Credentials": {
                "accessKeyId": {"name": SECRET, "key": "access-key-id"},
                "secretAccessKey": {"name": SECRET, "key": "secret-access-key"},
            },
            "wal": {"compression": "gzip", "encryption": "AES256"},
            "data": {"compression": "gzip", "encryption": "AES256"},
        }
        if authority := args.get("authority"):
            configuration["endpointCA"] = {"name": authority, "key": "ca.crt"}
        return CustomResource(
            f"{self._name}-store",
            api_version="barmancloud.cnpg.io/v1",
            kind="ObjectStore",
            metadata=self._metadata(STORE),
            spec={
                "retentionPolicy": f"{args['days']}d",
                "configuration": configuration,
                "instanceSidecarConfiguration": {"resources": _SIDECAR},
            },
            opts=pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True),
        )

    def _create_nightly(self, store: CustomResource) -> CustomResource:
        return CustomResource(
            f"{self._name}-nightly",
            api_version="postgresql.cnpg.io/v1",
            kind="ScheduledBackup",
            metadata=self._metadata("nightly"),
            spec={
                "schedule": self._args.get("schedule", NIGHTLY),
                "immediate": True,
                "cluster": {"name": "primary"},
                "method": "plugin",
                "pluginConfiguration": {"name": PLUGIN},
                "target": "prefer-standby",
                "backupOwnerReference": "none",
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[store]),
        )

    def _metadata(self, name: str) -> ObjectMetaArgs:
        labels = {STACK_LABEL: self._args["stack"], PART_LABEL: str(Part.PRIMARY)}
        return ObjectMetaArgs(name=name, namespace=self._args["namespace"], labels=labels)


def check_store(bucket: str, endpoint: str) -> None:
    """Raises ``Refused``, as ``KubernetesBackup`` does."""
    if not _BUCKET.fullmatch(bucket):
        raise Refused(f"backup.store.bucket: {bucket!r} is no bucket: expected as s3://bucket/path")
    parts = urlsplit(endpoint)
    if parts.scheme != "https" or not parts.hostname:
        raise Refused(f"backup.store.url: {endpoint!r} is no https URL of a server of buckets")


def _check(args: KubernetesBackupArgs) -> None:
    if not 1 <= args["days"] <= 35:
        raise Refused(f"postgres.backup_days: {args['days']} is none of 1 to 35")
    if len(args.get("schedule", NIGHTLY).split()) != 6:
        raise Refused(f"backup: {args.get('schedule')!r}: expected six fields, seconds first, as {NIGHTLY!r}")
