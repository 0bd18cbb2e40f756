"""The network in a Kubernetes cluster: a namespace for each part, all denied, and only what is listed let through.

Pods of a part are those in its namespace that carry the label ``loomstead/part``; a pod without it reaches nobody,
but in the databases' namespaces, where all pods are the databases'. Who enforces this is the cluster's network plugin:
one that knows no NetworkPolicy (flannel alone) enforces nothing.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import (
    IPBlockArgs,
    NetworkPolicy,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from components.infrastructure import Refused
from components.kubernetes.parts import (
    HTTP,
    INSTANCES,
    OTLP,
    PART_LABEL,
    POSTGRES,
    STACK_LABEL,
    TEMPORAL,
    TEMPORAL_SERVICES,
    VALKEY,
    VLLM,
    Part,
)
from components.network.contract import Network
from components.network.exits import Exit

_NAMESPACE_LABEL = "kubernetes.io/metadata.name"  # set by the API server, and by nobody else
_DNS = {"k8s-app": "kube-dns"}
_INSIDE = [{"matchPattern": f"{'*.' * labels}cluster.local"} for labels in range(1, 8)]
"""Up to 5 labels before ``namespace.svc``: a resolver tries its search list for names of up to 4 dots (``ndots:5``).
Counted out, for Cilium takes ``**.`` for several labels since 1.19 only (cilium/cilium#43420)."""
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_METADATA_SERVERS = [ip_address(each) for each in ("169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "168.63.129.16")]
"""Of every cloud, of AWS and Google Cloud by IPv6, and Azure's for its nodes' agent."""

_POD_SECURITY = "v1.35"
"""Its version of the standard; a cluster that is older takes its newest (kubernetes.io, Pod Security Admission)."""


class Reach(NamedTuple):
    source: Part
    target: Part
    port: int


REACHES = (
    Reach(Part.RUNTIME, Part.RUNTIME, HTTP),
    Reach(Part.RUNTIME, Part.TOOLS, HTTP),
    Reach(Part.RUNTIME, Part.ORCHESTRATOR, TEMPORAL),
    Reach(Part.RUNTIME, Part.MODELS, VLLM),
    Reach(Part.RUNTIME, Part.PRIMARY, POSTGRES),
    Reach(Part.TOOLS, Part.RUNTIME, HTTP),
    Reach(Part.TOOLS, Part.REPLICA, POSTGRES),
    Reach(Part.ORCHESTRATOR, Part.PRIMARY, POSTGRES),
    *(Reach(Part.ORCHESTRATOR, Part.ORCHESTRATOR, port) for ports in TEMPORAL_SERVICES.values() for port in ports),
    *(Reach(part, part, port) for part in (Part.PRIMARY, Part.REPLICA) for port in (POSTGRES, INSTANCES)),
    Reach(Part.REPLICA, Part.PRIMARY, POSTGRES),
    Reach(Part.RUNTIME, Part.CACHE, VALKEY),
    *(Reach(part, Part.OBSERVABILITY, OTLP) for part in (Part.RUNTIME, Part.TOOLS, Part.ORCHESTRATOR, Part.MODELS)),
)
"""Who reaches whom; all else is denied. Of the database the tools reach the replica, which follows the primary."""
_OPERATOR = {"app.kubernetes.io/name": "cloudnative-pg"}
_HOLD_DATA = (Part.PRIMARY, Part.REPLICA)
_KEPT = (*_HOLD_DATA, Part.RUNTIME)

CILIUM: Final = "cilium"
"""As ``entry``: Cilium's own Gateway, which is no pod of any namespace."""
_CALLS_SERVER = (Part.RUNTIME, Part.PRIMARY, Part.REPLICA)
"""For the keys of its tokens, and for the databases' operator, whose instances keep their state there."""


class ExitRefused(Refused):
    """A way out that no policy of this cluster can let through, or that would let through too much."""


class KubernetesNetworkArgs(TypedDict):
    """``stack``: begins every namespace's name. ``hosted``: whether the fabric runs a model server.

    ``exits``: what the runtime may call outside. ``addresses``: CIDRs of those hosts; without ``cilium``, which alone
    knows names, every one of them needs its own.

    ``callers``: CIDRs that call the gateway themselves, as a cloud's load balancer does. ``entry``: namespace of the
    Gateway's data plane, which calls it for others, or ``CILIUM``. ``scaler``: namespace of KEDA, which asks it how
    often models are wanted. ``server``: the API server, which Cilium knows by itself. ``bucket``: where the models'
    weights lie.

    ``parts``: those that are on the cluster; all of them where it is not said. ``walled``: by part, CIDRs and ports
    that it may leave for where other walls decide: a cloud's security groups, and its firewall by host name.
    ``labels``: by part, of its namespace, beside its own.
    """

    stack: str
    hosted: bool
    exits: Sequence[Exit]
    addresses: Mapping[str, Sequence[str]]
    cilium: bool
    callers: NotRequired[Sequence[pulumi.Input[str]]]
    entry: NotRequired[str]
    scaler: NotRequired[str]
    server: NotRequired[Exit]
    bucket: NotRequired[Exit]
    telemetry: NotRequired[Sequence[Exit]]
    backup: NotRequired[Exit]
    operator: NotRequired[str]
    parts: NotRequired[Collection[Part]]
    walled: NotRequired[Mapping[Part, Sequence[Exit]]]
    labels: NotRequired[Mapping[Part, Mapping[str, str]]]


def check_network(args: KubernetesNetworkArgs) -> None:
    """Raises what ``KubernetesNetwork`` does, and makes nothing."""
    _sorted_out(_exits(args), args)
    _namespace(args["stack"], Part.OBSERVABILITY)


class KubernetesNetwork(Network):
    """``id``: value of the label ``loomstead/stack``; subnets are namespaces, groups values of ``loomstead/part``.

    ``namespaces``: by part. A namespace is known once its policies are there: what is put into it was never open.
    Raises ``Refused``.
    """

    namespaces: Mapping[Part, pulumi.Output[str]]

    def __init__(self, name: str, args: KubernetesNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self._exits = _exits(args)
        self._blocks, self._names = _sorted_out(self._exits, args)
        wanted = args.get("parts", tuple(Part))
        parts = [part for part in Part if part in wanted and (part is not Part.MODELS or args["hosted"])]
        self._reaches = [reach for reach in REACHES if {reach.source, reach.target} <= set(parts)]
        self.namespaces = {part: self._create_part(part) for part in parts}
        self.id = pulumi.Output.from_input(args["stack"])
        self.workloads = self._listed(part for part in parts if part not in _HOLD_DATA)
        self.primary, self.replica = self._listed([Part.PRIMARY]), self._listed([Part.REPLICA])
        self.runtime_group = pulumi.Output.from_input(str(Part.RUNTIME))
        self.tools_group = pulumi.Output.from_input(str(Part.TOOLS))
        self.register_outputs({key: getattr(self, key) for key in Network.__annotations__})

    def _listed(self, parts: Iterable[Part]) -> pulumi.Output[list[str]]:
        return pulumi.Output.all(*(self.namespaces[part] for part in parts if part in self.namespaces))

    def _create_part(self, part: Part) -> pulumi.Output[str]:
        namespace = self._create_namespace(part)
        made = namespace.metadata.name
        policies: list[pulumi.CustomResource] = [self._create_denial(part, made), self._create_reach(part, made)]
        if self._args["cilium"]:
            policies.append(self._create_names(part, made))
        return pulumi.Output.all(made, *(policy.urn for policy in policies)).apply(lambda known: known[0])

    def _kept(self, part: Part) -> pulumi.ResourceOptions:
        """Whoever deletes a namespace deletes what is in it: the claims of the databases' volumes, and the Secret that
        the runtime reads them with. They stay, and stay closed."""
        kept = part in _KEPT
        return pulumi.ResourceOptions(parent=self, protect=kept, retain_on_delete=kept)

    def _create_namespace(self, part: Part) -> Namespace:
        modes = ("enforce", "warn", "audit")
        standard = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in modes}
        versions = {f"pod-security.kubernetes.io/{mode}-version": _POD_SECURITY for mode in modes}
        more = self._args.get("labels", {}).get(part, {})
        labels = {**more, STACK_LABEL: self._args["stack"], PART_LABEL: str(part), **standard, **versions}
        return Namespace(
            f"{self._name}-{part}",
            metadata=ObjectMetaArgs(name=_namespace(self._args["stack"], part), labels=labels),
            opts=self._kept(part),
        )

    def _create_denial(self, part: Part, namespace: pulumi.Output[str]) -> NetworkPolicy:
        return NetworkPolicy(
            f"{self._name}-{part}-denied",
            metadata=ObjectMetaArgs(name="denied", namespace=namespace),
            spec=NetworkPolicySpecArgs(pod_selector=LabelSelectorArgs(), policy_types=["Ingress", "Egress"]),
            opts=self._kept(part),
        )

    def _create_reach(self, part: Part, namespace: pulumi.Output[str]) -> NetworkPolicy:
        return NetworkPolicy(
            f"{self._name}-{part}-reach",
            metadata=ObjectMetaArgs(name="reach", namespace=namespace),
            spec=NetworkPolicySpecArgs(
                pod_selector=_selected(part),
                policy_types=["Ingress", "Egress"],
                ingress=[
                    NetworkPolicyIngressRuleArgs(from_=[self._pods(source)], ports=[_port(port)])
                    for source, target, port in self._reaches
                    if target is part
                ]
                + self._entering(part)
                + self._operated(part),
                egress=[*self._dns(), *self._parts(part), *self._outside(part)],
            ),
            opts=self._child,
        )

    def _dns(self) -> list[NetworkPolicyEgressRuleArgs]:
        """The cluster's DNS; not under Cilium, whose policy says which names may be asked for: a name carries data."""
        if self._args["cilium"]:
            return []
        server = NetworkPolicyPeerArgs(
            namespace_selector=LabelSelectorArgs(match_labels={_NAMESPACE_LABEL: "kube-system"}),
            pod_selector=LabelSelectorArgs(match_labels=_DNS),
        )
        return [NetworkPolicyEgressRuleArgs(to=[server], ports=[_port(53, "UDP"), _port(53)])]

    def _entering(self, part: Part) -> list[NetworkPolicyIngressRuleArgs]:
        """From outside: whoever brings calls to the gateway, and nobody else to anything."""
        peers = [NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=block)) for block in self._args.get("callers", ())]
        for namespace in (self._args.get("entry", CILIUM), self._args.get("scaler", CILIUM)):
            if namespace != CILIUM:
                selected = LabelSelectorArgs(match_labels={_NAMESPACE_LABEL: namespace})
                peers.append(NetworkPolicyPeerArgs(namespace_selector=selected))
        if part is not Part.RUNTIME or not peers:
            return []
        return [NetworkPolicyIngressRuleArgs(from_=peers, ports=[_port(HTTP)])]

    def _operated(self, part: Part) -> list[NetworkPolicyIngressRuleArgs]:
        """What the databases' operator asks of their instances (cloudnative-pg 1.30.1, docs/src/networking.md)."""
        operator = self._args.get("operator")
        if operator is None or part not in _HOLD_DATA:
            return []
        peer = NetworkPolicyPeerArgs(
            namespace_selector=LabelSelectorArgs(match_labels={_NAMESPACE_LABEL: operator}),
            pod_selector=LabelSelectorArgs(match_labels=_OPERATOR),
        )
        return [NetworkPolicyIngressRuleArgs(from_=[peer], ports=[_port(POSTGRES), _port(INSTANCES)])]

    def _parts(self, part: Part) -> list[NetworkPolicyEgressRuleArgs]:
        return [
            NetworkPolicyEgressRuleArgs(to=[self._pods(target)], ports=[_port(port)])
            for source, target, port in self._reaches
            if source is part
        ]

    def _outside(self, part: Part) -> list[NetworkPolicyEgressRuleArgs]:
        walled = [
            NetworkPolicyEgressRuleArgs(to=[NetworkPolicyPeerArgs(ip_block=_walled(way.host))], ports=[_port(way.port)])
            for way in self._args.get("walled", {}).get(part, ())
        ]
        return walled + [
            NetworkPolicyEgressRuleArgs(
                to=[NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=block)) for block in blocks],
                ports=[_port(way.port)],
            )
            for way in self._exits[part]
            if (blocks := self._blocks.get(way))
        ]

    def _create_names(self, part: Part, namespace: pulumi.Output[str]) -> CustomResource:
        """Cilium learns addresses from the DNS server's answers, and lets it be asked for the cluster's names alone,
        and by whoever has declared ones for those.
        """
        outside = [way for way in self._exits[part] if way != self._args.get("server")]
        hosts = dict.fromkeys(way.host for way in outside if not _address(way.host))
        asked = [*_INSIDE, *({"matchName": host} for host in hosts)]
        server = {"k8s:io.kubernetes.pod.namespace": "kube-system", **{f"k8s:{key}": _DNS[key] for key in _DNS}}
        dns = {
            "toEndpoints": [{"matchLabels": server}],
            "toPorts": [{"ports": [{"port": "53", "protocol": "ANY"}], "rules": {"dns": asked}}],
        }
        names = [
            {
                "toFQDNs": [{"matchName": way.host}],
                "toPorts": [_cilium_port(way.port)],
            }
            for way in outside
            if way in self._names
        ]
        spec = {
            "endpointSelector": {} if part in _HOLD_DATA else {"matchLabels": {f"k8s:{PART_LABEL}": str(part)}},
            "egress": [dns, *names, *self._server(part)],
        }
        if part is Part.RUNTIME and self._args.get("entry") == CILIUM:
            spec["ingress"] = [{"fromEntities": ["ingress"], "toPorts": [_cilium_port(HTTP)]}]
        return CustomResource(
            f"{self._name}-{part}-names",
            api_version="cilium.io/v2",
            kind="CiliumNetworkPolicy",
            metadata=ObjectMetaArgs(name="names", namespace=namespace),
            spec=spec,
            opts=self._child,
        )

    def _server(self, part: Part) -> list[dict[str, object]]:
        server = self._args.get("server")
        if server is None or part not in _CALLS_SERVER:
            return []
        return [{"toEntities": ["kube-apiserver"], "toPorts": [_cilium_port(server.port)]}]

    def _pods(self, part: Part) -> NetworkPolicyPeerArgs:
        name = _namespace(self._args["stack"], part)
        return NetworkPolicyPeerArgs(
            namespace_selector=LabelSelectorArgs(match_labels={_NAMESPACE_LABEL: name}),
            pod_selector=_selected(part),
        )


