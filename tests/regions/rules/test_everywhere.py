"""X01 to X05: Temporal Cloud, telemetry, model gateways, Pulumi's state and what no rule knows, on every cloud."""

from typing import Any

import pytest
import yaml

from regions.rules import everywhere
from regions.rules.rule import UNKNOWN, Resource
from tests.fixtures.resources import resource
from tests.fixtures.rule_cases import Case, breaches, survivors
from tests.fixtures.rule_tables import Stack

NAMESPACE, CONFIG = "temporalcloud:index/namespace:Namespace", "kubernetes:core/v1:ConfigMap"
APP, CHART, ROOT = "kubernetes:apps/v1:Deployment", "kubernetes:helm.sh/v3:Release", "pulumi:pulumi:Stack"
LAMBDA, TASK = "aws:lambda/function:Function", "aws:ecs/taskDefinition:TaskDefinition"
FRANKFURT, ZURICH, LONDON = Stack("eu-central-1"), Stack("eu-central-2", "ch-fadp"), Stack("eu-west-2", "uk-gdpr")
OWN = Stack("local", "host-country")


def environment(*variables: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "agent"}, {"env": list(variables)}]}}}}


def env(name: str, value: Any) -> dict[str, Any]:
    return {"name": name, "value": value}


PLACE = "spec.template.spec.containers[1].env[0].value"
FROM_SECRET = {"name": "SENTRY_DSN", "valueFrom": {"secretKeyRef": {"name": "sentry", "key": "dsn"}}}


