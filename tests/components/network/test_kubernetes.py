"""The network's objects: what they are, that the real API server takes them, and who reaches whom by them.

The API server validates a NetworkPolicy and enforces none: what the objects mean is computed
(tests/fixtures/reachability.py). Nor is there Cilium here: its policy has the shape that Cilium documents
(github.com/cilium/cilium, pkg/k8s/apis/cilium.io/client/crds/v2/ciliumnetworkpolicies.yaml at 02904c9), and no more is
proved of it.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pulumi
import pulumi_kubernetes
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi_kubernetes.core.v1 import ConfigMap
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.infrastructure import Refused
from components.kubernetes.parts import TEMPORAL_SERVICES
from components.network.contract import Network
from components.network.exits import Exit
from components.network.kubernetes import (
    HTTP,
    PART_LABEL,
    POSTGRES,
    ExitRefused,
    KubernetesNetwork,
    KubernetesNetworkArgs,
    Part,
)
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.reachability import Pod, Reachability
from tests.fixtures.recording import Graph, conforms, record, reviewed
from tests.fixtures.workloads import unmet

STACK = "net-test"
MODEL, ORDERS = Exit("vllm.internal", 443), Exit("10.20.0.7", 8443)
ARGS: KubernetesNetworkArgs = {
    "stack": STACK,
    "hosted": True,
    "exits": (MODEL, ORDERS),
    "addresses": {"vllm.internal": ["192.0.2.0/28"]},
    "cilium": False,
}
CILIUM: KubernetesNetworkArgs = {**ARGS, "addresses": {}, "cilium": True}


def network(args: KubernetesNetworkArgs = ARGS, *, preview: bool = False) -> Graph:
    def program() -> None:
        provider = pulumi_kubernetes.Provider("cluster", context="test")
        KubernetesNetwork("fabric-network", args, pulumi.ResourceOptions(provider=provider))

    return record(program, preview=preview)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return network()


def a(part: Part) -> Pod:
    """A pod of a part."""
    return Pod(f"{STACK}-{part}", ((PART_LABEL, part),))


def job(part: Part, role: str) -> Pod:
    """As CloudNativePG's Jobs label their pods (cloudnative-pg 1.30.1, pkg/specs/jobs.go): by no part."""
    return Pod(f"{STACK}-{part}", (("cnpg.io/cluster", str(part)), ("cnpg.io/jobRole", role)))


DATABASES = (Part.PRIMARY, Part.REPLICA)
"""All pods of their namespaces are theirs, whatever their labels."""


OUTSIDE = [Pod(None, address=address) for address in ("192.0.2.1", "10.20.0.7", "169.254.169.254", "198.51.100.1")]
DNS = Pod("kube-system", (("k8s-app", "kube-dns"),))
NEIGHBOUR = Pod("another", ((PART_LABEL, "runtime"),))
PORTS = (22, 53, 80, 443, 4317, 4318, 6379, 6443, 8443, 8000, HTTP, POSTGRES, 7233, 9187)


def meaning(graph: Graph) -> Reachability:
    others = [{"kind": "Namespace", "metadata": {"name": name}} for name in ("kube-system", "another")]
    return Reachability([*manifests(graph), *others])


@pytest.mark.parametrize("args", [ARGS, CILIUM])
@pytest.mark.parametrize("preview", [True, False])
def test_every_object_has_its_parent_and_an_explicit_provider(args: KubernetesNetworkArgs, preview: bool) -> None:
    graph = network(args, preview=preview)
    conforms(graph, "loomstead:network:Network")
    assert {each.provider for each in graph.resources if each.type.startswith("kubernetes:")} == {"cluster"}


def test_no_residency_rule_has_anything_against_it() -> None:
    assert reviewed(network(CILIUM), "eu-gdpr", "onprem") == []


