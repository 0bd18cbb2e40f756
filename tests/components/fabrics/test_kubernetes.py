"""A cluster's fabric as a whole: what its parts get of each other, that a real API server takes all of it under the
fabric's own fences, who reaches whom by its policies, and what is refused before any of it is made.

Network policies are enforced by nobody here: what they mean is computed (tests/fixtures/reachability.py).
"""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import product
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.fabric import build, check
from components.fabrics.kubernetes_plan import KubernetesFabricError
from components.infrastructure import Refused
from components.kubernetes.parts import PART_LABEL, TEMPORAL_SERVICES, Part
from components.naming import REPOSITORY
from components.providers import NotAllowed
from components.publish import Ground
from components.spec import CONFIG_KEY, FabricSpec, country_of
from regions.boundary import compile_boundary
from regions.catalogue import load_catalogue
from scripts.rehearsal.shipped import plan_of, standing
from tests.fixtures.kubernetes import Cluster, manifests
from tests.fixtures.reachability import Pod, Reachability
from tests.fixtures.recording import Graph, Recorded, record, reviewed
from tests.fixtures.workloads import owned, pods

STACK = "kubernetes-onprem"
FABRIC = "loomstead:fabric:Fabric"
ADDRESSES = {
    "s3.corp.example": ["192.0.2.16/29"],
    "k8s.corp.example": ["192.0.2.8/32"],
    "otlp.corp.example": ["192.0.2.32/32"],
    "erp.corp.example": ["192.0.2.48/32"],
}
PLAIN: dict[str, Any] = {"cluster": {"cilium": False, "entry": "edge"}, "network": {"addresses": ADDRESSES}}
"""A network plugin that knows no names: what it lets through is all in NetworkPolicies."""
MODEL = {
    "chat": {"candidates": {"x": {"endpoint": {"url": "https://vllm.example/v1", "model": "m", "countries": ["AT"]}}}}
}
SIGNED = {
    "secrets": "home",
    "public": {role: {"kid": role} for role in ("manifest", "operator")},
    "generation": 1,
    "document": "{}",
    "digest": "sha256:0",
}
SECONDS = 20


def said() -> dict[str, Any]:
    return yaml.safe_load((REPOSITORY / "stacks" / f"Pulumi.{STACK}.yaml").read_text())["config"][CONFIG_KEY]


def ground(**changed: Any) -> Ground:
    """What the shipped file says, with keys of sections changed; ``None`` leaves a section out."""
    found, catalogue = said(), load_catalogue()
    for section, value in changed.items():
        before = found.get(section)
        merged = isinstance(before, dict) and isinstance(value, dict) and section != "models"
        found[section] = {**before, **value} if merged else value
    kept = {key: value for key, value in found.items() if value is not None}
    spec = FabricSpec.model_validate_json(json.dumps(kept))
    country = country_of(spec, catalogue) or ""
    return Ground(STACK, spec, compile_boundary(spec.residency, catalogue, host=country), catalogue)