def _selected(part: Part) -> LabelSelectorArgs:
    """The part's pods. In a database's namespace all of them: CloudNativePG starts instances by Jobs, whose pods do not
    get the labels of ``inheritedMetadata`` (cloudnative-pg 1.30.1, pkg/specs/jobs.go). Nothing else is there but the
    Job that provisions the database."""
    return LabelSelectorArgs() if part in _HOLD_DATA else LabelSelectorArgs(match_labels={PART_LABEL: str(part)})


def _port(port: int, protocol: str = "TCP") -> NetworkPolicyPortArgs:
    return NetworkPolicyPortArgs(port=port, protocol=protocol)


def _cilium_port(port: int) -> dict[str, object]:
    return {"ports": [{"port": str(port), "protocol": "TCP"}]}


def _namespace(stack: str, part: Part) -> str:
    name = f"{stack}-{part}"
    if not _NAMESPACE.fullmatch(name):
        raise Refused(f"stack: {stack!r} begins no namespace's name: expected a-z, 0-9, -, at most 49 characters")
    return name


def _exits(args: KubernetesNetworkArgs) -> dict[Part, list[Exit]]:
    """The ways out of each part. Raises ``ExitRefused`` for an entry that only Cilium has."""
    if args.get("entry") == CILIUM and not args["cilium"]:
        raise ExitRefused(f"entry: {CILIUM} is not the network plugin here; name the namespace of the Gateway's pods")
    exits: dict[Part, list[Exit]] = {part: [] for part in Part}
    exits[Part.RUNTIME] += args["exits"]
    exits[Part.OBSERVABILITY] += args.get("telemetry", ())
    if "bucket" in args:
        exits[Part.MODELS].append(args["bucket"])
    if "backup" in args:
        exits[Part.PRIMARY].append(args["backup"])
    if "server" in args:
        for part in _CALLS_SERVER:
            exits[part].append(args["server"])
    return exits


