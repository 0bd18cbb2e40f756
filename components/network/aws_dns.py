"""What a VPC's resolver answers: the declared hosts, the gateway's name, AWS's names of the region, and nothing else.

Whoever serves a domain reads the names that are asked of it, so an open resolver is a way out that no security group
and no firewall sees. DNS Firewall of Route 53 Resolver holds every query against a list (AWS has it in every region of
``aws``, ``aws-us-gov`` and ``aws-eusc``: endpoints.json of botocore 1.44.5). A pod's query comes here from CoreDNS,
which answers the cluster's own names itself. Names of private zones in the VPC are held against the list too
(Route 53 developer guide, "Using DNS Firewall to filter outbound DNS traffic").

AWS's names are answered by AWS's own servers, so what is put into one is read by no other customer. In an own VPC none
of this is made: it would hold for everybody in it.
"""

from collections.abc import Mapping
from typing import Final

import pulumi
import pulumi_aws as aws
from pulumi import Input

from components.aws.hosts import SUFFIXES
from components.network.aws_firewall import LogArgs

DUAL_STACK: Final[Mapping[str, str]] = {
    "aws": "api.aws",
    "aws-us-gov": "api.aws",
    "aws-eusc": "api.amazonwebservices.eu",
}
"""Partition → what hosts end with that answer by IPv6 too, as Pod Identity's ``eks-auth`` alone does (endpoints.json of
botocore 1.44.5)."""
ALL_NAMES: Final = "*."
"""As AWS gives ``*`` back: written otherwise, every refresh would find it changed
(braintrustdata/terraform-aws-braintrust-data-plane#372)."""
FIRST, LAST = 100, 200
ASSOCIATION: Final = 101
"""AWS takes 100 to 9900 (botocore's AssociateFirewallRuleGroup)."""


def names(region: str, partition: str, hosts: list[str]) -> list[str]:
    """Names that may be asked for. ``*`` stands for one label or more, and a final dot is AWS's to add (API reference,
    UpdateFirewallDomains; hashicorp/terraform-provider-aws#23543).

    RDS, EKS and load balancers have the region inside their names; ElastiCache has it in a short form of its own.
    Nodes' names, behind which each search of theirs begins, are the last.
    """
    suffix = SUFFIXES[partition]
    of_aws = [
        f"*.{region}.{suffix}",
        *(f"*.{region}.{service}.{suffix}" for service in ("eks", "elb", "rds")),
        f"*.cache.{suffix}",
        f"*.{region}.{DUAL_STACK[partition]}",
        "*.ec2.internal" if region == "us-east-1" else f"*.{region}.compute.internal",
    ]
    return [*sorted(set(hosts)), *of_aws]


class Resolving:
    """Rules, the VPC that they hold for, and the log of what it asked; all are children of ``parent``.

    ``answered``: names, as ``names`` has them.
    """

    def __init__(
        self, parent: pulumi.Resource, name: str, vpc: Input[str], answered: Input[list[str]], logs: LogArgs
    ) -> None:
        self._parent, self._name, self._vpc = parent, name, vpc
        self._child = pulumi.ResourceOptions(parent=parent)
        self._create_log(logs)
        group = aws.route53.ResolverFirewallRuleGroup(f"{name}-names-rules", opts=self._child)
        rules = [
            self._create_rule("answered", group, answered, FIRST, "ALLOW"),
            self._create_rule("unanswered", group, [ALL_NAMES], LAST, "BLOCK"),
        ]
        aws.route53.ResolverFirewallRuleGroupAssociation(
            f"{name}-names-rules-by-vpc",
            firewall_rule_group_id=group.id,
            vpc_id=vpc,
            priority=ASSOCIATION,
            opts=pulumi.ResourceOptions(parent=parent, depends_on=rules),
        )
        # What it cannot judge, it does not answer.
        aws.route53.ResolverFirewallConfig(
            f"{name}-names-closed", resource_id=vpc, firewall_fail_open="DISABLED", opts=self._child
        )

    def _create_rule(
        self,
        role: str,
        group: aws.route53.ResolverFirewallRuleGroup,
        domains: Input[list[str]],
        priority: int,
        action: str,
    ) -> aws.route53.ResolverFirewallRule:
        """The name that is asked for decides, not where a declared host's own answer leads on (CNAME). Blocked names do
        not exist, so that a search by suffixes goes on to the next."""
        listed = aws.route53.ResolverFirewallDomainList(f"{self._name}-{role}", domains=domains, opts=self._child)
        return aws.route53.ResolverFirewallRule(
            f"{self._name}-{role}-rule",
            firewall_rule_group_id=group.id,
            firewall_domain_list_id=listed.id,
            firewall_domain_redirection_action="TRUST_REDIRECTION_DOMAIN",
            priority=priority,
            action=action,
            block_response="NXDOMAIN" if action == "BLOCK" else None,
            opts=self._child,
        )

    def _create_log(self, logs: LogArgs) -> None:
        """Every query, and what became of it: AWS logs none alone that were blocked."""
        group = logs.create_group(self._parent, self._name, "names")
        config = aws.route53.ResolverQueryLogConfig(
            f"{self._name}-names-log", destination_arn=group.arn, opts=self._child
        )
        aws.route53.ResolverQueryLogConfigAssociation(
            f"{self._name}-names-log-by-vpc",
            resolver_query_log_config_id=config.id,
            resource_id=self._vpc,
            opts=self._child,
        )
