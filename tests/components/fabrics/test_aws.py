"""AWS's fabric as a whole: what its parts get of each other, and who may do what."""

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.fabric import build
from components.identity.aws_pods import COLLECTOR, GATEWAY, TOOLS, WORKER
from components.kubernetes.parts import PROVISION
from components.naming import REPOSITORY
from components.observability.aws import SOURCES
from components.publish import Ground
from components.review import country_of
from components.spec import CONFIG_KEY, FabricSpec
from regions.boundary import compile_boundary
from regions.catalogue import load_catalogue
from scripts.rehearsal.answers import Place, answers
from scripts.rehearsal.fills import fills
from scripts.rehearsal.outputs import Made
from tests.conformance.fabrics import MADE_HERE
from tests.fixtures.iam import FULL_ACCESS, Policy, Request, allowed, policies_of, wildcard_pairs
from tests.fixtures.recording import Graph, Recorded, record, reviewed

FRANKFURT, VIRGINIA, BRANDENBURG = "aws-eu-central-1", "aws-us-east-1", "aws-eusc-de-east-1"
REGIMES = {FRANKFURT: "eu-gdpr", VIRGINIA: "us-hipaa", BRANDENBURG: "eu-strict"}
STACKS = sorted(REGIMES)
FABRIC = "loomstead:fabric:Fabric"
ACCOUNT = "111122223333"
PODS = {"runtime": {GATEWAY, WORKER, PROVISION}, "tools": {TOOLS}, "observability": {COLLECTOR}}