def _sorted_out(
    exits: Mapping[Part, Sequence[Exit]], args: KubernetesNetworkArgs
) -> tuple[dict[Exit, list[str]], set[Exit]]:
    """The blocks of addresses of each way out, and those that only a name is known of."""
    ways = dict.fromkeys(way for found in exits.values() for way in found)
    blocks = {way: _blocks(way, args["addresses"]) for way in ways}
    names = {way for way, found in blocks.items() if not found}
    if names and not args["cilium"]:
        raise ExitRefused(
            f"{', '.join(sorted({way.host for way in names}))}: a NetworkPolicy knows addresses alone. "
            "Give the CIDRs of each host, or declare Cilium where the cluster runs it"
        )
    return {way: found for way, found in blocks.items() if found}, names


def _blocks(way: Exit, addresses: Mapping[str, Sequence[str]]) -> list[str]:
    blocks = [ip_network(block) for block in addresses.get(way.host, _address(way.host))]
    for block in blocks:
        if servers := [str(server) for server in _METADATA_SERVERS if server in block]:
            raise ExitRefused(f"{way.host}: {block} has the nodes' metadata server {', '.join(servers)} in it")
        if block.num_addresses > 2 ** (block.max_prefixlen - _SHORTEST[block.version]):
            raise ExitRefused(f"{way.host}: {block} is no host's: expected /{_SHORTEST[block.version]} or longer")
    return [str(block) for block in blocks]


_SHORTEST = {4: 24, 6: 64}
"""By IP's version: what is wider holds a cluster, or the network around it."""


def _walled(cidr: str) -> IPBlockArgs:
    """The block without the metadata servers in it."""
    block = ip_network(cidr)
    return IPBlockArgs(cidr=cidr, except_=[str(ip_network(server)) for server in _METADATA_SERVERS if server in block])


def _address(host: str) -> list[str]:
    """The host's own block, where it is an address."""
    try:
        return [str(ip_network(ip_address(host)))]
    except ValueError:
        return []
