"""A27 to A33: where Bedrock runs models and keeps prompts."""

import json

import pytest

from regions.residency import Purpose
from regions.rules.aws import models
from regions.rules.aws.policies import denies_global_profiles
from regions.rules.rule import UNKNOWN
from tests.fixtures.resources import resource
from tests.fixtures.rule_cases import Case, breaches, purposes, survivors

PROFILE, GUARDRAIL = "aws:bedrock/inferenceProfile:InferenceProfile", "aws:bedrock/guardrail:Guardrail"
LOGGING = "aws:bedrockmodel/invocationLoggingConfiguration:InvocationLoggingConfiguration"
AGENT, PROMPT = "aws:bedrock/agentAgent:AgentAgent", "aws:bedrock/agentPrompt:AgentPrompt"
KNOWLEDGE, SOURCE = "aws:bedrock/agentKnowledgeBase:AgentKnowledgeBase", "aws:bedrock/agentDataSource:AgentDataSource"
FLOW, JOB = "aws:bedrock/agentFlow:AgentFlow", "aws:bedrockmodel/invocationJob:InvocationJob"
MEMORY = "aws:bedrock/agentcoreMemoryStrategy:AgentcoreMemoryStrategy"
EVALUATION = "aws:bedrock/agentcoreOnlineEvaluationConfig:AgentcoreOnlineEvaluationConfig"
EVALUATOR, ENDPOINT = "aws:bedrock/agentcoreEvaluator:AgentcoreEvaluator", "aws:ec2/vpcEndpoint:VpcEndpoint"
BUCKET, GROUP = "aws:s3/bucket:Bucket", "aws:cloudwatch/logGroup:LogGroup"
HOME, ZURICH, MONTREAL, LONDON = "eu-central-1", "eu-central-2", "ca-central-1", "eu-west-2"
SONNET, TITAN = "anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.titan-embed-text-v2:0"
EU, US, GLOBAL = f"eu.{SONNET}", f"us.{SONNET}", f"global.{SONNET}"
OWN = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc"
LATER = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/later"
ACCOUNT = "123456789012"


def profile(region: str, id_: str) -> str:
    return f"arn:aws:bedrock:{region}:{ACCOUNT}:inference-profile/{id_}"


def model(region: str, id_: str) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{id_}"


def nested(path: str, value: object) -> dict[str, object]:
    """``a.b[].c`` → ``{a: {b: [{c: value}]}}``."""
    key, _, rest = path.partition(".")
    inner = nested(rest, value) if rest else value
    return {key.removesuffix("[]"): [inner]} if key.endswith("[]") else {key: inner}


def copying(id_: object, arn: str = OWN) -> dict[str, object]:
    return {"name": "orders", "arn": arn, "modelSource": {"copyFrom": id_}}


def deny(**changed: object) -> dict[str, object]:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "bedrock:InvokeModel*",
        "Resource": "arn:*:bedrock:*:*:inference-profile/global.*",
    }
    return {key: value for key, value in {**statement, **changed}.items() if value is not None}


def policy(*statements: object) -> str:
    allow = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [allow, *statements]})


