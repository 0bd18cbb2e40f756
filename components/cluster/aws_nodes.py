"""Nodes of EKS: their role, how a machine starts, and a group for the system and one for GPUs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.aws.documents import document
from components.aws.pods import attach
from components.cluster.aws_plan import Nodes

GPU_LABEL: Final = "loomstead/gpu"
"""On the nodes with GPUs: their family."""
GPU_TAINT: Final = "nvidia.com/gpu"
SYSTEM_GIB, GPU_GIB = 50, 200
"""Volumes of nodes: a model server's image alone has some 20 GiB, and its weights lie beside it."""


@dataclass(frozen=True)
class NodesArgs:
    """``key``: what encrypts their volumes. ``group``: their security group. ``boundary``: what bounds their role."""

    stack: str
    cluster: Input[str]
    version: Input[str]
    subnets: Input[list[str]]
    key: Input[str]
    group: Input[str]
    boundary: Input[str]


class NodeGroups:
    """All are children of ``parent``, called after ``name``, and made after ``after``."""

    role: aws.iam.Role

    def __init__(self, parent: pulumi.Resource, name: str, args: NodesArgs, after: Sequence[pulumi.Resource]) -> None:
        self._parent, self._name, self._args = parent, name, args
        self._child = pulumi.ResourceOptions(parent=parent)
        self.role = self._create_role()
        managed = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
        self._after = [*after, *attach(parent, f"{name}-nodes-role", self.role, managed)]

    def create_system(self, nodes: Nodes) -> aws.eks.NodeGroup:
        return self._create("system", nodes, SYSTEM_GIB, "AL2023_x86_64_STANDARD", {}, [])

    def create_gpu(self, family: str, machine: str, most: int) -> aws.eks.NodeGroup:
        """None while no pod asks for an accelerator; no other pod is put there."""
        taints: list[aws.eks.NodeGroupTaintArgsDict] = [{"key": GPU_TAINT, "value": "present", "effect": "NO_SCHEDULE"}]
        nodes = Nodes(machine, 0, most)
        return self._create("gpu", nodes, GPU_GIB, "AL2023_x86_64_NVIDIA", {GPU_LABEL: family}, taints)

    def _create_role(self) -> aws.iam.Role:
        service = aws.get_service_principal_output(
            service_name="ec2", opts=pulumi.InvokeOutputOptions(parent=self._parent)
        ).name
        return aws.iam.Role(
            f"{self._name}-nodes-role",
            description=f"Nodes of {self._args.stack}: to join the cluster, and to fetch images",
            assume_role_policy=document(
                {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
            ),
            permissions_boundary=self._args.boundary,
            opts=self._child,
        )

    def _create(
        self,
        role: str,
        nodes: Nodes,
        gib: int,
        image: str,
        labels: Mapping[str, str],
        taints: list[aws.eks.NodeGroupTaintArgsDict],
    ) -> aws.eks.NodeGroup:
        args, template = self._args, self._create_template(role, gib)
        return aws.eks.NodeGroup(
            f"{self._name}-{role}",
            cluster_name=args.cluster,
            node_role_arn=self.role.arn,
            subnet_ids=args.subnets,
            version=args.version,
            ami_type=image,
            instance_types=[nodes.machine],
            capacity_type="ON_DEMAND",
            scaling_config={"desired_size": nodes.number, "min_size": nodes.number, "max_size": nodes.most},
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            labels=dict(labels),
            taints=taints,
            update_config={"max_unavailable": 1},
            node_repair_config={"enabled": True},
            opts=pulumi.ResourceOptions(
                parent=self._parent,
                depends_on=self._after,
                ignore_changes=["scalingConfig.desiredSize"],  # the autoscaler's
            ),
        )

    def _create_template(self, role: str, gib: int) -> aws.ec2.LaunchTemplate:
        args = self._args
        volume: aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgsDict = {
            "encrypted": "true",
            "kms_key_id": args.key,
            "volume_type": "gp3",
            "volume_size": gib,
            "delete_on_termination": "true",
        }
        tags = {"Name": f"{args.stack}-{role}"}
        return aws.ec2.LaunchTemplate(
            f"{self._name}-{role}-template",
            description=f"{role} nodes of {args.stack}",
            block_device_mappings=[{"device_name": "/dev/xvda", "ebs": volume}],
            # one hop: a pod's request for the node's credentials does not come back to it
            metadata_options={"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1},
            vpc_security_group_ids=[args.group],
            tag_specifications=[
                {"resource_type": kind, "tags": tags} for kind in ("instance", "volume", "network-interface")
            ],
            update_default_version=True,
            opts=self._child,
        )


def storage_prefixes(parent: pulumi.Resource) -> Output[str]:
    """Id of the prefix list of S3's addresses in the region, whatever its partition calls the service."""
    asked = pulumi.InvokeOutputOptions(parent=parent)
    service = aws.ec2.get_vpc_endpoint_service_output(service="s3", service_type="Gateway", opts=asked).service_name
    return aws.ec2.get_prefix_list_output(name=service, opts=asked).id
