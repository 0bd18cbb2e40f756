"""A VPC made here: private subnets by role in each zone, flow logs, a resolver that answers declared names alone
(``aws_dns``), S3 by its own endpoint, and the way out.

Workloads leave zone by zone through the firewall, so that answers come back by the firewall that saw the question:
workloads → firewall → NAT → internet. Without declared hosts there is none of these. Nothing else has a route out.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.network import aws_plan as plan
from components.network.aws_dns import Resolving, names
from components.network.aws_firewall import EVERYWHERE, Firewall, LogArgs, endpoint_in

ROLES = ("workloads", "primary", "replica", "endpoints")
FLOW_SECONDS = 60


@dataclass(frozen=True)
class Ground:
    """What groups and endpoints stand in. ``blocks``: addresses of the subnets, by role. ``storage``: id of the list of
    S3's addresses, where S3 has an endpoint."""

    id: Output[str]
    subnets: Mapping[str, Output[list[str]]]
    blocks: Mapping[str, Sequence[Input[str]]]
    storage: Output[str] | None


@dataclass(frozen=True)
class Asked:
    """``exits``: host and port of all that may be called outside. ``inside``: what private zones in the VPC answer.

    ``partition``, ``account``: where the caller's credentials lead.
    """

    stack: str
    region: str
    zones: tuple[str, ...]
    addresses: plan.Addresses
    exits: list[tuple[str, int]]
    inside: Collection[str]
    logs: LogArgs
    partition: Output[str]
    account: Output[str]
    boundary: Input[str] | None


