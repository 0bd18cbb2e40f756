"""What a cluster on AWS has inside before the fabric's parts: their pods' security groups, a class of volumes, and the
operators of AWS's own: who tells load balancers of pods, and who starts and stops nodes.

The Load Balancer Controller makes no load balancer: those are resources of the stack, and it registers pods with their
target groups, as custom resources ask it to. It goes after those, because each waits for it to let go.
"""

from collections.abc import Mapping
from typing import Final, NotRequired, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.helm.v3 import Release
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.storage.v1 import StorageClass

from components.aws.documents import Statement
from components.aws.pods import PodRoleArgs, create_pod_role
from components.cluster import aws_groups
from components.kubernetes.charts import create_release
from components.kubernetes.parts import PART_LABEL

NAMESPACE: Final = "kube-system"
BALANCER, SCALER = "aws-load-balancer-controller", "cluster-autoscaler"
"""Charts, and the ServiceAccounts that they make."""
INTERFACE: Final = "vpc.amazonaws.com/pod-eni"
"""What EKS has a pod ask for that gets groups (aws/amazon-vpc-resource-controller-k8s b8d4251, pkg/config/type.go)."""
STORAGE_CLASS: Final = "loomstead"
_KEDA = {"app": "keda-operator"}
"""Of its operator's pods (kedacore/charts 2.20.0, keda/templates/manager/deployment.yaml)."""


class AwsInsideArgs(TypedDict):
    """``cluster``, ``cluster_arn``, ``pod_groups``, ``control_plane``: the cluster's outputs, its name and ARN among
    them. ``account``: 12 digits. ``partition``: the region's in the catalogue. ``namespaces``: by part, where its pods
    get groups. ``registry``: where the operators' images are. ``key``: ARN of what encrypts volumes. ``boundary``: ARN
    of the policy that bounds every role. ``operators``: no for an own cluster, whose owner has them. ``scaler``: KEDA's
    namespace, where there is KEDA: made here, so that its operator's pods have their group from the first on.
    """

    stack: str
    region: str
    account: str
    partition: str
    vpc: Input[str]
    cluster: Input[str]
    cluster_arn: Input[str]
    pod_groups: Input[dict[str, list[str]]]
    namespaces: Mapping[str, Input[str]]
    registry: str
    key: Input[str]
    boundary: Input[str]
    operators: bool
    scaler: NotRequired[str]
    control_plane: NotRequired[pulumi.Resource | None]