def test_each_part_has_a_namespace_of_the_restricted_standard_and_everything_in_it_is_denied(graph: Graph) -> None:
    restricted = {
        f"pod-security.kubernetes.io/{mode}{what}": value
        for mode in ("enforce", "warn", "audit")
        for what, value in {"": "restricted", "-version": "v1.35"}.items()
    }
    for part in Part:
        namespace = graph.named(f"fabric-network-{part}")
        assert namespace.type == "kubernetes:core/v1:Namespace"
        assert namespace.properties["metadata"] == {
            "name": f"{STACK}-{part}",
            "labels": {"loomstead/stack": STACK, "loomstead/part": part, **restricted},
        }
        denied = graph.named(f"fabric-network-{part}-denied")
        assert denied.type == "kubernetes:networking.k8s.io/v1:NetworkPolicy"
        assert denied.properties["metadata"]["namespace"] == f"{STACK}-{part}"
        assert denied.properties["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_the_namespaces_of_the_databases_and_of_the_runtimes_secrets_outlive_the_stack_and_stay_closed(
    graph: Graph,
) -> None:
    kept = {each.name for each in graph.resources if each.protect and each.retain_on_delete}
    parts = ("primary", "replica", "runtime")
    assert kept == {f"fabric-network-{part}{what}" for part in parts for what in ("", "-denied")}


def test_the_outputs_are_namespaces_and_groups(graph: Graph) -> None:
    outputs = graph.outputs[graph.component("loomstead:network:Network").urn]
    assert outputs == {
        "id": STACK,
        "workloads": [
            f"{STACK}-{part}" for part in ("runtime", "tools", "orchestrator", "models", "cache", "observability")
        ],
        "primary": [f"{STACK}-primary"],
        "replica": [f"{STACK}-replica"],
        "runtime_group": "runtime",
        "tools_group": "tools",
    }
    assert outputs.keys() == Network.__annotations__.keys()


def test_a_namespace_is_known_to_others_only_after_its_policies() -> None:
    def program() -> None:
        provider = pulumi_kubernetes.Provider("cluster", context="test")
        made = KubernetesNetwork("fabric-network", CILIUM, pulumi.ResourceOptions(provider=provider))
        metadata = ObjectMetaArgs(namespace=made.workloads[0])
        ConfigMap("put", metadata=metadata, opts=pulumi.ResourceOptions(provider=provider))

    graph = record(program)
    put = graph.named("put")
    assert put.properties["metadata"]["namespace"] == f"{STACK}-runtime"
    for policy in ("runtime-denied", "runtime-reach", "runtime-names"):
        assert graph.named(f"fabric-network-{policy}").urn in put.dependencies


def test_without_a_model_server_of_its_own_there_is_no_place_for_one() -> None:
    graph = network({**ARGS, "hosted": False})
    assert "models" not in " ".join(each.name for each in graph.resources)
    assert not [each for each in manifests(graph) if f"{STACK}-models" in str(each)]


def test_every_pair_is_denied_but_those_that_are_declared(graph: Graph) -> None:
    meant = meaning(graph)
    found = {
        (str(source), str(target), port)
        for source, target, port in product(Part, Part, PORTS)
        if meant.reaches(a(source), a(target), port)
    }
    assert found == {
        ("runtime", "runtime", 8080),
        ("runtime", "tools", 8080),
        ("runtime", "orchestrator", 7233),
        ("runtime", "models", 8000),
        ("runtime", "primary", 5432),
        ("tools", "runtime", 8080),
        ("tools", "replica", 5432),
        ("orchestrator", "primary", 5432),
        ("orchestrator", "orchestrator", 7233),
        ("primary", "primary", 5432),
        ("primary", "primary", 8000),
        ("replica", "primary", 5432),
        ("replica", "replica", 5432),
        ("replica", "replica", 8000),
        ("runtime", "cache", 6379),
        ("runtime", "observability", 4318),
        ("tools", "observability", 4318),
        ("orchestrator", "observability", 4318),
        ("models", "observability", 4318),
    }


def test_only_the_runtime_reaches_what_is_outside_and_there_only_what_is_declared(graph: Graph) -> None:
    meant = meaning(graph)
    found = {
        (str(part), there.address, port)
        for part, there, port in product(Part, OUTSIDE, PORTS)
        if meant.reaches(a(part), there, port)
    }
    assert found == {("runtime", "192.0.2.1", 443), ("runtime", "10.20.0.7", 8443)}


def test_nobody_from_outside_or_of_another_namespace_comes_in(graph: Graph) -> None:
    meant = meaning(graph)
    for part, port in product(Part, PORTS):
        assert not any(meant.reaches(there, a(part), port) for there in (*OUTSIDE, DNS, NEIGHBOUR))
        assert not meant.reaches(a(part), NEIGHBOUR, port)


