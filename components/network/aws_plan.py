"""What an AWS network is planned from: addresses, endpoints and their policies, checks. Plain data; no Pulumi."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from ipaddress import IPv4Network, ip_address, ip_network
from typing import Any, NamedTuple

from components.infrastructure import Refused

HTTPS = 443
SMALL = ("primary", "replica", "endpoints", "firewall", "exit")
"""Roles whose subnets hold few addresses; the nodes' and pods' in ``workloads`` hold many."""
_LARGEST, _SMALLEST = 16, 21
"""Of a /21 a small subnet is a /27, of which AWS keeps five addresses: 27 are left for an endpoint of every service and
the eight that a load balancer asks for (Elastic Load Balancing, "Subnets for your load balancer")."""
_MOST_ZONES = 3
_PRIVATE = tuple(IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))
_HOST = re.compile(r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$")

INTERFACES: Mapping[str, tuple[str, ...]] = {
    "autoscaling": ("Describe*", "SetDesiredCapacity", "TerminateInstanceInAutoScalingGroup"),
    "aps-workspaces": ("RemoteWrite",),
    "bedrock-runtime": ("InvokeModel", "InvokeModelWithResponseStream", "ApplyGuardrail"),
    "ec2": (
        *("Describe*", "CreateTags", "DeleteTags", "*NetworkInterface*", "AssignPrivateIpAddresses"),
        *("UnassignPrivateIpAddresses", "*Volume", "ModifyVolume*", "*Snapshot", "*SecurityGroup*"),
    ),
    "ecr.api": ("GetAuthorizationToken", "BatchGetImage", "BatchCheckLayerAvailability", "GetDownloadUrlForLayer"),
    "ecr.dkr": ("BatchGetImage", "BatchCheckLayerAvailability", "GetDownloadUrlForLayer"),
    "eks": ("DescribeCluster", "DescribeNodegroup"),
    "eks-auth": ("AssumeRoleForPodIdentity",),
    "elasticloadbalancing": ("Describe*", "Create*", "Modify*", "Register*", "Deregister*", "Delete*", "*Tags", "Set*"),
    "kms": ("Encrypt", "Decrypt", "GenerateDataKey*", "DescribeKey", "Sign", "GetPublicKey", "CreateGrant"),
    "logs": ("CreateLogStream", "PutLogEvents", "DescribeLogGroups", "DescribeLogStreams"),
    "monitoring": ("PutMetricData",),
    "rds": ("DescribeDBInstances", "ModifyDBInstance"),
    "secretsmanager": ("CreateSecret", "DescribeSecret", "GetSecretValue", "PutSecretValue"),
    "sqs": ("SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueue*"),
    "states": ("StartExecution", "DescribeStateMachine", "DescribeExecution", "GetExecutionHistory", "SendTask*"),
    "sts": ("AssumeRole", "TagSession", "GetCallerIdentity"),
    "xray": ("PutTraceSegments", "PutTelemetryRecords", "GetSampling*"),
}
"""Service of an interface endpoint → what it lets through."""

_PREFIXES = {
    "aps-workspaces": "aps",
    "bedrock-runtime": "bedrock",
    "ecr.api": "ecr",
    "ecr.dkr": "ecr",
    "monitoring": "cloudwatch",
}
"""How IAM calls a service whose endpoint is called otherwise."""
_OWN = frozenset({"kms", "logs", "rds", "s3", "secretsmanager", "sqs", "states"})
"""Services whose resources have to be the account's own too: else they lead data to somebody else's."""


class AwsNetworkError(Refused):
    """The network asked for cannot be made; nothing was created. The message says what, and what to do."""


class Addresses(NamedTuple):
    """``subnets``: by role, one CIDR a zone."""

    vpc: str
    subnets: Mapping[str, list[str]]


class Found(NamedTuple):
    """An own subnet as AWS describes it. ``public``: machines get a public address there. ``tables``: ids of the route
    tables that are its own; without one it follows the VPC's main table, whatever somebody adds to that."""

    id: str
    vpc: str
    zone: str
    public: bool
    tables: Collection[str]


