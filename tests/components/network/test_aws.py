"""The network on AWS: what it claims is in the graph, and who reaches whom is only what is written."""

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.network.aws import AwsNetwork, AwsNetworkArgs
from components.network.aws_plan import INTERFACES, AwsNetworkError, firewall_rules
from tests.fixtures.recording import Graph, Recorded, aws_calls, conforms, record, reviewed
from tests.fixtures.workloads import unmet

HOMES = (("eu-central-1", "eu-gdpr"), ("eusc-de-east-1", "eu-gdpr"), ("us-east-1", "us-hipaa"))
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
EXITS = [("models.example", 443), ("orders.example", 8443)]
SUBNET, ROUTE = "aws:ec2/subnet:Subnet", "aws:ec2/route:Route"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
DNS = "aws:route53/resolverFirewall"
OWN = {role: [f"subnet-{role}-1", f"subnet-{role}-2"] for role in ("workloads", "primary", "replica", "endpoints")}
CUSTOMER_KEY = {"type": "CUSTOMER_KMS", "keyId": KEY}
CLAIMS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "net-vpc": ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.20.0.0/16", "enableDnsHostnames": True, "enableDnsSupport": True}),
    "net-default-group": ("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", {"ingress": None, "egress": None}),
    "net-flows": (
        "aws:cloudwatch/logGroup:LogGroup",
        {"name": "/loomstead/s/flows", "retentionInDays": 90, "kmsKeyId": KEY},
    ),
    "net-refused": (
        "aws:cloudwatch/logGroup:LogGroup",
        {"name": "/loomstead/s/refused", "retentionInDays": 90, "kmsKeyId": KEY},
    ),
    "net-names": (
        "aws:cloudwatch/logGroup:LogGroup",
        {"name": "/loomstead/s/names", "retentionInDays": 90, "kmsKeyId": KEY},
    ),
    "net-flow-log": (
        "aws:ec2/flowLog:FlowLog",
        {"vpcId": "net-vpc-id", "trafficType": "ALL", "logDestinationType": "cloud-watch-logs"},
    ),
    "net-hosts": (
        "aws:networkfirewall/ruleGroup:RuleGroup",
        {
            "type": "STATEFUL",
            "capacity": 100,
            "encryptionConfiguration": CUSTOMER_KEY,
            "ruleGroup": {
                "ruleVariables": {"ipSets": [{"key": "HOME_NET", "ipSet": {"definitions": ["10.20.0.0/16"]}}]},
                "rulesSource": {"rulesString": firewall_rules(EXITS)},
                "statefulRuleOptions": {"ruleOrder": "STRICT_ORDER"},
            },
        },
    ),
    "net-tcp": (
        "aws:networkfirewall/ruleGroup:RuleGroup",
        {
            "type": "STATELESS",
            "encryptionConfiguration": CUSTOMER_KEY,
            "ruleGroup": {
                "rulesSource": {
                    "statelessRulesAndCustomActions": {
                        "statelessRules": [
                            {
                                "priority": 1,
                                "ruleDefinition": {
                                    "actions": ["aws:forward_to_sfe"],
                                    "matchAttributes": {
                                        "protocols": [6],
                                        "sources": [{"addressDefinition": "0.0.0.0/0"}],
                                        "destinations": [{"addressDefinition": "0.0.0.0/0"}],
                                    },
                                },
                            }
                        ]
                    }
                }
            },
        },
    ),
    "net-filter": (
        "aws:networkfirewall/firewallPolicy:FirewallPolicy",
        {
            "encryptionConfiguration": CUSTOMER_KEY,
            "firewallPolicy": {
                "statelessDefaultActions": ["aws:drop"],
                "statelessRuleGroupReferences": [
                    {"priority": 1, "resourceArn": "arn:aws:networkfirewall:eu-central-1:123456789012:net-tcp"}
                ],
                "statelessFragmentDefaultActions": ["aws:drop"],
                "statefulEngineOptions": {"ruleOrder": "STRICT_ORDER"},
                "statefulDefaultActions": ["aws:drop_established_app_layer", "aws:alert_established_app_layer"],
                "statefulRuleGroupReferences": [
                    {
                        "priority": 1,
                        "resourceArn": "arn:aws:networkfirewall:eu-central-1:123456789012:net-hosts",
                    }
                ],
            },
        },
    ),
    "net-firewall": (
        "aws:networkfirewall/firewall:Firewall",
        {
            "vpcId": "net-vpc-id",
            "encryptionConfiguration": CUSTOMER_KEY,
            "subnetMappings": [{"subnetId": f"net-firewall-{zone}-id"} for zone in "abc"],
        },
    ),
    "net-firewall-log": (
        "aws:networkfirewall/loggingConfiguration:LoggingConfiguration",
        {
            "loggingConfiguration": {
                "logDestinationConfigs": [
                    {
                        "logType": "ALERT",
                        "logDestinationType": "CloudWatchLogs",
                        "logDestination": {"logGroup": "/loomstead/s/refused"},
                    }
                ]
            }
        },
    ),
    "net-s3": (ENDPOINT, {"vpcEndpointType": "Gateway", "serviceName": "com.amazonaws.eu-central-1.s3"}),
    **{
        f"net-{service.replace('.', '-')}": (
            ENDPOINT,
            {
                "vpcEndpointType": "Interface",
                "serviceName": f"com.amazonaws.eu-central-1.{service}",
                "privateDnsEnabled": True,
                "subnetIds": [f"net-endpoints-{zone}-id" for zone in "abc"],
                "securityGroupIds": ["net-endpoints-id"],
            },
        )
        for service in INTERFACES
    },
}

