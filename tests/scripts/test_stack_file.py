"""What `loomstead stack new` writes reviews clean and can be made; where it writes nothing, it says why."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from components.aws.hosts import check_registry
from components.infrastructure import Size
from components.naming import REPOSITORY
from components.review import review
from components.spec import Platform
from regions.catalogue import Kind, load_catalogue
from regions.residency import DataClass
from scripts.stack_file import NoStackFile, Wish, draft
from scripts.stack_file.made import refused
from scripts.stack_file.model import PREFERRED

CATALOGUE = load_catalogue()
TODAY = date(2026, 11, 23)
PLACES = [
    (Platform(facts.platform), region)
    for region, facts in CATALOGUE.regions.items()
    if facts.platform != Platform.LOCAL
]


def wish(platform: Platform, region: str, *regimes: str) -> Wish:
    return Wish(
        platform=platform,
        region=region,
        regimes=regimes,
        size=Size.SMALL,
        country="AT" if platform is Platform.KUBERNETES else None,
        evidence={str(key): "DOC-2026-1" for regime in regimes for key in CATALOGUE.regimes[regime].require},
    )


def drafted(wished: Wish) -> tuple[str, str]:
    """The text, and why there is none."""
    try:
        return draft(wished, f"{wished.platform}-{wished.region}", CATALOGUE, TODAY), ""
    except NoStackFile as refused:
        return "", str(refused)


@settings(max_examples=25)
@given(
    place=st.sampled_from(PLACES),
    regimes=st.lists(st.sampled_from(sorted(CATALOGUE.regimes)), min_size=1, max_size=2, unique=True),
    size=st.sampled_from(Size),
    classes=st.lists(st.sampled_from(DataClass), min_size=1, max_size=3, unique=True),
)
def test_a_stack_file_reviews_clean_and_can_be_made_or_there_is_none(
    place: tuple[Platform, str],
    regimes: list[str],
    size: Size,
    classes: list[DataClass],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    text, refusal = drafted(replace(wish(*place, *regimes), size=size, data_classes=tuple(classes)))

    if text:
        assert_whole(text, tmp_path_factory.mktemp("stacks"))
    else:
        assert re.match(rf"{place[1]} cannot (hold|have a fabric under) {', '.join(regimes)}:\n  \S", refusal)


@pytest.mark.parametrize("size", Size)
@pytest.mark.parametrize("place", [place for index, place in enumerate(PLACES) if index % 9 == 0])
def test_every_size_can_be_made_where_nothing_leaves_the_country(
    place: tuple[Platform, str], size: Size, tmp_path: Path
) -> None:
    text, refusal = drafted(replace(wish(*place, "host-country"), size=size))

    if text:
        assert_whole(text, tmp_path)
    else:
        assert "cannot have a fabric" in refusal


def assert_whole(text: str, folder: Path) -> None:
    """Neither review nor the platform's fabric has anything against it."""
    file = folder / "Pulumi.drawn.yaml"
    file.write_text(text)
    reviewed = review(file, CATALOGUE, TODAY)
    assert reviewed.open == ()
    assert reviewed.spec
    fabric = yaml.safe_load(text)["config"]["loomstead:fabric"]
    assert refused(fabric, reviewed.spec, "drawn", CATALOGUE, TODAY) == []


@pytest.mark.parametrize(
    ("platform", "region", "regime"),
    [
        (Platform.AWS, "eu-central-1", "eu-gdpr"),
        (Platform.AWS, "us-east-1", "us-hipaa"),
        (Platform.AWS, "eusc-de-east-1", "eu-strict"),
        (Platform.AZURE, "swedencentral", "eu-gdpr"),
        (Platform.AZURE, "switzerlandnorth", "ch-fadp"),
        (Platform.AZURE, "usgovvirginia", "us-itar"),
        (Platform.GCP, "europe-west9", "eu-gdpr"),
        (Platform.KUBERNETES, "onprem", "host-country"),
    ],
)
def test_every_place_that_is_shipped_can_hold_its_regime(platform: Platform, region: str, regime: str) -> None:
    text, _ = drafted(wish(platform, region, regime))

    assert yaml.safe_load(text)["config"]["loomstead:fabric"]["region"] == region


def test_a_region_outside_the_regime_is_refused_with_the_rule_and_the_regions_that_can() -> None:
    _, refusal = drafted(wish(Platform.AWS, "eu-west-2", "eu-gdpr"))

    assert "eu-gdpr/rest" in refusal
    instead = refusal.partition("Regions of aws that can: ")[2]
    assert "eu-central-1" in instead
    assert "us-east-1" not in instead


@pytest.mark.parametrize(
    ("region", "regime", "key"),
    [("us-east-2", "us-hipaa", "baa_ref"), ("us-gov-west-1", "us-cjis", "data_boundary_ref")],
)
def test_a_document_that_the_regime_requires_is_asked_for_by_its_option(region: str, regime: str, key: str) -> None:
    _, refusal = drafted(replace(wish(Platform.AWS, region, regime), evidence={}))

    assert refusal.startswith(f"{regime} wants evidence {key}: add --evidence {key}=<reference>")
    assert "cannot" not in refusal


def test_a_document_does_not_help_where_the_region_is_wrong() -> None:
    _, refusal = drafted(replace(wish(Platform.AWS, "eu-west-1", "us-hipaa"), evidence={}))

    assert refusal.startswith("eu-west-1 cannot hold us-hipaa:")
    assert "us-east-2" in refusal.partition("Regions of aws that can: ")[2]


