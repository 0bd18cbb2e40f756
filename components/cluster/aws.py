"""A cluster on AWS: EKS, whose API only the network reaches, or an own one that is so.

Nothing in it has credentials of its node: pods have roles by Pod Identity, and those of the fabric have network
interfaces with their part's security groups (``aws_groups``). What the fabric puts into it goes before it: a provider
of ``kubeconfig`` depends on the nodes, the add-ons and the deployer's access, so load balancers and network interfaces
are given back while there is still somebody to do it.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.aws.documents import Statement, document, trusting
from components.aws.logs import create_log_group
from components.aws.pods import attach
from components.cluster import aws_plan as plan
from components.cluster.aws_addons import Addons, AddonsArgs
from components.cluster.aws_groups import CONTROL, HTTPS, NODES, SCALER, Groups, Outside
from components.cluster.aws_nodes import NodeGroups, NodesArgs, storage_prefixes
from components.cluster.aws_own import OwnCluster
from components.cluster.contract import Cluster
from components.kubernetes.parts import Part

LOGS = ["api", "audit", "authenticator", "controllerManager", "scheduler"]


class AwsClusterArgs(TypedDict):
    """``vpc``, ``workloads`` (subnets), ``runtime_group``, ``tools_group``: the network's outputs. ``key``: ARN of what
    encrypts Secrets, logs and volumes. ``boundary``: ARN of the policy that bounds every role.

    ``callers``: CIDRs that reach the API beside the nodes: where deployers and operators are. ``deployer``: ARN of the
    role that may do all in it; none: who makes it, and stays it whoever comes later.

    ``hosted``: whether a model runs here; KEDA asks the gateway then, and never otherwise. ``telemetry_ports``: at
    which the collector calls hosts outside. ``primary_group``: of PostgreSQL, where Temporal, whose database it is,
    runs here.

    ``gpu_family``: of the catalogue, with ``gpu_nodes`` at most and ``gpu_per_node`` accelerators each at least;
    ``gpu_families``: those that the region has. ``own``: a cluster that is there, and was looked up: nodes, add-ons and
    access are its owner's affair. The others say what is otherwise the ``size``'s.
    """

    stack: str
    region: str
    vpc: Input[str]
    workloads: Input[list[str]]
    runtime_group: Input[str]
    tools_group: Input[str]
    key: Input[str]
    boundary: Input[str]
    log_days: int
    size: str
    hosted: bool
    callers: NotRequired[Collection[str]]
    telemetry_ports: NotRequired[Collection[int]]
    primary_group: NotRequired[Input[str]]
    deployer: NotRequired[str]
    version: NotRequired[str]
    machine: NotRequired[str]
    nodes: NotRequired[int]
    gpu_family: NotRequired[str]
    gpu_machine: NotRequired[str]
    gpu_nodes: NotRequired[int]
    gpu_per_node: NotRequired[int]
    gpu_families: NotRequired[Collection[str]]
    own: NotRequired[OwnCluster]


class AwsCluster(Cluster):
    """``arn``; ``endpoint``: of its API. ``issuer``: of its service accounts' tokens. ``kubeconfig``: known when pods
    can run; nothing in it is secret, as the command that it names (``aws eks get-token``) asks for a token each time.
    ``context``: in it. ``nodes_group``: security group of the nodes, and of the system's pods.

    ``pod_groups``: part → security groups that its pods carry. ``control_plane``: for ``deleted_with``, none where the
    cluster is an own one. Raises ``AwsClusterError`` before anything is made.
    """

    arn: Output[str]
    endpoint: Output[str]
    issuer: Output[str]
    kubeconfig: Output[str]
    context: str
    nodes_group: Output[str]
    pod_groups: Output[dict[str, list[str]]]
    control_plane: aws.eks.Cluster | None

    def __init__(self, name: str, args: AwsClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args, self.context = name, args, args["stack"]
        self._child = pulumi.ResourceOptions(parent=self)
        self._asked = pulumi.InvokeOutputOptions(parent=self)
        self._system, self._gpu = _checked(args)
        self.control_plane = None
        self._adopt(args["own"]) if "own" in args else self._create()
        self.register_outputs(
            {
                "name": self.name,
                "arn": self.arn,
                "endpoint": self.endpoint,
                "issuer": self.issuer,
                "kubeconfig": self.kubeconfig,
                "nodes_group": self.nodes_group,
                "pod_groups": self.pod_groups,
            }
        )

    def _create(self) -> None:
        groups = self._create_groups({})
        for index, block in enumerate(self._args.get("callers", ())):
            self._allow_caller(index, block, groups.ids[CONTROL])
        cluster = self.control_plane = self._create_control_plane(groups.ids[CONTROL])
        self.name, self.arn, self.endpoint = cluster.name, cluster.arn, cluster.endpoint
        self.issuer = cluster.identities.apply(_issuer)
        access = self._create_access()
        addons = Addons(self, self._name, self._addons_args())
        first = addons.create_before_nodes()
        nodes = self._create_nodes(groups.ids[NODES], first)
        later = addons.create_after(nodes)
        self._tell(groups, cluster.certificate_authority.data, [access, *first, *nodes, *later])

    def _adopt(self, own: OwnCluster) -> None:
        self.name, self.arn, self.endpoint, self.issuer = map(
            Output.from_input, (own.name, own.arn, own.endpoint, own.issuer)
        )
        groups = self._create_groups(dict.fromkeys((NODES, CONTROL, SCALER), own.group))
        self._tell(groups, Output.from_input(own.authority), [])

    def _tell(self, groups: Groups, authority: Output[str], after: Sequence[pulumi.Resource]) -> None:
        told = [self.name, self.endpoint, authority, *(each.urn for each in after)]
        region, context = self._args["region"], self.context
        self.kubeconfig = Output.all(*told).apply(lambda known: _kubeconfig(context, region, *known[:3]))
        self.nodes_group = Output.from_input(groups.ids[NODES])
        self.pod_groups = Output.all(**groups.of_pods())

    def _create_groups(self, given: Mapping[str, Input[str]]) -> Groups:
        args = self._args
        there: dict[str, Input[str]] = {Part.RUNTIME: args["runtime_group"], Part.TOOLS: args["tools_group"], **given}
        if "primary_group" in args:
            there[Part.PRIMARY] = args["primary_group"]
        block = aws.ec2.get_vpc_output(id=args["vpc"], opts=self._asked).cidr_block
        outside = Outside(block, storage_prefixes(self), args.get("telemetry_ports", ()))
        return Groups(self, self._name, args["vpc"], there, outside, scaled=args["hosted"])

    def _allow_caller(self, index: int, block: str, control: Input[str]) -> None:
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-control-from-{index}",
            security_group_id=control,
            cidr_ipv4=block,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            opts=self._child,
        )

    def _create_control_plane(self, group: Input[str]) -> aws.eks.Cluster:
        args, (role, permitted) = self._args, self._create_role()
        log = create_log_group(
            self, f"{self._name}-log", f"/aws/eks/{args['stack']}/cluster", args["key"], args["log_days"]
        )
        return aws.eks.Cluster(
            f"{self._name}-control-plane",
            name=args["stack"],
            role_arn=role.arn,
            version=args.get("version", plan.VERSION),
            vpc_config={
                "subnet_ids": args["workloads"],
                "security_group_ids": [group],
                "endpoint_private_access": True,
                "endpoint_public_access": False,
            },
            encryption_config={"provider": {"key_arn": args["key"]}, "resources": ["secrets"]},
            access_config={"authentication_mode": "API", "bootstrap_cluster_creator_admin_permissions": False},
            bootstrap_self_managed_addons=False,
            enabled_cluster_log_types=LOGS,
            upgrade_policy={"support_type": "STANDARD"},
            deletion_protection=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[log, *permitted]),
        )

    def _create_role(self) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
        """EKS's own role; the second policy is for pods' network interfaces, the third for envelope encryption."""
        service = aws.get_service_principal_output(service_name="eks", opts=self._asked).name
        account = aws.get_caller_identity_output(opts=self._asked).account_id
        role = aws.iam.Role(
            f"{self._name}-role",
            description=f"EKS's control plane of {self._args['stack']}",
            assume_role_policy=trusting(service, account),
            permissions_boundary=self._args["boundary"],
            opts=self._child,
        )
        key: Statement = {
            "Effect": "Allow",
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:DescribeKey"],
            "Resource": self._args["key"],
        }
        encrypts = aws.iam.RolePolicy(f"{self._name}-role-key", role=role.name, policy=document(key), opts=self._child)
        managed = ("AmazonEKSClusterPolicy", "AmazonEKSVPCResourceController")
        return role, [encrypts, *attach(self, f"{self._name}-role", role, managed)]

    def _create_access(self) -> pulumi.Resource:
        deployer = self._args.get("deployer")
        caller = aws.get_caller_identity_output(opts=self._asked).arn
        principal = deployer or aws.iam.get_session_context_output(arn=caller, opts=self._asked).issuer_arn
        entry = aws.eks.AccessEntry(
            f"{self._name}-deployer",
            cluster_name=self.name,
            principal_arn=principal,
            type="STANDARD",
            # who comes later does not take it from who made it
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=[] if deployer else ["principal_arn"]),
        )
        partition = aws.get_partition_output(opts=self._asked).partition
        return aws.eks.AccessPolicyAssociation(
            f"{self._name}-deployer-policy",
            cluster_name=self.name,
            principal_arn=entry.principal_arn,
            policy_arn=Output.format("arn:{0}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy", partition),
            access_scope={"type": "cluster"},
            opts=self._child,
        )

    def _addons_args(self) -> AddonsArgs:
        return AddonsArgs(
            cluster=self.name,
            cluster_arn=self.arn,
            version=self._args.get("version", plan.VERSION),
            key=self._args["key"],
            boundary=self._args["boundary"],
        )

    def _create_nodes(self, group: Input[str], after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        args = self._args
        groups = NodeGroups(
            self,
            self._name,
            NodesArgs(
                stack=args["stack"],
                cluster=self.name,
                version=args.get("version", plan.VERSION),
                subnets=args["workloads"],
                key=args["key"],
                group=group,
                boundary=args["boundary"],
            ),
            after,
        )
        made: list[pulumi.Resource] = [groups.create_system(self._system)]
        if self._gpu:
            made.append(groups.create_gpu(args.get("gpu_family", ""), self._gpu, args.get("gpu_nodes", 1)))
        return made


def _checked(args: AwsClusterArgs) -> tuple[plan.Nodes, str | None]:
    """Nodes of the system, and the machine of those with GPUs, if there are any."""
    system = plan.system_nodes(args["size"], args.get("machine"), args.get("nodes"))
    if "own" in args:
        plan.checked_made([key for key in plan.MADE if key in args])
    family = args.get("gpu_family")
    if family is None:
        return system, None
    offered, per_node = args.get("gpu_families", ()), args.get("gpu_per_node", 1)
    return system, plan.gpu_machine(args["region"], family, args.get("gpu_machine"), per_node, offered)


def _issuer(told: Sequence[Any]) -> str:
    """Of the tokens of service accounts, as EKS describes a cluster."""
    return told[0].oidcs[0].issuer


def _kubeconfig(context: str, region: str, name: str, endpoint: str, authority: str) -> str:
    command = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "aws",
        "args": ["eks", "get-token", "--cluster-name", name, "--region", region, "--output", "json"],
        "interactiveMode": "Never",
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": endpoint, "certificate-authority-data": authority}}],
        "users": [{"name": name, "user": {"exec": command}}],
        "contexts": [{"name": context, "context": {"cluster": name, "user": name}}],
        "current-context": context,
    }
    return json.dumps(config, sort_keys=True)