RULES, TABLE = "aws:networkfirewall/ruleGroup:RuleGroup", "aws:ec2/routeTable:RouteTable"
CELL_NETWORK: list[tuple[str, str, dict[str, Any]]] = [
    ("aws:ec2/vpc:Vpc", "-vpc", {"cidrBlock": ..., "enableDnsSupport": True, "enableDnsHostnames": True}),
    *(
        ("aws:ec2/subnet:Subnet", f"-{role}-{zone}", {"availabilityZone": ..., "mapPublicIpOnLaunch": False})
        for role in ("workloads", "primary", "replica", "endpoints")
        for zone in ("a", "b")
    ),
    *((TABLE, f"-{role}-table", {}) for role in ("primary", "replica", "endpoints")),
    ("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "-default-group", {}),
    *(("aws:ec2/securityGroup:SecurityGroup", f"-{role}", {}) for role in ("runtime", "tools", "endpoints")),
    ("aws:ec2/vpcEndpoint:VpcEndpoint", "-s3", {"vpcEndpointType": "Gateway", "policy": ..., "routeTableIds": ...}),
    *(
        (
            "aws:ec2/vpcEndpoint:VpcEndpoint",
            f"-{service.replace('.', '-')}",
            {
                "vpcEndpointType": "Interface",
                "policy": ...,
                "privateDnsEnabled": True,
                "subnetIds": ...,
                "securityGroupIds": ...,
            },
        )
        for service in INTERFACES
    ),
    (RULES, "-hosts", {"type": "STATEFUL", "ruleGroup.rulesSource.rulesString": ...}),
    (RULES, "-tcp", {"type": "STATELESS", "ruleGroup.rulesSource.statelessRulesAndCustomActions": ...}),
    (
        "aws:networkfirewall/firewallPolicy:FirewallPolicy",
        "-filter",
        {
            "firewallPolicy.statefulDefaultActions": ...,
            "firewallPolicy.statelessDefaultActions": ["aws:drop"],
            "firewallPolicy.statefulRuleGroupReferences": ...,
        },
    ),
    (
        "aws:networkfirewall/firewall:Firewall",
        "-firewall",
        {"subnetMappings": ..., "encryptionConfiguration.type": "CUSTOMER_KMS"},
    ),
    ("aws:networkfirewall/loggingConfiguration:LoggingConfiguration", "-firewall-log", {"loggingConfiguration": ...}),
    ("aws:ec2/flowLog:FlowLog", "-flow-log", {"trafficType": "ALL", "logDestination": ..., "iamRoleArn": ...}),
    *(
        ("aws:cloudwatch/logGroup:LogGroup", f"-{of}", {"retentionInDays": ..., "kmsKeyId": ...})
        for of in ("refused", "flows", "names")
    ),
    (f"{DNS}RuleGroup:ResolverFirewallRuleGroup", "-names-rules", {}),
    (f"{DNS}DomainList:ResolverFirewallDomainList", "-answered", {"domains": ...}),
    (f"{DNS}DomainList:ResolverFirewallDomainList", "-unanswered", {"domains": ["*."]}),
    (
        f"{DNS}Rule:ResolverFirewallRule",
        "-answered-rule",
        {"action": "ALLOW", "priority": 100, "firewallDomainListId": ..., "firewallRuleGroupId": ...},
    ),
    (
        f"{DNS}Rule:ResolverFirewallRule",
        "-unanswered-rule",
        {
            "action": "BLOCK",
            "blockResponse": "NXDOMAIN",
            "priority": 200,
            "firewallDomainListId": ...,
            "firewallRuleGroupId": ...,
        },
    ),
    (
        f"{DNS}RuleGroupAssociation:ResolverFirewallRuleGroupAssociation",
        "-names-rules-by-vpc",
        {"firewallRuleGroupId": ..., "vpcId": ...},
    ),
    (f"{DNS}Config:ResolverFirewallConfig", "-names-closed", {"firewallFailOpen": "DISABLED", "resourceId": ...}),
    ("aws:route53/resolverQueryLogConfig:ResolverQueryLogConfig", "-names-log", {"destinationArn": ...}),
    (
        "aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation",
        "-names-log-by-vpc",
        {"resolverQueryLogConfigId": ..., "resourceId": ...},
    ),
]


def network(
    region: str = "eu-central-1", preview: bool = False, own: Mapping[str, Any] | None = None, **more: Any
) -> Graph:
    def program() -> None:
        zones = "ab" if region.startswith("eusc") else "abc"
        place: dict[str, Any] = dict(own) if own else {"cidr": "10.20.0.0/16"}
        args: AwsNetworkArgs = {
            "stack": "s",
            "region": region,
            "zones": [region + zone for zone in zones],
            "exits": EXITS,
            "key": KEY,
            "log_days": 90,
            **place,
            **more,
        }
        AwsNetwork("net", args, pulumi.ResourceOptions(providers=[aws.Provider("aws", region=region)]))

    return record(program, calls={**aws_calls(region), **described(region)}, answers=filled_in, preview=preview)


def described(
    region: str, dns: bool = True, public: bool = False, tables: bool = True, leads_out: str = "rtb-other"
) -> dict[str, Any]:
    """What AWS says of an own VPC. ``leads_out``: the route table with a route to an internet gateway."""

    def route_tables(asked: Mapping[str, Any]) -> dict[str, Any]:
        (wanted,) = asked["filters"]
        (value,) = wanted["values"]
        own = [f"rtb-{value}"] if tables else []
        found = {"association.subnet-id": own, "route.gateway-id": [leads_out] if value == "igw-*" else []}
        return {"id": "r", "vpcId": asked["vpcId"], "ids": found[wanted["name"]]}

    vpc = {"id": "vpc-1", "enableDnsSupport": True, "enableDnsHostnames": dns, "cidrBlock": "10.9.0.0/16"}
    return {
        "aws:ec2/getVpc:getVpc": vpc,
        "aws:ec2/getRouteTables:getRouteTables": route_tables,
        "aws:ec2/getSubnet:getSubnet": lambda asked: {
            "id": asked["id"],
            "vpcId": "vpc-1",
            "availabilityZone": region + "xab"[int(asked["id"][-1])],
            "mapPublicIpOnLaunch": public,
            "cidrBlock": f"10.9.{asked['id'][-1]}.0/24",
        },
    }


def filled_in(type_: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    if type_ != "aws:networkfirewall/firewall:Firewall":
        return {}
    region = inputs.get("region", "")
    states = [
        {"availabilityZone": f"{home}{zone}", "attachments": [{"endpointId": f"vpce-{zone}", "subnetId": "x"}]}
        for home, _ in HOMES
        for zone in "abc"
    ]
    return {"firewallStatuses": [{"syncStates": states}], "region": region}


@pytest.fixture(scope="module")
def made() -> Graph:
    return network()


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("own", [None, {"vpc": "vpc-1", **OWN}])
def test_parents_providers_and_names_are_as_decided(preview: bool, own: Mapping[str, Any] | None) -> None:
    conforms(network(preview=preview, own=own), "loomstead:network:Network")


@pytest.mark.parametrize(("name", "claim"), CLAIMS.items())
def test_each_resource_is_what_it_claims(name: str, claim: tuple[str, Mapping[str, Any]], made: Graph) -> None:
    type_, claimed = claim
    found = made.named(name)

    assert found.type == type_
    assert {key: found.properties.get(key) for key in claimed} == claimed


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_no_rule_has_anything_against_it(region: str, regime: str) -> None:
    assert reviewed(network(region), regime, region) == []


def test_each_role_has_a_subnet_a_zone_and_none_gives_public_addresses(made: Graph) -> None:
    subnets = made.of(SUBNET)

    assert {subnet.name for subnet in subnets} == {
        f"net-{role}-{zone}"
        for role in ("workloads", "primary", "replica", "endpoints", "firewall", "exit")
        for zone in "abc"
    }
    assert all(subnet.properties["mapPublicIpOnLaunch"] is False for subnet in subnets)
    assert all(subnet.properties["availabilityZone"].endswith(subnet.name[-1]) for subnet in subnets)


def routes(graph: Graph) -> set[tuple[str, str, str]]:
    """From which subnets' table, to where, by what."""
    by = ("vpcEndpointId", "natGatewayId", "gatewayId")
    return {
        (
            each.properties["routeTableId"],
            each.properties["destinationCidrBlock"],
            next(each.properties[key] for key in by if key in each.properties),
        )
        for each in graph.of(ROUTE)
    }


def test_workloads_leave_by_the_firewall_of_their_zone_and_nothing_else_leaves(made: Graph) -> None:
    blocks = {"a": "10.20.0.0/18", "b": "10.20.64.0/18", "c": "10.20.128.0/18"}

    assert routes(made) == {
        route
        for zone, block in blocks.items()
        for route in (
            (f"net-workloads-{zone}-table-id", "0.0.0.0/0", f"vpce-{zone}"),
            (f"net-firewall-{zone}-table-id", "0.0.0.0/0", f"net-nat-{zone}-id"),
            (f"net-exit-{zone}-table-id", "0.0.0.0/0", "net-internet-id"),
            (f"net-exit-{zone}-table-id", block, f"vpce-{zone}"),
        )
    }


def test_every_subnet_has_a_table_of_its_role(made: Graph) -> None:
    tables = {
        each.properties["subnetId"]: each.properties["routeTableId"]
        for each in made.of("aws:ec2/routeTableAssociation:RouteTableAssociation")
    }

    assert tables.keys() == {subnet.id for subnet in made.of(SUBNET)}
    assert all(tables[f"net-{role}-a-id"] == f"net-{role}-table-id" for role in ("primary", "replica", "endpoints"))


def test_it_is_what_its_cell_claims(made: Graph) -> None:
    assert unmet(made, CELL_NETWORK) == []


def test_without_declared_hosts_there_is_no_way_out() -> None:
    graph = network(exits=[])
    types = {resource.type for resource in graph.resources}

    assert not any("nat" in type_.lower() or "internetGateway" in type_ or "firewall" in type_ for type_ in types)
    assert routes(graph) == set()
    assert "0.0.0.0/0" not in {each.properties.get("cidrIpv4") for each in graph.of(EGRESS)}


def paths(graph: Graph, type_: str) -> set[tuple[str, str, int]]:
    """Group, its counterpart, port."""
    others = ("referencedSecurityGroupId", "cidrIpv4", "prefixListId")
    return {
        (
            each.properties["securityGroupId"],
            next(each.properties[key] for key in others if key in each.properties),
            each.properties["toPort"],
        )
        for each in graph.of(type_)
        if each.properties["fromPort"] == each.properties["toPort"] and each.properties["ipProtocol"] == "tcp"
    }


def test_who_reaches_whom_is_only_what_is_written(made: Graph) -> None:
    assert len(paths(made, EGRESS)) == len(made.of(EGRESS))
    assert paths(made, INGRESS) == {
        ("net-endpoints-id", block, 443) for block in ("10.20.0.0/18", "10.20.64.0/18", "10.20.128.0/18")
    }
    assert paths(made, EGRESS) == {
        ("net-runtime-id", "net-endpoints-id", 443),
        ("net-runtime-id", "net-s3-prefixListId", 443),
        ("net-runtime-id", "0.0.0.0/0", 443),
        ("net-runtime-id", "0.0.0.0/0", 8443),
    }
    for group in made.of("aws:ec2/securityGroup:SecurityGroup"):
        assert {"ingress", "egress"}.isdisjoint(group.properties)


@pytest.mark.parametrize("own", [None, {"vpc": "vpc-1", **OWN}])
def test_the_network_lets_tool_executors_out_to_nothing(own: Mapping[str, Any] | None) -> None:
    assert "net-tools-id" not in {group for group, _, _ in paths(network(own=own), EGRESS)}


def policy(endpoint: Recorded) -> list[dict[str, Any]]:
    return json.loads(endpoint.properties["policy"])["Statement"]


def test_every_endpoint_has_a_policy_and_that_of_models_denies_global_profiles(made: Graph) -> None:
    assert all(policy(endpoint) for endpoint in made.of(ENDPOINT))
    denied = [each for each in policy(made.named("net-bedrock-runtime")) if each["Effect"] == "Deny"]

    assert "arn:aws:bedrock:*:*:inference-profile/global.*" in [each["Resource"] for each in denied]


def test_endpoints_go_by_the_name_and_partition_that_aws_says() -> None:
    graph = network("eusc-de-east-1")

    assert graph.named("net-ecr-api").properties["serviceName"] == "eu.amazonaws.eusc-de-east-1.ecr.api"
    assert "arn:aws:" not in json.dumps([policy(endpoint) for endpoint in graph.of(ENDPOINT)])


def test_only_the_services_asked_for_have_endpoints() -> None:
    names = {endpoint.name for endpoint in network(services=["kms", "sts"]).of(ENDPOINT)}

    assert names == {"net-kms", "net-sts", "net-s3"}


def test_flow_logs_are_written_by_the_accounts_own_flows_into_their_group_alone(made: Graph) -> None:
    (trusted,) = json.loads(made.named("net-flow-role").properties["assumeRolePolicy"])["Statement"]
    (written,) = json.loads(made.named("net-flow-policy").properties["policy"])["Statement"]

    assert trusted["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
    assert trusted["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    assert written["Resource"] == f"{made.named('net-flows').state['arn']}:*"


def test_an_own_vpc_gets_groups_and_interface_endpoints_and_nothing_else() -> None:
    graph = network(own={"vpc": "vpc-1", **OWN})
    kinds = {resource.type for resource in graph.resources if resource.type.startswith("aws:")}

    assert kinds == {"aws:ec2/securityGroup:SecurityGroup", INGRESS, EGRESS, ENDPOINT}
    assert {each.properties["vpcId"] for each in graph.of("aws:ec2/securityGroup:SecurityGroup")} == {"vpc-1"}
    assert graph.named("net-kms").properties["subnetIds"] == OWN["endpoints"]
    assert paths(graph, INGRESS) == {("net-endpoints-id", f"10.9.{index}.0/24", 443) for index in (1, 2)}


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"vpc": "vpc-1"}, "workloads: expected two subnets at least"),
        ({"vpc": "vpc-1", **OWN, "replica": OWN["primary"]}, "expected each subnet in one role"),
        ({"vpc": "vpc-1", **OWN, "cidr": "10.0.0.0/16"}, "cidr and vpc: expected one of them"),
        ({"zones": ["eu-central-1a"], "cidr": "10.0.0.0/16"}, "expected two or three different ones"),
        ({"exits": [("10.0.0.1", 443)], "cidr": "10.0.0.0/16"}, "expected a host name"),
        ({"services": ["dynamodb"], "cidr": "10.0.0.0/16"}, "no policy is known"),
        ({"exits": []}, "expected such as 10.20.0.0/16"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(own: Mapping[str, Any], told: str) -> None:
    with pytest.raises(AwsNetworkError, match=told):
        network(own=own)


@pytest.mark.parametrize(
    ("lack", "told"),
    [
        ({"dns": False}, "switch on DNS"),
        ({"public": True}, "public addresses"),
        ({"tables": False}, r"subnet-replica-1 \(replica\) has no route table"),
        ({"leads_out": "rtb-subnet-replica-2"}, r"^subnet-replica-2 \(replica\) has a route to an internet gateway"),
    ],
)
def test_an_own_vpc_that_lacks_something_gets_nothing(
    lack: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = described("eu-central-1", **lack)
    monkeypatch.setattr(f"{__name__}.described", lambda region: answers)

    with pytest.raises(AwsNetworkError, match=told):
        network(own={"vpc": "vpc-1", **OWN})


def test_outputs_are_the_contracts(made: Graph) -> None:
    told = made.outputs[made.component("loomstead:network:Network").urn]

    assert told == {
        "id": "net-vpc-id",
        **{role: [f"net-{role}-{zone}-id" for zone in "abc"] for role in ("workloads", "primary", "replica")},
        "runtime_group": "net-runtime-id",
        "tools_group": "net-tools-id",
    }
