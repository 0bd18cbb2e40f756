"""An own EKS cluster: what AWS says of it is taken only where parts are kept apart in it."""

import json
from collections.abc import Mapping
from typing import Any

import grpc
import pulumi
import pulumi_aws as aws
import pytest

from components.cluster.aws_own import OwnCluster, look_up, unlike
from components.cluster.aws_plan import NETWORK, AwsClusterError
from scripts.rehearsal.answers import Place, own_cluster
from tests.fixtures.recording import record

REGION, VPC = "eu-central-1", "vpc-1"
CLUSTER, KEY, ADDON = (
    "aws:eks/getCluster:getCluster",
    "aws:cloudcontrol/getResource:getResource",
    "aws:eks/getAddon:getAddon",
)
GOOD = own_cluster("theirs", VPC, Place(REGION, "111122223333"))
CNI = "its add-on vpc-cni has"


def looked_up(calls: Mapping[str, Any] = GOOD, preview: bool = False) -> OwnCluster:
    """By a program that would make a bucket afterwards."""
    seen: list[OwnCluster | AwsClusterError] = []

    def program() -> None:
        provider = aws.Provider("aws", region=REGION)
        try:
            seen.append(look_up("theirs", VPC, REGION, pulumi.InvokeOptions(provider=provider)))
        except AwsClusterError as refused:
            seen.append(refused)

    record(program, calls=calls, preview=preview)
    (answer,) = seen
    if isinstance(answer, AwsClusterError):
        raise answer
    return answer


def with_cluster(**changed: Any) -> dict[str, Any]:
    return {**GOOD, CLUSTER: {**GOOD[CLUSTER], **changed}}


def with_network(**changed: Any) -> dict[str, Any]:
    return with_cluster(vpcConfig={**GOOD[CLUSTER]["vpcConfig"], **changed})


def with_key(*configured: dict[str, Any]) -> dict[str, Any]:
    return {**GOOD, KEY: {**GOOD[KEY], "properties": json.dumps({"EncryptionConfig": [*configured]})}}


def secrets_under(arn: str) -> dict[str, Any]:
    return {"Provider": {"KeyArn": arn}, "Resources": ["secrets"]}


def with_settings(settings: object) -> dict[str, Any]:
    text = settings if isinstance(settings, str) else json.dumps(settings)
    return {**GOOD, ADDON: {**GOOD[ADDON], "configurationValues": text}}


def env(**changed: str | None) -> dict[str, Any]:
    told: Any = NETWORK["env"]
    return {**NETWORK, "env": {key: value for key, value in {**told, **changed}.items() if value is not None}}


