"""The cluster on AWS: private, encrypted, logged; who reaches whom; nodes for the system and for GPUs."""

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.cluster.aws import AwsCluster, AwsClusterArgs
from components.cluster.aws_groups import CONTROL, NODES, PODS
from components.cluster.aws_own import OwnCluster
from components.cluster.aws_plan import GPUS, SIZES, AwsClusterError, gpu_machine
from components.kubernetes.parts import Part
from regions.catalogue import load_catalogue
from tests.fixtures.iam import Request, allowed, policies_of, wildcard_pairs
from tests.fixtures.recording import Graph, aws_calls, conforms, record, reviewed

KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = "arn:aws:iam::123456789012:policy/s-boundary"
HOMES = (("eu-central-1", "eu-gdpr"), ("eusc-de-east-1", "eu-strict"), ("us-east-1", "us-hipaa"))
EGRESS, INGRESS = (f"aws:vpc/securityGroup{way}Rule:SecurityGroup{way}Rule" for way in ("Egress", "Ingress"))
ROLE, ADDON, NODE_GROUP = "aws:iam/role:Role", "aws:eks/addon:Addon", "aws:eks/nodeGroup:NodeGroup"
OIDC = {"issuer": "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC"}
CELL_CLUSTER: list[tuple[str, str, Mapping[str, Any]]] = [
    (
        "aws:eks/cluster:Cluster",
        "control-plane",
        {
            "vpcConfig.endpointPublicAccess": False,
            "vpcConfig.endpointPrivateAccess": True,
            "encryptionConfig.provider.keyArn": ...,
            "encryptionConfig.resources.0": "secrets",
            "accessConfig.authenticationMode": "API",
            "enabledClusterLogTypes.4": "scheduler",
            "deletionProtection": True,
        },
    ),
    ("aws:cloudwatch/logGroup:LogGroup", "log", {"retentionInDays": ..., "kmsKeyId": ...}),
    (NODE_GROUP, "system", {"scalingConfig.minSize": 3, "amiType": "AL2023_x86_64_STANDARD"}),
    (
        "aws:ec2/launchTemplate:LaunchTemplate",
        "system-template",
        {
            "metadataOptions.httpTokens": "required",
            "metadataOptions.httpPutResponseHopLimit": 1,
            "blockDeviceMappings.0.ebs.encrypted": "true",
            "blockDeviceMappings.0.ebs.kmsKeyId": ...,
        },
    ),
    (
        NODE_GROUP,
        "gpu",
        {"scalingConfig.minSize": 0, "amiType": "AL2023_x86_64_NVIDIA", "taints.0.key": "nvidia.com/gpu"},
    ),
    (ADDON, "vpc-cni", {"configurationValues": ..., "podIdentityAssociations.0.roleArn": ...}),
    (ADDON, "eks-pod-identity-agent", {"addonVersion": ...}),
    (ADDON, "aws-ebs-csi-driver", {"podIdentityAssociations.0.roleArn": ...}),
]
"""Type, end of the name, and the inputs without which the cell of capabilities.md does not hold."""


