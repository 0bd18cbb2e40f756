"""A price is of its region, or says whose it is; of another partition it is none."""

from pathlib import Path

import pytest

from regions.catalogue import load_catalogue
from scripts.cost.prices import TABLES, PriceError, load

CATALOGUE = load_catalogue()
TABLE = """
known: [us-east-1]
sources:
  here: {as_of: 2026-01-02, confidence: secondary, title: a list}
  there: {as_of: 2026-02-03, confidence: known, title: another}
items:
  nat: {unit: hour, source: here, regions: {us-east-1: 0.1, eu-central-1: 0.2}, sources: {eu-central-1: there}}
  disk: {unit: GiB, source: here, regions: {us-east-1: 0.3}}
  key: {unit: key, source: here, everywhere: 1}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "aws.yaml").write_text(TABLE)
    return tmp_path


def asked(folder: Path, region: str, item: str):
    prices = load("aws", region, CATALOGUE, folder)
    assert prices is not None
    return prices.of(item)


def test_a_region_has_its_own_price_with_its_source_and_date(folder: Path) -> None:
    found = asked(folder, "eu-central-1", "nat")
    assert (found.amount, found.source, str(found.as_of), found.confidence, found.of) == (
        *(0.2, "another", "2026-02-03", "known"),
        None,
    )


def test_a_price_of_another_region_says_whose_it_is(folder: Path) -> None:
    found = asked(folder, "eu-central-1", "disk")
    assert (found.amount, found.of) == (0.3, "us-east-1")


@pytest.mark.parametrize("item", ["nat", "disk", "key"])
def test_another_partition_has_no_price_of_this_one(folder: Path, item: str) -> None:
    assert asked(folder, "eusc-de-east-1", item) is None


def test_what_is_not_in_the_table_has_no_price(folder: Path) -> None:
    assert asked(folder, "us-east-1", "unheard-of") is None


@pytest.mark.parametrize("wrong", ["0.3}", "-0.3}"], ids=["nothing", "less than nothing"])
def test_no_price_is_nothing(folder: Path, wrong: str) -> None:
    (folder / "aws.yaml").write_text(TABLE.replace("0.3}", wrong.replace("0.3", "0") if wrong[0] == "0" else wrong))
    with pytest.raises(PriceError, match="disk"):
        load("aws", "us-east-1", CATALOGUE, folder)


def test_a_price_without_its_source_is_refused(folder: Path) -> None:
    (folder / "aws.yaml").write_text(TABLE.replace("{unit: key, source: here", "{unit: key, source: nobody"))
    with pytest.raises(PriceError, match="nobody"):
        load("aws", "us-east-1", CATALOGUE, folder)


@pytest.mark.parametrize("file", sorted(TABLES.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_region_with_a_price_is_one_of_the_catalogue(file: Path) -> None:
    prices = load(file.stem, "nowhere", CATALOGUE)
    assert prices is not None
    named = {region for item in prices.table.items.values() for region in (*item.regions, *item.sources)}
    assert {*named, *prices.table.known} <= CATALOGUE.regions.keys()
    assert all(item.regions or item.everywhere for item in prices.table.items.values())