def said(stack: str) -> dict[str, Any]:
    return yaml.safe_load((REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"][CONFIG_KEY]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What whoever deploys in the Sovereign Cloud brings."""
    file = tmp_path_factory.mktemp("authority") / "region.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\nof a test\n-----END CERTIFICATE-----\n")
    return file


def ground(stack: str = FRANKFURT, name: str = "", **changed: Any) -> Ground:
    """What the shipped file says, with sections changed; ``None``: without it."""
    found, catalogue = {**said(stack), **changed}, load_catalogue()
    spec = FabricSpec.model_validate_json(json.dumps({key: value for key, value in found.items() if value is not None}))
    country = country_of(spec, catalogue) or ""
    return Ground(name or stack, spec, compile_boundary(spec.residency, catalogue, host=country), catalogue)


def registered(asked: Ground, *, preview: bool = False) -> Graph:
    place, made = Place(asked.spec.region, ACCOUNT), dict[str, Mapping[str, Any]]()

    def filled(type_: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        made[f"{name}-id"] = inputs
        own = type_.startswith("pulumi-python:")
        return MADE_HERE if own else fills(Made(type_, f"::{name}", place, 0), inputs, made.get)

    calls = answers(place, made.get)
    return record(lambda: build(asked), answers=filled, calls=calls, stack=asked.stack, preview=preview)


@cache
def _fabric(stack: str, authority: Path, preview: bool) -> Graph:
    asked = ground(stack)
    if stack == BRANDENBURG:
        asked = ground(stack, postgres={**said(stack)["postgres"], "authority": str(authority)})
    return registered(asked, preview=preview)


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def graph(stack: str, authority: Path) -> Graph:
    return _fabric(stack, authority, preview=False)


@pytest.fixture
def frankfurt(authority: Path) -> Graph:
    return _fabric(FRANKFURT, authority, preview=False)


@pytest.fixture
def virginia(authority: Path) -> Graph:
    return _fabric(VIRGINIA, authority, preview=False)


def clouds(graph: Graph) -> Graph:
    """Without our own resources, which no SDK's class describes and no cloud has."""
    return Graph(tuple(each for each in graph.resources if not each.type.startswith("pulumi-python:")), graph.outputs)


@pytest.mark.parametrize("preview", [False, True])
def test_all_of_it_is_a_part_of_the_fabric_and_on_its_own_providers(stack: str, preview: bool, authority: Path) -> None:
    graph = clouds(_fabric(stack, authority, preview))
    root = graph.component(FABRIC)
    components = {each.urn for each in graph.resources if not each.custom}
    made = [each for each in graph.resources if each.custom and not each.type.startswith("pulumi:")]

    assert {each.parent for each in made} <= components
    assert {each.provider for each in made} == {"fabric-aws", "fabric-kubernetes"}
    assert {each.parent for each in graph.resources if each.type.startswith("pulumi:providers:")} == {root.urn}


def test_the_rules_warn_of_the_zone_whose_control_plane_is_global_and_have_nothing_else(
    stack: str, graph: Graph
) -> None:
    """Of the gateway's private name alone: Route 53 is administered in another region whoever asks."""
    found = reviewed(clouds(graph), REGIMES[stack], said(stack)["region"])

    assert [(each.rule, str(each.severity), each.resource) for each in found] == [
        ("A26", "warn", "fabric-runtime-edge-zone")
    ]


def test_no_policy_lets_many_actions_be_done_to_everything(graph: Graph) -> None:
    """A boundary gives nothing, and by "everything" a resource's own policy means that resource."""
    roles = ("aws:iam/rolePolicy:RolePolicy", "aws:iam/policy:Policy")
    given = {each.name for kind in roles for each in graph.of(kind)} - {"fabric-guardrails-boundary"}

    assert given
    assert [
        (name, pairs) for name, policy in policies_of(graph) if name in given and (pairs := wildcard_pairs(policy))
    ] == []


def test_each_role_is_bounded_but_those_that_no_stack_makes(graph: Graph) -> None:
    (boundary,) = [each for each in graph.of("aws:iam/policy:Policy") if each.name.endswith("-boundary")]
    roles = graph.of("aws:iam/role:Role")

    assert roles
    assert {each.properties.get("permissionsBoundary") for each in roles} == {boundary.state["arn"]}


def test_every_role_of_a_pod_has_its_service_account_by_that_name_and_namespace(graph: Graph) -> None:
    accounts = {
        (each.properties["metadata"]["namespace"], each.properties["metadata"]["name"])
        for each in graph.of("kubernetes:core/v1:ServiceAccount")
    }
    bound = {
        (each.properties["namespace"], each.properties["serviceAccount"])
        for each in graph.of("aws:eks/podIdentityAssociation:PodIdentityAssociation")
        if each.properties["namespace"] != "kube-system"
    }

    assert bound <= accounts
    assert {name for _, name in bound} >= set().union(*PODS.values())


def test_what_is_admitted_is_what_the_pods_are_made_of(graph: Graph, stack: str) -> None:
    registry = said(stack)["gateway"]["image"].partition("/")[0]
    images = {image for each in graph.resources for image in _images(each.properties)}

    assert images
    assert {image for image in images if not image.startswith(f"{registry}/")} == set()


def _images(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for each in value for found in _images(each)]
    if not isinstance(value, Mapping):
        return []
    own = [each["image"] for each in value.get("containers") or [] if "image" in each]
    return own + [found for each in value.values() for found in _images(each)]


def test_the_job_is_told_all_that_provisioning_asks(graph: Graph, stack: str) -> None:
    (job,) = [each for each in graph.of("kubernetes:batch/v1:Job") if each.name.endswith("-provision")]
    (container,) = job.properties["spec"]["template"]["spec"]["containers"]
    told = {each["name"]: each.get("value") for each in container["env"]}
    wanted = (
        *("SECRET", "SECRET_STORE", "SECRET_KEY", "RDS_INSTANCE", "IAM_ROLES", "ISSUER_DOCUMENTS", "DATABASE_CA"),
        *("AGENT_SESSIONS", "AGENT_STATEMENT_MS", "MANIFEST", "MANIFEST_KEY", "STACK", "REGION"),
    )

    assert [each for each in wanted if not told.get(f"LOOMSTEAD_{each}")] == []
    assert ("LOOMSTEAD_ORCHESTRATOR_SECRET" in told) is (stack == VIRGINIA)


def part(section: str, **changed: Any) -> dict[str, Any]:
    """A section of Frankfurt's, with some of it changed."""
    return {section: {**said(FRANKFURT).get(section, {}), **changed}}


# -- who reaches whom ------------------------------------------------------------------------------------------------
EGRESS, INGRESS = (f"aws:vpc/securityGroup{way}Rule:SecurityGroup{way}Rule" for way in ("Egress", "Ingress"))
GROUPS = {
    "runtime": "fabric-network-runtime",
    "tools": "fabric-network-tools",
    "endpoints": "fabric-network-endpoints",
    "primary": "fabric-postgres-primary-group",
    "replica": "fabric-postgres-replica-group",
    "cache": "fabric-cache-door-group",
    "entry": "fabric-runtime-edge-group",
    "pods": "fabric-cluster-pods",
    "nodes": "fabric-cluster-nodes",
    "control": "fabric-cluster-control",
    "models": "fabric-cluster-models",
    "orchestrator": "fabric-cluster-orchestrator",
    "observability": "fabric-cluster-observability",
    "scaler": "fabric-cluster-scaler",
}
PATHS = [
    *(("runtime", "primary", 5432), ("tools", "replica", 5432), ("runtime", "cache", 6379), ("entry", "runtime", 8080)),
    *(("runtime", "tools", 8080), ("tools", "runtime", 8080), ("runtime", "models", 8000)),
    *(("pods", "nodes", 53), ("runtime", "observability", 4318), ("models", "observability", 4318)),
    *(("runtime", "control", 443), ("runtime", "orchestrator", 7233)),
]
SCALED = [("scaler", "runtime", 8080), ("scaler", "control", 443), ("nodes", "scaler", 9666)]
CLOSED = [
    *(("tools", "primary", 5432), ("runtime", "replica", 5432), ("nodes", "primary", 5432), ("nodes", "replica", 5432)),
    *(("tools", "cache", 6379), ("entry", "tools", 8080), ("tools", "control", 443), ("models", "primary", 5432)),
    *(("tools", "models", 8000), ("nodes", "tools", 8080), ("nodes", "runtime", 8080), ("nodes", "models", 8000)),
    *(("nodes", "orchestrator", 7233), ("nodes", "observability", 4318), ("observability", "runtime", 8080)),
    *(("orchestrator", "replica", 5432), ("orchestrator", "runtime", 8080), ("observability", "primary", 5432)),
]


def reaches(graph: Graph, source: str, target: str, port: int) -> bool:
    """By a rule of each side."""
    ids = [graph.named(GROUPS[role]).id for role in (source, target)]

    def lets(type_: str, own: str, other: str) -> bool:
        return any(
            each.properties["securityGroupId"] == own
            and each.properties.get("referencedSecurityGroupId") == other
            and each.properties["fromPort"] <= port <= each.properties["toPort"]
            for each in graph.of(type_)
        )

    return lets(EGRESS, *ids) and lets(INGRESS, *reversed(ids))


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_what_is_needed_is_reached(graph: Graph, path: tuple[str, str, int]) -> None:
    assert reaches(graph, *path)


def test_keda_reaches_what_it_asks_where_a_model_is_hosted_and_has_no_group_elsewhere(graph: Graph, stack: str) -> None:
    hosted = GROUPS["scaler"] in {each.name for each in graph.resources}

    assert hosted is (stack == FRANKFURT)
    assert not hosted or all(reaches(graph, *path) for path in SCALED)


@pytest.mark.parametrize("path", CLOSED, ids=str)
def test_what_is_not_needed_is_not_reached(graph: Graph, path: tuple[str, str, int]) -> None:
    assert not reaches(graph, *path)


def test_the_primary_lets_temporals_own_pods_in_where_there_is_temporal(graph: Graph, stack: str) -> None:
    assert reaches(graph, "orchestrator", "primary", 5432) is (stack == VIRGINIA)


def test_the_pods_of_every_part_carry_what_all_may_and_their_own_group_alone(graph: Graph) -> None:
    parts = {
        each.name.removeprefix("fabric-inside-").removesuffix("-groups"): each.properties["spec"]["securityGroups"]
        for each in graph.of("kubernetes:vpcresources.k8s.aws/v1beta1:SecurityGroupPolicy")
    }

    assert {"runtime", "tools", "observability"} <= parts.keys()
    assert parts == {part: {"groupIds": [graph.named(GROUPS[each]).id for each in ("pods", part)]} for part in parts}


@pytest.mark.parametrize(("declared", "let_in"), [([], ["10.20.0.0/16"]), (["10.8.0.0/16"], ["10.8.0.0/16"])])
def test_who_is_declared_calls_the_load_balancer_and_its_subnets_alone_the_pods(
    declared: list[str], let_in: list[str]
) -> None:
    graph = registered(ground(**part("gateway", callers=declared)))
    at_balancer = [
        each.properties["cidrIpv4"]
        for each in graph.of(INGRESS)
        if each.properties["securityGroupId"] == graph.named(GROUPS["entry"]).id
    ]
    subnets = sorted(
        (each for each in graph.of("aws:ec2/subnet:Subnet") if "-endpoints-" in each.name), key=attrgetter("name")
    )
    rules = graph.named("fabric-spaces-runtime-reach").properties["spec"]["ingress"]
    at_pods = [peer["ipBlock"]["cidr"] for rule in rules for peer in rule["from"] if "ipBlock" in peer]

    assert at_balancer == let_in
    assert at_pods == [each.properties["cidrBlock"] for each in subnets]
    assert graph.named("fabric-runtime-edge-balancer").properties["subnets"] == [each.id for each in subnets]


def test_the_load_balancer_tells_when_a_pod_is_reached(graph: Graph) -> None:
    labelled = {
        each.name
        for each in graph.of("kubernetes:core/v1:Namespace")
        if each.properties["metadata"].get("labels", {}).get("elbv2.k8s.aws/pod-readiness-gate-inject") == "enabled"
    }

    assert labelled == {"fabric-spaces-runtime"}


def test_the_collector_reaches_who_is_told_outside(authority: Path) -> None:
    graph = registered(ground(telemetry={"desk": {"url": "https://telemetry.corp.example:4317", "countries": ["DE"]}}))
    (way,) = [
        each.properties
        for each in graph.of(EGRESS)
        if each.properties["securityGroupId"] == graph.named(GROUPS["observability"]).id
        and each.properties.get("cidrIpv4") == "0.0.0.0/0"
    ]

    assert way["fromPort"] == way["toPort"] == 4317


# -- who may do what -------------------------------------------------------------------------------------------------
def identity(graph: Graph, pod: str) -> list[Policy]:
    begins = f"fabric-identity-{pod}-"
    return [policy for name, policy in policies_of(graph) if name.startswith(begins)]


def decided(graph: Graph, pod: str, action: str, resource: str, **context: str) -> bool:
    """Within the permission boundary and the service control policy of the stack."""
    (bound,) = [json.loads(e.properties["policy"]) for e in graph.of("aws:iam/policy:Policy") if "guardrails" in e.name]
    told = graph.outputs[graph.named("fabric-guardrails").urn]
    region = context.pop("region", "eu-central-1")
    request = Request(
        action, resource, {"aws:RequestedRegion": region, **context}, f"arn:aws:iam::{ACCOUNT}:role/{pod}", ACCOUNT
    )
    return allowed(
        request,
        identity=identity(graph, pod),
        boundary=bound,
        controls=[FULL_ACCESS, json.loads(told["service_control_policy"])],
    )


PROFILE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
AT = f"eu-central-1:{ACCOUNT}"


def arn_of(graph: Graph, name: str) -> str:
    return str(graph.named(name).state["arn"])


def test_the_gateway_calls_the_stacks_models_and_starts_its_tasks(frankfurt: Graph) -> None:
    profile = f"arn:aws:bedrock:{AT}:inference-profile/{PROFILE}"
    machine = arn_of(frankfurt, "fabric-orchestrator-machine")

    assert decided(frankfurt, GATEWAY, "bedrock:InvokeModel", profile)
    assert decided(frankfurt, GATEWAY, "states:StartExecution", machine)
    assert not decided(frankfurt, GATEWAY, "bedrock:InvokeModel", profile.replace("/eu.", "/global."))
    assert not decided(frankfurt, GATEWAY, "bedrock:InvokeModel", profile.replace(":eu-central-1:", ":us-east-1:"))
    assert not decided(frankfurt, GATEWAY, "bedrock:InvokeModel", profile, region="us-east-1")
    assert not decided(frankfurt, GATEWAY, "bedrock:InvokeModel", profile.replace("sonnet", "opus"))
    assert not decided(frankfurt, GATEWAY, "states:StartExecution", f"{machine}-other")


def test_the_worker_takes_its_steps_answers_them_and_does_nothing_else(frankfurt: Graph) -> None:
    queue = arn_of(frankfurt, "fabric-orchestrator-steps")
    machine = arn_of(frankfurt, "fabric-orchestrator-machine")

    assert decided(frankfurt, WORKER, "sqs:ReceiveMessage", queue)
    assert decided(frankfurt, WORKER, "states:SendTaskSuccess", machine)
    assert not decided(frankfurt, WORKER, "sqs:SendMessage", queue)
    assert not decided(frankfurt, WORKER, "sqs:ReceiveMessage", arn_of(frankfurt, "fabric-orchestrator-dead-letters"))
    assert not decided(frankfurt, WORKER, "states:StartExecution", machine)
    assert not decided(frankfurt, WORKER, "bedrock:InvokeModel", f"arn:aws:bedrock:{AT}:inference-profile/{PROFILE}")


def test_the_tools_sign_in_to_the_replica_as_the_reader_and_nowhere_else(frankfurt: Graph) -> None:
    primary, replica = (
        frankfurt.outputs[frankfurt.component("loomstead:postgres:Postgres").urn][f"{role}_resource"]
        for role in ("primary", "replica")
    )
    user = f"arn:aws:rds-db:{AT}:dbuser"

    assert decided(frankfurt, TOOLS, "rds-db:connect", f"{user}:{replica}/agent_reader")
    assert not decided(frankfurt, TOOLS, "rds-db:connect", f"{user}:{replica}/postgres")
    assert not decided(frankfurt, TOOLS, "rds-db:connect", f"{user}:{primary}/agent_reader")
    assert not decided(frankfurt, TOOLS, "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{AT}:secret:x")


def test_provisioning_makes_this_stacks_secrets_and_sets_its_primarys_password(frankfurt: Graph) -> None:
    secrets = f"arn:aws:secretsmanager:{AT}:secret:loomstead"

    assert decided(frankfurt, PROVISION, "secretsmanager:CreateSecret", f"{secrets}/{FRANKFURT}/ledger-1a2b3c")
    assert decided(frankfurt, PROVISION, "rds:ModifyDBInstance", arn_of(frankfurt, "fabric-postgres-primary"))
    assert not decided(frankfurt, PROVISION, "secretsmanager:GetSecretValue", f"{secrets}/other/ledger-1a2b3c")
    assert not decided(frankfurt, PROVISION, "secretsmanager:DeleteSecret", f"{secrets}/{FRANKFURT}/ledger-1a2b3c")
    assert not decided(frankfurt, PROVISION, "rds:ModifyDBInstance", arn_of(frankfurt, "fabric-postgres-replica"))
    assert not decided(frankfurt, PROVISION, "rds:DeleteDBInstance", arn_of(frankfurt, "fabric-postgres-primary"))


def test_the_collector_writes_its_log_groups_and_no_other(frankfurt: Graph) -> None:
    groups = {e.name: f"{e.state['arn']}:log-stream:c" for e in frankfurt.of("aws:cloudwatch/logGroup:LogGroup")}
    written = {name for name, stream in groups.items() if decided(frankfurt, COLLECTOR, "logs:PutLogEvents", stream)}

    assert written == {f"fabric-observability-{source}-log" for source in SOURCES}
    assert not decided(frankfurt, COLLECTOR, "logs:DeleteLogGroup", groups[min(written)])


# -- how it ends -----------------------------------------------------------------------------------------------------
def test_what_holds_data_is_protected_and_outlives_its_stack(graph: Graph) -> None:
    kinds = (
        *("rds/instance:Instance", "kms/key:Key", "secretsmanager/secret:Secret", "backup/vault:Vault"),
        *("amp/workspace:Workspace", "s3/bucket:Bucket"),
    )
    kept = [each for kind in kinds for each in graph.of(f"aws:{kind}")]

    assert kept
    assert [each.name for each in kept if not (each.protect and each.retain_on_delete)] == []


def upstream(graph: Graph, resource: Recorded) -> set[str]:
    """URNs of all that has to be there before it, and is deleted after it."""
    by_urn, seen, open_ = {each.urn: each for each in graph.resources}, set[str](), [resource.urn]
    while open_:
        urn = open_.pop()
        if urn not in seen and urn in by_urn:
            seen.add(urn)
            open_ += by_urn[urn].dependencies
    return seen


def test_pods_are_gone_before_the_groups_they_carry_and_their_binding_before_the_load_balancer(graph: Graph) -> None:
    (binding,) = [each for each in graph.resources if each.name == "fabric-runtime-edge-binding"]
    gateway = graph.named("fabric-runtime-gateway")
    groups = graph.named("fabric-inside-runtime-groups")

    assert groups.urn in upstream(graph, gateway)
    assert graph.named("fabric-runtime-edge-target").urn in upstream(graph, binding)
    assert graph.named("fabric-inside-aws-load-balancer-controller").urn in upstream(graph, binding)


@pytest.mark.parametrize("stack", [FRANKFURT, VIRGINIA], indirect=True)
def test_the_vpcs_resolver_answers_the_names_of_its_own_zones_and_no_firewall_opens_for_them(graph: Graph) -> None:
    answered = graph.named("fabric-network-answered").properties["domains"]
    vpc = graph.named("fabric-network-vpc").id
    zones = [each.properties for each in graph.resources if each.type == "aws:route53/zone:Zone"]
    own = [each["name"] for each in zones if vpc in [place["vpcId"] for place in each["vpcs"]]]
    rules = graph.named("fabric-network-hosts").properties["ruleGroup"]["rulesSource"]["rulesString"]

    assert own
    assert [name for name in own if not any(fnmatchcase(name, each) for each in answered)] == []
    assert [name for name in own if name in rules] == []