MODEL_PATHS = [
    (AGENT, "foundationModel"),
    (PROMPT, "variants[].modelId"),
    (KNOWLEDGE, "knowledgeBaseConfiguration.vectorKnowledgeBaseConfiguration.embeddingModelArn"),
    (KNOWLEDGE, "knowledgeBaseConfiguration.managedKnowledgeBaseConfiguration.embeddingModelArn"),
    (
        SOURCE,
        "vectorIngestionConfiguration.contextEnrichmentConfiguration.bedrockFoundationModelConfiguration.modelArn",
    ),
    (SOURCE, "vectorIngestionConfiguration.parsingConfiguration.bedrockFoundationModelConfiguration.modelArn"),
    (FLOW, "definition.nodes[].configuration.prompt.sourceConfiguration.inline.modelId"),
    (FLOW, "definition.nodes[].configuration.knowledgeBase.modelId"),
    (JOB, "modelId"),
]
PROFILES = [
    Case("A27", "copies an EU profile", resource(PROFILE, "p", copying(profile(HOME, EU)), region=HOME)),
    Case("A27", "copies a model of its region", resource(PROFILE, "p", copying(model(HOME, TITAN)), region=HOME)),
    Case(
        "A27",
        "copies a global profile",
        resource(PROFILE, "p", copying(profile(HOME, GLOBAL)), region=HOME),
        ("modelSource.copyFrom",),
    ),
    Case(
        "A27",
        "copies an EU profile from London under EU law",
        resource(PROFILE, "p", copying(profile(LONDON, EU)), region=HOME),
        ("modelSource.copyFrom",),
    ),
    *(
        Case(
            "A27",
            f"copies {id_} of {region} under {regime}",
            resource(PROFILE, "p", copying(profile(region, id_)), region=region),
            ("modelSource.copyFrom",),
            regime=regime,
            region=region,
        )
        for id_, region, regime in ((EU, ZURICH, "ch-fadp"), (US, MONTREAL, "ca-pipeda"), (EU, LONDON, "uk-gdpr"))
    ),
    Case(
        "A27",
        "copies a model of Zurich under Swiss law",
        resource(PROFILE, "p", copying(model(ZURICH, TITAN)), region=ZURICH),
        regime="ch-fadp",
        region=ZURICH,
    ),
    Case(
        "A27",
        "copies what the catalogue lacks",
        resource(PROFILE, "p", copying(profile(HOME, "eu.anthropic.claude-opus-5")), region=HOME),
        ("modelSource.copyFrom",),
    ),
    Case("A27", "copies nobody knows what", resource(PROFILE, "p", copying(UNKNOWN)), ("modelSource.copyFrom",)),
]
GUARDRAILS = [
    Case("A28", "evaluates in its region", resource(GUARDRAIL, "g", {}, region=HOME)),
    *(
        Case(
            "A28",
            f"evaluates by {id_} in {region} under {regime}",
            resource(GUARDRAIL, "g", {"crossRegionConfig": {"guardrailProfileIdentifier": id_}}, region=region),
            ("crossRegionConfig.guardrailProfileIdentifier",) if outside else (),
            regime=regime,
            region=region,
        )
        for id_, region, regime, outside in (
            ("eu.guardrail.v1:0", HOME, "eu-gdpr", False),
            (f"arn:aws:bedrock:{HOME}:{ACCOUNT}:guardrail-profile/eu.guardrail.v1:0", HOME, "eu-gdpr", False),
            (f"arn:aws:bedrock:us-east-1:{ACCOUNT}:guardrail-profile/us.guardrail.v1:0", HOME, "eu-gdpr", True),
            ("uk.guardrail.v1:0", LONDON, "uk-gdpr", False),
            ("ca.guardrail.v1:0", MONTREAL, "ca-pipeda", False),
            ("us.guardrail.v1:0", MONTREAL, "ca-pipeda", True),
            ("apac.guardrail.v1:0", "me-central-1", "ae-pdpl", True),
            ("ch.guardrail.v1:0", ZURICH, "ch-fadp", True),
        )
    ),
]
KEPT = resource(GROUP, "prompts", {"name": "prompts", "kmsKeyId": "k", "retentionInDays": 30}, region="eu-west-1")
LOGGED = (
    KEPT,
    resource(GROUP, "a", {"name": "no-key", "retentionInDays": 30}, region=HOME),
    resource(GROUP, "b", {"name": "for-ever", "kmsKeyId": "k", "retentionInDays": 0}, region=HOME),
    resource(GROUP, "c", {"name": "london", "kmsKeyId": "k", "retentionInDays": 30}, region=LONDON),
    resource(BUCKET, "d", {"bucket": "acme-here"}, region="eu-west-1"),
    resource(BUCKET, "e", {"bucket": "acme-london"}, region=LONDON),
)
LOGS = [
    *(
        Case(
            "A29", f"{path} is {value}", resource(LOGGING, "l", nested(path, value)), (path,) if outside else (), LOGGED
        )
        for path, names in {
            "loggingConfig.s3Config.bucketName": (("acme-here", 0), ("acme-london", 1), ("theirs", 1)),
            "loggingConfig.cloudwatchConfig.largeDataDeliveryS3Config.bucketName": (
                ("acme-here", 0),
                ("acme-london", 1),
            ),
            "loggingConfig.cloudwatchConfig.logGroupName": (
                *(("prompts", 0), ("no-key", 1), ("for-ever", 1)),
                *(("london", 1), ("theirs", 1), (UNKNOWN, 1)),
            ),
        }.items()
        for value, outside in names
    ),
    Case("A29", "logs nothing", resource(LOGGING, "l", {"loggingConfig": {}})),
]
OWN_PROFILES = (
    resource(PROFILE, "own", copying(profile(HOME, EU)), region=HOME),
    resource(PROFILE, "later", copying(UNKNOWN, LATER), region=HOME),
)
MODELS = [
    *(
        Case(
            "A30",
            f"{path} is {value}",
            resource(type_, "m", nested(path, value), region=HOME),
            (path.replace("[]", "[0]"),) if outside else (),
            OWN_PROFILES,
        )
        for type_, path in MODEL_PATHS
        for value, outside in (
            (EU, False),
            (TITAN, False),
            (model("eu-north-1", TITAN), False),
            (OWN, False),
            (model("us-east-1", TITAN), True),
            (GLOBAL, True),
            (LATER, True),
            (f"{OWN}d", True),
            (SONNET, True),
        )
    ),
    *(
        Case(
            "A30",
            f"{id_} from {region} under {regime}",
            resource(AGENT, "a", {"foundationModel": id_}, region=region),
            ("foundationModel",) if outside else (),
            regime=regime,
            region=region,
        )
        for id_, region, regime, outside in (
            (US, MONTREAL, "ca-pipeda", True),
            (TITAN, MONTREAL, "ca-pipeda", False),
            (EU, ZURICH, "ch-fadp", True),
            (EU, LONDON, "uk-gdpr", True),
            ("amazon.nova-pro-v1:0", LONDON, "uk-gdpr", False),
        )
    ),
    Case(
        "A30",
        "agent that calls from a region of its own",
        resource(AGENT, "a", {"foundationModel": EU, "region": LONDON}, region=HOME),
        ("foundationModel",),
    ),
    *(
        Case(
            "A30",
            f"parses by {strategy}",
            resource(
                SOURCE, "s", nested("vectorIngestionConfiguration.parsingConfiguration.parsingStrategy", strategy)
            ),
            found,
        )
        for strategy, found in (
            ("BEDROCK_FOUNDATION_MODEL", ()),
            ("BEDROCK_DATA_AUTOMATION", ("vectorIngestionConfiguration.parsingConfiguration.parsingStrategy",)),
        )
    ),
]
MEMORIES = [
    *(
        Case("A31", f"built-in {kind}", resource(MEMORY, "m", {"type": kind}), ("type",))
        for kind in ("SEMANTIC", "SUMMARIZATION", "USER_PREFERENCE")
    ),
    Case("A31", "custom without configuration", resource(MEMORY, "m", {"type": "CUSTOM"}), ("configuration",)),
    Case(
        "A31",
        "self-managed",
        resource(MEMORY, "m", {"type": "CUSTOM", "configuration": {"type": "SELF_MANAGED"}}, region=HOME),
    ),
    *(
        Case(
            "A31",
            f"{step} by {id_}",
            resource(MEMORY, "m", {"type": "CUSTOM", "configuration": {step: {"modelId": id_}}}, region=HOME),
            found,
        )
        for step in ("extraction", "consolidation", "reflection")
        for id_, found in ((EU, ()), (GLOBAL, (f"configuration.{step}.modelId",)))
    ),
]
JUDGE = "evaluatorConfig.llmAsAJudge.modelConfig.bedrockEvaluatorModelConfig.modelId"
BY_CODE = resource(EVALUATOR, "code", {"evaluatorName": "code", "id": "code-1", "evaluatorConfig": {"codeBased": {}}})
EVALUATIONS = [
    *(
        Case("A32", f"{type_} exists", resource(type_, "s", {}), ("",))
        for type_ in (
            "aws:bedrock/agentcorePolicyEngine:AgentcorePolicyEngine",
            "aws:bedrock/agentcoreRegistry:AgentcoreRegistry",
            "aws:agentregistry/registry:Registry",
        )
    ),
    Case(
        "A32",
        "a runtime is no such service",
        resource("aws:bedrock/agentcoreAgentRuntime:AgentcoreAgentRuntime", "r", {}),
    ),
    *(
        Case(
            "A32",
            f"evaluates by {id_}",
            resource(EVALUATION, "e", {"evaluators": [{"evaluatorId": id_}]}),
            found,
            (BY_CODE,),
        )
        for id_, found in (("code-1", ()), ("Builtin.Helpfulness", ("evaluators[0].evaluatorId",)))
    ),
    Case("A32", "judges by code", resource(EVALUATOR, "e", {"evaluatorConfig": {"codeBased": {"lambdaConfig": {}}}})),
    Case("A32", "judges by nobody knows what", resource(EVALUATOR, "e", {}), (JUDGE,)),
    *(
        Case("A32", f"judges by {id_}", resource(EVALUATOR, "e", nested(JUDGE, id_), region=HOME), found)
        for id_, found in ((EU, ()), (GLOBAL, (JUDGE,)))
    ),
]
RUNTIME = f"com.amazonaws.{HOME}.bedrock-runtime"
ENDPOINTS = [
    Case("A33", "service of the region", resource(ENDPOINT, "e", {"serviceName": f"com.amazonaws.{HOME}.sqs"})),
    *(
        Case("A33", f"service {name}", resource(ENDPOINT, "e", {"serviceName": name}), ("serviceName",))
        for name in ("com.amazonaws.us-east-1.sqs", "com.amazonaws.vpce.eu-west-2.vpce-svc-0a", "com.example.orders")
    ),
    *(
        Case("A33", f"{key} {value}", resource(ENDPOINT, "e", {key: value}), (key,) if outside else ())
        for key, value, outside in (
            ("serviceRegion", "eu-west-1", False),
            ("serviceRegion", "us-east-1", True),
            ("resourceConfigurationArn", "arn:aws:vpc-lattice:eu-west-1:1:resourceconfiguration/r", False),
            ("resourceConfigurationArn", "arn:aws:vpc-lattice:us-east-1:1:resourceconfiguration/r", True),
            ("serviceNetworkArn", "arn:aws:vpc-lattice:eu-west-1:1:servicenetwork/s", False),
            ("serviceNetworkArn", "arn:aws:vpc-lattice:us-east-1:1:servicenetwork/s", True),
        )
    ),
    Case("A33", "Bedrock without policy", resource(ENDPOINT, "e", {"serviceName": RUNTIME}), ("policy",)),
    Case(
        "A33",
        "Bedrock with an open policy",
        resource(ENDPOINT, "e", {"serviceName": RUNTIME, "policy": policy()}),
        ("policy",),
    ),
    Case(
        "A33",
        "Bedrock without global profiles",
        resource(ENDPOINT, "e", {"serviceName": RUNTIME, "policy": policy(deny())}, region=HOME),
    ),
    Case(
        "A33",
        "of a service not known yet",
        resource(ENDPOINT, "e", {"serviceName": UNKNOWN, "policy": policy()}),
        ("policy", "serviceName"),
    ),
]
CASES = [*PROFILES, *GUARDRAILS, *LOGS, *MODELS, *MEMORIES, *EVALUATIONS, *ENDPOINTS]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in models.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(models.RULES, CASES) == []