def checked_zones(zones: Sequence[str], region: str) -> tuple[str, ...]:
    """Two or three of the region (the European Sovereign Cloud has two); raises ``AwsNetworkError``."""
    strays = [zone for zone in zones if not re.fullmatch(rf"{re.escape(region)}[a-z]", zone)]
    if strays or len(set(zones)) != len(zones) or not 2 <= len(zones) <= _MOST_ZONES:
        raise AwsNetworkError(
            f"network.zones: expected two or three different ones of {region}, got {', '.join(zones) or 'none'}"
        )
    return tuple(zones)


def divide(cidr: str, zones: int) -> Addresses:
    """A quarter of the addresses for the workloads of each zone, small parts of the last for the rest; raises
    ``AwsNetworkError``.

    Each role has room for the most zones, so a zone put after the others leaves their addresses as they are.
    """
    try:
        whole = ip_network(cidr)
    except ValueError as wrong:
        raise AwsNetworkError(f"network.cidr: {cidr!r}: {wrong}; expected such as 10.20.0.0/16") from wrong
    private = isinstance(whole, IPv4Network) and any(whole.subnet_of(block) for block in _PRIVATE)
    if not private or not _LARGEST <= whole.prefixlen <= _SMALLEST:
        raise AwsNetworkError(f"network.cidr: expected private IPv4 addresses, /{_LARGEST} to /{_SMALLEST}, got {cidr}")
    quarters = [*whole.subnets(prefixlen_diff=2)]
    small = [str(part) for part in quarters[-1].subnets(prefixlen_diff=4)]
    subnets = {role: small[_MOST_ZONES * index :][:zones] for index, role in enumerate(SMALL)}
    return Addresses(str(whole), {"workloads": [str(quarter) for quarter in quarters[:zones]], **subnets})


def declared(exits: Collection[tuple[str, int]]) -> list[tuple[str, int]]:
    """Host name and port of all that may be called outside, each once; raises ``AwsNetworkError``.

    The firewall reads the name in a TLS greeting, so it knows neither addresses nor what is not encrypted.
    """
    for host, port in exits:
        if _is_address(host) or not _HOST.match(host):
            raise AwsNetworkError(
                f"exit {host}:{port}: expected a host name, which the firewall finds in TLS greetings"
            )
        if port == 80:
            raise AwsNetworkError(f"exit {host}:80: it would leave unencrypted; call it by https")
    return sorted({(host, port) for host, port in exits})


