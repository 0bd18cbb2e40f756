"""Where Bedrock runs models and keeps prompts: A27 to A33."""

from collections.abc import Iterator, Mapping
from typing import Any

from regions.endpoints import BEDROCK
from regions.findings import Severity
from regions.residency import Purpose
from regions.rules.aws.copies import BUCKET
from regions.rules.aws.policies import denies_global_profiles
from regions.rules.aws.where import region_in
from regions.rules.clauses import (
    exists,
    guarded_within,
    one_of,
    outside,
    points_within,
    present,
    runs_within,
    within,
)
from regions.rules.rule import UNKNOWN, UNSET, Breach, Check, Clause, Plan, Resource, ResourceRule

_PROFILE = "aws:bedrock/inferenceProfile:InferenceProfile"
_LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
_EVALUATOR = "aws:bedrock/agentcoreEvaluator:AgentcoreEvaluator"
_EVALUATION = "aws:bedrock/agentcoreOnlineEvaluationConfig:AgentcoreOnlineEvaluationConfig"
_CROSS_REGION_SERVICES = (
    "aws:bedrock/agentcorePolicyEngine:AgentcorePolicyEngine",
    "aws:bedrock/agentcoreRegistry:AgentcoreRegistry",
    "aws:agentregistry/registry:Registry",
)
_MODELS = (
    ("aws:bedrock/agentAgent:AgentAgent", "foundationModel"),
    ("aws:bedrock/agentPrompt:AgentPrompt", "variants[].modelId"),
    (
        "aws:bedrock/agentKnowledgeBase:AgentKnowledgeBase",
        "knowledgeBaseConfiguration.vectorKnowledgeBaseConfiguration.embeddingModelArn",
    ),
    (
        "aws:bedrock/agentKnowledgeBase:AgentKnowledgeBase",
        "knowledgeBaseConfiguration.managedKnowledgeBaseConfiguration.embeddingModelArn",
    ),
    (
        "aws:bedrock/agentDataSource:AgentDataSource",
        "vectorIngestionConfiguration.contextEnrichmentConfiguration.bedrockFoundationModelConfiguration.modelArn",
    ),
    (
        "aws:bedrock/agentDataSource:AgentDataSource",
        "vectorIngestionConfiguration.parsingConfiguration.bedrockFoundationModelConfiguration.modelArn",
    ),
    ("aws:bedrock/agentFlow:AgentFlow", "definition.nodes[].configuration.prompt.sourceConfiguration.inline.modelId"),
    ("aws:bedrock/agentFlow:AgentFlow", "definition.nodes[].configuration.knowledgeBase.modelId"),
    ("aws:bedrockmodel/invocationJob:InvocationJob", "modelId"),
)
"""Where a resource of Bedrock names the model that works on its data."""