def test_the_agents_tools_reach_the_replica_and_never_the_primary(graph: Graph) -> None:
    meant = meaning(graph)
    assert meant.reaches(a(Part.TOOLS), a(Part.REPLICA), POSTGRES)
    assert not any(meant.reaches(a(Part.TOOLS), a(Part.PRIMARY), port) for port in range(1, 65_536, 7))
    assert not meant.reaches(a(Part.TOOLS), a(Part.PRIMARY), POSTGRES)


@given(st.dictionaries(st.sampled_from(["app", PART_LABEL, "k8s-app"]), st.sampled_from([*Part, "kube-dns"])))
def test_no_labels_lead_a_pod_of_the_tools_to_the_primary(labels: Mapping[str, str]) -> None:
    pod = Pod(f"{STACK}-tools", tuple(labels.items()))
    assert not ONCE.reaches(pod, a(Part.PRIMARY), POSTGRES)


ONCE = meaning(network())


@pytest.mark.parametrize("part", [part for part in Part if part not in DATABASES])
def test_a_pod_without_its_label_reaches_nobody_but_in_a_databases_namespace(graph: Graph, part: Part) -> None:
    meant = meaning(graph)
    for bare, port in product((Pod(f"{STACK}-{part}"), job(part, "join")), PORTS):
        assert not any(meant.reaches(bare, there, port) for there in (*map(a, Part), *OUTSIDE, DNS))
        assert not any(meant.lets_in(there, bare, port) for there in (*map(a, Part), *OUTSIDE, DNS))


def test_the_pods_that_start_a_database_reach_the_instances_that_they_copy_and_nobody_else() -> None:
    meant = meaning(network({**ARGS, "server": SERVER}))
    server = Pod(None, address=SERVER.host)
    starting = {name: job(Part(name), role) for name, role in (("primary", "join"), ("replica", "pgbasebackup"))}
    found = {
        (name, str(target), port)
        for (name, pod), target, port in product(starting.items(), Part, PORTS)
        if meant.reaches(pod, a(target), port)
    }
    own = {(name, name, port) for name in starting for port in (POSTGRES, 8000)}
    assert found == {*own, ("replica", "primary", POSTGRES)}
    for pod in starting.values():
        assert meant.reaches(pod, server, SERVER.port)
        assert meant.reaches(pod, DNS, 53, "UDP")
        assert not any(meant.reaches(pod, there, port) for there, port in product(OUTSIDE, PORTS))


@pytest.mark.parametrize("opened", Part)
def test_a_part_whose_policies_are_gone_opens_no_other(graph: Graph, opened: Part) -> None:
    """Either end alone holds: the source's policies let nobody else be called, the target's let nobody else in."""
    gone = f"{STACK}-{opened}"
    left = [each for each in manifests(graph) if each["kind"] == "Namespace" or each["metadata"]["namespace"] != gone]
    meant, before = Reachability(left), meaning(graph)
    others = [part for part in Part if part is not opened]
    for other, port in product(others, PORTS):
        assert meant.reaches(a(opened), a(other), port) == before.reaches(a(opened), a(other), port)
        assert meant.reaches(a(other), a(opened), port) == before.reaches(a(other), a(opened), port)
        assert meant.reaches(Pod(gone), a(other), port) == before.reaches(Pod(gone), a(other), port)
        assert meant.reaches(a(other), Pod(gone), port) == before.reaches(a(other), Pod(gone), port)


def test_every_part_may_ask_the_clusters_dns_and_no_other(graph: Graph) -> None:
    meant = meaning(graph)
    for part in Part:
        assert meant.reaches(a(part), DNS, 53, "UDP")
        assert meant.reaches(a(part), DNS, 53)
        assert not meant.reaches(a(part), Pod("kube-system"), 53, "UDP")
        assert not any(meant.reaches(a(part), there, 53, "UDP") for there in OUTSIDE)


def test_without_cilium_a_host_that_is_only_a_name_is_refused() -> None:
    with pytest.raises(ExitRefused, match=r"^vllm\.internal: a NetworkPolicy knows addresses alone\. Give the CIDRs"):
        network({**ARGS, "addresses": {}})


