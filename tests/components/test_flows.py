"""Every place where a stack file lets data be is a leg with the key that decides it."""

from pathlib import Path

import pytest

from components.flows import Leg, legs
from components.loading import load_spec
from regions.catalogue import load_catalogue
from regions.residency import DataClass, Purpose

CATALOGUE = load_catalogue()
AZURE = 'provider: azure, model: gpt-4.1, region: swedencentral, url: "https://desk.openai.azure.com/openai/v1"'
ON_PREMISES = {"platform": "kubernetes", "region": "onprem"}
TEXT = """
config:
  loomstead:fabric:
    platform: {platform}
    region: {region}
    residency: {{regimes: [eu-gdpr], data_classes: {{public: {{}}, personal: {{}}}}}}
{sections}
    models:
      chat:
        {model_class}
        candidates:
          main: {candidate}
          own:
            endpoint: {{url: "https://vllm.internal/v1", model: m, countries: [DE]}}
            weight: 0
            data_classes: [public]
"""


def found(
    folder: Path,
    *sections: str,
    platform: str = "aws",
    region: str = "eu-central-1",
    candidate: str = '{endpoint: {url: "https://vllm/v1", model: m, countries: [DE]}}',
    model_class: str = "kind: chat",
) -> dict[tuple[str, str], Leg]:
    """The legs by key and purpose."""
    indented = "\n".join(f"    {section}" for section in sections)
    (folder / "Pulumi.x.yaml").write_text(
        TEXT.format(platform=platform, region=region, sections=indented, candidate=candidate, model_class=model_class)
    )
    every = legs(load_spec(folder / "Pulumi.x.yaml"), CATALOGUE)
    return {(".".join(map(str, leg.key)), leg.purpose): leg for leg in every}


def test_all_that_names_no_region_is_where_the_stack_is(tmp_path: Path) -> None:
    region = {purpose: leg for (key, purpose), leg in found(tmp_path).items() if key == "region"}
    assert set(region) == set(Purpose)
    assert {leg.countries for leg in region.values()} == {("DE",)}
    assert {leg.data_classes for leg in region.values()} == {(DataClass.PUBLIC, DataClass.PERSONAL)}


def test_what_names_a_region_is_there(tmp_path: Path) -> None:
    by = found(
        tmp_path,
        "keys: {region: eu-west-2, replicas: [eu-west-1, us-east-1]}",
        "backup: {region: eu-west-3}",
        "logs: {region: eu-central-2}",
    )
    assert by["keys.region", "keys"].countries == ("GB",)
    assert by["keys.replicas.1", "keys"].countries == ("US",)
    assert by["backup.region", "backup"].countries == ("FR",)
    assert by["logs.region", "logs"].countries == ("CH",)
    assert {purpose for key, purpose in by if key == "region"} == {"rest", "process"}


STORE = 'backup: {{store: {{url: "https://{host}", bucket: "s3://desk/onprem", countries: {countries}}}}}'


def test_a_store_of_ones_own_has_the_backups_where_it_says_and_nowhere_else(tmp_path: Path) -> None:
    by = found(tmp_path, "country: AT", STORE.format(host="s3.corp.example", countries="[AT, CH]"), **ON_PREMISES)
    store = by["backup.store", "backup"]
    assert (store.countries, store.subject) == (("AT", "CH"), "backups")
    assert [key for key, purpose in by if purpose == "backup"] == ["backup.store"]


def test_a_store_at_a_host_that_the_catalogue_knows_is_in_that_hosts_countries_too(tmp_path: Path) -> None:
    by = found(tmp_path, "country: AT", STORE.format(host="api.openai.com", countries="[AT]"), **ON_PREMISES)
    assert {"AT", "US"} <= {*by["backup.store", "backup"].countries}