def test_a_partition_whose_hosts_nobody_knows_has_no_fabric_and_is_not_recommended() -> None:
    _, refusal = drafted(wish(Platform.AWS, "cn-north-1", "host-country"))

    assert refusal.startswith("cn-north-1 cannot have a fabric under host-country:\n  identity: partition aws-cn")
    assert "cn-northwest-1" not in refusal


@pytest.mark.parametrize(
    ("platform", "region", "regime", "model"),
    [
        (Platform.AWS, "eu-central-1", "eu-gdpr", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        (Platform.AWS, "us-east-2", "us-hipaa", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        (Platform.AWS, "eu-central-1", "host-country", "openai.gpt-oss-120b-1:0"),
        (Platform.AWS, "eu-west-3", "host-country", "mistral.mistral-large-2402-v1:0"),
        (Platform.GCP, "northamerica-northeast1", "ca-pipeda", "gemini-2.5-pro"),
    ],
)
def test_the_preferred_model_that_the_boundary_allows_is_chosen(
    platform: Platform, region: str, regime: str, model: str
) -> None:
    assert chosen(wish(platform, region, regime))["model"] == model


def test_what_is_paid_by_the_token_goes_before_what_is_provisioned_and_that_says_how_much() -> None:
    assert chosen(wish(Platform.AZURE, "uksouth", "uk-gdpr"))["sku"] == "Standard"
    provisioned = chosen(wish(Platform.AZURE, "germanywestcentral", "host-country"))
    assert (provisioned["sku"], provisioned["capacity"]) == ("ProvisionedManaged", 50)


def test_every_preferred_model_is_one_of_the_catalogue() -> None:
    known = {name for models in CATALOGUE.models.values() for name, found in models.items() if found.kind is Kind.CHAT}

    assert set(PREFERRED) <= known


def chosen(wished: Wish) -> dict[str, Any]:
    (candidate,) = fabric_of(wished)["models"]["chat"]["candidates"].values()
    return candidate["managed"]


def fabric_of(wished: Wish) -> dict[str, Any]:
    return yaml.safe_load(drafted(wished)[0])["config"]["loomstead:fabric"]


def test_a_waiver_waits_on_aws_and_holds_once_a_person_takes_the_marks_away(tmp_path: Path) -> None:
    text, _ = drafted(wish(Platform.AWS, "eu-central-1", "eu-gdpr"))
    signed = re.sub(r"^    # (waivers:|  )", r"    \1", text, flags=re.M)

    assert "waivers" not in yaml.safe_load(text)["config"]["loomstead:fabric"]
    assert_whole(signed, tmp_path)
    shipped = yaml.safe_load((REPOSITORY / "stacks" / "Pulumi.aws-eu-central-1.yaml").read_text())
    (waiver,), (same,) = (each["config"]["loomstead:fabric"]["waivers"] for each in (yaml.safe_load(signed), shipped))
    assert {**waiver, "expires": same["expires"]} == same


@pytest.mark.parametrize("region", ["eusc-de-east-1", "us-gov-west-1"])
def test_an_authority_that_is_not_known_waits_for_its_file(region: str) -> None:
    assert f"# authority: rds-{region}.pem" in drafted(wish(Platform.AWS, region, "host-country"))[0]
    assert "# authority:" not in drafted(wish(Platform.AWS, "eu-central-1", "host-country"))[0]


def test_what_hipaa_asks_for_is_kept_for_six_years() -> None:
    fabric = fabric_of(wish(Platform.AWS, "us-east-1", "us-hipaa"))

    assert (fabric["logs"]["days"], fabric["postgres"]["backup_days"]) == (2192, 35)
    assert fabric_of(wish(Platform.AZURE, "eastus", "us-hipaa"))["logs"]["days"] == 730


@pytest.mark.parametrize(
    ("place", "regime"),
    [
        ((Platform.AWS, "eu-central-1"), "eu-gdpr"),
        ((Platform.AZURE, "swedencentral"), "eu-gdpr"),
        ((Platform.GCP, "europe-west3"), "eu-strict"),
        ((Platform.KUBERNETES, "onprem"), "eu-gdpr"),
    ],
)
def test_a_file_has_the_sections_of_a_shipped_one_in_block_style(place: tuple[Platform, str], regime: str) -> None:
    text, _ = drafted(wish(*place, regime))
    shipped = yaml.safe_load((REPOSITORY / "stacks" / f"Pulumi.{place[0]}-{place[1]}.yaml").read_text())

    optional = {"waivers", "triggers"}
    fabric = yaml.safe_load(text)["config"]["loomstead:fabric"]
    assert shipped["config"]["loomstead:fabric"].keys() - optional <= fabric.keys()
    assert not re.search(r"[{\[](?!\})[^}\]]*$", re.sub(r"#.*", "", text), re.M)
    for line in text.splitlines():
        if ".example" in line and not line.lstrip().startswith("#"):
            assert line.endswith("# CHANGE")


def test_no_model_that_answers_anywhere_is_chosen() -> None:
    text, _ = drafted(wish(Platform.AWS, "us-east-1", "us-hipaa"))

    assert "provider: bedrock" in text
    assert "global." not in text


@pytest.mark.parametrize(("region", "regime"), [("us-east-1", "us-hipaa"), ("eusc-de-east-1", "eu-strict")])
def test_a_first_image_is_where_nodes_on_aws_can_fetch_it(region: str, regime: str) -> None:
    gateway = yaml.safe_load(drafted(wish(Platform.AWS, region, regime))[0])["config"]["loomstead:fabric"]["gateway"]

    check_registry(gateway["image"], region, CATALOGUE.regions[region].partition)