class NotThere(grpc.RpcError):
    """As the engine hands on what AWS's provider says."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return "couldn't find resource"


def not_there(_: Mapping[str, Any]) -> Mapping[str, Any]:
    raise NotThere


def without(addon: str) -> dict[str, Any]:
    """What EKS says of a cluster that lacks an add-on."""

    def answer(asked: Mapping[str, Any]) -> Mapping[str, Any]:
        return not_there(asked) if asked["addonName"] == addon else GOOD[ADDON]

    return {**GOOD, ADDON: answer}


REMOTE = {"remoteNodeNetworks": [{"cidrs": ["10.80.0.0/16"]}], "remotePodNetworks": []}
OUTPOST: dict[str, Any] = {
    "controlPlaneInstanceType": "m5.large",
    "controlPlanePlacements": [],
    "etcdInstanceType": "",
    "etcdPlacements": [],
    "outpostArns": [],
}
V6 = {**GOOD[CLUSTER]["kubernetesNetworkConfigs"][0], "ipFamily": "ipv6"}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "being made": (with_cluster(status="CREATING"), "it is CREATING, not ACTIVE"),
    "nothing told": (with_cluster(status=None), "not ACTIVE"),
    "public": (with_network(endpointPublicAccess=True), "the internet reaches its API: switch"),
    "not private": (with_network(endpointPrivateAccess=False), "switch its private endpoint on"),
    "elsewhere": (with_network(vpcId="vpc-2"), "it is in vpc-2: name in network.own the VPC that it is in, not vpc-1"),
    "old": (with_cluster(version="1.29"), r"Kubernetes 1\.29: raise it to 1\.30"),
    "no version": (with_cluster(version=None), "Kubernetes None: raise"),
    "no issuer": (with_cluster(identities=[]), "names no issuer"),
    "Auto Mode": (
        with_cluster(computeConfigs=[{"enabled": True, "nodePools": [], "nodeRoleArn": ""}]),
        "Auto Mode gives pods no security groups",
    ),
    "hybrid nodes": (with_cluster(remoteNetworkConfigs=[REMOTE]), "hybrid nodes are outside"),
    "Outpost": (with_cluster(outpostConfigs=[OUTPOST]), "on an Outpost"),
    "IPv6": (with_cluster(kubernetesNetworkConfigs=[V6]), "take a cluster of ipv4"),
    "no family": (with_cluster(kubernetesNetworkConfigs=[]), "take a cluster of ipv4"),
    "no key": (with_key(), "encrypted by no key of its owner's: give it one"),
    "nothing told of keys": ({**GOOD, KEY: {**GOOD[KEY], "properties": ""}}, "encrypted by no key"),
    "a key of something else": (
        with_key({"Provider": {"KeyArn": "arn:aws:kms:eu-central-1:111122223333:key/1"}, "Resources": []}),
        "encrypted by no key",
    ),
    "a key elsewhere": (
        with_key(secrets_under("arn:aws:kms:us-east-1:111122223333:key/1")),
        "by arn:aws:kms:us-east-1:111122223333:key/1: expected a key of KMS in eu-central-1",
    ),
    "a key by another name": (with_key(secrets_under("alias/theirs")), "alias/theirs: expected a key of KMS"),
    "no settings": (with_settings(""), f"{CNI} enableNetworkPolicy unset: set it to true"),
    "settings of another kind": (with_settings([]), "cannot be read"),
    "settings that are none": (with_settings("{"), "cannot be read"),
    "NetworkPolicies held by nobody": (
        with_settings({**NETWORK, "enableNetworkPolicy": "false"}),
        f"{CNI} enableNetworkPolicy false: set it to true",
    ),
    "their agent off": (with_settings({**NETWORK, "nodeAgent": {"enabled": False}}), "nodeAgent.enabled false"),
    "no groups for pods": (with_settings(env(ENABLE_POD_ENI=None)), rf"{CNI} env\.ENABLE_POD_ENI unset"),
    "no groups for pods, said": (with_settings(env(ENABLE_POD_ENI="false")), rf"{CNI} env\.ENABLE_POD_ENI false"),
    "strict groups": (
        with_settings(env(POD_SECURITY_GROUP_ENFORCING_MODE="strict")),
        "POD_SECURITY_GROUP_ENFORCING_MODE strict: set it to standard",
    ),
    "past the groups": (with_settings(env(AWS_VPC_K8S_CNI_EXTERNALSNAT=None)), "EXTERNALSNAT unset: set it to true"),
    "another plugin": (without("vpc-cni"), "AWS does not tell of its add-on vpc-cni .*couldn't find resource"),
    "no agent of Pod Identity": (without("eks-pod-identity-agent"), "its add-on eks-pod-identity-agent"),
    "no Cloud Control": ({**GOOD, KEY: not_there}, "AWS does not tell of its key"),
    "no cluster": ({**GOOD, CLUSTER: not_there}, "AWS does not tell of it"),
}


@pytest.mark.parametrize("preview", [False, True])
def test_one_that_has_all_is_taken_as_aws_tells_of_it(preview: bool) -> None:
    found, told = looked_up(preview=preview), GOOD[CLUSTER]

    assert (found.arn, found.endpoint) == (told["arn"], told["endpoint"])
    assert found.issuer == told["identities"][0]["oidcs"][0]["issuer"]
    assert found.authority == told["certificateAuthorities"][0]["data"]
    assert found.group == told["vpcConfig"]["clusterSecurityGroupId"]


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize(("told", "said"), WRONG.values(), ids=WRONG)
def test_one_that_lacks_something_is_refused_with_what_to_do(told: dict[str, Any], said: str, preview: bool) -> None:
    with pytest.raises(AwsClusterError, match=said) as refused:
        looked_up(told, preview)

    assert str(refused.value).startswith("cluster.own theirs: ")
    assert "docs/runbooks/prepare-eks.md" in str(refused.value)


def test_all_that_it_lacks_is_said_at_once() -> None:
    told = {**with_network(endpointPublicAccess=True, vpcId="vpc-2"), ADDON: with_settings("{}")[ADDON]}

    with pytest.raises(AwsClusterError) as refused:
        looked_up(told)
    assert len(str(refused.value).splitlines()) == 6


def test_settings_are_read_as_eks_takes_them() -> None:
    """YAML as well as JSON, and true for "true"."""
    yaml = """
enableNetworkPolicy: true
env: {ENABLE_POD_ENI: "true", POD_SECURITY_GROUP_ENFORCING_MODE: standard, AWS_VPC_K8S_CNI_EXTERNALSNAT: true}
"""
    assert [*unlike(yaml)] == []