def answered_within() -> Check:
    """As ``runs_within``; an application's own inference profile of this plan runs where what it copies runs."""
    runs = runs_within(BEDROCK)

    def check(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
        profile = None if value is UNSET else plan.named(_PROFILE, str(value))
        if profile is None:
            yield from runs(value, resource, plan)
            return
        source = profile.properties.get("modelSource")
        copied = source.get("copyFrom") if isinstance(source, Mapping) else None
        if not isinstance(copied, str):
            yield f"what the inference profile {profile.name} copies is not known"
        else:
            yield from runs(copied, profile, plan)

    return check


def _kept(value: Any, resource: Resource, plan: Plan) -> Iterator[str]:
    """A log group of this plan, under a key of one's own, that forgets."""
    if value is UNSET:
        return
    group = plan.named(_LOG_GROUP, str(value))
    if group is None:
        yield f"{value} is not one log group of this plan, so who can read it and for how long is not known"
        return
    if not group.properties.get("kmsKeyId"):
        yield f"log group {value} has no kmsKeyId, and would hold whole prompts"
    if group.properties.get("retentionInDays") in (None, 0):
        yield f"log group {value} has no retentionInDays, and would hold whole prompts for ever"


def _judged(value: Any, resource: Resource, plan: Plan) -> Iterator[str]:
    """An evaluator that is of this plan: one of AWS's own judges by cross-region inference."""
    if value is UNSET or plan.named(_EVALUATOR, str(value)) is None:
        yield "it is no evaluator of this plan; those of AWS judge by cross-region inference"


def _judges_by_code(resource: Resource) -> bool:
    config = resource.properties.get("evaluatorConfig")
    return isinstance(config, Mapping) and bool(config.get("codeBased"))


def _service_within(value: Any, resource: Resource, plan: Plan) -> Iterator[Breach | str]:
    """An endpoint service whose name has a region inside the Boundary."""
    if value is UNSET:
        return
    region = region_in(str(value))
    if region is None:
        yield "the service's name has no region, so where it leads is not known"
    elif breach := outside(plan, resource, Purpose.PROCESS, region):
        yield breach


def _no_bedrock(resource: Resource) -> bool:
    name = resource.properties.get("serviceName")
    return name is not UNKNOWN and ".bedrock" not in str(name)


def _denies_global(value: Any, resource: Resource, plan: Plan) -> Iterator[str]:
    called = str(resource.properties.get("region") or resource.region or plan.region)
    if value is UNSET:
        yield "without a policy the endpoint lets every profile through, global ones too"
    elif not denies_global_profiles(value, plan.partition, called):
        yield "its policy does not deny inference profiles global.*"


RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        id="A27",
        title="Inference profile that runs outside the Boundary",
        severity=Severity.DENY,
        types=(_PROFILE,),
        trap="a profile routes as what it copies: global. to anywhere, eu. and us. also out of London, Zurich, Canada",
        remedy="copy a model of the region, or a profile whose every destination is inside the Boundary",
        source="residency-facts.md §7 A27, pulumi_aws 7.51.1; Bedrock user guide, inference-profiles-support",
        clauses=(Clause("modelSource.copyFrom", runs_within(BEDROCK)),),
    ),
    ResourceRule(
        id="A28",
        title="Guardrail that evaluates outside the Boundary",
        severity=Severity.DENY,
        types=("aws:bedrock/guardrail:Guardrail",),
        trap="a guardrail profile sends prompts to other regions, whatever the model does",
        remedy="leave crossRegionConfig out, or name a profile whose every destination is inside the Boundary",
        source="residency-facts.md §7 A28, pulumi_aws 7.51.1; Bedrock user guide, guardrails-cross-region-support",
        clauses=(Clause("crossRegionConfig.guardrailProfileIdentifier", guarded_within()),),
    ),
    ResourceRule(
        id="A29",
        title="Prompts logged outside the Boundary, or unkept",
        severity=Severity.DENY,
        types=("aws:bedrockmodel/invocationLoggingConfiguration:InvocationLoggingConfiguration",),
        trap="invocation logs hold whole prompts and replies, in whatever bucket and log group is named",
        remedy="a bucket of this plan inside the Boundary; a log group of this plan with kmsKeyId and retentionInDays",
        source="residency-facts.md §7 A29 and §1.7, pulumi_aws 7.51.1",
        clauses=(
            Clause("loggingConfig.s3Config.bucketName", points_within(Purpose.LOGS, BUCKET)),
            Clause(
                "loggingConfig.cloudwatchConfig.largeDataDeliveryS3Config.bucketName",
                points_within(Purpose.LOGS, BUCKET),
            ),
            Clause("loggingConfig.cloudwatchConfig.logGroupName", points_within(Purpose.LOGS, _LOG_GROUP)),
            Clause("loggingConfig.cloudwatchConfig.logGroupName", _kept),
        ),
    ),
    ResourceRule(
        id="A30",
        title="Model that runs outside the Boundary",
        severity=Severity.DENY,
        types=tuple(dict.fromkeys(type_ for type_, _ in _MODELS)),
        trap="a model's prefix or its ARN's region decides where prompts and documents are worked on",
        remedy="name a model or profile whose every destination is inside the Boundary",
        source="residency-facts.md §7 A30, pulumi_aws 7.51.1; Bedrock user guide, inference-profiles-support",
        clauses=(
            *(Clause(path, answered_within(), (type_,)) for type_, path in _MODELS),
            Clause(
                "vectorIngestionConfiguration.parsingConfiguration.parsingStrategy",
                one_of({"BEDROCK_FOUNDATION_MODEL"}, "where Bedrock Data Automation runs is not known"),
                ("aws:bedrock/agentDataSource:AgentDataSource",),
            ),
        ),
    ),
    ResourceRule(
        id="A31",
        title="AgentCore memory that runs by cross-region inference",
        severity=Severity.DENY,
        types=("aws:bedrock/agentcoreMemoryStrategy:AgentcoreMemoryStrategy",),
        trap="built-in strategies extract by cross-region inference, and no log names the region",
        remedy="type CUSTOM with a configuration: self-managed, or overrides with models inside the Boundary",
        source="residency-facts.md §7 A31, pulumi_aws 7.51.1; AgentCore developer guide, cross-region-inference",
        clauses=(
            Clause("type", one_of({"CUSTOM"}, "a built-in strategy runs by cross-region inference")),
            Clause(
                "configuration",
                present("a custom strategy without configuration names no model"),
                unless=lambda resource: resource.properties.get("type") != "CUSTOM",
            ),
            *(
                Clause(f"configuration.{step}.modelId", answered_within())
                for step in ("extraction", "consolidation", "reflection")
            ),
        ),
    ),
    ResourceRule(
        id="A32",
        title="AgentCore service that runs by cross-region inference",
        severity=Severity.DENY,
        types=(_EVALUATION, _EVALUATOR, *_CROSS_REGION_SERVICES),
        trap="policies, evaluations and registries are worked on in other regions, some in any, and no log names it",
        remedy="leave it out; evaluate by evaluators of this plan, by code or by a model inside the Boundary",
        source="residency-facts.md §7 A32, pulumi_aws 7.51.1; AgentCore developer guide, cross-region-inference",
        clauses=(
            Clause("", exists("it runs by cross-region inference that cannot be switched off"), _CROSS_REGION_SERVICES),
            Clause("evaluators[].evaluatorId", _judged, (_EVALUATION,)),
            Clause(
                "evaluatorConfig.llmAsAJudge.modelConfig.bedrockEvaluatorModelConfig.modelId",
                present("it names no model, so where it judges is not known"),
                (_EVALUATOR,),
                unless=_judges_by_code,
            ),
            Clause(
                "evaluatorConfig.llmAsAJudge.modelConfig.bedrockEvaluatorModelConfig.modelId",
                answered_within(),
                (_EVALUATOR,),
            ),
        ),
    ),
    ResourceRule(
        id="A33",
        title="Private endpoint that leads outside the Boundary",
        severity=Severity.DENY,
        types=("aws:ec2/vpcEndpoint:VpcEndpoint",),
        trap="PrivateLink reaches services of other regions; one of Bedrock lets calls of global. profiles through",
        remedy="the service of the stack's region; for Bedrock a policy that denies * to do bedrock:InvokeModel* on "
        "arn:*:bedrock:*:*:inference-profile/global.*",
        source="residency-facts.md §7 A33, pulumi_aws 7.51.1; Bedrock user guide, global-cross-region-inference",
        clauses=(
            Clause("serviceRegion", within(Purpose.PROCESS)),
            Clause("serviceName", _service_within),
            Clause("resourceConfigurationArn", within(Purpose.PROCESS)),
            Clause("serviceNetworkArn", within(Purpose.PROCESS)),
            Clause("policy", _denies_global, unless=_no_bedrock),
        ),
    ),
)