def firewall_rules(exits: Sequence[tuple[str, int]]) -> str:
    """Rules in Suricata's language: a greeting that names the host passes, at the ports that it is declared with.

    AWS's own list of domains knows no ports: each host would pass at every port that any other is declared with.
    """
    return "\n".join(
        f"pass tls $HOME_NET any -> $EXTERNAL_NET {port} "
        f'(tls.sni; content:"{host}"; startswith; endswith; nocase; flow:to_server, established; sid:{number}; rev:1;)'
        for number, (host, port) in enumerate(exits, start=1)
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def checked_services(services: Collection[str]) -> list[str]:
    """Those that have an interface endpoint here; raises ``AwsNetworkError``."""
    if unknown := sorted(set(services) - set(INTERFACES)):
        raise AwsNetworkError(
            f"services {', '.join(unknown)}: no policy is known for them; known: {', '.join(INTERFACES)}"
        )
    return sorted(services)


def endpoint_policy(service: str, partition: str, account: str) -> dict[str, Any]:
    """What an interface endpoint lets through: the account's own principals, to do what the fabric does."""
    prefix = _PREFIXES.get(service, service)
    whose = {"aws:PrincipalAccount": account, **({"aws:ResourceAccount": account} if service in _OWN else {})}
    allowed = [_allow("Account", [f"{prefix}:{action}" for action in INTERFACES[service]], "*", whose)]
    if service == "sts":  # who shows a token of the issuer is no principal yet
        roles = f"arn:{partition}:iam::{account}:role/*"
        allowed.append(_allow("Federated", ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"], roles, {}))
    if prefix == "bedrock":
        allowed += _no_global_profiles(partition)
    return {"Version": "2012-10-17", "Statement": allowed}


def s3_policy(partition: str, account: str, region: str) -> dict[str, Any]:
    """The account's own buckets, and the one where ECR keeps images' layers."""
    objects = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListBucket"]
    layers = f"arn:{partition}:s3:::prod-{region}-starport-layer-bucket/*"
    own = {"aws:PrincipalAccount": account, "aws:ResourceAccount": account}
    statements = [_allow("Account", objects, "*", own), _allow("ImageLayers", ["s3:GetObject"], layers, {})]
    return {"Version": "2012-10-17", "Statement": statements}


def _allow(sid: str, actions: list[str], resource: str, equal: Mapping[str, str]) -> dict[str, Any]:
    allowed = {"Sid": sid, "Effect": "Allow", "Principal": "*", "Action": actions, "Resource": resource}
    return {**allowed, "Condition": {"StringEquals": dict(equal)}} if equal else allowed


def _no_global_profiles(partition: str) -> Iterator[dict[str, Any]]:
    """A profile ``global.*`` runs a model in any region, and such a call names none."""
    denied = {"Effect": "Deny", "Principal": "*", "Action": "bedrock:InvokeModel*"}
    profiles = f"arn:{partition}:bedrock:*:*:inference-profile/global.*"
    yield {"Sid": "NoGlobalProfile", **denied, "Resource": profiles}
    anywhere = {"StringEquals": {"aws:RequestedRegion": "unspecified"}}
    yield {"Sid": "NoUnnamedRegion", **denied, "Resource": "*", "Condition": anywhere}


def checked_own(subnets: Mapping[str, Sequence[str]]) -> None:
    """Own subnets by role: each role has two at least, and none is of two roles; raises ``AwsNetworkError``."""
    for role, given in subnets.items():
        if len(set(given)) < 2:
            raise AwsNetworkError(
                f"network.own.{role}: expected two subnets at least, in different zones; got {len(set(given))}"
            )
    every = [subnet for given in subnets.values() for subnet in set(given)]
    if twice := sorted({subnet for subnet in every if every.count(subnet) > 1}):
        raise AwsNetworkError(
            f"network.own: expected each subnet in one role, as the replica's are a boundary; twice: {', '.join(twice)}"
        )


def unfit(vpc: str, dns: bool, found: Mapping[str, Sequence[Found]], open_tables: Collection[str]) -> list[str]:
    """What an own VPC lacks, as AWS describes it; nothing: it can be used. ``dns``: support and host names are on.
    ``open_tables``: ids of the route tables that lead to an internet gateway; other ways out are the VPC's own affair.
    """
    wrong = [] if dns else [f"{vpc}: switch on DNS support and DNS host names; private endpoints need them"]
    for role, subnets in found.items():
        wrong += [f"{each.id} ({role}) is in {each.vpc}, not in {vpc}" for each in subnets if each.vpc != vpc]
        wrong += [f"{each.id} ({role}) gives public addresses; switch that off" for each in subnets if each.public]
        wrong += [f"{each.id} ({role}) has no route table; give it one" for each in subnets if not each.tables]
        wrong += [
            f"{each.id} ({role}) has a route to an internet gateway; give it a table without"
            for each in subnets
            if not set(open_tables).isdisjoint(each.tables)
        ]
        if len({each.zone for each in subnets}) < 2:
            wrong.append(f"{role}: its subnets are in one zone; take two at least")
    pods, balanced = ({each.zone for each in found.get(role, ())} for role in ("workloads", "endpoints"))
    if away := sorted(pods - balanced):
        wrong.append(
            f"endpoints: no subnet in {', '.join(away)}, where workloads are; add one: the gateway's load balancer, "
            "which is there, sends to pods of its zones alone"
        )
    return wrong
