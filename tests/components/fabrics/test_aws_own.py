"""AWS's fabric in a network and on a cluster that are there: nothing is made of either, and nothing before AWS said
that they fit."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
import yaml

from components.fabric import build, check
from components.infrastructure import Refused
from components.kubernetes.parts import HTTP
from components.publish import Ground
from components.review import country_of
from components.spec import CONFIG_KEY, FabricSpec
from regions.boundary import compile_boundary
from regions.catalogue import load_catalogue
from scripts.rehearsal.answers import Place, answers, own_cluster
from scripts.rehearsal.fills import fills
from scripts.rehearsal.outputs import Made
from tests.conformance.fabrics import MADE_HERE
from tests.fixtures.recording import Graph, record, reviewed
from tests.fixtures.stacks import RIGHT

(FILE,) = [file for file in RIGHT if file.name == "eu-gdpr.aws-own.yaml"]
SAID: dict[str, Any] = yaml.safe_load(FILE.read_text())["config"][CONFIG_KEY]
STACK, ACCOUNT, REGION = "own", "111122223333", "eu-central-1"
VPC = SAID["network"]["own"]["id"]
GROUP = "sg-0123456789abcdef0"
CLUSTER = "aws:eks/getCluster:getCluster"
THERE: dict[str, Any] = {
    **own_cluster("platform", VPC, Place(REGION, ACCOUNT)),
    "aws:ec2/getVpc:getVpc": {
        "id": VPC,
        "cidrBlock": "10.9.0.0/16",
        "enableDnsSupport": True,
        "enableDnsHostnames": True,
    },
    "aws:ec2/getSubnet:getSubnet": lambda asked: {
        "id": asked["id"],
        "vpcId": VPC,
        "availabilityZone": REGION + "ab"[int(asked["id"][-1])],
        "mapPublicIpOnLaunch": False,
        "cidrBlock": f"10.9.{asked['id'][-2:]}.0/24",
    },
    "aws:ec2/getRouteTables:getRouteTables": lambda asked: {
        "ids": [f"rtb-{value}" for each in asked["filters"] for value in each["values"] if value != "igw-*"],
    },
}
MADE_OF_A_CLUSTER = {
    *("aws:eks/cluster:Cluster", "aws:eks/nodeGroup:NodeGroup", "aws:eks/addon:Addon"),
    *("aws:eks/accessEntry:AccessEntry", "aws:ec2/launchTemplate:LaunchTemplate", "aws:ec2/vpc:Vpc"),
    "kubernetes:helm.sh/v3:Release",
}
"""Charts are the operators', which the owner has."""


def ground(**changed: Any) -> Ground:
    """What the file says, with sections changed; ``None``: without it."""
    found, catalogue = {**SAID, **changed}, load_catalogue()
    spec = FabricSpec.model_validate_json(json.dumps({key: value for key, value in found.items() if value is not None}))
    return Ground(
        STACK, spec, compile_boundary(spec.residency, catalogue, host=country_of(spec, catalogue) or ""), catalogue
    )


