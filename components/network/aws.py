"""A network on AWS: a VPC with one way out by host name, or an own one; who carries which group; private endpoints.

An own VPC keeps its own way out, its resolver, its logs and its endpoint for S3: it gets security groups and interface
endpoints.
The databases' groups come with the databases.
"""

import json
from collections.abc import Collection, Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.network import aws_plan as plan
from components.network.aws_firewall import EVERYWHERE, LogArgs
from components.network.aws_ground import ROLES, Asked, Ground, MadeGround
from components.network.contract import Network


class AwsNetworkArgs(TypedDict):
    """``zones``: two or three, by name; one more goes last. ``exits``: host and port of all that may be called outside.
    ``services``: those with interface endpoints, of ``aws_plan.INTERFACES``; none named: all. ``key``: ARN of the key
    of logs and firewall. ``log_days``: how long logs are kept, one of the numbers CloudWatch takes. ``boundary``: ARN
    of the policy that bounds the role of the flow log.

    ``cidr``: private addresses, /16 to /21, of a VPC made here; ``inside``: host names that private zones in it answer,
    by which nothing leads out. Or ``vpc`` and its subnets by role: an own one.
    """

    stack: str
    region: str
    zones: Sequence[str]
    exits: Collection[tuple[str, int]]
    key: Input[str]
    log_days: int
    boundary: NotRequired[Input[str]]
    services: NotRequired[Collection[str]]
    cidr: NotRequired[str]
    inside: NotRequired[Collection[str]]
    vpc: NotRequired[str]
    workloads: NotRequired[list[str]]
    primary: NotRequired[list[str]]
    replica: NotRequired[list[str]]
    endpoints: NotRequired[list[str]]