def answers(type_: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    if type_ == "aws:eks/cluster:Cluster":
        return {"identities": [{"oidcs": [OIDC]}], "certificateAuthority": {"data": "Q0E="}}
    return {"latestVersion": 1} if type_ == "aws:ec2/launchTemplate:LaunchTemplate" else {}


def calls(region: str) -> dict[str, Any]:
    return {
        **aws_calls(region),
        "aws:ec2/getVpc:getVpc": {"id": "vpc-1", "cidrBlock": "10.20.0.0/16"},
        "aws:ec2/getPrefixList:getPrefixList": lambda asked: {"id": "pl-s3", "name": asked["name"]},
        "aws:eks/getAddonVersion:getAddonVersion": lambda asked: {"id": asked["addonName"], "version": "v1-eksbuild.1"},
        "aws:iam/getSessionContext:getSessionContext": {"id": "c", "issuerArn": "arn:aws:iam::123456789012:role/ci"},
    }


THEIRS = OwnCluster("theirs", "arn:theirs", "https://theirs.eks", OIDC["issuer"], "Q0E=", "sg-eks")


def cluster(region: str = "eu-central-1", preview: bool = False, **more: Any) -> Graph:
    def program() -> None:
        args: AwsClusterArgs = {
            "stack": "s",
            "region": region,
            "vpc": "vpc-1",
            "workloads": ["subnet-a", "subnet-b", "subnet-c"],
            "runtime_group": "sg-runtime",
            "tools_group": "sg-tools",
            "key": KEY,
            "boundary": BOUNDARY,
            "log_days": 365,
            "size": "small",
            "hosted": True,
        }
        if "own" not in more:
            args["callers"] = ["10.9.0.0/16"]
        options = pulumi.ResourceOptions(providers=[aws.Provider("aws", region=region)])
        AwsCluster("cluster", {**args, **more}, options)

    return record(program, answers=answers, calls=calls(region), preview=preview)


def with_gpu() -> Graph:
    return cluster(gpu_family="g6", gpu_families=["g5", "g6"], gpu_nodes=2)


def told(graph: Graph) -> Mapping[str, Any]:
    return graph.outputs[graph.component("loomstead:cluster:Cluster").urn]


def at(properties: Any, path: str) -> Any:
    for part in path.split("."):
        properties = properties[int(part)] if isinstance(properties, list) else properties[part]
    return properties


@pytest.mark.parametrize("preview", [False, True])
def test_parents_providers_and_names_are_as_decided(preview: bool) -> None:
    conforms(cluster(preview=preview), "loomstead:cluster:Cluster")


@pytest.mark.parametrize(("type_", "name", "claimed"), CELL_CLUSTER)
def test_the_graph_has_what_the_cell_claims(type_: str, name: str, claimed: Mapping[str, Any]) -> None:
    found = with_gpu().named(f"cluster-{name}")

    assert found.type == type_
    for path, value in claimed.items():
        assert at(found.properties, path) if value is ... else at(found.properties, path) == value, path


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_no_rule_has_anything_against_it(region: str, regime: str) -> None:
    assert reviewed(cluster(region, key=KEY.replace("eu-central-1", region)), regime, region) == []


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_every_arn_is_of_the_regions_partition(region: str, regime: str) -> None:
    partition = load_catalogue().regions[region].partition
    attached = cluster(region).of("aws:iam/rolePolicyAttachment:RolePolicyAttachment")

    assert len(attached) == 6
    assert all(each.properties["policyArn"].startswith(f"arn:{partition}:iam::aws:policy/") for each in attached)


def test_logs_have_a_group_with_key_and_end_before_eks_would_make_one() -> None:
    graph = with_gpu()
    log = graph.named("cluster-log")

    assert log.properties["name"] == "/aws/eks/s/cluster"
    assert (log.properties["kmsKeyId"], log.properties["retentionInDays"]) == (KEY, 365)
    assert log.urn in graph.named("cluster-control-plane").dependencies


def test_every_role_is_bounded_and_a_pods_is_for_its_service_account_alone() -> None:
    graph = cluster()
    trust = json.loads(graph.named("cluster-vpc-cni-role").properties["assumeRolePolicy"])["Statement"][0]

    assert {each.properties["permissionsBoundary"] for each in graph.of(ROLE)} == {BOUNDARY}
    assert trust["Condition"]["StringEquals"] == {
        "aws:RequestTag/eks-cluster-arn": graph.named("cluster-control-plane").state["arn"],
        "aws:RequestTag/kubernetes-namespace": "kube-system",
        "aws:RequestTag/kubernetes-service-account": "aws-node",
    }


def test_no_policy_allows_many_actions_on_everything() -> None:
    assert [name for name, policy in policies_of(with_gpu()) if wildcard_pairs(policy)] == []


@pytest.mark.parametrize(
    ("role", "request_", "decided"),
    [
        ("role-key", Request("kms:Encrypt", KEY), True),
        ("role-key", Request("kms:Encrypt", KEY.replace("1234abcd", "ffffffff")), False),
        ("role-key", Request("kms:CreateGrant", KEY), False),
        (
            "aws-ebs-csi-driver-role-policy",
            Request("kms:CreateGrant", KEY, {"kms:GrantIsForAWSResource": "true"}),
            True,
        ),
        ("aws-ebs-csi-driver-role-policy", Request("kms:CreateGrant", KEY), False),
        ("aws-ebs-csi-driver-role-policy", Request("kms:Encrypt", KEY), False),
    ],
)
def test_each_role_uses_the_stacks_key_for_its_part_alone(role: str, request_: Request, decided: bool) -> None:
    own = json.loads(cluster().named(f"cluster-{role}").properties["policy"])

    assert allowed(request_, identity=[own]) is decided


def test_pods_get_interfaces_of_their_own_and_their_groups_hold_beyond_the_node() -> None:
    settings = json.loads(cluster().named("cluster-vpc-cni").properties["configurationValues"])

    assert settings == {
        "enableNetworkPolicy": "true",
        "env": {
            "ENABLE_POD_ENI": "true",
            "POD_SECURITY_GROUP_ENFORCING_MODE": "standard",
            "AWS_VPC_K8S_CNI_EXTERNALSNAT": "true",
        },
    }


def test_nodes_start_with_the_network_and_come_before_what_runs_on_them() -> None:
    graph = with_gpu()
    started = {graph.named(f"cluster-{addon}").urn for addon in ("vpc-cni", "kube-proxy", "eks-pod-identity-agent")}
    nodes = {graph.named(f"cluster-{role}").urn for role in ("system", "gpu")}

    assert all(started <= graph.named(f"cluster-{role}").dependencies for role in ("system", "gpu"))
    assert all(nodes <= graph.named(f"cluster-{addon}").dependencies for addon in ("coredns", "aws-ebs-csi-driver"))


def reaches(graph: Graph) -> set[tuple[str, str]]:
    """Pairs of groups' ids that some rule of each side lets through."""
    out = {(e.properties["securityGroupId"], e.properties.get("referencedSecurityGroupId")) for e in graph.of(EGRESS)}
    in_ = {(e.properties.get("referencedSecurityGroupId"), e.properties["securityGroupId"]) for e in graph.of(INGRESS)}
    return {(source, target) for source, target in out & in_ if source and target}


def test_a_pod_of_the_tools_reaches_the_runtime_and_names_and_no_node_but_for_names() -> None:
    graph = cluster()
    nodes, pods = f"cluster-{NODES}-id", f"cluster-{PODS}-id"
    carried = told(graph)["pod_groups"][Part.TOOLS]
    ports = {each.properties["fromPort"] for each in graph.of(EGRESS) if each.properties["securityGroupId"] == pods}

    assert carried == [pods, "sg-tools"]
    assert {target for source, target in reaches(graph) if source in carried} == {
        nodes,
        "sg-runtime",
        "cluster-observability-id",
    }
    assert ports == {53}


def test_nodes_reach_what_they_join_by_and_no_part() -> None:
    """Of KEDA its operator. A kubelet asks the pods of its own node, where no group is asked."""
    graph = cluster()
    nodes = f"cluster-{NODES}-id"
    out = [each.properties for each in graph.of(EGRESS) if each.properties["securityGroupId"] == nodes]

    assert {target for source, target in reaches(graph) if source == nodes} == {
        nodes,
        f"cluster-{CONTROL}-id",
        "cluster-scaler-id",
    }
    assert [each["cidrIpv4"] for each in out if "cidrIpv4" in each] == ["10.20.0.0/16"]
    assert [each["prefixListId"] for each in out if "prefixListId" in each] == ["pl-s3"]


def test_the_collector_alone_calls_hosts_outside_at_the_ports_that_it_is_told() -> None:
    out = [each.properties for each in cluster(telemetry_ports=(4317,)).of(EGRESS)]

    assert [(each["securityGroupId"], each["fromPort"]) for each in out if each.get("cidrIpv4") == "0.0.0.0/0"] == [
        ("cluster-observability-id", 4317)
    ]
    assert [each for each in cluster().of(EGRESS) if each.properties.get("cidrIpv4") == "0.0.0.0/0"] == []


def test_the_api_server_asks_metrics_of_nodes_and_the_add_on_that_has_them_is_there() -> None:
    graph = cluster()
    control = f"cluster-{CONTROL}-id"
    asked = {each.properties["fromPort"] for each in graph.of(EGRESS) if each.properties["securityGroupId"] == control}

    assert asked == {443, 6443, 9443, 10250, 10251}
    assert graph.named("cluster-metrics-server").properties["addonName"] == "metrics-server"


def test_every_part_sends_its_telemetry_to_the_collector_which_hands_it_on_in_the_network() -> None:
    graph, collector = cluster(), "cluster-observability-id"
    out = [each.properties for each in graph.of(EGRESS) if each.properties["securityGroupId"] == collector]

    assert {source for source, target in reaches(graph) if target == collector} == {
        "sg-runtime",
        "sg-tools",
        "cluster-orchestrator-id",
        "cluster-models-id",
    }
    assert [(each["fromPort"], each["cidrIpv4"]) for each in out] == [(443, "10.20.0.0/16")]


def test_kedas_operator_asks_the_runtime_and_the_api_server_and_tells_its_metrics_server() -> None:
    graph, operator = cluster(), "cluster-scaler-id"

    assert told(graph)["pod_groups"]["scaler"] == ["cluster-pods-id", operator]
    assert {target for source, target in reaches(graph) if source == operator} == {
        "sg-runtime",
        f"cluster-{CONTROL}-id",
    }
    assert {source for source, target in reaches(graph) if target == operator} == {f"cluster-{NODES}-id"}


@pytest.mark.parametrize("own", [{}, {"own": THEIRS}])
def test_without_a_model_nobody_scales_and_the_runtime_lets_no_autoscaler_in(own: Mapping[str, Any]) -> None:
    graph = cluster(hosted=False, **own)

    assert "scaler" not in told(graph)["pod_groups"]
    assert ("sg-eks", "sg-runtime") not in reaches(graph)
    assert [each.name for each in graph.resources if "scaler" in each.name] == []


def test_temporals_pods_carry_their_own_group_which_the_primary_lets_in_where_it_is_named() -> None:
    graph, own = cluster(primary_group="sg-primary"), "cluster-orchestrator-id"
    (way,) = [each for each in graph.of(INGRESS) if each.properties["securityGroupId"] == "sg-primary"]

    assert told(graph)["pod_groups"][Part.ORCHESTRATOR] == ["cluster-pods-id", own]
    assert (way.properties["referencedSecurityGroupId"], way.properties["fromPort"]) == (own, 5432)
    assert (own, "sg-primary") in reaches(graph)
    assert [each for each in cluster().of(EGRESS) if each.properties["fromPort"] == 5432] == []


def test_the_api_is_reached_by_callers_named_and_by_what_has_to() -> None:
    graph = cluster()
    control = f"cluster-{CONTROL}-id"
    by_block = [
        each.properties["cidrIpv4"]
        for each in graph.of(INGRESS)
        if each.properties["securityGroupId"] == control and "cidrIpv4" in each.properties
    ]

    assert by_block == ["10.9.0.0/16"]
    assert {source for source, target in reaches(graph) if target == control} == {
        f"cluster-{NODES}-id",
        "cluster-scaler-id",
        "sg-runtime",
    }


def test_whoever_made_it_administers_it_and_keeps_that_when_others_come() -> None:
    made, named = (
        graph.named("cluster-deployer") for graph in (cluster(), cluster(deployer="arn:aws:iam::1:role/ops"))
    )

    assert made.properties["principalArn"] == "arn:aws:iam::123456789012:role/ci"
    assert made.ignore_changes == {"principalArn"}
    assert named.properties["principalArn"] == "arn:aws:iam::1:role/ops"
    assert not named.ignore_changes


def test_the_kubeconfig_asks_for_tokens_and_waits_until_pods_can_run() -> None:
    graph = cluster()
    config = json.loads(told(graph)["kubeconfig"])

    assert config["users"][0]["user"]["exec"]["args"][:5] == ["eks", "get-token", "--cluster-name", "s", "--region"]
    assert config["clusters"][0]["cluster"]["certificate-authority-data"] == "Q0E="
    assert "token" not in config["users"][0]["user"]


def test_what_reads_the_kubeconfig_goes_before_nodes_addons_and_access() -> None:
    def program() -> None:
        options = pulumi.ResourceOptions(providers=[aws.Provider("aws", region="eu-central-1")])
        made = AwsCluster("cluster", {**_ARGS}, options)
        provider = aws.Provider("inside", region="eu-central-1")
        aws.ssm.Parameter("reads", type="String", value=made.kubeconfig, opts=pulumi.ResourceOptions(provider=provider))

    graph = record(program, answers=answers, calls=calls("eu-central-1"))
    needed = {
        graph.named(f"cluster-{each}").urn
        for each in ("system", "coredns", "vpc-cni", "aws-ebs-csi-driver", "deployer-policy")
    }

    assert needed <= graph.named("reads").dependencies


_ARGS: AwsClusterArgs = {
    "stack": "s",
    "region": "eu-central-1",
    "vpc": "vpc-1",
    "workloads": ["subnet-a", "subnet-b"],
    "runtime_group": "sg-runtime",
    "tools_group": "sg-tools",
    "key": KEY,
    "boundary": BOUNDARY,
    "log_days": 365,
    "size": "small",
    "hosted": False,
    "callers": [],
}


def test_gpu_nodes_are_none_at_first_and_nothing_else_is_put_there() -> None:
    nodes = with_gpu().named("cluster-gpu")

    assert nodes.properties["instanceTypes"] == ["g6.xlarge"]
    assert nodes.properties["scalingConfig"] == {"desiredSize": 0, "minSize": 0, "maxSize": 2}
    assert nodes.properties["taints"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}]
    assert nodes.properties["labels"] == {"loomstead/gpu": "g6"}
    assert nodes.ignore_changes == {"scalingConfig.desiredSize"}