class AwsInside(pulumi.ComponentResource):
    """``storage_class``: for volumes. ``groups``: what has to be there before pods are; an earlier one gets none.
    ``balancer``: what has to be there before a target group is bound; none where the operators are the owner's.
    """

    storage_class: Output[str]
    groups: list[pulumi.Resource]
    balancer: Release | None

    def __init__(self, name: str, args: AwsInsideArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("loomstead:cluster:Inside", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        # gone with the cluster, which takes all of it along
        self._within = pulumi.ResourceOptions(parent=self, deleted_with=args.get("control_plane"))
        self.groups = [
            self._create_groups(part, namespace, {PART_LABEL: part}) for part, namespace in args["namespaces"].items()
        ]
        if "scaler" in args:
            self.groups.append(self._create_groups(aws_groups.SCALER, self._create_namespace(args["scaler"]), _KEDA))
        self.storage_class = self._create_storage()
        self.balancer = self._create_balancer() if args["operators"] else None
        if args["operators"]:
            self._create_scaler()
        self.register_outputs({"storage_class": self.storage_class})

    def _create_namespace(self, name: str) -> Output[str]:
        made = Namespace(f"{self._name}-{name}", metadata=ObjectMetaArgs(name=name), opts=self._within)
        return made.metadata.name.apply(str)

    def _create_groups(self, part: str, namespace: Input[str], labels: Mapping[str, str]) -> CustomResource:
        groups = Output.from_input(self._args["pod_groups"]).apply(lambda told: told[part])
        return CustomResource(
            f"{self._name}-{part}-groups",
            api_version="vpcresources.k8s.aws/v1beta1",
            kind="SecurityGroupPolicy",
            metadata=ObjectMetaArgs(name="groups", namespace=namespace),
            spec={
                "podSelector": {"matchLabels": {**labels}},
                "securityGroups": {"groupIds": groups},
            },
            opts=self._within,
        )

    def _create_storage(self) -> Output[str]:
        storage = StorageClass(
            f"{self._name}-storage",
            metadata=ObjectMetaArgs(name=STORAGE_CLASS),
            provisioner="ebs.csi.aws.com",
            parameters={"type": "gp3", "encrypted": "true", "kmsKeyId": self._args["key"]},
            reclaim_policy="Retain",
            volume_binding_mode="WaitForFirstConsumer",
            allow_volume_expansion=True,
            opts=self._within,
        )
        return storage.metadata.name.apply(str)

    def _create_balancer(self) -> Release:
        """Nothing but target groups: no Ingress, no Service and no security group is its affair."""
        args = self._args
        role = self._create_role(
            BALANCER, _balancer(self._arn("elasticloadbalancing", f"targetgroup/{args['stack']}/*"))
        )
        values = {
            "clusterName": args["cluster"],
            "region": args["region"],
            "vpcId": args["vpc"],
            "serviceAccount": {"create": True, "name": BALANCER},
            "createIngressClassResource": False,
            "enableServiceMutatorWebhook": False,
            "enableBackendSecurityGroup": False,
            **dict.fromkeys(("enableShield", "enableWaf", "enableWafv2"), False),
            "podDisruptionBudget": {"maxUnavailable": 1},
        }
        return self._create_release(BALANCER, values, role)

    def _create_scaler(self) -> Release:
        """From and to no node at all, for those with GPUs; EKS tags its groups for it to find them."""
        args = self._args
        groups = self._arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/eks-*")
        nodes = Output.format("{0}/*", self._arn("eks", Output.concat("nodegroup/", args["cluster"])))
        role = self._create_role(SCALER, _scaler(groups, nodes, args["cluster"]))
        values = {
            "awsRegion": args["region"],
            "autoDiscovery": {"clusterName": args["cluster"]},
            "rbac": {"serviceAccount": {"create": True, "name": SCALER}},
            "extraArgs": {"skip-nodes-with-system-pods": False, "balance-similar-node-groups": True},
        }
        return self._create_release(SCALER, values, role)

    def _create_role(self, operator: str, statements: list[Statement]) -> aws.iam.Role:
        args = self._args
        return create_pod_role(
            self,
            f"{self._name}-{operator}-role",
            PodRoleArgs(
                cluster=args["cluster"],
                cluster_arn=args["cluster_arn"],
                namespace=NAMESPACE,
                service_account=operator,
                boundary=args["boundary"],
                statements=statements,
            ),
        )

    def _create_release(self, chart: str, values: Mapping[str, object], role: aws.iam.Role) -> Release:
        """After its role, which its pods are given when they start and not later."""
        within = pulumi.ResourceOptions(parent=self, depends_on=[role], deleted_with=self._args.get("control_plane"))
        return create_release(f"{self._name}-{chart}", chart, NAMESPACE, self._args["registry"], values, within)

    def _arn(self, service: str, resource: Input[str]) -> Output[str]:
        args = self._args
        return Output.concat(f"arn:{args['partition']}:{service}:{args['region']}:{args['account']}:", resource)


def _balancer(targets: Input[str]) -> list[Statement]:
    """Descriptions know no resources (Service Authorization Reference, EC2 and Elastic Load Balancing)."""
    ec2 = ("AvailabilityZones", "Instances", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")
    balancing = ("TargetGroups", "TargetHealth", "Tags")
    described = [
        *(f"ec2:Describe{each}" for each in ec2),
        *(f"elasticloadbalancing:Describe{each}" for each in balancing),
    ]
    return [
        {"Effect": "Allow", "Action": described, "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"],
            "Resource": targets,
        },
    ]


def _scaler(groups: Input[str], nodes: Input[str], cluster: Input[str]) -> list[Statement]:
    """It moves the groups of this cluster alone."""
    scaling = ("AutoScalingGroups", "AutoScalingInstances", "LaunchConfigurations", "ScalingActivities", "Tags")
    described = [
        *(f"autoscaling:Describe{each}" for each in scaling),
        *(f"ec2:Describe{each}" for each in ("Images", "InstanceTypes", "LaunchTemplateVersions")),
        "ec2:GetInstanceTypesFromInstanceRequirements",
    ]
    return [
        {"Effect": "Allow", "Action": described, "Resource": "*"},
        {"Effect": "Allow", "Action": "eks:DescribeNodegroup", "Resource": nodes},
        {
            "Effect": "Allow",
            "Action": ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"],
            "Resource": groups,
            "Condition": {"StringEquals": {"aws:ResourceTag/eks:cluster-name": cluster}},
        },
    ]