def test_geo_redundant_copies_are_in_the_pair(tmp_path: Path) -> None:
    pair = found(tmp_path, "backup: {redundancy: geo}", platform="azure", region="brazilsouth")
    assert pair["backup.redundancy", "backup"].countries == ("US",)
    none = found(tmp_path, "backup: {redundancy: geo}")["backup.redundancy", "backup"]
    assert (none.countries, "no paired region of eu-central-1" in str(none.unknown)) == ((), True)


@pytest.mark.parametrize(
    ("destination", "countries"),
    [
        ('{url: "https://datadoghq.eu"}', ("DE",)),
        ('{url: "https://datadoghq.eu:443/v1", countries: [IE]}', ("DE", "IE")),
        ('{url: "https://otel.example", countries: [FR]}', ("FR",)),
        ('{url: "https://api.uk9.datadoghq.com", countries: [GB]}', ("GB", "US")),
        ('{url: "https://api.uk9.datadoghq.com"}', ()),
        ('{url: "https://otel.example"}', ()),
    ],
)
def test_a_host_keeps_what_it_is_sent_where_the_catalogue_or_its_owner_says(
    destination: str, countries: tuple[str, ...], tmp_path: Path
) -> None:
    by = found(tmp_path, f"telemetry: {{a: {destination}}}", f"logs: {{sinks: {{b: {destination}}}}}")
    for leg in (by["telemetry.a", "logs"], by["logs.sinks.b", "logs"]):
        assert leg.countries == countries
        assert (leg.unknown is None) == bool(countries)


def test_a_managed_model_is_where_its_way_may_be_answered(tmp_path: Path) -> None:
    candidate = "{managed: {provider: bedrock, model: eu.amazon.nova-pro-v1:0, region: eu-south-1}}"
    leg = found(tmp_path, candidate=candidate)["models.chat.candidates.main.managed", "process"]
    assert set(leg.countries) >= {"DE", "IT"}
    assert leg.source


def test_a_context_beyond_a_ways_promise_may_be_answered_anywhere(tmp_path: Path) -> None:
    for tokens, key, countries in (
        (131_072, "models.chat.candidates.main.managed", ("DE",)),
        (131_073, "models.chat.context_tokens", ()),
    ):
        candidate = "{managed: {provider: vertex, model: gemini-2.5-flash, region: europe-west3}}"
        by = found(
            tmp_path,
            platform="gcp",
            region="europe-west3",
            candidate=candidate,
            model_class=f"context_tokens: {tokens}",
        )
        assert by[key, "process"].countries == countries


def test_spillover_goes_where_its_target_is_with_the_data_of_its_source(tmp_path: Path) -> None:
    elsewhere = AZURE.replace("swedencentral", "francecentral").replace("gpt-4.1", "gpt-4o")
    candidate = (
        f"{{managed: {{{AZURE}, sku: Standard, spillover: burst}}, data_classes: [public]}}\n"
        f"          burst: {{managed: {{{elsewhere}, sku: Standard}}, weight: 0}}"
    )
    by = found(tmp_path, platform="azure", region="swedencentral", candidate=candidate)
    spilled = by["models.chat.candidates.main.managed.spillover", "process"]
    assert spilled.countries == ("FR",)
    assert spilled.data_classes == (DataClass.PUBLIC,)
    burst = by["models.chat.candidates.burst.managed", "process"]
    assert burst.data_classes == (DataClass.PUBLIC, DataClass.PERSONAL)


@pytest.mark.parametrize(
    "host",
    [
        "bedrock-runtime.eu-central-1.amazonaws.com",
        "vpce-1.bedrock-mantle.eu-west-1.api.aws",
        "desk.openai.azure.com",
        "desk.services.ai.azure.com",
        "aiplatform.googleapis.com",
        "europe-west3-aiplatform.googleapis.com",
        "aiplatform.eu.rep.googleapis.com",
        "vpce-0123-abcd.bedrock-runtime.us-east-1.vpce.amazonaws.com",
        "runtime.sagemaker.us-east-1.amazonaws.com",
        "bedrock-runtime.eusc-de-east-1.amazonaws.eu",
        "generativelanguage.googleapis.com",
        "x.eastus.models.ai.azure.com",
        "models.inference.ai.azure.com",
        "eastus.api.cognitive.microsoft.com",
        "compute.openai.azure.com",
        "desk.openai.azure.us",
        "desk.openai.azure.cn",
        "DESK.OpenAI.Azure.com.",
    ],
)
def test_a_clouds_model_behind_a_url_is_unknown(host: str, tmp_path: Path) -> None:
    candidate = f'{{endpoint: {{url: "https://{host}/v1", model: m, countries: [DE]}}}}'
    leg = found(tmp_path, candidate=candidate)["models.chat.candidates.main.endpoint", "process"]
    assert (leg.countries, "write it as managed" in str(leg.unknown)) == ((), True)


