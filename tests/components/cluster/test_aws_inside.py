"""What a cluster on AWS has inside: pods' groups, volumes, and operators that may do their part and nothing else."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
import pytest

from components.cluster.aws_inside import AwsInside, AwsInsideArgs
from components.kubernetes.charts import CHARTS
from components.kubernetes.parts import Part
from scripts.rehearsal.answers import ACCOUNT
from tests.fixtures.iam import Request, allowed, policies_of, wildcard_pairs
from tests.fixtures.recording import Graph, aws_calls, conforms, record

REGION, HOME = "eu-central-1", f"eu-central-1:{ACCOUNT}"
RELEASE, POLICY = "kubernetes:helm.sh/v3:Release", "kubernetes:vpcresources.k8s.aws/v1beta1:SecurityGroupPolicy"
REGISTRY = f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com"


def inside(operators: bool = True, preview: bool = False) -> Graph:
    def program() -> None:
        cloud = aws.Provider("aws", region=REGION)
        cluster = kubernetes.Provider("kubernetes", kubeconfig="{}", context="s")
        args: AwsInsideArgs = {
            "stack": "s",
            "region": REGION,
            "account": ACCOUNT,
            "partition": "aws",
            "vpc": "vpc-1",
            "cluster": "s",
            "cluster_arn": f"arn:aws:eks:{HOME}:cluster/s",
            "pod_groups": {
                Part.RUNTIME: ["sg-pods", "sg-runtime"],
                Part.TOOLS: ["sg-pods", "sg-tools"],
                "scaler": ["sg-pods", "sg-scaler"],
            },
            "namespaces": {Part.RUNTIME: "s-runtime", Part.TOOLS: "s-tools"},
            "registry": REGISTRY,
            "key": f"arn:aws:kms:{HOME}:key/1234abcd",
            "boundary": f"arn:aws:iam::{ACCOUNT}:policy/s-boundary",
            "operators": operators,
            "scaler": "keda",
        }
        AwsInside("inside", args, pulumi.ResourceOptions(providers=[cloud, cluster]))

    return record(program, calls=aws_calls(REGION), preview=preview)


@pytest.mark.parametrize("preview", [False, True])
def test_parents_providers_and_names_are_as_decided(preview: bool) -> None:
    conforms(inside(preview=preview), "loomstead:cluster:Inside")


def test_the_pods_of_each_part_get_its_groups() -> None:
    found = {each.properties["metadata"]["namespace"]: each.properties["spec"] for each in inside().of(POLICY)}

    assert found == {
        "s-runtime": {
            "podSelector": {"matchLabels": {"loomstead/part": "runtime"}},
            "securityGroups": {"groupIds": ["sg-pods", "sg-runtime"]},
        },
        "s-tools": {
            "podSelector": {"matchLabels": {"loomstead/part": "tools"}},
            "securityGroups": {"groupIds": ["sg-pods", "sg-tools"]},
        },
        "keda": {
            "podSelector": {"matchLabels": {"app": "keda-operator"}},
            "securityGroups": {"groupIds": ["sg-pods", "sg-scaler"]},
        },
    }


def test_volumes_are_encrypted_by_the_stacks_key_and_outlive_their_claims() -> None:
    storage = inside().named("inside-storage").properties

    assert storage["parameters"] == {"type": "gp3", "encrypted": "true", "kmsKeyId": f"arn:aws:kms:{HOME}:key/1234abcd"}
    assert (storage["reclaimPolicy"], storage["volumeBindingMode"]) == ("Retain", "WaitForFirstConsumer")


def test_operators_are_of_one_version_and_their_images_of_the_stacks_registry() -> None:
    releases = inside().of(RELEASE)

    assert {each.properties["chart"]: each.properties["version"] for each in releases} == {
        name: CHARTS[name].version for name in ("aws-load-balancer-controller", "cluster-autoscaler")
    }
    assert all(each.properties["values"]["image"]["repository"].startswith(f"{REGISTRY}/") for each in releases)


def test_the_balancers_controller_makes_nothing_of_its_own() -> None:
    values = inside().named("inside-aws-load-balancer-controller").properties["values"]

    assert (values["region"], values["vpcId"]) == (REGION, "vpc-1")  # it cannot ask its node
    for switched in ("createIngressClassResource", "enableServiceMutatorWebhook", "enableBackendSecurityGroup"):
        assert values[switched] is False


def test_an_own_clusters_operators_are_its_owners() -> None:
    assert inside(operators=False).of(RELEASE) == []


def test_no_policy_allows_many_actions_on_everything() -> None:
    assert [name for name, policy in policies_of(inside()) if wildcard_pairs(policy)] == []


GROUP = f"arn:aws:autoscaling:{HOME}:autoScalingGroup:u:autoScalingGroupName/eks-gpu-1"
TARGETS = f"arn:aws:elasticloadbalancing:{HOME}:targetgroup/s/abc"
OURS, THEIRS = ({"aws:ResourceTag/eks:cluster-name": name} for name in ("s", "t"))


@pytest.mark.parametrize(
    ("role", "request_", "decided"),
    [
        ("cluster-autoscaler", Request("autoscaling:SetDesiredCapacity", GROUP, OURS), True),
        ("cluster-autoscaler", Request("autoscaling:SetDesiredCapacity", GROUP, THEIRS), False),
        ("cluster-autoscaler", Request("autoscaling:DeleteAutoScalingGroup", GROUP, OURS), False),
        ("cluster-autoscaler", Request("eks:DescribeNodegroup", f"arn:aws:eks:{HOME}:nodegroup/s/gpu/1"), True),
        ("cluster-autoscaler", Request("eks:DescribeNodegroup", f"arn:aws:eks:{HOME}:nodegroup/t/gpu/1"), False),
        ("aws-load-balancer-controller", Request("elasticloadbalancing:RegisterTargets", TARGETS), True),
        (
            "aws-load-balancer-controller",
            Request("elasticloadbalancing:RegisterTargets", TARGETS.replace("/s/", "/t/")),
            False,
        ),
        ("aws-load-balancer-controller", Request("elasticloadbalancing:DeleteTargetGroup", TARGETS), False),
        ("aws-load-balancer-controller", Request("ec2:AuthorizeSecurityGroupIngress"), False),
    ],
)
def test_operators_do_their_part_and_nothing_beside_it(role: str, request_: Request, decided: bool) -> None:
    own: dict[str, Any] = json.loads(inside().named(f"inside-{role}-role-policy").properties["policy"])

    assert allowed(request_, identity=[own]) is decided