class MadeGround:
    """``ground``: what was made, all of it children of ``parent``."""

    ground: Ground

    def __init__(self, parent: pulumi.Resource, name: str, asked: Asked) -> None:
        self._parent, self._name, self._asked = parent, name, asked
        self._child = pulumi.ResourceOptions(parent=parent)
        self._vpc = self._create_vpc()
        self._create_flow_log()
        self._create_resolving()
        subnets = {role: self._create_subnets(role) for role in ROLES}
        tables = {zone: self._create_table("workloads", zone, subnets["workloads"][zone]) for zone in asked.zones}
        for role in ("primary", "replica", "endpoints"):
            self._create_closed_table(role, subnets[role])
        if asked.exits:
            self._create_way_out(tables)
        self.ground = Ground(
            id=self._vpc.id,
            subnets={role: Output.all(*(subnet.id for subnet in subnets[role].values())) for role in ROLES},
            blocks=asked.addresses.subnets,
            storage=self._create_storage(tables).prefix_list_id,
        )

    def _create_vpc(self) -> aws.ec2.Vpc:
        vpc = aws.ec2.Vpc(
            f"{self._name}-vpc",
            cidr_block=self._asked.addresses.vpc,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags={"Name": self._asked.stack},
            opts=self._child,
        )
        # What names no group gets this one: it lets nothing in or out.
        aws.ec2.DefaultSecurityGroup(f"{self._name}-default-group", vpc_id=vpc.id, opts=self._child)
        return vpc

    def _create_closed_table(self, role: str, subnets: Mapping[str, aws.ec2.Subnet]) -> None:
        """Leads nowhere but into the VPC, whatever somebody adds to its main table."""
        table = aws.ec2.RouteTable(f"{self._name}-{role}-table", vpc_id=self._vpc.id, opts=self._child)
        for zone, subnet in subnets.items():
            aws.ec2.RouteTableAssociation(
                f"{self._name}-{role}-{zone[-1]}-by-table",
                subnet_id=subnet.id,
                route_table_id=table.id,
                opts=self._child,
            )

    def _create_subnets(self, role: str) -> dict[str, aws.ec2.Subnet]:
        """One in each zone."""
        return {
            zone: aws.ec2.Subnet(
                f"{self._name}-{role}-{zone[-1]}",
                vpc_id=self._vpc.id,
                availability_zone=zone,
                cidr_block=cidr,
                map_public_ip_on_launch=False,
                tags={"Name": f"{self._asked.stack}-{role}-{zone[-1]}"},
                opts=self._child,
            )
            for zone, cidr in zip(self._asked.zones, self._asked.addresses.subnets[role], strict=True)
        }

    def _create_table(self, role: str, zone: str, subnet: aws.ec2.Subnet) -> aws.ec2.RouteTable:
        name = f"{self._name}-{role}-{zone[-1]}"
        table = aws.ec2.RouteTable(f"{name}-table", vpc_id=self._vpc.id, opts=self._child)
        aws.ec2.RouteTableAssociation(
            f"{name}-by-table", subnet_id=subnet.id, route_table_id=table.id, opts=self._child
        )
        return table

    def _create_way_out(self, workloads: Mapping[str, aws.ec2.RouteTable]) -> None:
        inner, outer = self._create_subnets("firewall"), self._create_subnets("exit")
        internet = aws.ec2.InternetGateway(f"{self._name}-internet", vpc_id=self._vpc.id, opts=self._child)
        statuses = self._create_firewall(inner).statuses
        blocks = dict(zip(self._asked.zones, self._asked.addresses.subnets["workloads"], strict=True))
        for zone in self._asked.zones:
            at, short = statuses.apply(endpoint_in(zone)), zone[-1]
            address = aws.ec2.Eip(f"{self._name}-exit-{short}-address", domain="vpc", opts=self._child)
            nat = aws.ec2.NatGateway(
                f"{self._name}-nat-{short}",
                subnet_id=outer[zone].id,
                allocation_id=address.id,
                opts=pulumi.ResourceOptions(parent=self._parent, depends_on=[internet]),
            )
            behind = self._create_table("firewall", zone, inner[zone])
            out = self._create_table("exit", zone, outer[zone])
            self._route(f"workloads-{short}-out", workloads[zone], EVERYWHERE, vpc_endpoint_id=at)
            self._route(f"firewall-{short}-out", behind, EVERYWHERE, nat_gateway_id=nat.id)
            self._route(f"exit-{short}-out", out, EVERYWHERE, gateway_id=internet.id)
            self._route(f"exit-{short}-back", out, blocks[zone], vpc_endpoint_id=at)

    def _route(self, role: str, table: aws.ec2.RouteTable, to: str, **by: Input[str]) -> None:
        aws.ec2.Route(
            f"{self._name}-{role}", route_table_id=table.id, destination_cidr_block=to, **by, opts=self._child
        )

    def _create_firewall(self, subnets: Mapping[str, aws.ec2.Subnet]) -> Firewall:
        asked, ids = self._asked, [subnet.id for subnet in subnets.values()]
        return Firewall(self._parent, self._name, self._vpc.id, asked.addresses.vpc, ids, asked.exits, asked.logs)

    def _create_storage(self, tables: Mapping[str, aws.ec2.RouteTable]) -> aws.ec2.VpcEndpoint:
        asked = self._asked
        service = aws.ec2.get_vpc_endpoint_service_output(
            service="s3", service_type="Gateway", opts=pulumi.InvokeOutputOptions(parent=self._parent)
        )
        return aws.ec2.VpcEndpoint(
            f"{self._name}-s3",
            vpc_id=self._vpc.id,
            vpc_endpoint_type="Gateway",
            service_name=service.service_name,
            route_table_ids=[table.id for table in tables.values()],
            policy=Output.all(asked.partition, asked.account).apply(
                lambda told: json.dumps(plan.s3_policy(*told, asked.region))
            ),
            opts=self._child,
        )

    def _create_resolving(self) -> None:
        asked, hosts = self._asked, [*(host for host, _ in self._asked.exits), *self._asked.inside]
        answered = asked.partition.apply(lambda partition: names(asked.region, partition, hosts))
        Resolving(self._parent, self._name, self._vpc.id, answered, asked.logs)

    def _create_flow_log(self) -> None:
        asked = self._asked
        group = asked.logs.create_group(self._parent, self._name, "flows")
        role = self._create_flow_role(group)
        aws.ec2.FlowLog(
            f"{self._name}-flow-log",
            vpc_id=self._vpc.id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=FLOW_SECONDS,
            opts=self._child,
        )

    def _create_flow_role(self, group: aws.cloudwatch.LogGroup) -> aws.iam.Role:
        service = aws.get_service_principal_output(
            service_name="vpc-flow-logs", opts=pulumi.InvokeOutputOptions(parent=self._parent)
        )
        trusted = {
            "Effect": "Allow",
            "Principal": {"Service": service.name},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": self._asked.account}},
        }
        written = {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
            "Resource": Output.format("{0}:*", group.arn),
        }
        role = aws.iam.Role(
            f"{self._name}-flow-role",
            assume_role_policy=_document(trusted),
            permissions_boundary=self._asked.boundary,
            opts=self._child,
        )
        aws.iam.RolePolicy(f"{self._name}-flow-policy", role=role.id, policy=_document(written), opts=self._child)
        return role


def _document(*statements: Mapping[str, object]) -> Output[str]:
    return Output.json_dumps({"Version": "2012-10-17", "Statement": [*statements]})
