"""The firewall by which workloads leave a VPC: a TLS greeting that names a declared host, at a port
that it is declared with, passes; all else is dropped.

Three limits: what a greeting names is believed, for TLS is not opened here; names are asked of the VPC's resolver,
which does not go through the firewall (``aws_dns`` holds it to declared names); and a server's packets before the
greeting is whole, such as window updates, may be dropped (AWS's form for what goes to the server alone, of June 2026,
is not in the SDK's list).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output
from pulumi_aws.networkfirewall.outputs import FirewallFirewallStatus

from components.network.aws_plan import firewall_rules

FEWEST_RULES = 100
"""Capacity of the rule group, which cannot change later without a new one: a rule an exit, and room for more."""

EVERYWHERE = "0.0.0.0/0"
TCP = 6
"""As IANA numbers protocols."""
TCP_RULES = 10


@dataclass(frozen=True)
class LogArgs:
    """``key``: ARN of what encrypts them. ``days``: how long they are kept."""

    stack: str
    key: Input[str]
    days: int

    def create_group(self, parent: pulumi.Resource, name: str, of: str) -> aws.cloudwatch.LogGroup:
        """A log group of the stack, encrypted, that forgets."""
        return aws.cloudwatch.LogGroup(
            f"{name}-{of}",
            name=f"/loomstead/{self.stack}/{of}",
            retention_in_days=self.days,
            kms_key_id=self.key,
            opts=pulumi.ResourceOptions(parent=parent),
        )


class Firewall:
    """``statuses``: which endpoint it has in which zone."""

    statuses: Output[Sequence[FirewallFirewallStatus]]

    def __init__(
        self,
        parent: pulumi.Resource,
        name: str,
        vpc: Input[str],
        inside: str,
        subnets: Sequence[Input[str]],
        exits: list[tuple[str, int]],
        logs: LogArgs,
    ) -> None:
        self._name, self._key, self._child = name, logs.key, pulumi.ResourceOptions(parent=parent)
        policy = self._create_policy(self._create_hosts(exits, inside), self._create_tcp())
        firewall = aws.networkfirewall.Firewall(
            f"{name}-firewall",
            vpc_id=vpc,
            firewall_policy_arn=policy.arn,
            subnet_mappings=[{"subnet_id": subnet} for subnet in subnets],
            encryption_configuration={"type": "CUSTOMER_KMS", "key_id": logs.key},
            opts=self._child,
        )
        self._create_log(firewall, logs.create_group(parent, name, "refused"))
        self.statuses = firewall.firewall_statuses

    def _create_hosts(self, exits: list[tuple[str, int]], inside: str) -> aws.networkfirewall.RuleGroup:
        return aws.networkfirewall.RuleGroup(
            f"{self._name}-hosts",
            type="STATEFUL",
            capacity=max(FEWEST_RULES, 2 * len(exits)),
            description="Hosts that the stack declares",
            rule_group={
                "rule_variables": {"ip_sets": [{"key": "HOME_NET", "ip_set": {"definitions": [inside]}}]},
                "rules_source": {"rules_string": firewall_rules(exits)},
                "stateful_rule_options": {"rule_order": "STRICT_ORDER"},
            },
            encryption_configuration={"type": "CUSTOMER_KMS", "key_id": self._key},
            opts=self._child,
        )

    def _create_tcp(self) -> aws.networkfirewall.RuleGroup:
        """Only TCP is looked at: the first packets of anything else would pass as no established connection's."""
        return aws.networkfirewall.RuleGroup(
            f"{self._name}-tcp",
            type="STATELESS",
            capacity=TCP_RULES,
            description="TCP goes on to the hosts' rules",
            rule_group={
                "rules_source": {
                    "stateless_rules_and_custom_actions": {
                        "stateless_rules": [
                            {
                                "priority": 1,
                                "rule_definition": {
                                    "actions": ["aws:forward_to_sfe"],
                                    "match_attributes": {
                                        "protocols": [TCP],
                                        "sources": [{"address_definition": EVERYWHERE}],
                                        "destinations": [{"address_definition": EVERYWHERE}],
                                    },
                                },
                            }
                        ]
                    }
                }
            },
            encryption_configuration={"type": "CUSTOMER_KMS", "key_id": self._key},
            opts=self._child,
        )

    def _create_policy(
        self, hosts: aws.networkfirewall.RuleGroup, tcp: aws.networkfirewall.RuleGroup
    ) -> aws.networkfirewall.FirewallPolicy:
        return aws.networkfirewall.FirewallPolicy(
            f"{self._name}-filter",
            firewall_policy={
                "stateless_rule_group_references": [{"priority": 1, "resource_arn": tcp.arn}],
                "stateless_default_actions": ["aws:drop"],
                "stateless_fragment_default_actions": ["aws:drop"],
                "stateful_engine_options": {"rule_order": "STRICT_ORDER"},
                # Only what is established has a greeting to read, so the handshake before it has to pass; a greeting
                # with a post-quantum key comes in two packets, which are read together (eks-pod-identity-agent#87).
                "stateful_default_actions": ["aws:drop_established_app_layer", "aws:alert_established_app_layer"],
                "stateful_rule_group_references": [{"priority": 1, "resource_arn": hosts.arn}],
            },
            encryption_configuration={"type": "CUSTOMER_KMS", "key_id": self._key},
            opts=self._child,
        )

    def _create_log(self, firewall: aws.networkfirewall.Firewall, group: aws.cloudwatch.LogGroup) -> None:
        aws.networkfirewall.LoggingConfiguration(
            f"{self._name}-firewall-log",
            firewall_arn=firewall.arn,
            logging_configuration={
                "log_destination_configs": [
                    {
                        "log_type": "ALERT",
                        "log_destination_type": "CloudWatchLogs",
                        "log_destination": {"logGroup": group.name},
                    }
                ]
            },
            opts=self._child,
        )


def endpoint_in(zone: str) -> Callable[[Sequence[FirewallFirewallStatus]], str]:
    """Reads the firewall's endpoint in a zone; raises ``LookupError`` where it has none yet."""

    def read(statuses: Sequence[FirewallFirewallStatus]) -> str:
        states = [state for status in statuses for state in status.sync_states or [] if state.availability_zone == zone]
        ids = [attached.endpoint_id for state in states for attached in state.attachments or [] if attached.endpoint_id]
        if not ids:
            raise LookupError(f"the firewall has no endpoint in {zone} yet; run the update again")
        return ids[0]

    return read
