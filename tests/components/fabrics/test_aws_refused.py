"""What AWS's fabric cannot be is refused by its check: no constructor of a part refuses what that let pass."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from components.fabric import Incomplete, build, check
from components.infrastructure import Refused
from components.naming import REPOSITORY
from components.parity import NotSupported
from components.publish import Ground
from components.review import country_of
from components.spec import CONFIG_KEY, FabricSpec
from regions.boundary import compile_boundary
from regions.catalogue import load_catalogue
from scripts.rehearsal.answers import Place, answers
from scripts.rehearsal.fills import fills
from scripts.rehearsal.outputs import Made
from tests.conformance.fabrics import MADE_HERE
from tests.fixtures.recording import record

STACK, ACCOUNT = "aws-us-east-1", "111122223333"


def shipped(stack: str) -> dict[str, Any]:
    return yaml.safe_load((REPOSITORY / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"][CONFIG_KEY]


SHIPPED = shipped(STACK)
CATALOGUE = load_catalogue()
SUBNETS = {role: [f"{role}-a", f"{role}-b"] for role in ("workloads", "primary", "replica", "endpoints")}
TOLD = {"store": {"url": "https://otlp.clinic.example"}}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "storage that the size does not grow to": (
        {"size": "medium", "postgres": {"storage_gib": 5000}},
        r"postgres\.storage_gib: 5000 is not below .*; name less storage",
    ),
    "storage that no size grows to": ({"postgres": {"storage_gib": 60_000}}, r"postgres\.storage_gib: 60000"),
    "a machine that is not RDS's": (
        {"postgres": {"machine": "m7g.large"}},
        r"postgres\.machine: m7g\.large is no machine of RDS",
    ),
    "a replica's machine that is not RDS's": (
        {"postgres": {"replica_machine": "m7g.large"}},
        r"postgres\.replica_machine",
    ),
    "a PostgreSQL without pgvector": ({"postgres": {"version": "14.9"}}, "has no pgvector"),
    "a PostgreSQL to come": ({"postgres": {"version": "30"}}, "30 is not known to be RDS's"),
    "another platform's image": (
        {"postgres": {"image": f"corp.example/pg@sha256:{'0' * 64}"}},
        r"postgres\.image: RDS runs its own",
    ),
    "a guardrail that no call would name": ({"guardrail": {}}, r"guardrail: no call of the gateway names one yet"),
    "another platform's context": ({"cluster": {"context": "onprem"}}, r"cluster\.context: nothing reads it on aws"),
    "a machine that is not ElastiCache's": ({"cache": {"machine": "m7g.large"}}, r"no machine of ElastiCache, such as"),
    "a key that is none": ({"keys": {"encryption": "hello"}}, "no KMS key in us-east-1"),
    "a key by its alias": ({"keys": {"encryption": "alias/mine"}}, "no KMS key in us-east-1"),
    "another region's key": (
        {"keys": {"encryption": f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1"}},
        "no KMS key in us-east-1",
    ),
    "another account's key": (
        {"keys": {"encryption": "arn:aws:kms:us-east-1:999988887777:key/1"}},
        "no KMS key in us-east-1",
    ),
    "keys in another region": ({"keys": {"region": "us-west-2"}}, r"keys\.region: on AWS it is the stack's"),
    "keys in two regions": ({"keys": {"replicas": ["us-west-2"]}}, r"keys\.replicas: a key stays in its region"),
    "keys held outside, none named": ({"keys": {"custody": "external"}}, r"keys\.encryption: expected the ARN"),
    "a copy elsewhere, nowhere named": ({"backup": {"redundancy": "geo"}}, r"backup\.redundancy: geo on AWS"),
    "nobody who may deploy to the cluster": ({"cluster": {"callers": []}}, r"cluster\.callers"),
    "pods who may call the cluster's API": (
        {"cluster": {"callers": ["10.30.4.0/24"]}},
        r"cluster\.callers: 10\.30\.4\.0/24 has addresses of network\.cidr",
    ),
    "everybody who may call the cluster's API": ({"cluster": {"callers": ["0.0.0.0/0"]}}, r"cluster\.callers: 0\.0"),
    "a machine without interfaces for pods": ({"cluster": {"machine": "t3.large"}}, "T machines give pods no interfac"),
    "GPUs that the region has not": ({"cluster": {"gpu": {"family": "rtx"}}}, r"cluster\.gpu\.family: rtx"),
    "GPUs' machine of another family": (
        {"cluster": {"gpu": {"family": "g6", "machine": "g5.xlarge"}}},
        r"cluster\.gpu\.machine: .* got g5\.xlarge",
    ),
    "an own network without a part": (
        {"network": {"own": {"id": "vpc-1", **SUBNETS, "replica": []}, "cidr": None}},
        "replica: expected two subnets",
    ),
    "an own network, and nobody who may call": (
        {"network": {"own": {"id": "vpc-1", **SUBNETS}, "cidr": None}},
        r"gateway\.callers: nobody could call",
    ),
    "zones elsewhere": ({"network": {"zones": ["eu-central-1a", "us-east-1b"]}}, "different ones of us-east-1"),
    "too few addresses": ({"network": {"cidr": "10.20.0.0/24"}}, r"private IPv4 addresses, /16 to /21"),
    "public addresses": ({"network": {"cidr": "8.8.0.0/16"}}, "expected private IPv4 addresses"),
    "days that CloudWatch does not know": ({"logs": {"days": 200}}, "cannot keep logs for 200 days"),
    "one name twice": ({"telemetry": TOLD, "logs": {"sinks": TOLD}}, r"logs\.sinks\.store: telemetry has one"),
    "a certificate that is none": ({"gateway": {"certificate": "corp-issuer"}}, "no certificate of ACM in us-east-1"),
    "another region's certificate": (
        {"gateway": {"certificate": f"arn:aws:acm:eu-central-1:{ACCOUNT}:certificate/1"}},
        "no certificate of ACM in us-east-1",
    ),
    "everybody": ({"gateway": {"callers": ["0.0.0.0/0"]}}, r"gateway\.callers: 0\.0\.0\.0/0 is not a part"),
    "an image from elsewhere": (
        {"gateway": {"image": f"corp.example/loomstead@sha256:{'0' * 64}"}},
        "is no registry that nodes in us-east-1 reach",
    ),
    "an account that is none": ({"account": "mine"}, "expected the 12 digits of an AWS account, got mine"),
    "an order system of the demo": ({"core_systems": {"orders": {"demo": True}}}, "core_system on aws: not built yet"),
}


def ground(changed: dict[str, Any], stack: str = STACK) -> Ground:
    """What the shipped file says, with keys of its sections changed."""
    said = dict(SHIPPED)
    for section, value in changed.items():
        said[section] = {**said.get(section, {}), **value} if isinstance(value, dict) else value
    return _ground(said, stack)


def _ground(said: dict[str, Any], stack: str) -> Ground:
    spec = FabricSpec.model_validate_json(json.dumps(said))
    boundary = compile_boundary(spec.residency, CATALOGUE, host=country_of(spec, CATALOGUE) or "")
    return Ground(stack, spec, boundary, CATALOGUE)


def refusals_of(asked: Ground) -> list[Exception]:
    """What ``build`` raises; raises ``AssertionError`` where it had registered anything by then."""
    raised: list[Exception] = []

    def program() -> None:
        try:
            build(asked)
        except Exception as refused:  # noqa: BLE001  whatever it is, nothing may stand by then
            raised.append(refused)

    place, made = Place(asked.spec.region, ACCOUNT), dict[str, Mapping[str, Any]]()

    def filled(type_: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        made[f"{name}-id"] = inputs
        if type_.startswith("pulumi-python:"):
            return MADE_HERE
        return fills(Made(type_, f"::{name}", place, 0), inputs, made.get)

    graph = record(program, answers=filled, calls=answers(place, made.get), stack=asked.stack)
    if raised and graph.resources:
        raise AssertionError(f"{len(graph.resources)} resources were registered, and then: {raised[0]}")
    return raised


@pytest.mark.parametrize(("changed", "reason"), WRONG.values(), ids=WRONG)
def test_no_constructor_refuses_what_the_check_let_pass(changed: dict[str, Any], reason: str) -> None:
    asked = ground(changed)
    (refused,) = refusals_of(asked)

    assert isinstance(refused, Refused | Incomplete | NotSupported)
    with pytest.raises(type(refused), match=reason) as said:
        check(asked)
    assert str(said.value) == str(refused)


@pytest.mark.parametrize("stack", ["a-name-much-longer-than-aws-takes", "1st", "Upper"])
def test_a_name_that_aws_does_not_take_is_refused_before_anything_is_made(stack: str) -> None:
    (refused,) = refusals_of(ground({}, stack))
    assert "24 characters at most" in str(refused)


def test_an_authority_that_is_not_known_is_asked_for() -> None:
    with pytest.raises(Refused, match=r"postgres\.authority: RDS's authority in eusc-de-east-1 is not known here"):
        check(_ground(shipped("aws-eusc-de-east-1"), "aws-eusc-de-east-1"))


def test_gpus_are_asked_for_where_a_model_runs_on_them() -> None:
    found = shipped("aws-eu-central-1")
    del found["cluster"]["gpu"]
    with pytest.raises(Incomplete, match=r"cluster\.gpu: expected the GPU family"):
        check(_ground(found, "aws-eu-central-1"))