def registered(asked: Ground, told: Mapping[str, Any], *, preview: bool = False) -> tuple[Graph, list[Refused]]:
    """What was registered, and what the program then ended with."""
    place, made = Place(REGION, ACCOUNT), dict[str, Mapping[str, Any]]()
    refused: list[Refused] = []

    def filled(type_: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        made[f"{name}-id"] = inputs
        own = type_.startswith("pulumi-python:")
        return MADE_HERE if own else fills(Made(type_, f"::{name}", place, 0), inputs, made.get)

    def program() -> None:
        try:
            build(asked)
        except Refused as ended:
            refused.append(ended)

    calls = {**answers(place, made.get), **told}
    return record(program, answers=filled, calls=calls, stack=STACK, preview=preview), refused


@cache
def _whole(preview: bool) -> Graph:
    graph, refused = registered(ground(), THERE, preview=preview)
    assert refused == []
    return graph


def entering(graph: Graph) -> list[dict[str, Any]]:
    """Whom the NetworkPolicy of the runtime lets in to the gateway: addresses, and other namespaces whole."""
    policy = graph.named("fabric-spaces-runtime-reach").properties["spec"]
    peers = [peer for rule in policy["ingress"] for peer in rule["from"] if rule["ports"][0]["port"] == HTTP]
    return [peer for peer in peers if "podSelector" not in peer]


@pytest.mark.parametrize("preview", [False, True])
def test_no_part_of_a_cluster_or_a_network_is_made(preview: bool) -> None:
    kinds = {each.type for each in _whole(preview).resources}

    assert kinds & MADE_OF_A_CLUSTER == set()
    assert {"aws:rds/instance:Instance", "kubernetes:apps/v1:Deployment"} <= kinds


def test_the_provider_of_its_objects_leads_to_the_cluster_that_aws_told_of() -> None:
    config = json.loads(_whole(preview=False).named("fabric-kubernetes").properties["kubeconfig"])
    told = THERE[CLUSTER]

    assert config["clusters"][0]["cluster"]["server"] == told["endpoint"]
    assert config["users"][0]["user"]["exec"]["args"][2:4] == ["--cluster-name", "platform"]


def test_pods_have_their_parts_groups_there_too_and_its_own_group_keeps_what_it_lets_in() -> None:
    graph = _whole(preview=False)
    groups = graph.named("fabric-inside-tools-groups").properties["spec"]["securityGroups"]["groupIds"]
    within = [
        each.name
        for each in graph.resources
        if each.properties.get("securityGroupId") == each.properties.get("referencedSecurityGroupId") == GROUP
    ]

    assert graph.named("fabric-network-tools").id in groups
    assert GROUP not in groups
    assert within == []


def test_its_owners_autoscaler_asks_the_gateway_with_the_group_of_its_node_and_databases_let_that_in_nowhere() -> None:
    graph = _whole(preview=False)
    lets = {
        (each.properties["securityGroupId"], each.properties["fromPort"])
        for each in graph.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        if each.properties.get("referencedSecurityGroupId") == GROUP
    }
    runtime, models = (graph.named(f"fabric-{name}").id for name in ("network-runtime", "cluster-models"))

    assert (runtime, 8080) in lets
    assert {group for group, _ in lets} <= {runtime, models, graph.named("fabric-cluster-orchestrator").id}


def test_nobody_asks_the_gateway_from_the_nodes_where_no_model_is_hosted() -> None:
    managed = {name: each for name, each in SAID["models"].items() if name != "chat-own"}
    said = {**SAID["cluster"]}
    said.pop("gpu")
    graph, refused = registered(ground(models=managed, cluster=said), THERE)
    runtime = graph.named("fabric-network-runtime").id
    lets = [
        each.properties["referencedSecurityGroupId"]
        for each in graph.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        if each.properties["securityGroupId"] == runtime and each.properties["fromPort"] == HTTP
    ]

    assert refused == []
    assert graph.named("fabric-runtime-edge-group").id in lets
    assert GROUP not in lets
    assert [peer for peer in entering(graph) if "namespaceSelector" in peer] == []


def test_the_load_balancer_stands_apart_from_pods_and_its_subnets_alone_are_let_in_by_their_addresses() -> None:
    graph, network = _whole(preview=False), SAID["network"]["own"]
    balancer = graph.named("fabric-runtime-edge-balancer")
    blocks = {peer["ipBlock"]["cidr"] for peer in entering(graph) if "ipBlock" in peer}

    assert balancer.properties["subnets"] == network["endpoints"]
    assert blocks == {f"10.9.{subnet[-2:]}.0/24" for subnet in network["endpoints"]}


def test_the_rules_have_nothing_against_it_but_what_the_file_waives() -> None:
    graph = _whole(preview=False)
    clouds = Graph(tuple(each for each in graph.resources if not each.type.startswith("pulumi-python:")), graph.outputs)

    assert [each.rule for each in reviewed(clouds, "eu-gdpr", REGION)] == ["A26"]


TOLD_WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "in another network": ({"vpcConfig": {**THERE[CLUSTER]["vpcConfig"], "vpcId": "vpc-2"}}, "it is in vpc-2"),
    "public": (
        {"vpcConfig": {**THERE[CLUSTER]["vpcConfig"], "endpointPublicAccess": True}},
        "internet reaches its API",
    ),
    "old": ({"version": "1.29"}, r"Kubernetes 1\.29"),
}


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize(("told", "said"), TOLD_WRONG.values(), ids=TOLD_WRONG)
def test_a_cluster_that_lacks_something_is_refused_before_a_cloud_has_made_anything(
    told: dict[str, Any], said: str, preview: bool
) -> None:
    """There are the provider that asks, and the fabric that it belongs to, which no cloud knows."""
    graph, (refused,) = registered(ground(), {**THERE, CLUSTER: {**THERE[CLUSTER], **told}}, preview=preview)

    assert said.replace("\\", "") in str(refused)
    assert {each.name for each in graph.resources} == {"fabric", "fabric-aws"}


SAID_WRONG: list[tuple[dict[str, Any], str]] = [
    ({"network": {"cidr": "10.9.0.0/16"}}, r"cluster\.own: expected network\.own too"),
    ({"cluster": {**SAID["cluster"], "callers": ["10.8.0.0/16"]}}, r"cluster\.own: leave out callers"),
    ({"cluster": {**SAID["cluster"], "gpu": {**SAID["cluster"]["gpu"], "machine": "g6.4xlarge"}}}, r"out gpu\.machine"),
    ({"cluster": {**SAID["cluster"], "version": "1.35", "nodes": 3}}, r"cluster\.own: leave out nodes, version"),
]


@pytest.mark.parametrize(("changed", "said"), SAID_WRONG, ids=[each[1] for each in SAID_WRONG])
def test_a_stack_file_that_says_how_to_make_what_is_there_is_refused_without_asking(
    changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refused, match=said):
        check(ground(**changed))
    graph, refused = registered(ground(**changed), {})
    assert len(refused) == 1
    assert graph.resources == ()


def test_a_foundation_asks_nothing_of_a_cluster() -> None:
    graph, refused = registered(
        ground(extent="foundation"), {token: told for token, told in THERE.items() if token != CLUSTER}
    )

    assert refused == []
    assert graph.of("aws:rds/instance:Instance")