INSIDE = [
    {"matchPattern": "*.cluster.local"},
    {"matchPattern": "*.*.cluster.local"},
    {"matchPattern": "*.*.*.cluster.local"},
    {"matchPattern": "*.*.*.*.cluster.local"},
    {"matchPattern": "*.*.*.*.*.cluster.local"},
    {"matchPattern": "*.*.*.*.*.*.cluster.local"},
    {"matchPattern": "*.*.*.*.*.*.*.cluster.local"},
]


def test_cilium_lets_names_through_by_a_policy_of_its_own_and_asks_dns_for_them_alone() -> None:
    graph = network(CILIUM)
    names = graph.named("fabric-network-runtime-names")
    assert names.type == "kubernetes:cilium.io/v2:CiliumNetworkPolicy"
    assert names.properties["metadata"]["namespace"] == f"{STACK}-runtime"
    server = {"k8s:io.kubernetes.pod.namespace": "kube-system", "k8s:k8s-app": "kube-dns"}
    asked = [*INSIDE, {"matchName": "vllm.internal"}]
    assert names.properties["spec"] == {
        "endpointSelector": {"matchLabels": {"k8s:loomstead/part": "runtime"}},
        "egress": [
            {
                "toEndpoints": [{"matchLabels": server}],
                "toPorts": [{"ports": [{"port": "53", "protocol": "ANY"}], "rules": {"dns": asked}}],
            },
            {
                "toFQDNs": [{"matchName": "vllm.internal"}],
                "toPorts": [{"ports": [{"port": "443", "protocol": "TCP"}]}],
            },
        ],
    }
    meant = meaning(graph)
    assert not meant.reaches(a(Part.RUNTIME), DNS, 53, "UDP"), "a plain policy would let every name be asked for"
    assert meant.reaches(a(Part.RUNTIME), OUTSIDE[1], 8443), "an address needs no name"


@pytest.mark.parametrize("part", [part for part in Part if part is not Part.RUNTIME])
def test_under_cilium_the_other_parts_ask_dns_for_the_clusters_names_alone(part: Part) -> None:
    graph = network(CILIUM)
    spec = graph.named(f"fabric-network-{part}-names").properties["spec"]
    assert spec["endpointSelector"] == ({} if part in DATABASES else {"matchLabels": {"k8s:loomstead/part": part}})
    (dns,) = spec["egress"]
    assert dns["toPorts"][0]["rules"] == {"dns": INSIDE}
    assert not meaning(graph).reaches(a(part), DNS, 53, "UDP"), "a plain policy would let every name be asked for"


def test_under_cilium_the_runtime_asks_for_a_declared_name_whose_address_is_given() -> None:
    names = network({**ARGS, "cilium": True}).named("fabric-network-runtime-names").properties["spec"]
    (dns,) = names["egress"]
    assert dns["toPorts"][0]["rules"]["dns"] == [*INSIDE, {"matchName": "vllm.internal"}]


def test_without_cilium_there_is_no_object_of_its_kind(graph: Graph) -> None:
    assert {each["kind"] for each in manifests(graph)} == {"Namespace", "NetworkPolicy"}


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ("0.0.0.0/0", "has the nodes' metadata server"),
        ("169.254.0.0/16", "has the nodes' metadata server"),
        ("128.0.0.0/2", "has the nodes' metadata server"),
        ("fd00:ec2::254/128", "has the nodes' metadata server fd00:ec2::254"),
        ("fd00:ec2::/64", "has the nodes' metadata server fd00:ec2::254"),
        ("168.63.129.16/32", "has the nodes' metadata server 168.63.129.16"),
        ("::/0", "has the nodes' metadata server fd00:ec2::254"),
        ("10.0.0.0/8", "is no host's: expected /24 or longer"),
        ("192.0.2.0/23", "is no host's: expected /24 or longer"),
        ("2001:db8::/63", "is no host's: expected /64 or longer"),
    ],
)
def test_a_block_that_lets_everything_through_is_refused(block: str, reason: str) -> None:
    with pytest.raises(ExitRefused, match=f"^vllm.internal: .* {reason}"):
        network({**ARGS, "addresses": {"vllm.internal": [block]}})


