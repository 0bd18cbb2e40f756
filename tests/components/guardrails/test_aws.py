"""Guardrails of AWS: the documents of each shipped regime, simulated, and who carries them."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from botocore.session import get_session

from components.guardrails.aws import AwsGuardrails, AwsGuardrailsArgs
from components.guardrails.aws_documents import (
    BOUNDARY_CHARACTERS,
    SCP_CHARACTERS,
    SHUT,
    Fence,
    documents,
    fence,
    permission_boundary,
    service_control_policy,
    text,
)
from components.infrastructure import Refused
from components.network.aws_plan import endpoint_policy
from regions.boundary import Boundary, compile_boundary
from regions.catalogue import load_catalogue
from regions.residency import DataClass, DataClassRules, Purpose, Residency
from scripts.rehearsal.answers import ACCOUNT
from tests.fixtures.iam import FULL_ACCESS, Policy, Request, allowed
from tests.fixtures.recording import Graph, aws_calls, conforms, record, reviewed

ON = date(2026, 11, 23)
HOMES = (("eu-central-1", "eu-gdpr"), ("eusc-de-east-1", "eu-strict"), ("us-east-1", "us-hipaa"))
GOLDEN = Path(__file__).parents[2] / "golden" / "guardrails"
FOREIGN = {"eu-central-1": "us-east-1", "eusc-de-east-1": "eu-central-1", "us-east-1": "eu-central-1"}
CELL_GUARDRAILS: list[tuple[str, str, dict[str, Any]]] = [
    ("aws:iam/policy:Policy", "boundary", {"policy": ...}),
    ("aws:organizations/policy:Policy", "controls", {"type": "SERVICE_CONTROL_POLICY", "content": ...}),
    ("aws:organizations/policyAttachment:PolicyAttachment", "controls-attached", {"targetId": ...}),
]


def boundary_of(region: str, regime: str, rules: DataClassRules | None = None) -> Boundary:
    country = load_catalogue().regions[region].country
    residency = Residency(regimes=(regime,), data_classes={DataClass.PERSONAL: rules or DataClassRules()})
    return compile_boundary(residency, load_catalogue(), host=country)


def within(region: str, regime: str) -> Fence:
    return fence(boundary_of(region, regime), load_catalogue(), region, ON)


def guardrails(region: str = "eu-central-1", regime: str = "eu-gdpr", **more: Any) -> Graph:
    def program() -> None:
        args: AwsGuardrailsArgs = {
            "stack": "s",
            "region": region,
            "account": ACCOUNT,
            "boundary": boundary_of(region, regime),
            "catalogue": load_catalogue(),
            "on": ON,
        }
        options = pulumi.ResourceOptions(providers=[aws.Provider("aws", region=region)])
        AwsGuardrails("guardrails", {**args, **more}, options)

    return record(program, calls=aws_calls(region))


def test_parents_providers_and_names_are_as_decided() -> None:
    conforms(guardrails(target="ou-1234-abcd"), "loomstead:guardrails:Guardrails")


@pytest.mark.parametrize(("type_", "name", "claimed"), CELL_GUARDRAILS)
def test_the_graph_has_what_the_cell_claims(type_: str, name: str, claimed: dict[str, Any]) -> None:
    found = guardrails(target="ou-1234-abcd").named(f"guardrails-{name}")

    assert found.type == type_
    assert all(found.properties[key] == value or value is ... for key, value in claimed.items())


def test_without_a_target_the_controls_are_a_document_and_nothing_is_attached() -> None:
    graph = guardrails()
    told = graph.outputs[graph.component("loomstead:guardrails:Guardrails").urn]

    assert {each.type for each in graph.resources if each.custom} == {"pulumi:providers:aws", "aws:iam/policy:Policy"}
    assert json.loads(told["service_control_policy"]) == service_control_policy(within("eu-central-1", "eu-gdpr"))
    assert told["policies"] == [told["boundary"]]


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_no_rule_has_anything_against_it(region: str, regime: str) -> None:
    assert reviewed(guardrails(region, regime, target="ou-1234-abcd"), regime, region) == []


@pytest.mark.parametrize(("region", "regime"), HOMES)
@pytest.mark.parametrize("kind", ["service-control-policy", "permission-boundary"])
def test_documents_are_as_they_were_last_looked_at(region: str, regime: str, kind: str) -> None:
    """Made anew by writing what is generated to the file, and looking at the difference."""
    made = {
        **documents(boundary_of(region, regime), load_catalogue(), region, ON),
        "permission-boundary": permission_boundary(within(region, regime), ACCOUNT),
    }
    golden = GOLDEN / f"aws-{region}-{regime}.{kind}.json"

    assert made[kind] == json.loads(golden.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_there_is_room_for_them(region: str, regime: str) -> None:
    assert len(text(service_control_policy(within(region, regime), ["ops"]))) <= SCP_CHARACTERS
    assert len(text(permission_boundary(within(region, regime), ACCOUNT))) <= BOUNDARY_CHARACTERS


def test_a_boundary_of_more_regions_than_there_is_room_for_is_refused() -> None:
    many = tuple(f"xx-far-away-{number}" for number in range(200))

    with pytest.raises(Refused, match="AWS takes 5120: name fewer regions"):
        service_control_policy(Fence("aws", "eu-central-1", dict.fromkeys(Purpose, many)))


def decided(policy: Policy, request: Request, *, bounds: bool) -> bool:
    every: Policy = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    if bounds:
        return allowed(request, identity=[every], boundary=policy)
    return allowed(request, identity=[every], controls=[FULL_ACCESS, policy])


def asked(action: str, region: str, resource: str = "*", owner: str = ACCOUNT, **more: str) -> Request:
    return Request(action, resource, {"aws:RequestedRegion": region, **more}, owner=owner)


def profile(region: str, prefix: str, partition: str = "aws") -> str:
    return f"arn:{partition}:bedrock:{region}:{ACCOUNT}:inference-profile/{prefix}.anthropic.claude"


@pytest.mark.parametrize(("region", "regime"), HOMES)
@pytest.mark.parametrize("bounds", [False, True])
def test_work_inside_is_let_be(region: str, regime: str, bounds: bool) -> None:
    place = within(region, regime)
    policy = permission_boundary(place, ACCOUNT) if bounds else service_control_policy(place)
    inside = [
        asked("rds-db:connect", region),
        asked("s3:PutObject", region),
        asked("kms:Decrypt", region),
        asked("logs:PutLogEvents", region),
        asked("bedrock:InvokeModel", place.worked_in[-1]),
    ]

    assert all(decided(policy, request, bounds=bounds) for request in inside)


@pytest.mark.parametrize(("region", "regime"), HOMES)
@pytest.mark.parametrize("bounds", [False, True])
@pytest.mark.parametrize("service", ["s3:PutObject", "kms:Decrypt", "logs:PutLogEvents", "bedrock:InvokeModel"])
def test_the_same_work_in_a_region_outside_is_refused(region: str, regime: str, bounds: bool, service: str) -> None:
    place = within(region, regime)
    policy = permission_boundary(place, ACCOUNT) if bounds else service_control_policy(place)

    assert not decided(policy, asked(service, FOREIGN[region]), bounds=bounds)
    assert not decided(policy, Request(service, context={}), bounds=bounds)  # no region named


@pytest.mark.parametrize(("region", "regime"), HOMES)
@pytest.mark.parametrize("bounds", [False, True])
def test_global_profiles_are_refused_by_their_name_and_by_the_region_that_they_do_not_name(
    region: str, regime: str, bounds: bool
) -> None:
    place = within(region, regime)
    policy = permission_boundary(place, ACCOUNT) if bounds else service_control_policy(place)
    by_name = asked("bedrock:InvokeModel", region, profile(region, "global", place.partition))
    anywhere = asked("bedrock:InvokeModel", "unspecified", f"arn:{place.partition}:bedrock:::foundation-model/claude")
    near = asked("bedrock:InvokeModel", region, profile(region, "eu", place.partition))

    assert not decided(policy, by_name, bounds=bounds)
    assert not decided(policy, anywhere, bounds=bounds)
    assert decided(policy, near, bounds=bounds)


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_the_endpoints_own_policy_refuses_the_same_profiles(region: str, regime: str) -> None:
    partition = within(region, regime).partition
    endpoint = endpoint_policy("bedrock-runtime", partition, ACCOUNT)
    caller = f"arn:{partition}:iam::{ACCOUNT}:role/s-gateway"
    told = [
        allowed(
            Request(
                "bedrock:InvokeModel",
                profile(region, prefix, partition),
                {"aws:RequestedRegion": region, "aws:PrincipalAccount": ACCOUNT},
                principal=caller,
            ),
            resource=endpoint,
        )
        for prefix in ("eu", "global")
    ]

    assert told == [True, False]


@pytest.mark.parametrize(
    "action",
    [
        "ec2:DeleteFlowLogs",
        "kms:ScheduleKeyDeletion",
        "logs:DeleteRetentionPolicy",
        "iam:DeleteRolePermissionsBoundary",
        "route53resolver:UpdateFirewallRule",
        "route53resolver:DeleteFirewallRule",
        "route53resolver:DisassociateFirewallRuleGroup",
        "route53resolver:UpdateFirewallRuleGroupAssociation",
        "route53resolver:DisassociateResolverQueryLogConfig",
        "route53resolver:DeleteResolverQueryLogConfig",
        "network-firewall:DeleteFirewall",
        "network-firewall:DisassociateSubnets",
        "network-firewall:AssociateFirewallPolicy",
        "network-firewall:UpdateFirewallDeleteProtection",
    ],
)
def test_nobody_but_a_named_administrator_takes_a_guard_away(action: str) -> None:
    policy = service_control_policy(within("eu-central-1", "eu-gdpr"), ["ops"])
    by = {
        name: Request(
            action, context={"aws:RequestedRegion": "eu-central-1"}, principal=f"arn:aws:iam::{ACCOUNT}:role/{name}"
        )
        for name in ("ops", "ops2")
    }

    assert decided(policy, by["ops"], bounds=False)
    assert not decided(policy, by["ops2"], bounds=False)
    assert not decided(service_control_policy(within("eu-central-1", "eu-gdpr")), by["ops"], bounds=False)


@pytest.mark.parametrize(
    "action",
    [
        "route53resolver:AssociateFirewallRuleGroup",
        "route53resolver:CreateFirewallRule",
        "route53resolver:UpdateFirewallConfig",
        "route53resolver:UpdateFirewallDomains",
        "network-firewall:CreateFirewall",
        "network-firewall:UpdateLoggingConfiguration",
        "network-firewall:UpdateRuleGroup",
    ],
)
def test_what_raises_a_stack_and_declares_a_host_is_the_deployers(action: str) -> None:
    policy = service_control_policy(within("eu-central-1", "eu-gdpr"), ["ops"])

    assert decided(policy, asked(action, "eu-central-1"), bounds=False)


@pytest.mark.parametrize("service", ["network-firewall", "route53resolver"])
def test_aws_knows_each_call_that_takes_a_way_outs_guard_away(service: str) -> None:
    shut = {action.partition(":")[2] for action in SHUT if action.startswith(f"{service}:")}

    assert shut
    assert shut <= set(get_session().get_service_model(service).operation_names)


@pytest.mark.parametrize(
    "action", ["kms:ReplicateKey", "rds:ModifyDBSnapshotAttribute", "s3:PutReplicationConfiguration"]
)
def test_copies_for_elsewhere_are_refused_though_the_call_itself_is_inside(action: str) -> None:
    policy = service_control_policy(within("eu-central-1", "eu-gdpr"), ["ops"])

    assert not decided(policy, asked(action, "eu-central-1"), bounds=False)


@pytest.mark.parametrize("action", ["kms:Encrypt", "s3:PutObject", "sqs:SendMessage", "secretsmanager:PutSecretValue"])
def test_no_role_leads_data_into_another_account(action: str) -> None:
    policy = permission_boundary(within("eu-central-1", "eu-gdpr"), ACCOUNT)

    assert decided(policy, asked(action, "eu-central-1"), bounds=True)
    assert not decided(policy, asked(action, "eu-central-1", owner="999999999999"), bounds=True)


@pytest.mark.parametrize(
    "action", ["iam:CreateUser", "organizations:LeaveOrganization", "cloudfront:CreateDistribution"]
)
def test_no_role_does_what_the_fabric_never_does(action: str) -> None:
    policy = permission_boundary(within("eu-central-1", "eu-gdpr"), ACCOUNT)

    assert not decided(policy, asked(action, "eu-central-1"), bounds=True)


def test_keys_may_be_held_to_fewer_regions_than_the_rest() -> None:
    stricter = boundary_of("eu-central-1", "eu-gdpr", DataClassRules(keys=("DE",)))
    policy = service_control_policy(fence(stricter, load_catalogue(), "eu-central-1", ON))

    assert decided(policy, asked("kms:CreateKey", "eu-central-1"), bounds=False)
    assert not decided(policy, asked("kms:CreateKey", "eu-west-1"), bounds=False)
    assert decided(policy, asked("s3:CreateBucket", "eu-west-1"), bounds=False)