@pytest.mark.parametrize(
    "host",
    [
        "us.api.openai.com",
        "us.api.openai.com.",
        "x.us.api.openai.com",
        "ec2-3-4-5-6.us-west-2.compute.amazonaws.com",
        "ec2-3-4-5-6.compute-1.amazonaws.com",
        "vllm-1.us-east-1.elb.amazonaws.com",
        "vllm-1.elb.us-east-1.amazonaws.com",
        "vpce-1.vpce-svc-0a1b.us-east-1.vpce.amazonaws.com",
        "vllm.eastus.cloudapp.azure.com",
        "ip-10-0-0-1.us-west-2.compute.internal",
    ],
)
def test_a_known_host_behind_a_url_is_also_where_the_catalogue_knows_it_to_be(host: str, tmp_path: Path) -> None:
    candidate = f'{{endpoint: {{url: "https://{host}/v1", model: m, countries: [DE]}}}}'
    leg = found(tmp_path, candidate=candidate)["models.chat.candidates.main.endpoint", "process"]
    assert leg.countries == ("DE", "US")


@pytest.mark.parametrize("host", ["us-east.api.openai.com", "foo.api.anthropic.com"])
def test_a_host_under_a_vendors_may_answer_wherever_that_may(host: str, tmp_path: Path) -> None:
    candidate = f'{{endpoint: {{url: "https://{host}/v1", model: m, countries: [DE]}}}}'
    leg = found(tmp_path, candidate=candidate)["models.chat.candidates.main.endpoint", "process"]
    assert set(leg.countries) > {"DE", "US"}


@pytest.mark.parametrize(
    "host",
    [
        "vllm.internal",
        "vllm.example.eu",
        "api.openai.com.example.de",
        "bedrock.example.de",
        "aiplatform.example.de",
        "10.0.0.1:8000",
    ],
)
def test_a_server_of_ones_own_is_where_its_owner_says(host: str, tmp_path: Path) -> None:
    candidate = f'{{endpoint: {{url: "https://{host}/v1", model: m, countries: [DE]}}}}'
    leg = found(tmp_path, candidate=candidate)["models.chat.candidates.main.endpoint", "process"]
    assert leg.countries == ("DE",)


def test_a_guardrails_profile_evaluates_where_the_catalogue_says(tmp_path: Path) -> None:
    by = found(tmp_path, 'guardrail: {profile: "eu.guardrail.v1:0"}')
    assert set(by["guardrail.profile", "process"].countries) >= {"DE", "FR"}
    assert ("guardrail.profile", "process") not in found(tmp_path, "guardrail: {}")


def test_a_core_system_rests_and_processes_in_its_country(tmp_path: Path) -> None:
    section = 'core_systems: {erp: {url: "https://erp", openapi: "https://erp/openapi.json", country: FR}}'
    by = found(tmp_path, section)
    assert {by["core_systems.erp", purpose].countries for purpose in ("rest", "process")} == {("FR",)}


def test_each_leg_is_a_flow_for_each_data_class(tmp_path: Path) -> None:
    leg = found(tmp_path)["region", "rest"]
    assert [(flow.purpose, flow.countries, flow.data_class) for flow in leg.flows()] == [
        ("rest", ("DE",), "public"),
        ("rest", ("DE",), "personal"),
    ]
