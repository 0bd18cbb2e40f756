"""Bedrock: what a stack may call there by name, a guardrail, and a log of every call where one is wanted.

The private endpoint is the network's. Nothing is granted here: ``policy`` is for whoever calls.
"""

import json
from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from components.aws.bucket import BucketArgs, PrivateBucket
from components.aws.documents import Statement
from components.infrastructure import Refused
from components.models.bedrock import Invocable
from components.models.contract import Models

CALLS = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
"""Converse is authorised as these."""
FILTERS = ("HATE", "INSULTS", "SEXUAL", "VIOLENCE", "MISCONDUCT", "PROMPT_ATTACK")
_NO_OUTPUT = "PROMPT_ATTACK"
"""The filter that reads prompts alone."""
_BLOCKED = "This was withheld by the guardrail of the stack."


class AwsModelsArgs(TypedDict):
    """``models``: of ``components.models.bedrock.invocable``. ``key``: ARN of what encrypts guardrail and log.

    ``logged``: whether Bedrock keeps each prompt and answer, for ``log_days``, in a bucket of its own. One account has
    one such log in a region, so one stack alone of that account and region may say so. ``guardrail``: whether one is
    made; ``profile``: the cross-region one that evaluates its text, none: the stack's region does.
    """

    stack: str
    region: str
    models: Sequence[Invocable]
    key: Input[str]
    logged: bool
    log_days: int
    guardrail: bool
    profile: NotRequired[str]


class AwsModels(Models):
    """``policy``: IAM policy that lets its bearer call ``invocable``, a profile's models by that profile alone; none
    where nothing may be called. ``guardrail``: ARN and version, parted by a colon; empty: there is none."""

    policy: Output[str] | None
    guardrail: Output[str]

    def __init__(self, name: str, args: AwsModelsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        self._name, self._args = name, _checked(args)
        self._child = pulumi.ResourceOptions(parent=self)
        asked = pulumi.InvokeOutputOptions(parent=self)
        self._account = aws.get_caller_identity_output(opts=asked).account_id
        partition = aws.get_partition_output(opts=asked)
        self._partition = partition.partition
        self._bedrock = aws.get_service_principal_output(service_name="bedrock", opts=asked).name
        if args["logged"]:
            self._create_log()
        self.guardrail = self._create_guardrail() if args["guardrail"] else Output.from_input("")
        statements = Output.all(self._partition, self._account).apply(lambda told: self._statements(*told))
        self.policy = statements.apply(_policy) if args["models"] else None
        self.invocable = statements.apply(lambda found: [statement["Resource"] for statement in found])
        host = Output.format("https://bedrock-runtime.{0}.{1}", args["region"], partition.dns_suffix)
        self.endpoints = host.apply(lambda url: {model.candidate: url for model in args["models"]})
        self.register_outputs(
            {
                "endpoints": self.endpoints,
                "invocable": self.invocable,
                "policy": self.policy,
                "guardrail": self.guardrail,
            }
        )

    def _statements(self, partition: str, account: str) -> list[dict[str, Any]]:
        """One a resource, each resource once: more than one candidate may have it."""
        found = [
            statement for model in self._args["models"] for statement in self._statements_of(model, partition, account)
        ]
        return [statement for index, statement in enumerate(found) if statement not in found[:index]]

    def _statements_of(self, model: Invocable, partition: str, account: str) -> list[dict[str, Any]]:
        allowed: dict[str, Any] = {"Effect": "Allow", "Action": CALLS}
        by: dict[str, Any] = {}
        profiles = []
        if model.profile:
            arn = f"arn:{partition}:bedrock:{self._args['region']}:{account}:inference-profile/{model.profile}"
            profiles = [{**allowed, "Resource": arn}]
            by = {"Condition": {"StringEquals": {"bedrock:InferenceProfileArn": arn}}}
        models = [f"arn:{partition}:bedrock:{region}::foundation-model/{model.model}" for region in model.regions]
        return [*profiles, *({**allowed, "Resource": arn, **by} for arn in models)]

    def _create_log(self) -> None:
        args = self._args
        kept = PrivateBucket(
            self, f"{self._name}-prompts", BucketArgs(args["key"], args["log_days"], allowed=self._writer)
        )
        aws.bedrockmodel.InvocationLoggingConfiguration(
            f"{self._name}-log",
            logging_config={
                "s3_config": {"bucket_name": kept.bucket.id},
                "text_data_delivery_enabled": True,
                "image_data_delivery_enabled": True,
                "embedding_data_delivery_enabled": True,
                "video_data_delivery_enabled": True,
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[kept.policy]),
        )

    def _writer(self, bucket: Output[str]) -> list[Statement]:
        region = self._args["region"]
        return [
            {
                "Sid": "BedrockWrites",
                "Effect": "Allow",
                "Principal": {"Service": self._bedrock},
                "Action": "s3:PutObject",
                "Resource": Output.format("{0}/AWSLogs/{1}/BedrockModelInvocationLogs/*", bucket, self._account),
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": self._account},
                    "ArnLike": {
                        "aws:SourceArn": Output.format(
                            "arn:{0}:bedrock:{1}:{2}:*", self._partition, region, self._account
                        )
                    },
                },
            }
        ]

    def _create_guardrail(self) -> Output[str]:
        args = self._args
        across: dict[str, Any] = {}
        if profile := args.get("profile"):
            across = {"cross_region_config": {"guardrail_profile_identifier": self._profile(profile)}}
        guardrail = aws.bedrock.Guardrail(
            f"{self._name}-guardrail",
            name=args["stack"],
            description=f"What models of {args['stack']} neither read nor say",
            kms_key_arn=args["key"],
            blocked_input_messaging=_BLOCKED,
            blocked_outputs_messaging=_BLOCKED,
            content_policy_config={
                "filters_configs": [
                    {
                        "type": each,
                        "input_strength": "HIGH",
                        "output_strength": "NONE" if each == _NO_OUTPUT else "HIGH",
                    }
                    for each in FILTERS
                ]
            },
            **across,
            opts=self._child,
        )
        version = aws.bedrock.GuardrailVersion(
            f"{self._name}-guardrail-version",
            guardrail_arn=guardrail.guardrail_arn,
            skip_destroy=True,  # a version still named by a call in flight stays
            opts=self._child,
        )
        return Output.format("{0}:{1}", guardrail.guardrail_arn, version.version)

    def _profile(self, profile: str) -> Output[str]:
        if profile.startswith("arn:"):
            return Output.from_input(profile)
        return Output.format(
            "arn:{0}:bedrock:{1}:{2}:guardrail-profile/{3}",
            self._partition,
            self._args["region"],
            self._account,
            profile,
        )


def _checked(args: AwsModelsArgs) -> AwsModelsArgs:
    if args.get("profile") and not args["guardrail"]:
        raise Refused(f"models: profile {args.get('profile')!r} without a guardrail; say guardrail, or leave it out")
    return args


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