def filled(type_: str, _name: str, _inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """What resources of our own answer: the deployer's keys, and the signed Manifest."""
    return SIGNED if type_.startswith("pulumi-python:") else {}


def made(*, preview: bool = False, **changed: Any) -> Graph:
    return record(lambda: build(ground(**changed)), answers=filled, stack=STACK, preview=preview)


@pytest.fixture(scope="module", autouse=True)
def deployer() -> Iterator[Path]:
    """Whose kubeconfig has the declared context."""
    with plan_of(STACK, None) as plan, pytest.MonkeyPatch.context() as patch:
        for variable, value in plan.environment.items():
            patch.setenv(variable, value)
        yield Path(plan.environment["KUBECONFIG"])


@pytest.fixture(scope="module")
def graph(deployer: Path) -> Graph:
    return made()


@pytest.fixture(scope="module")
def plain(deployer: Path) -> Graph:
    return made(**PLAIN)


def owner(graph: Graph, resource: Recorded) -> Recorded:
    return next(each for each in graph.resources if each.urn == resource.parent)


@pytest.mark.parametrize("preview", [False, True])
def test_all_of_it_is_a_part_of_the_fabric_and_on_its_own_provider(preview: bool) -> None:
    graph = made(preview=preview)
    root = graph.component(FABRIC)
    parts = [each for each in graph.children(root) if not each.custom]

    assert {each.type.split(":")[1] for each in parts} == {
        *("network", "cluster", "guardrails", "budget", "keys", "backup", "postgres", "vector", "cache"),
        *("observability", "identity", "orchestrator", "model_host", "gateway"),
    }
    own = [each for each in graph.resources if each.custom and not each.type.startswith("pulumi")]
    assert {each.provider for each in own} == {"fabric-kubernetes"}
    assert {each.parent for each in own} <= {each.urn for each in parts}
    assert [each.name for each in own if not each.name.startswith(f"{owner(graph, each).name}-")] == []
    (provider,) = graph.of("pulumi:providers:kubernetes")
    assert provider.parent == root.urn
    assert provider.secrets == {"kubeconfig"}


def test_the_rules_have_nothing_against_it(graph: Graph) -> None:
    objects = tuple(each for each in graph.resources if not each.type.startswith("pulumi-python:"))
    assert reviewed(replace(graph, resources=objects), "eu-gdpr", "onprem") == []


def test_no_secret_is_in_what_pulumi_keeps_or_tells(graph: Graph) -> None:
    assert graph.of("kubernetes:core/v1:Secret") == []
    assert {each.name for each in graph.resources if each.secrets} == {"fabric-kubernetes"}
    told = graph.outputs[graph.component(FABRIC).urn]
    assert {key: value for key, value in told.items() if not key.startswith("manifest")} == {
        "gateway": "https://agents.corp.example",
        "cluster": "onprem",
        "primary": f"primary-rw.{STACK}-primary.svc.cluster.local",
        "replica": f"replica-r.{STACK}-replica.svc.cluster.local",
        "telemetry": f"http://collector.{STACK}-observability.svc.cluster.local:4318",
    }


def test_images_come_from_the_stacks_own_registry_by_digest(graph: Graph) -> None:
    found = set(images(graph))
    assert found
    assert [
        each for each in found if not re.fullmatch(r"registry\.corp\.example/[^@]+@sha256:[0-9a-f]{64}", each)
    ] == []


def test_the_images_that_its_registry_has_to_hold_are_listed(graph: Graph) -> None:
    page = (REPOSITORY / "docs" / "runbooks" / "prepare-kubernetes.md").read_text()
    listed = set(re.findall(r"`([a-z0-9./-]+@sha256:[0-9a-f]{64})`", page))
    found = {*images(graph), *images(made(postgres={"version": "17"}))}
    assert listed == {each.partition("/")[2] for each in found} - {said()["gateway"]["image"].partition("/")[2]}


def images(graph: Graph) -> Iterator[str]:
    for pod in pods(graph):
        yield from (each["image"] for each in containers(pod))
    for catalogue in graph.of("kubernetes:postgresql.cnpg.io/v1:ImageCatalog"):
        yield from (each["image"] for each in catalogue.properties["spec"]["images"])


def containers(pod: Mapping[str, Any]) -> list[Any]:
    return [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]


def test_who_runs_tools_asks_the_fabrics_authority_for_no_certificate(graph: Graph) -> None:
    """Nor anybody where no part needs one: who is called ``streaming_replica`` may copy every database."""
    constraints = graph.named("fabric-cluster-certificates").properties["spec"]["matchConstraints"]
    (elsewhere,) = constraints["namespaceSelector"]["matchExpressions"]
    asking = {
        each.properties["metadata"]["namespace"]
        for each in graph.of("kubernetes:cert-manager.io/v1:Certificate")
        if each.properties["spec"]["issuerRef"]["name"].endswith("-authority")
    }

    assert {*elsewhere["values"]} == asking


def test_the_secrets_that_pods_wait_for_are_made_by_the_fabric_or_told_in_the_runbook(graph: Graph) -> None:
    """cert-manager's and the operator's, the Job's, and those that a person brings."""
    certificates = graph.of("kubernetes:cert-manager.io/v1:Certificate")
    signed = {each.properties["spec"]["secretName"] for each in certificates}
    here = {*signed, "primary-superuser", "secrets", "temporal"}
    brought = {*mounted(graph)} - here
    store = graph.named("fabric-backup-store").properties["spec"]["configuration"]["s3Credentials"]
    brought |= {each["name"] for each in store.values()}

    assert brought == {"weights", "backup"}
    page = (REPOSITORY / "docs" / "runbooks" / "prepare-kubernetes.md").read_text()
    assert [each for each in brought if f"secret generic {each} " not in page] == []


def mounted(graph: Graph) -> Iterator[str]:
    for pod in pods(graph):
        for volume in pod["spec"].get("volumes", ()):
            if "secret" in volume:
                yield volume["secret"]["secretName"]
            for source in volume.get("projected", {}).get("sources", ()):
                if "secret" in source:
                    yield source["secret"]["name"]


@pytest.fixture(scope="module")
def raised(operators: Cluster, graph: Graph) -> Cluster:
    """All of the fabric on the API server, once its fences stand."""
    for each in standing(ground().spec):
        operators.apply(each)
    for each in manifests(graph):
        operators.apply(each)
    until = time.monotonic() + SECONDS
    pod = right(graph, Part.RUNTIME)
    foreign = [{**each, "image": each["image"].replace("corp", "foreign")} for each in pod["spec"]["containers"]]
    while "-images'" not in (operators.refusal({**pod, "spec": {**pod["spec"], "containers": foreign}}) or ""):
        assert time.monotonic() < until, "the guardrails are not in force"
        time.sleep(0.1)
    return operators


def test_the_api_server_takes_every_object_strictly_and_every_pod_under_the_fabrics_own_fences(
    raised: Cluster, graph: Graph
) -> None:
    refused = {pod["metadata"]["name"]: raised.refusal(pod) for pod in pods(graph)}
    assert len(refused) > 10
    assert {name: reason for name, reason in refused.items() if reason} == {}


@pytest.mark.parametrize("part", Part)
def test_a_pod_of_another_region_or_with_the_nodes_rights_is_refused_in_every_namespace(
    raised: Cluster, graph: Graph, part: Part
) -> None:
    pod = right(graph, part)
    assert raised.refusal(pod) is None
    abroad = raised.refusal({**pod, "spec": {**pod["spec"], "nodeSelector": {}}})
    assert "pods run in onprem alone" in (abroad or "")
    on_host = raised.refusal({**pod, "spec": {**pod["spec"], "hostNetwork": True}})
    assert "host" in (on_host or "")


def right(graph: Graph, part: Part) -> dict[str, Any]:
    """A pod that belongs there: the fabric's own, else one of a Job, as the databases' operator names its own."""
    place = f"{STACK}-{part}"
    found = [pod for pod in pods(graph) if pod["metadata"]["namespace"] == place]
    pod = found[0] if found else next(pods(graph))
    labels, owners = {PART_LABEL: str(part)}, owned("Job", f"{part}-2-join")
    metadata = {"name": "joins", "namespace": place, "labels": labels, "ownerReferences": owners}
    return pod if found else {**pod, "metadata": metadata, "spec": {**pod["spec"], "serviceAccountName": str(part)}}


MEMBERSHIP = sorted(port for ports in TEMPORAL_SERVICES.values() for port in ports)
EXPECTED = {
    *((Part.RUNTIME, target, port) for target, port in ((Part.RUNTIME, 8080), (Part.TOOLS, 8080))),
    *((Part.RUNTIME, target, port) for target, port in ((Part.ORCHESTRATOR, 7233), (Part.MODELS, 8000))),
    *((Part.RUNTIME, target, port) for target, port in ((Part.PRIMARY, 5432), (Part.CACHE, 6379))),
    *((Part.TOOLS, Part.RUNTIME, 8080), (Part.TOOLS, Part.REPLICA, 5432)),
    (Part.ORCHESTRATOR, Part.PRIMARY, 5432),
    *((Part.ORCHESTRATOR, Part.ORCHESTRATOR, port) for port in MEMBERSHIP),
    *((part, part, port) for part in (Part.PRIMARY, Part.REPLICA) for port in (5432, 8000)),
    (Part.REPLICA, Part.PRIMARY, 5432),
    *((part, Part.OBSERVABILITY, 4318) for part in (Part.RUNTIME, Part.TOOLS, Part.ORCHESTRATOR, Part.MODELS)),
}
OUTSIDE = {
    *((part, "192.0.2.8", 6443) for part in (Part.RUNTIME, Part.PRIMARY, Part.REPLICA)),
    *((part, "192.0.2.17", 443) for part in (Part.PRIMARY, Part.MODELS)),
    (Part.OBSERVABILITY, "192.0.2.32", 443),
    (Part.RUNTIME, "192.0.2.48", 443),
}
INTO = {
    ("edge", Part.RUNTIME, 8080),
    ("keda", Part.RUNTIME, 8080),
    *(("cnpg-system", part, port) for part in (Part.PRIMARY, Part.REPLICA) for port in (5432, 8000)),
}
PORTS = sorted({22, 53, 80, 443, 4317, 6443, 9187, *(port for _, _, port in (*EXPECTED, *OUTSIDE, *INTO))})
DNS = Pod("kube-system", (("k8s-app", "kube-dns"),))


def alike(name: str) -> tuple[str, ...]:
    """All pods of a database's namespace are the database's: those of the operator's Jobs have no part's label."""
    return (name, f"bare {name}") if name in (Part.PRIMARY, Part.REPLICA) else (name,)


def meaning(objects: list[dict[str, Any]]) -> set[tuple[str, str, int]]:
    """Who reaches whom, by the labels that pods really have; a pod without its part's label is ``bare``."""
    others = ("kube-system", "edge", "keda", "cnpg-system", "another")
    meant = Reachability([*objects, *({"kind": "Namespace", "metadata": {"name": name}} for name in others)])
    inside = {
        **{str(part): Pod(f"{STACK}-{part}", ((PART_LABEL, part),)) for part in Part},
        **{f"bare {part}": Pod(f"{STACK}-{part}") for part in Part},
    }
    callers = {name: Pod(name, (("app.kubernetes.io/name", "cloudnative-pg"),)) for name in others}
    outside = {each: Pod(None, address=each) for each in (*{there for _, there, _ in OUTSIDE}, "169.254.169.254")}
    found = {
        (source, target, port)
        for (source, one), (target, other), port in product(inside.items(), {**inside, **outside}.items(), PORTS)
        if meant.reaches(one, other, port)
    }
    found |= {
        (source, target, port)
        for (source, one), (target, other), port in product(callers.items(), inside.items(), PORTS)
        if meant.lets_in(one, other, port)
    }
    return found | {(name, "dns", 53) for name, pod in inside.items() if meant.reaches(pod, DNS, 53, "UDP")}


def enforced(graph: Graph) -> list[dict[str, Any]]:
    return [each for each in manifests(graph) if each["kind"] in ("Namespace", "NetworkPolicy")]


def test_every_pod_has_the_label_by_which_policies_know_its_part(plain: Graph) -> None:
    for pod in pods(plain):
        part = pod["metadata"]["namespace"].removeprefix(f"{STACK}-")
        assert pod["metadata"]["labels"][PART_LABEL] == part
    for each in plain.of("kubernetes:postgresql.cnpg.io/v1:Cluster"):
        inherited = each.properties["spec"]["inheritedMetadata"]["labels"]
        assert each.properties["metadata"]["namespace"] == f"{STACK}-{inherited[PART_LABEL]}"


def test_who_reaches_whom_over_all_of_its_policies(plain: Graph) -> None:
    names = {(part, "dns", 53) for part in Part}
    declared = {
        (one, other, port)
        for source, target, port in (*EXPECTED, *OUTSIDE, *INTO, *names)
        for one, other in product(alike(str(source)), alike(str(target)))
    }
    assert meaning(enforced(plain)) == declared


def test_each_of_its_policies_is_needed(plain: Graph) -> None:
    """But those that close the databases' namespaces when the stack, and what lets their pods out, is gone."""
    objects = enforced(plain)
    whole, policies = meaning(objects), [each for each in objects if each["kind"] == "NetworkPolicy"]
    assert len(policies) == 2 * len(Part)
    unseen = [each["metadata"] for each in policies if meaning([o for o in objects if o is not each]) == whole]
    assert sorted(unseen, key=itemgetter("namespace")) == [
        {"name": "denied", "namespace": f"{STACK}-{part}"} for part in (Part.PRIMARY, Part.REPLICA)
    ]


def test_what_a_pod_is_told_to_call_in_the_cluster_lets_it_in(plain: Graph) -> None:
    meant = Reachability(enforced(plain))
    for pod in pods(plain):
        source = Pod(pod["metadata"]["namespace"], ((PART_LABEL, pod["metadata"]["labels"][PART_LABEL]),))
        told = json.dumps([each.get("env", []) for each in containers(pod)])
        for name, port in re.findall(rf"\.{STACK}-([a-z]+)\.svc\.cluster\.local:(\d+)", told):
            target = Pod(f"{STACK}-{name}", ((PART_LABEL, name),))
            assert meant.reaches(source, target, int(port)), (pod["metadata"]["name"], name, port)


GROWN: dict[str, Any] = {
    "gateway": {"replicas": 100},
    "cluster": {"gpu": {"family": "l40s", "nodes": 64, "per_node": 2}},
    "postgres": {"storage_gib": 5000},
}


@pytest.mark.parametrize("changed", [{}, GROWN], ids=["as it is", "with more of everything"])
@pytest.mark.parametrize("size", ["small", "medium", "large"])
def test_all_that_its_parts_ask_for_fits_in_their_budgets(size: str, changed: dict[str, Any]) -> None:
    graph = made(size=size, **changed)
    hard = {
        each.properties["metadata"]["namespace"]: each.properties["spec"]["hard"]
        for each in graph.of("kubernetes:core/v1:ResourceQuota")
    }
    asked = wanted(graph)
    assert asked.keys() <= hard.keys()
    for place, total in asked.items():
        over = {
            key: (value, hard[place].get(key)) for key, value in total.items() if value > quantity(hard[place][key])
        }
        assert over == {}, place


def wanted(graph: Graph) -> dict[str, Counter[str]]:
    """What each namespace's pods ask for together when all of them run, and a quarter more while they are replaced."""
    most = {each.properties["metadata"]["name"]: each.properties["spec"] for each in graph.of(HPA)}
    scaled = {each.properties["metadata"]["name"]: each.properties["spec"] for each in graph.of(SCALED)}
    found: dict[str, Counter[str]] = {}
    for sent, pod in zip(workloads(graph), pods(graph), strict=True):
        name, spec = sent["metadata"]["name"], sent["spec"]
        count = int(spec.get("replicas", 1))
        if sent["kind"] == "Deployment" and name in most:
            count = int(most[name]["maxReplicas"])
        if sent["kind"] == "Deployment" and name in scaled:
            count = int(scaled[name]["maxReplicaCount"])
        elif sent["kind"] == "Deployment":
            count += -(-count // 4)
        add(found, sent["metadata"]["namespace"], count, needs(pod))
    for cluster in graph.of("kubernetes:postgresql.cnpg.io/v1:Cluster"):
        spec = cluster.properties["spec"]
        volumes = quantity(spec["storage"]["size"]) + quantity(spec["walStorage"]["size"])
        own = {f"requests.{key}": quantity(value) for key, value in spec["resources"]["requests"].items()}
        own["limits.memory"] = own["requests.memory"]
        each = Counter({**own, "requests.storage": volumes, "pods": Decimal(1)})
        add(found, cluster.properties["metadata"]["namespace"], int(spec["instances"]) + 1, each)
    return found


HPA = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
SCALED = "kubernetes:keda.sh/v1alpha1:ScaledObject"
GIB = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def workloads(graph: Graph) -> list[dict[str, Any]]:
    return [each for each in manifests(graph) if (each.get("spec") or {}).get("template")]


def add(found: dict[str, Counter[str]], place: str, count: int, each: Counter[str]) -> None:
    found.setdefault(place, Counter())
    for key, value in each.items():
        found[place][key] += count * value


def needs(pod: Mapping[str, Any]) -> Counter[str]:
    """Of a pod: its containers and those that stay beside them together, or the largest of those before, if that is
    more."""
    total: Counter[str] = Counter({"pods": 1})
    before = [each for each in pod["spec"].get("initContainers", ()) if each.get("restartPolicy") != "Always"]
    for each in containers(pod):
        if each not in before:
            total.update(asked(each))
    for each in before:
        total |= asked(each)
    return total


def asked(container: Mapping[str, Any]) -> Counter[str]:
    found = {f"requests.{key}": quantity(value) for key, value in container["resources"]["requests"].items()}
    return Counter({**found, "limits.memory": quantity(container["resources"]["limits"]["memory"])})


def quantity(text: str) -> Any:
    unit = text.lstrip("0123456789.")
    return Decimal(text.removesuffix(unit)) * GIB.get(unit, 1) / (1000 if unit == "m" else 1)


def test_the_one_load_balancer_that_ciliums_gateway_makes_is_in_the_budget_and_no_other(
    graph: Graph, plain: Graph
) -> None:
    for found, runtime in ((graph, "1"), (plain, "0")):
        for part in Part:
            hard = found.named(f"fabric-budget-{part}").properties["spec"]["hard"]
            expected = runtime if part is Part.RUNTIME else "0"
            assert (hard["services.loadbalancers"], hard["services.nodeports"]) == (expected, expected)


def test_without_a_model_or_a_store_of_its_own_there_is_neither() -> None:
    graph = made(models=MODEL, backup=None)
    assert graph.of(SCALED) == graph.of("kubernetes:barmancloud.cnpg.io/v1:ObjectStore") == []
    assert [each for each in manifests(graph) if f"{STACK}-models" in json.dumps(each)] == []


@pytest.mark.parametrize("version", ["17", "18"])
def test_the_databases_are_of_the_version_that_is_asked_for(version: str) -> None:
    for each in made(postgres={"version": version}).of("kubernetes:postgresql.cnpg.io/v1:Cluster"):
        assert each.properties["spec"]["imageCatalogRef"]["major"] == int(version)


def hosted(**staged: Any) -> dict[str, Any]:
    found = said()["models"]
    found["chat"]["candidates"]["here"]["hosted"]["staged"].update(staged)
    return {"models": json.loads(json.dumps(found))}


STORE = {"url": "https://s3.corp.example", "countries": ["AT"]}
TAKES = {"url": "https://otlp.corp.example", "countries": ["AT"]}
DIGEST = "@sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"cluster": {"key": None}}, r"cluster\.key: expected a reference to the key outside the cluster"),
        ({"cluster": {"key": ""}}, r"cluster\.key: expected a reference to the key outside the cluster"),
        ({"cluster": {"issuer": "http://kubernetes.default.svc"}}, r"cluster\.issuer: .* expected an https URL"),
        (
            {"postgres": {"image": f"registry.corp.example/cnpg/postgresql:18-minimal-trixie{DIGEST}"}},
            r"postgres\.image: .* has no pgvector: take CloudNativePG's standard image",
        ),
        (
            {"postgres": {"image": f"registry.corp.example/postgresql-minimal{DIGEST}"}},
            r"postgres\.image: .* has no pgvector",
        ),
        (
            {"postgres": {"image": f"ghcr.io/cloudnative-pg/postgresql{DIGEST}"}},
            r"postgres\.image: .* is not in registry\.corp\.example, the only registry here: push it there",
        ),
        ({"gateway": {"image": f"loomstead{DIGEST}"}}, r"registries: .* got \[''\]: name .* by gateway\.image"),
        ({"gateway": {"image": f"corp.example//team{DIGEST}"}}, r"registries: expected as registry\.example"),
        (
            {"telemetry": {"siem": TAKES}, "logs": {"sinks": {"siem": TAKES}}},
            r"logs\.sinks\.siem: telemetry has one of that name too; give each a name of its own",
        ),
        (
            {"backup": {"store": {**STORE, "url": "http://s3.corp.example", "bucket": "s3://backups/onprem"}}},
            r"backup\.store\.url: .* is no https URL",
        ),
        (
            {"postgres": {"storage_gib": 50}, "size": "medium"},
            r"postgres\.storage_gib: expected 80 at least, .* got 50",
        ),
        ({"extent": "foundation"}, "extent: a cluster is declared whole: expected fabric"),
        ({"gateway": {"callers": ["10.0.0.0/8"]}}, r"gateway\.callers: the Gateway API has no field"),
        ({"orchestrator": {"engine": "step-functions"}}, r"orchestrator\.engine: .* expected temporal"),
        ({"telemetry": None}, "telemetry: expected one destination at least"),
        ({"postgres": {"version": "16"}}, r"postgres\.version: expected 18 or 17, got 16"),
        ({"postgres": {"storage_gib": 20}, "size": "large"}, r"postgres\.storage_gib: expected 200 at least"),
        ({"postgres": {"machine": "db.r8g.large"}}, r"postgres\.machine: a cluster's databases are pods"),
        ({"postgres": {"replica_machine": "db.r8g.large"}}, r"postgres\.replica_machine"),
        ({"network": {"cidr": "10.20.0.0/16"}}, r"network\.cidr: nothing reads it on kubernetes: leave it out"),
        ({"cluster": {"machine": "m7i.large"}}, r"cluster\.machine: nothing reads it on kubernetes"),
        ({"cluster": {"gpu": {"family": "l40s", "machine": "g6e.xlarge"}}}, r"cluster\.gpu\.machine: nothing reads it"),
        ({"cache": {"machine": "cache.m7g.large"}}, r"cache\.machine: nothing reads it"),
        ({"budget": {"monthly": 100, "notify": ["ops@corp.example"]}}, r"budget: nothing reads it"),
        (
            {"keys": {"encryption": "arn:aws:kms:eu-central-1:111122223333:key/a"}},
            r"keys\.encryption: nothing reads it",
        ),
        ({"network": {"own": {"id": "vpc", "workloads": ["a"]}}}, r"network\.own"),
        ({"network": {"zones": ["a"]}}, r"network\.zones"),
        (hosted(store=None), r"hosted\.staged\.store: expected url, bucket and countries"),
        (hosted(store={**STORE, "bucket": "s3://weights/team"}), "s3://weights/team has a folder"),
        ({"cluster": {"cilium": False}}, r"entry: cilium is not the network plugin here"),
        ({"cluster": {"cilium": False, "entry": "edge"}}, "a NetworkPolicy knows addresses alone"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_registered(changed: dict[str, Any], reason: str) -> None:
    """By the check alone, so that no part refuses what stands half made."""
    with pytest.raises(Refused, match=reason) as said_by_check:
        check(ground(**changed))
    graph, refused = tried(**changed)
    assert (graph.resources, str(refused)) == ((), str(said_by_check.value))


def tried(**changed: Any) -> tuple[Graph, Exception | None]:
    """What was registered by then, and what ``build`` raised."""
    raised: list[Exception] = []

    def program() -> None:
        try:
            build(ground(**changed))
        except Exception as refused:  # noqa: BLE001  whatever it is, nothing may stand by then
            raised.append(refused)

    return record(program, answers=filled, stack=STACK), next(iter(raised), None)


@pytest.mark.parametrize(
    "changed",
    [
        {"cluster": {"key": "another", "issuer": "https://oidc.corp.example"}},
        {"postgres": {"image": f"registry.corp.example/cnpg/postgresql:18-standard-trixie{DIGEST}"}},
        {"postgres": {"storage_gib": 80}, "size": "medium"},
        {"gateway": {"image": f"registry.corp.example:5000/team/loomstead{DIGEST}"}},
        {"telemetry": None, "logs": {"sinks": {"siem": TAKES}}},
        {"logs": {"sinks": {"siem": TAKES}}},
        {"backup": {"store": {**STORE, "bucket": "s3://backups"}}},
    ],
)
def test_what_the_check_lets_pass_no_part_refuses(changed: dict[str, Any]) -> None:
    check(ground(**changed))
    graph, refused = tried(**changed)
    assert refused is None
    assert graph.of("kubernetes:gateway.networking.k8s.io/v1:Gateway")


@pytest.mark.parametrize("stack", ["Onprem", "on_prem", "a" * 50])
def test_a_stack_whose_name_begins_no_namespaces_is_refused_by_the_check(stack: str) -> None:
    with pytest.raises(Refused, match=r"stack: .* begins no namespace's name: .* at most 49 characters"):
        check(replace(ground(), stack=stack))
    check(replace(ground(), stack="a" * 49))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"cluster": {"gpu": None}}, "cluster.gpu: expected the nodes that the hosted model runs on"),
        ({"gateway": None}, "gateway: expected image, host and certificate"),
        ({"cluster": {"encrypted_at_rest": False}}, "cluster.encrypted_at_rest: expected true"),
        ({"cluster": {"storage_class": None}}, "cluster.storage_class"),
    ],
)
def test_what_is_not_said_is_asked_for(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(Exception, match=reason):
        check(ground(**changed))


def test_all_that_is_wrong_is_told_together() -> None:
    with pytest.raises(KubernetesFabricError) as caught:
        check(ground(extent="foundation", postgres={"version": "16"}))
    assert len(str(caught.value).splitlines()) == 2


def test_a_context_that_leads_to_another_server_makes_nothing(
    deployer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "config"
    other.write_text(deployer.read_text().replace("k8s.corp.example", "k8s.else.example"))
    monkeypatch.setenv("KUBECONFIG", str(other))
    with pytest.raises(NotAllowed, match=r"k8s\.else\.example:6443' is not allowed here \(allowed: https://k8s\.corp"):
        check(ground())
    other.write_text(deployer.read_text().replace('"onprem"', '"elsewhere"'))
    with pytest.raises(NotAllowed, match="context 'onprem': the kubeconfig does not say once"):
        check(ground())


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(KubernetesFabricError, match=r"none: the kubeconfig cannot be read: No such file.*KUBECONFIG"):
        check(ground())
