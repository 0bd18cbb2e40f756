"""The role of a pod on EKS, by Pod Identity: for one service account of one cluster, and for nobody else."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.aws.documents import Statement, document


@dataclass(frozen=True)
class PodRoleArgs:
    """``cluster``: its name, ``cluster_arn`` its ARN. ``boundary``: ARN of the policy that bounds the role.

    ``statements``: what it may do. ``managed``: names of AWS's own policies, with their path.
    ``by_addon``: EKS's add-on brings the role to its pods, so that nothing else has to.
    """

    cluster: Input[str]
    cluster_arn: Input[str]
    namespace: Input[str]
    service_account: str
    boundary: Input[str]
    statements: Sequence[Statement] = ()
    managed: Sequence[str] = ()
    by_addon: bool = False


def create_pod_role(parent: pulumi.Resource, name: str, args: PodRoleArgs) -> aws.iam.Role:
    """The role, called ``name``; what belongs to it is called after it. All are children of ``parent``."""
    child = pulumi.ResourceOptions(parent=parent)
    asked = pulumi.InvokeOutputOptions(parent=parent)
    role = aws.iam.Role(
        name,
        description=Output.format("Pods of {0} in {1}", args.service_account, args.namespace),
        assume_role_policy=_trust(args, aws.get_service_principal_output(service_name="pods.eks", opts=asked).name),
        permissions_boundary=args.boundary,
        opts=child,
    )
    if args.statements:
        aws.iam.RolePolicy(f"{name}-policy", role=role.name, policy=document(*args.statements), opts=child)
    attach(parent, name, role, args.managed)
    if not args.by_addon:
        aws.eks.PodIdentityAssociation(
            f"{name}-pods",
            cluster_name=args.cluster,
            namespace=args.namespace,
            service_account=args.service_account,
            role_arn=role.arn,
            opts=child,
        )
    return role


def attach(
    parent: pulumi.Resource, name: str, role: aws.iam.Role, managed: Sequence[str]
) -> list[aws.iam.RolePolicyAttachment]:
    """Policies that AWS keeps itself, by name and path, in the partition of the parent's provider."""
    partition = aws.get_partition_output(opts=pulumi.InvokeOutputOptions(parent=parent)).partition
    return [
        aws.iam.RolePolicyAttachment(
            f"{name}-{policy.rpartition('/')[2]}",
            role=role.name,
            policy_arn=Output.format("arn:{0}:iam::aws:policy/{1}", partition, policy),
            opts=pulumi.ResourceOptions(parent=parent),
        )
        for policy in managed
    ]


def _trust(args: PodRoleArgs, service: Input[str]) -> Output[str]:
    """By the tags that EKS puts on every session of a pod; without them any pod of the account could be given it."""
    whose = {
        "aws:RequestTag/eks-cluster-arn": args.cluster_arn,
        "aws:RequestTag/kubernetes-namespace": args.namespace,
        "aws:RequestTag/kubernetes-service-account": args.service_account,
    }
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {"StringEquals": whose},
        }
    )
