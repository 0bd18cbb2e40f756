"""vLLM on EKS: as on every cluster, with weights from a bucket of the region that its pods alone read."""

from collections.abc import Sequence

import pulumi
from pulumi import Input, Output
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.aws.bucket import BucketArgs, PrivateBucket
from components.aws.documents import Statement
from components.aws.pods import PodRoleArgs, create_pod_role
from components.kubernetes.parts import PART_LABEL, STACK_LABEL, Part
from components.model_host.kubernetes import KubernetesModelHost, KubernetesModelHostArgs

ACCOUNT = "models"
"""ServiceAccount of the model server's pods."""
_OLD_DAYS = 7


class AwsModelHostArgs(KubernetesModelHostArgs):
    """``bucket`` (to be given empty) and ``account`` are made here. ``cluster``, ``cluster_arn``: its name and ARN.
    ``key``: ARN of what encrypts the bucket. ``boundary``: ARN of the policy that bounds the role."""

    cluster: Input[str]
    cluster_arn: Input[str]
    key: Input[str]
    boundary: Input[str]


class AwsModelHost(KubernetesModelHost):
    """``bucket``: its name, for ``loomstead models stage`` to write into. No pod is there before somebody asks for the
    model, so the weights may come after the bucket."""

    bucket: Output[str]

    def __init__(self, name: str, args: AwsModelHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self._aws: AwsModelHostArgs = {**args, "bucket": "", "account": ACCOUNT}
        super().__init__(name, self._aws, opts)

    def _create_server(self, after: Sequence[pulumi.Resource]) -> Deployment:
        kept = PrivateBucket(self, f"{self._name}-weights", BucketArgs(self._aws["key"], old_days=_OLD_DAYS))
        self.bucket = kept.bucket.bucket
        self._args = {**self._args, "bucket": self.bucket}
        return super()._create_server([*after, *self._create_reader(kept.bucket.arn)])

    def _create_reader(self, bucket: Output[str]) -> list[pulumi.Resource]:
        args = self._aws
        role = create_pod_role(
            self,
            f"{self._name}-reader",
            PodRoleArgs(
                cluster=args["cluster"],
                cluster_arn=args["cluster_arn"],
                namespace=args["namespace"],
                service_account=ACCOUNT,
                boundary=args["boundary"],
                statements=_reads(bucket, args["key"]),
            ),
        )
        labels = {STACK_LABEL: args["stack"], PART_LABEL: str(Part.MODELS)}
        account = ServiceAccount(
            f"{self._name}-account",
            metadata=ObjectMetaArgs(name=ACCOUNT, namespace=args["namespace"], labels=labels),
            automount_service_account_token=False,
            opts=self._child,
        )
        return [role, account]


def _reads(bucket: Output[str], key: Input[str]) -> list[Statement]:
    return [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": Output.format("{0}/*", bucket)},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket},
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key},
    ]
