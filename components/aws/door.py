"""A security group that lets one caller in by one port, and nothing out."""

import pulumi
import pulumi_aws as aws
from pulumi import Input


def create_door(
    parent: pulumi.Resource, name: str, vpc: Input[str], caller: Input[str], port: int, what: str
) -> aws.ec2.SecurityGroup:
    """``what``: it leads to, in words. ``caller``: a security group, which is let out to it too."""
    child = pulumi.ResourceOptions(parent=parent)
    group = aws.ec2.SecurityGroup(f"{name}-group", vpc_id=vpc, description=what, opts=child)
    aws.vpc.SecurityGroupIngressRule(
        f"{name}-from",
        security_group_id=group.id,
        referenced_security_group_id=caller,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        description=f"To {what}",
        opts=child,
    )
    aws.vpc.SecurityGroupEgressRule(
        f"{name}-to",
        security_group_id=caller,
        referenced_security_group_id=group.id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        description=f"To {what}",
        opts=child,
    )
    return group