def routes(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    models = [{"model_name": f"m{index}", "litellm_params": params} for index, params in enumerate(entries)]
    return {"data": {"config": yaml.safe_dump({"model_list": models, **more})}}


def bedrock(model: str, region: str | None = "eu-central-1") -> dict[str, Any]:
    return {"model": f"bedrock/{model}"} | ({} if region is None else {"aws_region_name": region})


def deployment(sku: str) -> tuple[Resource, Resource]:
    account = {"accountName": "acme", "location": "swedencentral"}
    model = {"name": "gpt-4.1", "format": "OpenAI"}
    chat = {"accountName": "acme", "deploymentName": "chat", "sku": {"name": sku}, "properties": {"model": model}}
    return (
        resource("azure-native:cognitiveservices:Account", "account", account),
        resource("azure-native:cognitiveservices:Deployment", "chat", chat),
    )


def keys(location: str) -> Resource:
    return resource("azure-native:keyvault:Vault", "keys", {"vaultName": "acme", "location": location})


def objects(location: str) -> Resource:
    return resource("gcp:storage/bucket:Bucket", "b", {"name": "acme-state", "location": location})


CLAUDE, TITAN = "anthropic.claude-opus-4-8", "amazon.titan-embed-text-v2:0"
FIRST = "data.config.model_list[0].litellm_params"
TO_TITAN = bedrock(TITAN)
COLLECTOR = resource(APP, "collector", environment(env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4317")))
BUCKET = resource("aws:s3/bucket:Bucket", "b", {"bucket": "acme-state", "region": "eu-central-1"})
FOREIGN_BUCKET = resource("aws:s3/bucket:Bucket", "b", {"bucket": "acme-state", "region": "us-east-1"})
ACCOUNT = resource("azure-native:storage:StorageAccount", "a", {"accountName": "acmestate", "location": "westeurope"})
BACKEND, SECRETS = "backend.url", "secretsprovider"


def telemetry() -> list[Case]:
    return [
        FRANKFURT.case("X02", "site inside", CONFIG, {"data": {"DD_SITE": "datadoghq.eu"}}),
        FRANKFURT.case("X02", "site outside", CONFIG, {"data": {"DD_SITE": "datadoghq.com"}}, "data.DD_SITE"),
        FRANKFURT.case("X02", "site in Japan", CONFIG, {"data": {"DD_SITE": "ap1.datadoghq.com"}}, "data.DD_SITE"),
        FRANKFURT.case("X02", "variable inside", APP, environment(env("LANGFUSE_HOST", "https://cloud.langfuse.com"))),
        FRANKFURT.case(
            "X02", "variable outside", APP, environment(env("LANGFUSE_HOST", "https://us.cloud.langfuse.com")), PLACE
        ),
        FRANKFURT.case("X02", "project inside", APP, environment(env("SENTRY_DSN", "https://k@de.sentry.io/4"))),
        FRANKFURT.case("X02", "project outside", APP, environment(env("SENTRY_DSN", "https://k@sentry.io/4")), PLACE),
        FRANKFURT.case(
            "X02",
            "site that the catalogue lacks, of a vendor that it has",
            APP,
            environment(env("SENTRY_DSN", "https://k@o1.ingest.de.sentry.io/4")),
            PLACE,
        ),
        FRANKFURT.case("X02", "from a secret", APP, environment(FROM_SECRET), PLACE),
        FRANKFURT.case("X02", "not known yet", APP, environment(env("SENTRY_DSN", UNKNOWN)), PLACE),
        FRANKFURT.case(
            "X02", "host of nobody knows whom", APP, environment(env("DD_URL", "https://t.example.org")), PLACE
        ),
        FRANKFURT.case(
            "X02",
            "host that the stack declares",
            APP,
            environment(env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://t.acme.example")),
            hosts=("t.acme.example",),
        ),
        *(
            FRANKFURT.case("X02", f"in the cluster: {host}", APP, environment(env("OTEL_EXPORTER_OTLP_ENDPOINT", host)))
            for host in ("http://otel:4317", "otel.monitoring.svc:4317", "http://otel.monitoring.svc.cluster.local")
        ),
        FRANKFURT.case("X02", "another setting", APP, environment(env("HOMEPAGE", "https://t.example.org"))),
        FRANKFURT.case(
            "X02",
            "in a chart's values",
            CHART,
            {"values": {"agent": {"env": {"DD_SITE": "us5.datadoghq.com"}}}},
            "values.agent.env.DD_SITE",
        ),
        FRANKFURT.case(
            "X02",
            "of a function",
            LAMBDA,
            {"environment": {"variables": {"DD_SITE": "datadoghq.com"}}},
            "environment.variables.DD_SITE",
        ),
        FRANKFURT.case(
            "X02",
            "of a task, in JSON",
            TASK,
            {"containerDefinitions": '[{"environment": [{"name": "DD_SITE", "value": "datadoghq.com"}]}]'},
            "containerDefinitions[0].environment[0].value",
        ),
        *(
            FRANKFURT.case("X02", f"in text: {why}", CONFIG, {"data": {"told": text}}, f"data.told.{path}")
            for why, text, path in (
                ("YAML", "env:\n  DD_SITE: datadoghq.com\n", "env.DD_SITE"),
                ("env file", "A=1\nexport DD_SITE=datadoghq.com\n", "DD_SITE"),
                ("JSON after a space", ' {"DD_SITE": "datadoghq.com"}', "DD_SITE"),
                ("JSON with tabs", '{\n\t"DD_SITE": "datadoghq.com"}', "DD_SITE"),
                ("template", '{{ if .x }}\nDD_SITE: "datadoghq.com"\n{{ end }}', "DD_SITE"),
                ("command", "run --set DD_URL=https://t.example.org", "DD_URL"),
            )
        ),
        FRANKFURT.case("X02", "in text: inside", CONFIG, {"data": {".env": "DD_SITE=datadoghq.eu\nB=2"}}),
        LONDON.case("X02", "German site under UK law", CONFIG, {"data": {"DD_SITE": "datadoghq.eu"}}, "data.DD_SITE"),
        LONDON.case("X02", "British site under UK law", CONFIG, {"data": {"DD_SITE": "uk1.datadoghq.com"}}),
    ]


def gateways() -> list[Case]:
    return [
        FRANKFURT.case("X03", "no configuration", CONFIG, {"data": {"config": "log_level: info"}}),
        FRANKFURT.case("X03", "profile inside", CONFIG, routes(bedrock(f"eu.{CLAUDE}"))),
        FRANKFURT.case("X03", "profile anywhere", CONFIG, routes(bedrock(f"global.{CLAUDE}")), FIRST),
        FRANKFURT.case("X03", "profile of the US", CONFIG, routes(bedrock(f"us.{CLAUDE}", "us-east-1")), FIRST),
        FRANKFURT.case("X03", "model in its region", CONFIG, routes(bedrock(f"converse/{TITAN}"))),
        *(
            FRANKFURT.case("X03", f"{key} elsewhere", CONFIG, routes(route | {key: "https://b.example.org"}), FIRST)
            for key in ("api_base", "base_url", "aws_bedrock_runtime_endpoint")
            for route in (TO_TITAN, {"model": "vertex_ai/gemini-3.5-flash", "vertex_location": "eu"})
        ),
        FRANKFURT.case("X03", "region left open", CONFIG, routes(bedrock(TITAN, None)), FIRST),
        FRANKFURT.case("X03", "region from outside", CONFIG, routes(bedrock(TITAN, "os.environ/AWS_REGION")), FIRST),
        ZURICH.case("X03", "profile from Zurich", CONFIG, routes(bedrock(f"eu.{CLAUDE}", "eu-central-2")), FIRST),
        ZURICH.case("X03", "model in Zurich", CONFIG, routes(bedrock(TITAN, "eu-central-2"))),
        FRANKFURT.case(
            "X03",
            "Gemini in the EU",
            CONFIG,
            routes({"model": "vertex_ai/gemini-3.5-flash", "vertex_location": "eu"}),
        ),
        FRANKFURT.case(
            "X03",
            "Gemini anywhere",
            CONFIG,
            routes({"model": "vertex_ai/gemini-3.5-flash", "vertex_location": "global"}),
            FIRST,
        ),
        FRANKFURT.case(
            "X03", "deployment inside", CONFIG, routes({"model": "azure/chat"}), others=deployment("Standard")
        ),
        FRANKFURT.case(
            "X03",
            "deployment anywhere",
            CONFIG,
            routes({"model": "azure/chat"}),
            FIRST,
            others=deployment("GlobalStandard"),
        ),
        FRANKFURT.case("X03", "deployment of another plan", CONFIG, routes({"model": "azure/chat"}), FIRST),
        FRANKFURT.case(
            "X03",
            "own server",
            CONFIG,
            routes({"model": "hosted_vllm/qwen", "api_base": "http://vllm.models.svc:8000/v1"}),
        ),
        FRANKFURT.case(
            "X03",
            "server elsewhere",
            CONFIG,
            routes({"model": "hosted_vllm/qwen", "api_base": "https://vllm.example.org/v1"}),
            FIRST,
        ),
        FRANKFURT.case("X03", "vendor's host", CONFIG, routes({"model": "openai/gpt-5.1-2025-11-13"}), FIRST),
        FRANKFURT.case("X03", "vendor that nobody knows", CONFIG, routes({"model": "acme/best"}), FIRST),
        FRANKFURT.case("X03", "entry without model", CONFIG, routes({}), FIRST),
        FRANKFURT.case("X03", "no list of routes", CONFIG, {"data": {"config": "model_list: none"}}, "data.config"),
        FRANKFURT.case("X03", "no YAML", CONFIG, {"data": {"config": "model_list: ]"}}, "data.config"),
        FRANKFURT.case(
            "X03",
            "in a chart's values",
            CHART,
            {"values": {"proxy": {"model_list": ["gpt"]}}},
            "values.proxy.model_list[0].litellm_params",
        ),
        FRANKFURT.case(
            "X03",
            "fallback to a route",
            CONFIG,
            routes(bedrock(f"eu.{CLAUDE}"), TO_TITAN, router_settings={"fallbacks": [{"m0": ["m1"]}]}),
        ),
        *(
            FRANKFURT.case(
                "X03", f"{key} to no route", CONFIG, routes(TO_TITAN, litellm_settings=found), "data.config.fallbacks"
            )
            for key, found in (
                ("fallbacks", {"fallbacks": [{"m0": ["gpt-5.1"]}]}),
                ("default_fallbacks", {"default_fallbacks": ["gpt-5.1"]}),
                ("context_window_fallbacks", {"context_window_fallbacks": [{"m0": ["gpt-5.1"]}]}),
                ("content_policy_fallbacks", {"content_policy_fallbacks": [{"m0": ["gpt-5.1"]}]}),
            )
        ),
        FRANKFURT.case(
            "X03",
            "fallback of one route",
            CONFIG,
            routes(TO_TITAN | {"fallbacks": ["gpt-5.1"]}),
            "data.config.fallbacks",
        ),
        FRANKFURT.case("X03", "metrics kept", CONFIG, routes(TO_TITAN, litellm_settings={"callbacks": ["prometheus"]})),
        FRANKFURT.case(
            "X03",
            "traces sent nobody knows where",
            CONFIG,
            routes(TO_TITAN, litellm_settings={"success_callback": "otel"}),
            "data.config.success_callback",
        ),
        FRANKFURT.case(
            "X03",
            "traces sent where a variable says",
            CONFIG,
            routes(TO_TITAN, litellm_settings={"success_callback": ["otel"]}),
            others=(COLLECTOR,),
        ),
        FRANKFURT.case(
            "X03",
            "failures sent to a vendor that nobody knows",
            CONFIG,
            routes(TO_TITAN, litellm_settings={"failure_callback": ["acme"]}),
            "data.config.failure_callback",
            others=(COLLECTOR,),
        ),
    ]


def root(url: str | None, secretsprovider: str | None = None) -> dict[str, Any]:
    return ({} if url is None else {"backend": {"url": url}}) | (
        {} if secretsprovider is None else {"secretsprovider": secretsprovider}
    )


def state(stack: Stack, why: str, properties: dict[str, Any], *found: str, others: tuple[Resource, ...] = ()) -> Case:
    """The root of a program has no class in an SDK."""
    return Case("X04", why, Resource(ROOT, "acme-prod", properties), found, others, stack.regime, stack.region)


S3 = "s3://acme-state?region=eu-central-1"
ARN = "awskms:///arn:aws:kms:{}:123456789012:key/k"
GCP_KEY = "gcpkms://projects/p/locations/{}/keyRings/r/cryptoKeys/k"
SINGAPORE, IRELAND, GCP = Stack("southeastasia", "sg-pdpa"), Stack("northeurope"), Stack("europe-west3")

CASES = [
    FRANKFURT.case("X01", "inside", NAMESPACE, {"regions": ["aws-eu-central-1"]}),
    FRANKFURT.case("X01", "inside, on another cloud", NAMESPACE, {"regions": ["aws-eu-central-1", "gcp-europe-west3"]}),
    FRANKFURT.case(
        "X01", "replica in London", NAMESPACE, {"regions": ["aws-eu-central-1", "aws-eu-west-2"]}, "regions[1]"
    ),
    FRANKFURT.case("X01", "region of another cloud", NAMESPACE, {"regions": ["gcp-eu-central-1"]}, "regions[0]"),
    FRANKFURT.case("X01", "region of no cloud", NAMESPACE, {"regions": ["eu-central-1"]}, "regions[0]"),
    FRANKFURT.case("X01", "not known yet", NAMESPACE, {"regions": [UNKNOWN]}, "regions[0]"),
    FRANKFURT.case("X01", "not said", NAMESPACE, {}, "regions"),
    *telemetry(),
    *gateways(),
    state(FRANKFURT, "bucket with its region inside", root(S3, ARN.format("eu-central-1"))),
    state(FRANKFURT, "bucket with its region outside", root("s3://acme-state?region=us-east-1"), BACKEND),
    state(FRANKFURT, "bucket of this plan", root("s3://acme-state"), others=(BUCKET,)),
    state(FRANKFURT, "bucket of this plan outside", root("s3://acme-state"), BACKEND, others=(FOREIGN_BUCKET,)),
    state(FRANKFURT, "bucket of another plan", root("s3://acme-state"), BACKEND),
    state(FRANKFURT, "Pulumi Cloud", root("https://api.pulumi.com"), BACKEND),
    state(FRANKFURT, "Pulumi Cloud by default", root(None), BACKEND),
    state(FRANKFURT, "the deployer's machine", root("file://~"), BACKEND),
    state(OWN, "the stack's own machine", root("file:///var/lib/loomstead", "passphrase")),
    state(FRANKFURT, "key outside", root(S3, ARN.format("us-east-1")), SECRETS),
    state(FRANKFURT, "key by its alias", root(S3, "awskms://alias/acme?region=eu-west-1")),
    state(FRANKFURT, "key nobody knows where", root(S3, "awskms://alias/acme"), SECRETS),
    state(FRANKFURT, "key of another kind", root(S3, "hashivault://acme"), SECRETS),
    state(
        GCP,
        "Google's bucket inside",
        root("gs://acme-state", GCP_KEY.format("europe-west3")),
        others=(objects("europe-west4"),),
    ),
    state(
        GCP,
        "Google's bucket and key in many",
        root("gs://acme-state", GCP_KEY.format("global")),
        BACKEND,
        SECRETS,
        others=(objects("EU"),),
    ),
    state(GCP, "Google's bucket of another plan", root("gs://acme-state"), BACKEND),
    state(
        IRELAND,
        "Azure's account and key inside",
        root("azblob://state?storage_account=acmestate", "azurekeyvault://acme.vault.azure.net/keys/k"),
        others=(ACCOUNT, keys("westeurope")),
    ),
    state(
        SINGAPORE,
        "Azure's account and key outside",
        root("azblob://state?storage_account=acmestate", "azurekeyvault://acme.vault.azure.net/keys/k"),
        BACKEND,
        SECRETS,
        others=(ACCOUNT, keys("eastasia")),
    ),
    state(IRELAND, "Azure's account that is not said", root("azblob://state"), BACKEND, others=(ACCOUNT,)),
    *(
        Case("X05", type_, Resource(type_, "it", {}), ("",))
        for type_ in (
            "aws-native:s3:Bucket",
            "azapi:index:Resource",
            "azure-native:storage/v20230101:StorageAccount",
            "azure:storage/account:Account",
            "command:local:Command",
            "google-native:storage/v1:Bucket",
            "kafka",
            "pulumi-nodejs:dynamic:Resource",
            "pulumi:providers:snowflake",
            "snowflake:index/database:Database",
            "",
        )
    ),
    *(
        Case("X05", type_, Resource(type_, "it", {}))
        for type_ in (
            "aws:s3/bucket:Bucket",
            "azure-native:storage:StorageAccount",
            "gcp:storage/bucket:Bucket",
            "kubernetes:core/v1:ConfigMap",
            "loomstead:keys:Keys",
            "pulumi-python:dynamic/local:Process",
            "pulumi:providers:kubernetes",
            "pulumi:pulumi:Stack",
            "random:index/randomId:RandomId",
            "temporalcloud:index/namespace:Namespace",
            "tls:index/privateKey:PrivateKey",
        )
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_says_of_a_resource(case: Case) -> None:
    rule = next(rule for rule in everywhere.RULES if rule.id == case.rule)
    assert breaches(rule, case) == case.breaches


def test_every_clause_is_needed_and_tested() -> None:
    assert survivors(everywhere.RULES, CASES) == []