@pytest.mark.parametrize("size", SIZES)
def test_a_size_settles_the_nodes_and_can_be_overruled(size: str) -> None:
    nodes = cluster(size=size).named("cluster-system").properties
    named = cluster(size=size, machine="m7i.xlarge", nodes=30).named("cluster-system").properties

    assert (nodes["instanceTypes"], nodes["scalingConfig"]["minSize"]) == ([SIZES[size].machine], SIZES[size].number)
    assert (named["instanceTypes"], named["scalingConfig"]["maxSize"]) == (["m7i.xlarge"], 30)


def test_the_table_of_gpus_has_every_family_of_the_catalogue() -> None:
    assert set(GPUS) == {name for name, gpu in load_catalogue().gpus.items() if gpu.platform == "aws"}


def test_more_accelerators_take_the_next_machine_of_the_family() -> None:
    assert gpu_machine("eu-central-1", "g6", None, 4, ["g6"]) == "g6.12xlarge"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"size": "huge"}, "expected one of small, medium, large"),
        ({"machine": "t3.large"}, "T machines give pods no interfaces"),
        (
            {"gpu_family": "p5", "gpu_families": ["g5", "g6"]},
            r"not known to be there \(eu-central-1\); take one of g5, g6",
        ),
        ({"gpu_family": "rtx", "gpu_families": []}, "no family of GPUs on AWS.*take another region"),
        ({"gpu_family": "g6", "gpu_families": ["g6"], "gpu_machine": "g5.xlarge"}, "expected a machine of g6"),
        ({"gpu_family": "g6", "gpu_families": ["g6"], "gpu_per_node": 16}, "it has none; the most is 8"),
        ({"own": OwnCluster(*[""] * 6), "version": "1.35"}, "leave out version"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is(asked: Mapping[str, Any], said: str) -> None:
    with pytest.raises(AwsClusterError, match=said):
        cluster(**asked)


def test_an_own_cluster_gets_groups_for_the_pods_and_nothing_else() -> None:
    graph = cluster(own=THEIRS)
    kinds = {each.type for each in graph.resources if each.custom} - {"pulumi:providers:aws"}

    assert kinds == {"aws:ec2/securityGroup:SecurityGroup", EGRESS, INGRESS}
    assert told(graph)["name"] == "theirs"
    assert json.loads(told(graph)["kubeconfig"])["clusters"][0]["cluster"]["server"] == "https://theirs.eks"
    assert told(graph)["nodes_group"] == "sg-eks"
    assert ("sg-eks", "sg-eks") not in reaches(graph)
    assert set(told(graph)["pod_groups"]) >= {Part.RUNTIME, Part.TOOLS, Part.ORCHESTRATOR, Part.MODELS}
