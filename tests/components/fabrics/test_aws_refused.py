"""What AWS's fabric cannot be is refused by its check: no constructor of a part refuses what that let pass."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from components.fabric import Incomplete, build, check
from components.infrastructure import Refused
from components.naming import REPOSITORY
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
SHIPPED: dict[str, Any] = yaml.safe_load((REPOSITORY / "stacks" / f"Pulumi.{STACK}.yaml").read_text())["config"][
    CONFIG_KEY
]
CATALOGUE = load_catalogue()
SUBNETS = {role: [f"{role}-a", f"{role}-b"] for role in ("workloads", "primary", "replica", "endpoints")}
TOLD = {"store": {"url": "https://otlp.clinic.example"}}
WRONG: dict[str, dict[str, Any]] = {
    "storage that the size does not grow to": {"size": "medium", "postgres": {"storage_gib": 5000}},
    "storage that no size grows to": {"postgres": {"storage_gib": 60_000}},
    "a machine that is not RDS's": {"postgres": {"machine": "m7g.large"}},
    "a replica's machine that is not RDS's": {"postgres": {"replica_machine": "m7g.large"}},
    "a PostgreSQL without pgvector": {"postgres": {"version": "14.9"}},
    "a PostgreSQL to come": {"postgres": {"version": "30"}},
    "another platform's image": {"postgres": {"image": f"corp.example/pg@sha256:{'0' * 64}"}},
    "a machine that is not ElastiCache's": {"cache": {"machine": "m7g.large"}},
    "a key that is none": {"keys": {"encryption": "hello"}},
    "a key by its alias": {"keys": {"encryption": "alias/mine"}},
    "another region's key": {"keys": {"encryption": f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1"}},
    "another account's key": {"keys": {"encryption": "arn:aws:kms:us-east-1:999988887777:key/1"}},
    "an own cluster": {"cluster": {"own": "theirs", "encrypted_at_rest": True, "callers": ["10.8.0.0/16"]}},
    "nobody who may deploy to the cluster": {"cluster": {"callers": []}},
    "a machine without interfaces for pods": {"cluster": {"machine": "t3.large"}},
    "an own network without a part": {"network": {"own": {"id": "vpc-1", **SUBNETS, "replica": []}, "cidr": None}},
    "zones elsewhere": {"network": {"zones": ["eu-central-1a", "us-east-1b"]}},
    "too few addresses": {"network": {"cidr": "10.20.0.0/24"}},
    "days that CloudWatch does not know": {"logs": {"days": 200}},
    "one name twice": {"telemetry": TOLD, "logs": {"sinks": TOLD}},
    "a certificate that is none": {"gateway": {"certificate": "corp-issuer"}},
    "everybody": {"gateway": {"callers": ["0.0.0.0/0"]}},
    "an image from elsewhere": {"gateway": {"image": f"corp.example/loomstead@sha256:{'0' * 64}"}},
    "an account that is none": {"account": "mine"},
}


def ground(changed: dict[str, Any], stack: str = STACK) -> Ground:
    """What the shipped file says, with keys of its sections changed."""
    said = dict(SHIPPED)
    for section, value in changed.items():
        said[section] = {**said.get(section, {}), **value} if isinstance(value, dict) else value
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


@pytest.mark.parametrize("changed", WRONG.values(), ids=WRONG)
def test_no_constructor_refuses_what_the_check_let_pass(changed: dict[str, Any]) -> None:
    asked = ground(changed)
    (refused,) = refusals_of(asked)

    assert isinstance(refused, Refused | Incomplete)
    with pytest.raises(type(refused)) as said:
        check(asked)
    assert str(said.value) == str(refused)


@pytest.mark.parametrize("stack", ["a-name-much-longer-than-aws-takes", "1st", "Upper"])
def test_a_name_that_aws_does_not_take_is_refused_before_anything_is_made(stack: str) -> None:
    (refused,) = refusals_of(ground({}, stack))
    assert "24 characters at most" in str(refused)
