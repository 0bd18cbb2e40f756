"""What `loomstead stack new` writes reviews clean, and where it writes nothing the review has the same against it."""

from dataclasses import replace
from datetime import date

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from components.aws.hosts import check_registry
from components.infrastructure import Size
from components.review import review
from components.spec import Platform
from regions.catalogue import load_catalogue
from regions.residency import DataClass
from scripts.stack_file import NoStackFile, Wish, draft

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
        return draft(wished, "drawn", CATALOGUE, TODAY), ""
    except NoStackFile as refused:
        return "", str(refused)


@settings(max_examples=40)
@given(
    place=st.sampled_from(PLACES),
    regimes=st.lists(st.sampled_from(sorted(CATALOGUE.regimes)), min_size=1, max_size=2, unique=True),
    size=st.sampled_from(Size),
    classes=st.lists(st.sampled_from(DataClass), min_size=1, max_size=3, unique=True),
)
def test_a_stack_file_reviews_clean_or_there_is_none(
    place: tuple[Platform, str],
    regimes: list[str],
    size: Size,
    classes: list[DataClass],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    text, refusal = drafted(replace(wish(*place, *regimes), size=size, data_classes=tuple(classes)))

    if text:
        file = tmp_path_factory.mktemp("stacks") / "Pulumi.drawn.yaml"
        file.write_text(text)
        assert review(file, CATALOGUE, TODAY).open == ()
    else:
        assert refusal.startswith(f"{place[1]} cannot hold {', '.join(regimes)}")


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


def test_a_document_that_the_regime_requires_has_to_be_named() -> None:
    _, refusal = drafted(replace(wish(Platform.AWS, "us-east-1", "us-hipaa"), evidence={}))

    assert "baa_ref" in refusal


def test_no_model_that_answers_anywhere_is_chosen() -> None:
    text, _ = drafted(wish(Platform.AWS, "us-east-1", "us-hipaa"))

    assert "provider: bedrock" in text
    assert "global." not in text


@pytest.mark.parametrize(("region", "regime"), [("us-east-1", "us-hipaa"), ("eusc-de-east-1", "eu-strict")])
def test_a_first_image_is_where_nodes_on_aws_can_fetch_it(region: str, regime: str) -> None:
    gateway = yaml.safe_load(drafted(wish(Platform.AWS, region, regime))[0])["config"]["loomstead:fabric"]["gateway"]

    check_registry(gateway["image"], region, CATALOGUE.regions[region].partition)
