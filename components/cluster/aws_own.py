"""An EKS cluster that is there: asked what it is before anything of the fabric is made, and refused unless AWS says
that it keeps the fabric's parts apart as one made here does. What nobody tells is refused too.

Asked are EKS (aws.eks.getCluster, getAddon) and, for the key of its Secrets, which getCluster leaves out, Cloud Control
(AWS::EKS::Cluster, ``EncryptionConfig``). docs/runbooks/prepare-eks.md has what no question to AWS shows.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pulumi
import pulumi_aws as aws
import yaml

from components.cluster.aws_plan import NETWORK, AwsClusterError

OLDEST = 30
"""Of Kubernetes 1: ValidatingAdmissionPolicies, which hold the fabric's pods, are there from then on."""
AGENT = "eks-pod-identity-agent"
REMEDY = "docs/runbooks/prepare-eks.md"
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class OwnCluster:
    """``issuer``: of its service accounts' tokens. ``authority``: base64 of its API's. ``group``: the security group
    that EKS made for it, of its API and its nodes."""

    name: str
    arn: str
    endpoint: str
    issuer: str
    authority: str
    group: str


def look_up(name: str, vpc: str, region: str, opts: pulumi.InvokeOptions) -> OwnCluster:
    """``vpc``: id of the network that it has to be in. Raises ``AwsClusterError`` with a line for each thing it lacks.

    Waits for AWS, so whatever the program makes comes after its answer, in a preview too.
    """
    found = _told(name, "it", lambda: aws.eks.get_cluster(name=name, opts=opts))
    faults = [*_of_the_cluster(found, vpc), *_of_the_key(name, region, opts), *_of_the_addons(name, opts)]
    if faults:
        raise AwsClusterError("\n".join(f"cluster.own {name}: {fault} ({REMEDY})" for fault in faults))
    return OwnCluster(
        name=name,
        arn=found.arn,
        endpoint=found.endpoint,
        issuer=found.identities[0].oidcs[0].issuer,
        authority=found.certificate_authorities[0].data,
        group=found.vpc_config.cluster_security_group_id,
    )


def _told(name: str, what: str, ask: Callable[[], Answer]) -> Answer:
    try:
        return ask()
    except Exception as error:  # Pulumi's invoke raises no narrower one
        raise AwsClusterError(f"cluster.own {name}: AWS does not tell of {what} ({REMEDY}): {error}") from error


def _of_the_cluster(found: aws.eks.GetClusterResult, vpc: str) -> Iterator[str]:
    network = found.vpc_config
    if found.status != "ACTIVE":
        yield f"it is {found.status}, not ACTIVE: wait until it is"
    if network.endpoint_public_access is not False:
        yield "the internet reaches its API: switch its public endpoint off"
    if network.endpoint_private_access is not True:
        yield "the network does not reach its API: switch its private endpoint on"
    if network.vpc_id != vpc:
        yield f"it is in {network.vpc_id}: name in network.own the VPC that it is in, not {vpc}"
    if not _new_enough(found.version):
        yield f"Kubernetes {found.version}: raise it to 1.{OLDEST} or newer"
    if not (found.identities and found.identities[0].oidcs):
        yield "EKS names no issuer of its service accounts' tokens: take a cluster that has one"
    yield from _elsewhere(found)


def _new_enough(version: str) -> bool:
    told = re.fullmatch(r"1\.(\d+)", version or "")
    return told is not None and int(told[1]) >= OLDEST


def _elsewhere(found: aws.eks.GetClusterResult) -> Iterator[str]:
    """Nodes whose pods get no groups of their part (EKS, security groups for pods), or that are not in the region."""
    if any(each.enabled for each in found.compute_configs or ()):
        yield "Auto Mode gives pods no security groups of their own: switch it off"
    if any(each.remote_node_networks for each in found.remote_network_configs or ()):
        yield "hybrid nodes are outside the network and the region: take a cluster without them"
    if found.outpost_configs:
        yield "it is on an Outpost, of which nobody tells where it stands: take one in the region"
    if [each.ip_family for each in found.kubernetes_network_configs or ()] != ["ipv4"]:
        yield "its pods' addresses are not IPv4, which the fabric's rules are of: take a cluster of ipv4"


def _of_the_key(name: str, region: str, opts: pulumi.InvokeOptions) -> Iterator[str]:
    """Without a key of the owner's, EKS encrypts by one of its own, which nobody can take away."""
    resource = _told(
        name,
        "its key (Cloud Control, cloudformation:GetResource)",
        lambda: aws.cloudcontrol.get_resource(type_name="AWS::EKS::Cluster", identifier=name, opts=opts),
    )
    configured = json.loads(resource.properties or "{}").get("EncryptionConfig") or []
    keys = [each["Provider"]["KeyArn"] for each in configured if "secrets" in each.get("Resources", ())]
    if not keys:
        yield "its Secrets are encrypted by no key of its owner's: give it one (aws eks associate-encryption-config)"
    elif not re.match(rf"arn:[a-z-]+:kms:{re.escape(region)}:\d{{12}}:", keys[0]):
        yield f"its Secrets are encrypted by {keys[0]}: expected a key of KMS in {region}, by its ARN"


def _of_the_addons(name: str, opts: pulumi.InvokeOptions) -> Iterator[str]:
    """Whether they are well neither getAddon tells nor Cloud Control: AWS::EKS::Addon has no status
    (aws-cloudformation/cfn-lint at 00501ed, data/schemas/providers/us_east_1/aws-eks-addon.json)."""

    def addon(called: str) -> aws.eks.GetAddonResult:
        return _told(name, f"its add-on {called}", lambda: aws.eks.get_addon(called, name, opts=opts))

    addon(AGENT)
    yield from unlike(addon("vpc-cni").configuration_values)


def unlike(values: str) -> Iterator[str]:
    """What the settings of EKS's add-on ``vpc-cni`` (JSON or YAML) lack of those that a cluster made here has."""
    try:
        told = yaml.safe_load(values or "{}")
    except yaml.YAMLError:
        told = None
    if not isinstance(told, Mapping):
        yield "the settings of its add-on vpc-cni cannot be read: set them in EKS, as JSON"
        return
    for place, wanted in _leaves(NETWORK):
        if (got := _at(told, place)) != wanted:
            yield f"its add-on vpc-cni has {'.'.join(place)} {got or 'unset'}: set it to {wanted}, in EKS"
    if _at(told, ("nodeAgent", "enabled")) == "false":
        yield "its add-on vpc-cni has nodeAgent.enabled false, so nobody holds NetworkPolicies: leave it out"


def _leaves(settings: Mapping[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*place, key))
        else:
            yield (*place, key), value


def _at(settings: object, place: tuple[str, ...]) -> str | None:
    """As text: EKS takes true for "true"."""
    for key in place:
        settings = settings.get(key) if isinstance(settings, Mapping) else None
    return None if settings is None else str(settings).lower() if isinstance(settings, bool) else str(settings)