@pytest.mark.parametrize("block", ["192.0.2.0/24", "2001:db8::/64"])
def test_the_widest_block_of_a_host_is_let_through(block: str) -> None:
    reach = network({**ARGS, "addresses": {"vllm.internal": [block]}}).named("fabric-network-runtime-reach")
    assert {"cidr": block} in [to.get("ipBlock") for rule in reach.properties["spec"]["egress"] for to in rule["to"]]


@pytest.mark.parametrize("host", ["169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "168.63.129.16"])
def test_a_metadata_server_that_is_itself_declared_is_refused(host: str) -> None:
    with pytest.raises(ExitRefused, match="has the nodes' metadata server"):
        network({**ARGS, "exits": [Exit(host, 80)]})


@pytest.mark.parametrize("stack", ["Stack", "a_stack", "s" * 60, "-s", "a.b"])
def test_a_stack_that_begins_no_namespaces_name_is_refused(stack: str) -> None:
    with pytest.raises(Refused, match="begins no namespace's name"):
        network({**ARGS, "stack": stack})


def applied(cluster: Cluster, graph: Graph) -> list[dict[str, Any]]:
    return [cluster.apply(each) for each in manifests(graph)]


def test_the_real_api_server_takes_every_object_and_keeps_what_was_meant(cluster: Cluster, graph: Graph) -> None:
    kept = applied(cluster, graph)
    assert {each["kind"] for each in kept} == {"Namespace", "NetworkPolicy"}
    for sent, found in zip(manifests(graph), kept, strict=True):
        assert (sent.get("spec") or {}).items() <= found["spec"].items()
        assert sent["metadata"].get("labels", {}).items() <= found["metadata"].get("labels", {}).items()


def test_what_outlived_its_stack_is_in_the_way_of_a_creation_and_taken_over_by_an_apply(
    cluster: Cluster, graph: Graph
) -> None:
    """docs/teardown.md: the provider creates, and applies only where it is told to take over what is there."""
    kept = [each.properties for each in graph.resources if each.retain_on_delete]
    applied(cluster, graph)
    assert len(kept) == 6
    for each in kept:
        before = cluster.apply(each)["metadata"]["uid"]
        assert "already exists" in (cluster.refusal(each) or "")
        assert cluster.apply(each)["metadata"]["uid"] == before


def test_the_namespaces_refuse_a_privileged_pod_by_themselves(cluster: Cluster, graph: Graph) -> None:
    applied(cluster, graph)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root", "namespace": f"{STACK}-tools"},
        "spec": {"containers": [{"name": "a", "image": "a", "securityContext": {"privileged": True}}]},
    }
    assert 'violates PodSecurity "restricted:v1.35"' in (cluster.refusal(pod) or "")


SERVER, BUCKET = Exit("10.30.0.1", 6443), Exit("10.40.0.1", 443)


def test_only_who_is_named_calls_the_gateway_from_outside_and_there_nothing_but_it() -> None:
    meant = meaning(network({**ARGS, "callers": ["10.50.0.0/24"], "entry": "another", "scaler": "kube-system"}))
    strangers = [*OUTSIDE, DNS, Pod("another"), NEIGHBOUR, Pod(None, address="10.50.0.9")]
    found = {
        (there.namespace or there.address, str(part), port)
        for there, part, port in product(strangers, Part, PORTS)
        if meant.lets_in(there, a(part), port)
    }
    assert found == {("another", "runtime", HTTP), ("kube-system", "runtime", HTTP), ("10.50.0.9", "runtime", HTTP)}


def test_the_api_server_is_for_those_who_ask_it_and_the_bucket_for_the_models_alone() -> None:
    meant = meaning(network({**ARGS, "server": SERVER, "bucket": BUCKET}))
    ways = {way.host: (Pod(None, address=way.host), way.port) for way in (SERVER, BUCKET)}
    found = {(str(part), host) for part in Part for host, way in ways.items() if meant.reaches(a(part), *way)}
    servers = {(part, SERVER.host) for part in ("runtime", "primary", "replica")}
    assert found == {*servers, ("models", BUCKET.host)}


def test_temporals_services_reach_each_other_and_nobody_else_reaches_them() -> None:
    meant = meaning(network())
    own = {port for ports in TEMPORAL_SERVICES.values() for port in ports}
    for port in own:
        assert meant.reaches(a(Part.ORCHESTRATOR), a(Part.ORCHESTRATOR), port)
        others = {part for part in Part if part is not Part.ORCHESTRATOR}
        reaching = {part for part in others if meant.reaches(a(part), a(Part.ORCHESTRATOR), port)}
        assert reaching == ({Part.RUNTIME} if port == 7233 else set())


def test_cilium_knows_the_api_server_and_its_own_gateway_without_their_addresses() -> None:
    there = Exit("k8s.corp.example", 6443)
    weights = Exit("weights.corp.example", 443)
    graph = network({**CILIUM, "server": there, "bucket": weights, "entry": "cilium"})

    def names(part: Part) -> dict[str, Any]:
        return graph.named(f"fabric-network-{part}-names").properties["spec"]

    server = {"toEntities": ["kube-apiserver"], "toPorts": [{"ports": [{"port": "6443", "protocol": "TCP"}]}]}
    assert [part for part in Part if server in names(part)["egress"]] == [Part.RUNTIME, Part.PRIMARY, Part.REPLICA]
    assert there.host not in str([names(part) for part in Part])
    dns = "toEndpoints"
    assert [part for part in DATABASES if names(part)["endpointSelector"] or dns not in names(part)["egress"][0]] == []
    assert [part for part in Part if weights.host in str(names(part))] == [Part.MODELS]
    assert [part for part in Part if "ingress" in names(part)] == [Part.RUNTIME]
    assert names(Part.RUNTIME)["ingress"] == [
        {"fromEntities": ["ingress"], "toPorts": [{"ports": [{"port": "8080", "protocol": "TCP"}]}]}
    ]


def test_ciliums_gateway_without_cilium_is_refused() -> None:
    with pytest.raises(ExitRefused, match="cilium is not the network plugin here"):
        network({**ARGS, "entry": "cilium"})


SIEM, STORE = Exit("10.60.0.1", 443), Exit("10.70.0.1", 9000)
WHOLE: KubernetesNetworkArgs = {
    **ARGS,
    "server": SERVER,
    "bucket": BUCKET,
    "telemetry": [SIEM],
    "backup": STORE,
    "operator": "cnpg-system",
    "entry": "another",
}
OPERATOR = Pod("cnpg-system", (("app.kubernetes.io/name", "cloudnative-pg"),))
ELSEWHERE = {
    "model": OUTSIDE[0],
    "orders": OUTSIDE[1],
    "metadata": OUTSIDE[2],
    "stranger": OUTSIDE[3],
    "server": Pod(None, address=SERVER.host),
    "bucket": Pod(None, address=BUCKET.host),
    "siem": Pod(None, address=SIEM.host),
    "store": Pod(None, address=STORE.host),
    "dns": DNS,
    "entry": NEIGHBOUR,
    "operator": OPERATOR,
    "beside-operator": Pod("cnpg-system"),
}
AMONG_TEMPORAL = {port for ports in TEMPORAL_SERVICES.values() for port in ports}
ASKED = (53, 443, 4318, 5432, 6379, 6443, *AMONG_TEMPORAL, 8000, 8080, 8443, 9000)
INSIDE_PODS = {str(part): a(part) for part in Part}
BARE = {f"bare-{part}": Pod(f"{STACK}-{part}") for part in Part}
Way = tuple[str, str, int]


def whole() -> list[dict[str, Any]]:
    others = ("kube-system", "another", "cnpg-system")
    return [*manifests(network(WHOLE)), *({"kind": "Namespace", "metadata": {"name": name}} for name in others)]


def ways(objects: list[dict[str, Any]], of: Part | None = None) -> set[Way]:
    """Who reaches whom at which port, of all there is, or of one part alone: what policies elsewhere do is not known,
    so of a way out only the leaving is asked, and of one in only the entering."""
    meant = Reachability(objects)
    ours = {**INSIDE_PODS, **BARE}
    own = {name: pod for name, pod in ours.items() if of is None or pod.namespace == f"{STACK}-{of}"}
    found = set()
    for (name, pod), port in product(own.items(), ASKED):
        for other, there in {**ours, **ELSEWHERE}.items():
            if meant.reaches(pod, there, port):
                found.add((name, other, port))
            if meant.reaches(there, pod, port):
                found.add((other, name, port))
    return found


def alike(name: str) -> tuple[str, ...]:
    """In a database's namespace a pod without a label is the database's too."""
    return (name, f"bare-{name}") if name in ("primary", "replica") else (name,)


def declared() -> set[Way]:
    """What architecture and capabilities ask for, written out; nothing of it is read from the component."""
    return {(one, other, port) for source, target, port in said() for one in alike(source) for other in alike(target)}


def said() -> set[Way]:
    database = {("primary", "primary", port) for port in (5432, 8000)} | {
        ("replica", "replica", port) for port in (5432, 8000)
    }
    parts = set(map(str, Part))
    return {
        *database,
        ("replica", "primary", 5432),
        ("runtime", "primary", 5432),
        ("orchestrator", "primary", 5432),
        ("tools", "replica", 5432),
        ("runtime", "runtime", 8080),
        ("runtime", "tools", 8080),
        ("tools", "runtime", 8080),
        ("runtime", "models", 8000),
        ("runtime", "cache", 6379),
        ("runtime", "orchestrator", 7233),
        *(("orchestrator", "orchestrator", port) for port in AMONG_TEMPORAL),
        *((part, "observability", 4318) for part in ("runtime", "tools", "orchestrator", "models")),
        ("runtime", "model", 443),
        ("runtime", "orders", 8443),
        ("models", "bucket", 443),
        ("primary", "store", 9000),
        ("observability", "siem", 443),
        *((part, "server", 6443) for part in ("runtime", "primary", "replica")),
        ("entry", "runtime", 8080),
        *(("operator", part, port) for part in ("primary", "replica") for port in (5432, 8000)),
        *((part, "dns", 53) for part in parts),
    }


def test_of_the_whole_fabric_what_is_declared_is_let_through_and_nothing_else() -> None:
    assert ways(whole()) == declared()


def mutations(objects: list[dict[str, Any]]) -> Iterator[tuple[str, Part, list[dict[str, Any]]]]:
    """Each policy taken away, and each rule of each; a database's ``denied`` is for when its ``reach`` is gone."""
    for index, found in enumerate(objects):
        if found["kind"] != "NetworkPolicy":
            continue
        part = Part(found["metadata"]["namespace"].removeprefix(f"{STACK}-"))
        called = f"{part}/{found['metadata']['name']}"
        if part not in DATABASES or not called.endswith("/denied"):
            yield called, part, [*objects[:index], *objects[index + 1 :]]
        for way in ("ingress", "egress"):
            rules = found["spec"].get(way, [])
            for rule in range(len(rules)):
                left = {**found, "spec": {**found["spec"], way: [*rules[:rule], *rules[rule + 1 :]]}}
                yield f"{called}/{way}/{rule}", part, [*objects[:index], left, *objects[index + 1 :]]


def test_no_policy_and_no_rule_could_be_left_out_unseen() -> None:
    objects, wanted = whole(), declared()
    unseen = []
    count = 0
    for called, part, mutated in mutations(objects):
        own = {str(part), f"bare-{part}"}
        count += 1
        if ways(mutated, part) == {way for way in wanted if own & {*way[:2]}}:
            unseen.append(called)
    assert count > 2 * len(Part)
    assert unseen == []


@pytest.mark.parametrize("part", DATABASES)
def test_what_outlives_the_stack_closes_a_databases_namespace(part: Part) -> None:
    gone = [each for each in whole() if each["metadata"]["name"] != "reach"]
    assert ways(gone, part) == set()
    assert ways([each for each in gone if each["metadata"]["name"] != "denied"], part) != set()


CELL_NETWORK: list[tuple[str, str, Mapping[str, Any]]] = [
    row
    for part in Part
    for row in (
        ("kubernetes:core/v1:Namespace", f"-{part}", {"metadata.labels": ...}),
        (
            "kubernetes:networking.k8s.io/v1:NetworkPolicy",
            f"-{part}-denied",
            {"metadata.namespace": ..., "spec.policyTypes": ["Ingress", "Egress"]},
        ),
        (
            "kubernetes:networking.k8s.io/v1:NetworkPolicy",
            f"-{part}-reach",
            {"spec.podSelector": {} if part in DATABASES else ..., "spec.policyTypes": ["Ingress", "Egress"]},
        ),
    )
]


def test_it_is_what_its_cell_of_capabilities_says() -> None:
    assert unmet(network(WHOLE), CELL_NETWORK) == []


SOME = (Part.RUNTIME, Part.TOOLS, Part.OBSERVABILITY)


def test_parts_that_are_not_on_the_cluster_have_neither_a_place_nor_anybody_who_reaches_them() -> None:
    """Databases and queues of a cloud's own, as AWS has them."""
    graph = network({**ARGS, "parts": SOME})
    assert {each["metadata"]["name"] for each in manifests(graph) if each["kind"] == "Namespace"} == {
        f"{STACK}-{part}" for part in SOME
    }
    assert [part for part in Part if part not in SOME and f"{STACK}-{part}" in str(manifests(graph))] == []
    here = {(part, Pod(f"{STACK}-{part}", ((PART_LABEL, part),))) for part in SOME}
    meant = meaning(graph)
    found = {
        (str(source), str(target), port)
        for (source, one), (target, other), port in product(here, here, PORTS)
        if meant.reaches(one, other, port)
    }
    assert found == {
        ("runtime", "runtime", 8080),
        ("runtime", "tools", 8080),
        ("tools", "runtime", 8080),
        ("runtime", "observability", 4318),
        ("tools", "observability", 4318),
    }


def test_parts_that_are_not_there_are_in_no_output() -> None:
    graph = network({**ARGS, "parts": SOME})
    outputs = graph.outputs[graph.component("loomstead:network:Network").urn]
    assert outputs["workloads"] == [f"{STACK}-{part}" for part in SOME]
    assert outputs["primary"] == outputs["replica"] == []


WALLED: KubernetesNetworkArgs = {
    **ARGS,
    "exits": (),
    "addresses": {},
    "walled": {Part.RUNTIME: [Exit("0.0.0.0/0", 443), Exit("::/0", 443)], Part.TOOLS: [Exit("10.40.0.0/20", 5432)]},
}
FAR = Pod(None, address="203.0.113.9")
NEAR = Pod(None, address="10.40.3.4")


def test_where_another_wall_decides_a_part_may_leave_by_the_port_that_is_said_and_by_no_other() -> None:
    meant = meaning(network(WALLED))
    assert [port for port in PORTS if meant.reaches(a(Part.RUNTIME), FAR, port)] == [443]
    assert [port for port in PORTS if meant.reaches(a(Part.TOOLS), NEAR, port)] == [POSTGRES]
    assert not any(meant.reaches(a(Part.TOOLS), FAR, port) for port in PORTS)
    others = [part for part in Part if part not in (Part.RUNTIME, Part.TOOLS)]
    assert not any(meant.reaches(a(part), there, port) for part, there, port in product(others, (FAR, NEAR), PORTS))


@pytest.mark.parametrize("server", ["169.254.169.254", "fd00:ec2::254", "168.63.129.16"])
def test_no_wall_leads_to_a_metadata_server(server: str) -> None:
    meant = meaning(network(WALLED))
    assert not any(meant.reaches(a(Part.RUNTIME), Pod(None, address=server), port) for port in PORTS)
    (other,) = [{"169.254.169.254": "169.254.169.253", "fd00:ec2::254": "fd00:ec2::253"}.get(server, "168.63.129.17")]
    assert meant.reaches(a(Part.RUNTIME), Pod(None, address=other), 443), "only that one is left out"


def test_the_api_server_takes_a_wall_without_the_metadata_servers_in_it(cluster: Cluster) -> None:
    found = manifests(network({**WALLED, "stack": "net-walled"}))
    taken = [cluster.apply(each) for each in found]
    blocks = [rule["to"][0]["ipBlock"] for each in taken if "except" in str(each) for rule in _leaving(each)]
    assert {server for block in blocks for server in block.get("except", ())} == {
        *("168.63.129.16/32", "169.254.169.254/32", "fd00:ec2::254/128", "fd20:ce::254/128"),
    }


def _leaving(policy: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for rule in policy["spec"].get("egress", ()):
        if "ipBlock" in rule["to"][0]:
            yield rule
