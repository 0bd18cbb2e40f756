"""EKS's own add-ons: what joins pods to the network, gives them credentials, resolves names and attaches volumes.

Until a pod's NetworkPolicies have reached its node, a moment after its start, it is not held back: the add-on's strict
mode would close that gap, and hold back the system's own pods as well, for which nobody writes policies.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input

from components.aws.documents import Statement
from components.aws.pods import PodRoleArgs, create_pod_role
from components.cluster.aws_plan import NETWORK

_EBS_KEY = (
    "kms:Decrypt",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:DescribeKey",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)


@dataclass(frozen=True)
class AddonsArgs:
    """``version``: the cluster's. ``key``: what encrypts volumes. ``boundary``: what bounds the roles."""

    cluster: Input[str]
    cluster_arn: Input[str]
    version: str
    key: Input[str]
    boundary: Input[str]


class Addons:
    """All are children of ``parent``, called after ``name``."""

    def __init__(self, parent: pulumi.Resource, name: str, args: AddonsArgs) -> None:
        self._parent, self._name, self._args = parent, name, args
        self._asked = pulumi.InvokeOutputOptions(parent=parent)

    def create_before_nodes(self) -> Sequence[pulumi.Resource]:
        """What a node starts with: pods on it are given interfaces from the first one on."""
        return [self._create("kube-proxy"), self._create("eks-pod-identity-agent"), self._create_network()]

    def create_after(self, nodes: Sequence[pulumi.Resource]) -> Sequence[pulumi.Resource]:
        """What is up once there are nodes for its pods."""
        plain = ("coredns", "metrics-server")  # the latter for autoscalers by CPU
        return [*(self._create(addon, after=nodes) for addon in plain), self._create_volumes(nodes)]

    def _create_network(self) -> aws.eks.Addon:
        role = self._create_role("vpc-cni", "aws-node", managed=("AmazonEKS_CNI_Policy",))
        return self._create("vpc-cni", NETWORK, ("aws-node", role))

    def _create_volumes(self, after: Sequence[pulumi.Resource]) -> aws.eks.Addon:
        encrypts: Statement = {"Effect": "Allow", "Action": [*_EBS_KEY], "Resource": self._args.key}
        grants: Statement = {
            "Effect": "Allow",
            "Action": "kms:CreateGrant",
            "Resource": self._args.key,
            "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        }
        account = "ebs-csi-controller-sa"
        role = self._create_role(
            "aws-ebs-csi-driver", account, ("service-role/AmazonEBSCSIDriverPolicy",), encrypts, grants
        )
        return self._create("aws-ebs-csi-driver", pods=(account, role), after=after)

    def _create_role(
        self, addon: str, service_account: str, managed: tuple[str, ...], *statements: Statement
    ) -> aws.iam.Role:
        return create_pod_role(
            self._parent,
            f"{self._name}-{addon}-role",
            PodRoleArgs(
                cluster=self._args.cluster,
                cluster_arn=self._args.cluster_arn,
                namespace="kube-system",
                service_account=service_account,
                boundary=self._args.boundary,
                statements=statements,
                managed=managed,
                by_addon=True,
            ),
        )

    def _create(
        self,
        addon: str,
        settings: Mapping[str, object] | None = None,
        pods: tuple[str, aws.iam.Role] | None = None,
        after: Sequence[pulumi.Resource] = (),
    ) -> aws.eks.Addon:
        """In the version that AWS gives out by default for this Kubernetes: it moves with the cluster's."""
        found = aws.eks.get_addon_version_output(
            addon_name=addon, kubernetes_version=self._args.version, opts=self._asked
        )
        return aws.eks.Addon(
            f"{self._name}-{addon}",
            cluster_name=self._args.cluster,
            addon_name=addon,
            addon_version=found.version,
            configuration_values=json.dumps(settings, sort_keys=True) if settings else None,
            pod_identity_associations=[{"service_account": pods[0], "role_arn": pods[1].arn}] if pods else None,
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",
            opts=pulumi.ResourceOptions(parent=self._parent, depends_on=[*after]),
        )
