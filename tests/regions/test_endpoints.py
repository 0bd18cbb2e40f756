"""A model as people and resources write it is served where the catalogue says, or is unknown; nothing is rewritten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.catalogue import Catalogue, Mode, load_catalogue
from regions.endpoints import Serving, UnknownServing, guardrail, other_partition, serving, servings

SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
EMBED = "cohere.embed-v4:0"
CATALOGUE = load_catalogue()
EVERY = list(servings(CATALOGUE))
EU6 = ("DE", "ES", "FR", "IE", "IT", "SE")


def arn(resource: str, region: str, partition: str = "aws") -> str:
    return f"arn:{partition}:bedrock:{region}:123456789012:{resource}"


def serve(provider: str, model: str, called: str, via: str | None = None) -> Serving:
    return serving(CATALOGUE, provider, model, called, via)


def refusal(provider: str, model: str, called: str, via: str | None = None) -> str:
    with pytest.raises(UnknownServing) as unknown:
        serve(provider, model, called, via)
    return str(unknown.value)


def test_a_prefix_selects_the_way_and_its_destinations_depend_on_the_region_called() -> None:
    assert serve("bedrock", f"eu.{SONNET}", "eu-west-1").countries == EU6
    london = serve("bedrock", f"eu.{SONNET}", "eu-west-2")
    assert london == Serving(
        "bedrock",
        SONNET,
        "eu",
        "eu-west-2",
        Mode.ZONE,
        ("DE", "ES", "FR", "GB", "IE", "IT", "SE"),
        "bedrock-cards",
    )


def test_a_bare_id_is_in_region_and_stays() -> None:
    found = serve("bedrock", "amazon.titan-embed-text-v2:0", "eu-central-2")
    assert (found.via, found.mode, found.countries) == ("in-region", Mode.REGIONAL, ("CH",))


def test_a_bare_id_of_a_model_that_only_profiles_serve_is_unknown() -> None:
    assert "has no way 'in-region'; it has us, us-gov, eu" in refusal("bedrock", SONNET, "eu-central-1")


def test_the_mantle_endpoint_has_to_be_named() -> None:
    assert serve("bedrock", "anthropic.claude-opus-4-8", "eu-north-1", "mantle").countries == ("SE",)
    assert "mantle" in refusal("bedrock", "anthropic.claude-opus-4-8", "eu-north-1")


def test_a_prefix_and_another_way_contradict_each_other() -> None:
    assert "by way 'eu', not 'global'" in refusal("bedrock", f"eu.{SONNET}", "eu-west-1", "global")
    assert "has no prefix, so it is not called by way 'eu'" in refusal("bedrock", SONNET, "eu-west-1", "eu")
    foundation = f"arn:aws:bedrock:eu-west-1::foundation-model/{EMBED}"
    assert "has no prefix, so it is not called by way 'eu'" in refusal("bedrock", foundation, "eu-west-1", "eu")


def test_an_arn_is_served_in_its_own_region() -> None:
    found = serve("bedrock", arn(f"inference-profile/eu.{EMBED}", "eu-central-2"), "eu-west-1")
    assert (found.called, found.countries) == ("eu-central-2", ("CH", *EU6))
    bare = serve("bedrock", "arn:aws:bedrock:eu-west-1::foundation-model/cohere.embed-v4:0", "us-east-1")
    assert (bare.via, bare.called, bare.countries) == ("in-region", "eu-west-1", ("IE",))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (arn("application-inference-profile/abc123", "eu-west-1"), "expected an ARN of inference-profile"),
        (arn(f"inference-profile/eu.{EMBED}", "eu-west-9"), "no region 'eu-west-9'"),
        (arn(f"inference-profile/eu.{EMBED}", "eu-west-1", "aws-cn"), "is in partition aws, not aws-cn"),
        (arn(f"inference-profile/{EMBED}", "eu-west-1"), "an inference profile has a prefix"),
        (arn("inference-profile/eu.cohere.embed-v5:0", "eu-west-1"), "no model 'eu.cohere.embed-v5:0'"),
        (arn(f"foundation-model/eu.{EMBED}", "eu-west-1"), "a foundation model has no prefix"),
        ("arn:aws:bedrock:::foundation-model/cohere.embed-v4:0", "no region ''"),
        ("arn:aws:s3:::bucket", "expected an ARN of inference-profile"),
    ],
)
def test_an_arn_that_does_not_say_where_is_unknown(wrong: str, why: str) -> None:
    assert why in refusal("bedrock", wrong, "eu-west-1")


def test_another_date_is_another_model() -> None:
    assert f"did you mean {SONNET}?" in refusal("bedrock", "anthropic.claude-sonnet-4-5-20250930-v1:0", "eu-west-1")
    assert "no model 'claude-sonnet-4-5@20250930'" in refusal("vertex", "claude-sonnet-4-5@20250930", "eu")


@pytest.mark.parametrize("prefix", ["eu", "us", "global"])
def test_the_nearest_name_stays_on_the_way_that_was_asked_for(prefix: str) -> None:
    wrong = f"{prefix}.anthropic.claude-sonet-4-5-20250929-v1:0"
    assert f"did you mean {prefix}.{SONNET}?" in refusal("bedrock", wrong, "eu-west-1")


def test_a_deployments_sku_is_never_guessed() -> None:
    assert serve("azure", "gpt-4.1", "swedencentral", "Standard").countries == ("SE",)
    assert "needs the SKU it is deployed by: Standard" in refusal("azure", "gpt-4.1", "swedencentral")
    assert "has no way 'Premium'" in refusal("azure", "gpt-4.1", "swedencentral", "Premium")


def test_an_azure_geography_of_two_countries_is_both() -> None:
    assert serve("azure", "gpt-4.1-mini", "westeurope", "Standard").countries == ("IE", "NL")


def test_a_european_data_zone_reaches_switzerland_and_norway() -> None:
    assert {"CH", "NO"} < set(serve("azure", "gpt-4.1", "swedencentral", "DataZoneStandard").countries)


def test_a_vertex_location_selects_the_way() -> None:
    assert serve("vertex", "gemini-2.5-flash", "eu").via == "eu"
    assert serve("vertex", "gemini-2.5-flash", "europe-west3").via == "regional-128k"
    assert not {"GB", "CH"} & set(serve("vertex", "gemini-2.5-flash", "eu").countries)


def test_a_region_that_promises_only_its_jurisdiction_is_the_whole_of_it() -> None:
    assert len(serve("vertex", "mistral-medium-3", "europe-west4").countries) == 27


def test_one_host_with_several_ways_wants_one_named() -> None:
    assert "say which: us, global" in refusal("anthropic", "claude-opus-4-8", "api.anthropic.com")
    assert serve("anthropic", "claude-opus-4-8", "api.anthropic.com", "us").countries == ("US",)
    assert "CN" in serve("anthropic", "claude-haiku-4-5-20251001", "api.anthropic.com").countries


def test_a_host_named_after_a_country_that_only_stores_there_answers_from_anywhere() -> None:
    assert "US" in serve("openai", "gpt-4.1-2025-04-14", "in.api.openai.com").countries


def test_what_is_not_known_is_told_with_the_nearest_name() -> None:
    assert refusal("bedrok", SONNET, "eu-west-1") == "no provider 'bedrok' in the catalogue (did you mean bedrock?)"
    assert "(did you mean swedencentral?)" in refusal("azure", "gpt-4.1", "swedencentrl", "Standard")


def test_no_model_is_named_instead_that_is_not_there() -> None:
    assert refusal("vertex", "gemini-2.5-pr", "eu").endswith("(did you mean gemini-2.5-pro?)")
    assert refusal("vertex", "gemini-2.5-pr", "europe-west3").endswith("(did you mean gemini-2.5-flash?)")
    assert refusal("vertex", "gemini-2.5-pro-latest", "me-central1").endswith("in the catalogue")


# What LiteLLM 1.106.2 got wrong with region labels (shared/design/anchors-gateway.md §0).
def test_a_label_moves_nothing_a_us_or_global_profile_leaves_europe() -> None:
    assert "US" in serve("bedrock", f"global.{SONNET}", "eu-central-1").countries
    assert "is not known to be called at 'eu-central-1'" in refusal("bedrock", f"us.{SONNET}", "eu-central-1")
    assert "US" in serve("vertex", "gemini-2.5-flash", "global").countries


def test_a_european_profile_needs_no_label() -> None:
    assert serve("bedrock", f"eu.{SONNET}", "eu-central-1").countries == EU6


def test_a_vertex_region_without_the_model_is_never_rewritten() -> None:
    assert serve("vertex", "deepseek-v3.1-maas", "us-central1").countries == ("US",)
    assert "it is at us-central1, us" in refusal("vertex", "deepseek-v3.1-maas", "europe-west1")


def test_a_guardrail_profile_is_served_where_its_source_region_says() -> None:
    assert guardrail(CATALOGUE, "apac.guardrail.v1:0", "me-central-1") == ("AE", "AU", "ID", "IN", "JP", "KR", "SG")
    assert guardrail(CATALOGUE, arn("guardrail-profile/uk.guardrail.v1:0", "eu-west-2"), "us-east-1") == ("GB",)


@pytest.mark.parametrize(
    ("profile", "called"),
    [
        ("ch.guardrail.v1:0", "eu-central-2"),
        ("uk.guardrail.v1:0", "eu-west-1"),
        (arn(f"inference-profile/eu.{EMBED}", "eu-west-1"), "eu-west-1"),
    ],
)
def test_an_unknown_guardrail_profile_or_source_is_refused(profile: str, called: str) -> None:
    with pytest.raises(UnknownServing):
        guardrail(CATALOGUE, profile, called)


@pytest.mark.parametrize(
    ("regimes", "called", "wants"),
    [
        (["us-itar"], "us-gov-west-1", None),
        (["us-itar"], "us-east-1", "us-itar"),
        (["eu-gdpr", "us-itar"], "us.api.openai.com", "us-itar"),
        (["us-itar"], "us", "us-itar"),
        (["us-itar"], "us-east4", "us-itar"),
        (["us-cjis"], "us-east4", None),
        (["cn-pipl"], "us-gov-west-1", "cn-pipl"),
        (["eu-gdpr"], "api.anthropic.com", None),
    ],
)
def test_what_is_called_is_in_the_partition_that_a_regime_wants(
    regimes: list[str], called: str, wants: str | None
) -> None:
    assert other_partition(CATALOGUE, regimes, called) == wants


def test_servings_can_be_asked_for_by_provider_model_and_place() -> None:
    found = list(servings(CATALOGUE, provider="bedrock", model=SONNET, called="eu-central-2"))
    assert [one.via for one in found] == ["eu", "global"]
    assert not list(servings(CATALOGUE, provider="vertex", model=SONNET))
    assert {one.provider for one in servings(CATALOGUE, model="claude-opus-4-8")} == {
        "azure-anthropic",
        "vertex",
        "anthropic",
    }


@given(st.sampled_from(EVERY))
def test_every_serving_is_found_again_by_what_it_says(one: Serving) -> None:
    prefix = f"{one.via}." if one.provider == "bedrock" and one.via not in ("in-region", "mantle") else ""
    assert serve(one.provider, prefix + one.model, one.called, one.via) == one
    assert one.countries == tuple(sorted(set(one.countries))) != ()


WORDS = st.one_of(
    st.text(),
    st.sampled_from([value for one in EVERY for value in (one.provider, one.model, one.via, one.called)]),
    st.builds(arn, st.text(), st.text()),
    st.builds(
        lambda kind, prefix, one, region: arn(f"{kind}/{prefix}{one.model}", region),
        st.sampled_from(["inference-profile", "foundation-model"]),
        st.sampled_from(["", "eu.", "us.", "global."]),
        st.sampled_from(EVERY),
        st.sampled_from(sorted(CATALOGUE.regions)),
    ),
)


@given(WORDS, WORDS, WORDS, st.none() | WORDS)
def test_any_words_are_served_as_the_catalogue_says_or_unknown(
    provider: str, model: str, called: str, via: str | None
) -> None:
    check_served_or_unknown(CATALOGUE, provider, model, called, via)


@given(st.sampled_from(EVERY), WORDS)
def test_a_mutilated_id_is_no_other_model(one: Serving, word: str) -> None:
    check_served_or_unknown(CATALOGUE, one.provider, one.model + word, one.called, one.via)
    check_served_or_unknown(CATALOGUE, one.provider, word + one.model, one.called, None)


def check_served_or_unknown(catalogue: Catalogue, provider: str, model: str, called: str, via: str | None) -> None:
    try:
        found = serving(catalogue, provider, model, called, via)
    except UnknownServing:
        return
    assert found in EVERY
    assert model.endswith(found.model)
    assert via in (None, found.via)
