"""What a fabric takes of its account: quotas, names that a cloud keeps after they were deleted, permissions."""

import re
from collections.abc import Iterator, Mapping

from components.cluster.aws_plan import GPUS, gpu_machine, system_nodes
from components.infrastructure import Engine
from components.kubernetes.parts import Part
from components.naming import gcp_issuer
from components.spec import Extent, FabricSpec, Platform
from regions.catalogue import Catalogue

_SECRETS = ("issuer", "ledger", "subjects", "webhook")
GCP_SERVICES = (
    *("aiplatform", "cloudkms", "cloudresourcemanager", "compute", "dns", "iam", "iamcredentials", "logging"),
    *("monitoring", "networkconnectivity", "orgpolicy", "secretmanager", "servicenetworking", "sqladmin", "sts"),
)
"""That have to be on in the project (stacks/Pulumi.gcp-europe-west3.yaml)."""
_ACTIONS = {
    Platform.GCP: (
        *("compute.networks.create", "cloudkms.keyRings.create", "secretmanager.secrets.create"),
        *("cloudsql.instances.create", "iam.serviceAccounts.create", "logging.buckets.create"),
    ),
    Platform.KUBERNETES: (
        *("create namespaces", "create networkpolicies.networking.k8s.io", "create deployments.apps"),
        *("create roles.rbac.authorization.k8s.io", "create clusters.postgresql.cnpg.io"),
        *("create validatingadmissionpolicies.admissionregistration.k8s.io",),
    ),
}
_AWS = (
    *("ec2:CreateSecurityGroup", "ec2:CreateVpcEndpoint", "kms:CreateKey", "kms:Sign", "secretsmanager:CreateSecret"),
    *("rds:CreateDBInstance", "rds:CreateDBInstanceReadReplica", "iam:CreateRole", "iam:PutRolePolicy"),
    *("iam:CreateOpenIDConnectProvider", "s3:CreateBucket", "logs:CreateLogGroup", "backup:CreateBackupVault"),
)
_AWS_NETWORK = (
    *("ec2:CreateVpc", "network-firewall:CreateFirewall", "route53resolver:CreateFirewallRuleGroup"),
    "route53resolver:CreateResolverQueryLogConfig",
)
_AWS_FABRIC = (
    *("elasticache:CreateReplicationGroup", "wafv2:CreateWebACL", "elasticloadbalancing:CreateLoadBalancer"),
)
_EKS = ("eks:CreateCluster", "eks:CreateNodegroup")
_OWN_EKS = ("eks:DescribeCluster", "eks:DescribeAddon", "cloudformation:GetResource")
"""By which ``components/cluster/aws_own.py`` asks of a cluster that is there."""


def actions(spec: FabricSpec) -> tuple[str, ...]:
    """The first one of each service that a fabric is made with: who lacks one learns it here, and not half-way."""
    return tuple(_aws(spec)) if spec.platform is Platform.AWS else _ACTIONS.get(spec.platform, ())


def _aws(spec: FabricSpec) -> Iterator[str]:
    yield from _AWS
    if spec.network.own is None:
        yield from _AWS_NETWORK
    if spec.extent is Extent.FOUNDATION:
        return
    yield from _AWS_FABRIC
    yield from _OWN_EKS if spec.cluster.own else _EKS
    steps = spec.orchestrator.engine is not Engine.TEMPORAL
    if steps:
        yield "states:CreateStateMachine"
    if steps or spec.triggers.mail:
        yield "sqs:CreateQueue"


def names(spec: FabricSpec, stack: str) -> tuple[str, ...]:
    """Secrets of AWS: 30 days after they were deleted nobody can make others of their names."""
    if spec.platform is not Platform.AWS:
        return ()
    return tuple(f"loomstead/{stack}/{secret}" for secret in _SECRETS)


def constraints(spec: FabricSpec, stack: str) -> Mapping[str, tuple[str, ...]]:
    """Of an organisation on Google Cloud → values that the stack needs.

    Where resources may lie the project says itself, but not before its first resources are made.
    """
    if spec.platform is not Platform.GCP:
        return {}
    return {
        "gcp.resourceLocations": (spec.region,),
        "gcp.restrictServiceUsage": tuple(f"{service}.googleapis.com" for service in GCP_SERVICES),
        **({"iam.workloadIdentityPoolProviders": (gcp_issuer(stack),)} if spec.scope_classes else {}),
    }


def brought(spec: FabricSpec, stack: str) -> Mapping[str, tuple[str, ...]]:
    """``namespace/Secret`` → keys that a person lays down in it; Pulumi never has them."""
    if spec.platform is not Platform.KUBERNETES:
        return {}
    store = {f"{stack}-{Part.PRIMARY}/backup": ("access-key-id", "secret-access-key")} if spec.backup.store else {}
    weights = {f"{stack}-{Part.MODELS}/weights": ("credentials",)} if spec.hosted else {}
    return {**store, **weights}


def quotas(spec: FabricSpec, catalogue: Catalogue) -> Mapping[str, float]:
    """By ``vcpu``, ``gpu`` (both vCPUs, as AWS counts them) and ``addresses``: what all of it takes when it has grown.

    Raises ``Refused`` for machines that cannot be had.
    """
    if spec.platform is not Platform.AWS:
        return {}
    taken = {} if spec.network.own else {"addresses": float(len(spec.network.zones) or 3)}
    if spec.extent is Extent.FOUNDATION or spec.cluster.own:
        return taken
    nodes = system_nodes(spec.size, spec.cluster.machine, spec.cluster.nodes)
    taken["vcpu"] = float(vcpus(nodes.machine) * nodes.most)
    if gpu := spec.cluster.gpu:
        offered = {name for name, family in catalogue.gpus.items() if spec.region in family.regions and name in GPUS}
        machine = gpu_machine(spec.region, gpu.family, gpu.machine, gpu.per_node, offered)
        taken["gpu"] = float(vcpus(machine) * gpu.nodes)
    return taken


def vcpus(machine: str) -> int:
    """Of an EC2 machine with x86: two to ``large``, four times the number before ``xlarge`` (EC2, instance types)."""
    size = machine.rpartition(".")[2]
    if size == "large":
        return 2
    if found := re.fullmatch(r"(\d*)xlarge", size):
        return 4 * int(found[1] or 1)
    raise LookupError(f"{machine}: expected a machine from large on, such as m6i.xlarge")
