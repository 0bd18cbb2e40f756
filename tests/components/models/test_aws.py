"""Bedrock on AWS: what may be called is named, the log of prompts is ours alone, the guardrail stays in its region."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.infrastructure import Refused
from components.models.aws import CALLS, FILTERS, AwsModels, AwsModelsArgs
from components.models.bedrock import Invocable
from tests.fixtures.recording import Graph, aws_calls, conforms, record, reviewed
from tests.fixtures.workloads import unmet

HOMES = (("eu-central-1", "eu-gdpr"), ("eusc-de-east-1", "eu-gdpr"), ("us-east-1", "us-hipaa"))
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
CLAUDE, NOVA = "anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-pro-v1:0"
PROFILE = f"arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.{CLAUDE}"
MODELS = (
    Invocable("chat/claude", CLAUDE, f"eu.{CLAUDE}", ("eu-central-1", "eu-west-1")),
    Invocable("chat/nova", NOVA, None, ("eu-central-1",)),
    Invocable("other/nova", NOVA, None, ("eu-central-1",)),
)
CELL_MODELS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "aws:bedrockmodel/invocationLoggingConfiguration:InvocationLoggingConfiguration",
        "models-log",
        {
            "loggingConfig.s3Config.bucketName": ...,
            "loggingConfig.textDataDeliveryEnabled": True,
            "loggingConfig.imageDataDeliveryEnabled": True,
            "loggingConfig.embeddingDataDeliveryEnabled": True,
            "loggingConfig.videoDataDeliveryEnabled": True,
        },
    ),
    (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "models-prompts-encryption",
        {"rules.0.applyServerSideEncryptionByDefault.sseAlgorithm": "aws:kms"},
    ),
    (
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "models-prompts-lifecycle",
        {"rules.0.expiration.days": ...},
    ),
]


def models(region: str = "eu-central-1", preview: bool = False, **more: Any) -> Graph:
    def program() -> None:
        args: AwsModelsArgs = {
            "stack": "s",
            "region": region,
            "models": MODELS,
            "key": KEY,
            "logged": True,
            "log_days": 90,
            "guardrail": True,
        }
        args = {**args, **more}
        AwsModels("models", args, pulumi.ResourceOptions(providers=[aws.Provider("aws", region=region)]))

    return record(program, calls=aws_calls(region), preview=preview)


def told(graph: Graph) -> Any:
    return graph.outputs[graph.component("loomstead:models:Models").urn]


@pytest.mark.parametrize("preview", [False, True])
def test_parents_providers_and_names_are_as_decided(preview: bool) -> None:
    conforms(models(preview=preview), "loomstead:models:Models")


@pytest.mark.parametrize(("region", "regime"), HOMES)
def test_no_rule_has_anything_against_it(region: str, regime: str) -> None:
    assert reviewed(models(region), regime, region) == []


def test_it_is_what_its_cell_claims() -> None:
    assert unmet(models(), CELL_MODELS) == []


def test_a_profiles_models_are_called_by_that_profile_alone() -> None:
    statements = json.loads(told(models())["policy"])["Statement"]
    by_profile = {"StringEquals": {"bedrock:InferenceProfileArn": PROFILE}}

    assert {statement["Resource"]: statement.get("Condition") for statement in statements} == {
        PROFILE: None,
        f"arn:aws:bedrock:eu-central-1::foundation-model/{CLAUDE}": by_profile,
        f"arn:aws:bedrock:eu-west-1::foundation-model/{CLAUDE}": by_profile,
        f"arn:aws:bedrock:eu-central-1::foundation-model/{NOVA}": None,
    }
    assert all(statement["Action"] == CALLS for statement in statements)
    assert "*" not in json.dumps(statements)


def test_what_may_be_called_and_where_is_an_output() -> None:
    outputs = told(models("eusc-de-east-1"))

    assert outputs["invocable"][-1] == f"arn:aws-eusc:bedrock:eu-central-1::foundation-model/{NOVA}"
    assert outputs["endpoints"] == {
        each.candidate: "https://bedrock-runtime.eusc-de-east-1.amazonaws.eu" for each in MODELS
    }


def test_without_a_model_of_bedrock_nothing_may_be_called() -> None:
    outputs = told(models(models=()))

    assert (outputs.get("policy"), outputs["invocable"], outputs["endpoints"]) == (None, [], {})


def test_bedrock_alone_writes_prompts_for_this_account_and_region_and_only_once_it_may() -> None:
    graph = models()
    writes = json.loads(graph.named("models-prompts-policy").properties["policy"])["Statement"][1]

    assert writes["Principal"] == {"Service": "bedrock.amazonaws.com"}
    assert writes["Resource"] == "arn:aws:s3:::models-prompts/AWSLogs/123456789012/BedrockModelInvocationLogs/*"
    assert writes["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:bedrock:eu-central-1:123456789012:*"},
    }
    assert graph.named("models-prompts-policy").urn in graph.named("models-log").dependencies


def test_neither_a_log_nor_a_guardrail_is_made_that_nobody_asked_for() -> None:
    graph = models(logged=False, guardrail=False)

    assert [each.type for each in graph.resources if each.name != "aws"] == ["loomstead:models:Models"]
    assert told(graph)["guardrail"] == ""


def test_a_guardrail_evaluates_in_the_region_unless_a_profile_is_declared() -> None:
    here = models().named("models-guardrail").properties
    across = models(profile="eu.guardrail.v1:0").named("models-guardrail").properties

    assert "crossRegionConfig" not in here
    assert here["kmsKeyArn"] == KEY
    assert {each["type"] for each in here["contentPolicyConfig"]["filtersConfigs"]} == set(FILTERS)
    assert across["crossRegionConfig"]["guardrailProfileIdentifier"].endswith(":guardrail-profile/eu.guardrail.v1:0")


def test_a_profile_for_no_guardrail_is_refused() -> None:
    with pytest.raises(Refused, match="without a guardrail"):
        models(guardrail=False, profile="eu.guardrail.v1:0")