def test_asks_for_the_purposes_that_it_is_about() -> None:
    assert purposes(models.RULES, CASES) == {
        "A27": {Purpose.PROCESS},
        "A28": {Purpose.PROCESS},
        "A29": {Purpose.LOGS},
        "A30": {Purpose.PROCESS},
        "A31": {Purpose.PROCESS},
        "A32": {Purpose.PROCESS},
        "A33": {Purpose.PROCESS},
    }


PROFILE_ARN = {"bedrock:InferenceProfileArn": "arn:*:bedrock:*:*:inference-profile/global.*"}


@pytest.mark.parametrize(
    ("statement", "denies"),
    [
        (deny(), True),
        (deny(Action="*", Resource="*"), True),
        (deny(Action=["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]), True),
        (deny(Resource="*", Condition={"ArnLike": PROFILE_ARN}), True),
        (
            deny(
                Resource="*", Condition={"ArnLike": PROFILE_ARN, "StringEquals": {"aws:RequestedRegion": "unspecified"}}
            ),
            True,
        ),
        (deny(Principal={"AWS": "*"}), True),
        (deny(Effect="Allow"), False),
        (deny(Action="bedrock:InvokeModel"), False),
        (deny(Action="bedrock:Get*"), False),
        (deny(Resource="arn:aws:bedrock:*:*:inference-profile/us.*"), False),
        (deny(Resource="arn:aws:bedrock:us-east-1:*:inference-profile/global.*"), False),
        (deny(Principal={"AWS": "arn:aws:iam::123456789012:role/worker"}), False),
        (deny(Principal=None), False),
        (deny(NotAction="s3:*"), False),
        (deny(Condition={"StringEquals": {"aws:PrincipalTag/team": "red"}}), False),
        (deny(Condition={"ArnLike": {"bedrock:InferenceProfileArn": "arn:*:inference-profile/us.*"}}), False),
        (deny(Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}}), False),
        (deny(Condition="always"), False),
        ("Deny", False),
    ],
)
def test_reads_what_a_policy_denies(statement: object, denies: bool) -> None:
    assert denies_global_profiles(policy(statement), "aws", HOME) is denies


def test_takes_a_denial_apart_over_statements() -> None:
    halves = (deny(Action="bedrock:InvokeModel"), deny(Action="bedrock:InvokeModelWithResponseStream"))
    assert denies_global_profiles(policy(*halves), "aws", HOME)


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", "null", '{"Statement": 3}'])
def test_a_policy_that_cannot_be_read_denies_nothing(text: str) -> None:
    assert not denies_global_profiles(text, "aws", HOME)