class AwsNetwork(Network):
    """``endpoints``: subnets where no pod and no node is, but endpoints and the gateway's load balancer. ``blocks``:
    their addresses."""

    endpoints: Output[list[str]]
    blocks: Sequence[Input[str]]

    def __init__(self, name: str, args: AwsNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self._asked = pulumi.InvokeOutputOptions(parent=self)
        self._exits = plan.declared(args["exits"])
        self._services = plan.checked_services(args.get("services", plan.INTERFACES))
        self._partition = aws.get_partition_output(opts=self._asked).partition
        self._account = aws.get_caller_identity_output(opts=self._asked).account_id
        self._ground = self._adopt(args["vpc"]) if "vpc" in args else self._create_ground()
        self._create_groups()
        self._create_interfaces()
        self.id, self.blocks = self._ground.id, self._ground.blocks["endpoints"]
        self.workloads, self.primary, self.replica, self.endpoints = (self._ground.subnets[role] for role in ROLES)
        self.register_outputs(
            {
                "id": self.id,
                "workloads": self.workloads,
                "primary": self.primary,
                "replica": self.replica,
                "runtime_group": self.runtime_group,
                "tools_group": self.tools_group,
            }
        )

    def _create_ground(self) -> Ground:
        args = self._args
        zones = plan.checked_zones(args["zones"], args["region"])
        asked = Asked(
            stack=args["stack"],
            region=args["region"],
            zones=zones,
            addresses=plan.divide(args.get("cidr", ""), len(zones)),
            exits=self._exits,
            inside=args.get("inside", ()),
            logs=LogArgs(args["stack"], args["key"], args["log_days"]),
            partition=self._partition,
            account=self._account,
            boundary=args.get("boundary"),
        )
        return MadeGround(self, self._name, asked).ground

    def _adopt(self, vpc: str) -> Ground:
        """An own VPC, once AWS says that it has what is needed: all that is made in it waits for that."""
        if "cidr" in self._args:
            raise plan.AwsNetworkError("cidr and vpc: expected one of them, addresses of a new VPC or an own VPC")
        own = {role: self._args.get(role, []) for role in ROLES}
        plan.checked_own(own)
        described = aws.ec2.get_vpc_output(id=vpc, opts=self._asked)
        looked = {role: [aws.ec2.get_subnet_output(id=id_, opts=self._asked) for id_ in own[role]] for role in ROLES}
        tables = {id_: self._tables(vpc, "association.subnet-id", id_) for role in ROLES for id_ in own[role]}
        open_tables = self._tables(vpc, "route.gateway-id", "igw-*")
        fit = Output.all(described, looked, tables, open_tables).apply(lambda told: _fit(*told))
        return Ground(
            id=fit,
            subnets={role: fit.apply(lambda _, role=role: own[role]) for role in ROLES},
            blocks={role: [subnet.cidr_block for subnet in looked[role]] for role in ROLES},
            storage=None,
        )

    def _tables(self, vpc: str, by: str, value: str) -> Output[list[str]]:
        """Ids of the VPC's route tables that a filter of AWS's finds."""
        return aws.ec2.get_route_tables_output(
            vpc_id=vpc, filters=[{"name": by, "values": [value]}], opts=self._asked
        ).ids

    def _create_groups(self) -> None:
        """The tools get no way out here: the databases let them to the replica, and no group holds back the VPC's
        resolver (``aws_dns`` says what that answers). What they log, their nodes send."""
        runtime, tools, endpoints = (self._create_group(role) for role in ("runtime", "tools", "endpoints"))
        for index, block in enumerate(self._ground.blocks["workloads"]):
            self._allow_in(f"endpoints-from-{index}", endpoints, block)
        self._allow_out("runtime-to-endpoints", runtime, plan.HTTPS, to_group=endpoints.id)
        for port in sorted({port for _, port in self._exits}):
            self._allow_out(f"runtime-to-exits-{port}", runtime, port, to_block=EVERYWHERE)
        if self._ground.storage is not None:
            self._allow_out("runtime-to-s3", runtime, plan.HTTPS, to_list=self._ground.storage)
        self.runtime_group, self.tools_group, self._endpoints = runtime.id, tools.id, endpoints.id

    def _create_group(self, role: str) -> aws.ec2.SecurityGroup:
        """Lets nothing in or out but by the rules that are made for it."""
        return aws.ec2.SecurityGroup(
            f"{self._name}-{role}",
            vpc_id=self._ground.id,
            description=f"{role} of {self._args['stack']}",
            tags={"Name": f"{self._args['stack']}-{role}"},
            opts=self._child,
        )

    def _allow_in(self, role: str, group: aws.ec2.SecurityGroup, block: Input[str]) -> None:
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-{role}",
            security_group_id=group.id,
            cidr_ipv4=block,
            ip_protocol="tcp",
            from_port=plan.HTTPS,
            to_port=plan.HTTPS,
            opts=self._child,
        )

    def _allow_out(
        self,
        role: str,
        group: aws.ec2.SecurityGroup,
        port: int,
        to_group: Input[str] | None = None,
        to_block: str | None = None,
        to_list: Input[str] | None = None,
    ) -> None:
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-{role}",
            security_group_id=group.id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            referenced_security_group_id=to_group,
            cidr_ipv4=to_block,
            prefix_list_id=to_list,
            opts=self._child,
        )

    def _create_interfaces(self) -> None:
        """By the name that AWS says: it begins otherwise in other partitions."""
        for service in self._services:
            found = aws.ec2.get_vpc_endpoint_service_output(service=service, service_type="Interface", opts=self._asked)
            aws.ec2.VpcEndpoint(
                f"{self._name}-{service.replace('.', '-')}",
                vpc_id=self._ground.id,
                vpc_endpoint_type="Interface",
                service_name=found.service_name,
                subnet_ids=self._ground.subnets["endpoints"],
                security_group_ids=[self._endpoints],
                private_dns_enabled=True,
                policy=Output.all(self._partition, self._account).apply(
                    lambda told, service=service: json.dumps(plan.endpoint_policy(service, *told))
                ),
                opts=self._child,
            )


def _fit(
    vpc: aws.ec2.GetVpcResult,
    subnets: dict[str, list[aws.ec2.GetSubnetResult]],
    tables: dict[str, list[str]],
    open_tables: list[str],
) -> str:
    """The id of the VPC; raises ``AwsNetworkError`` with all that it lacks."""
    found = {
        role: [
            plan.Found(each.id, each.vpc_id, each.availability_zone, each.map_public_ip_on_launch, tables[each.id])
            for each in described
        ]
        for role, described in subnets.items()
    }
    if wrong := plan.unfit(vpc.id, vpc.enable_dns_support and vpc.enable_dns_hostnames, found, open_tables):
        raise plan.AwsNetworkError("; ".join(wrong))
    return vpc.id
