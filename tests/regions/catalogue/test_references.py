"""A name that stands for nothing, for two things or for what does not fit is refused at its line."""

import re
from pathlib import Path

import pytest

from regions.catalogue import CatalogueError, read_catalogue
from tests.regions.catalogue.conftest import Change

EDGE = "  - {origin: eea, to: AD,"
NAME = "expected a name that no region, group or other term has"
GUARDRAIL = "guardrails:\n  own.guardrail: {source: loomstead, calls: {%s: [DE]}}\n"

CASES = [
    # names that stand for nothing
    (
        "regimes.yaml",
        "rest: [eea]",
        "rest: [eaa]",
        r"regimes\.eu-gdpr\.rest\[0\]: expected a country .*, got eaa .*eea",
    ),
    ("regimes.yaml", "keys: [GB]", "keys: [XX]", r"regimes\.uk-gdpr\.keys\[0\]: .*, got XX"),
    (
        "regimes.yaml",
        "source: eu-adequacy",
        "source: eu-adequate",
        r"regimes\.eu-gdpr\.source: .*got eu-adequate .*eu-",
    ),
    (
        "regimes.yaml",
        "{aws: [aws-us-gov]",
        "{aws: [aws-gov]",
        r"partitions\.aws\[0\]: expected a partition of aws, got aws",
    ),
    ("regimes.yaml", "gcp: []", "gpc: []", r"partitions\.gpc: expected a platform that has regions, got gpc .*gcp"),
    ("countries.yaml", "[AT,", "[XX, AT,", r"groups\.eu\.countries\[0\]: expected a country of .*, got XX"),
    (
        "countries.yaml",
        "source: iso-3166",
        "source: iso",
        r"countries\.source: expected a source of sources\.yaml, got iso",
    ),
    ("adequacy.yaml", EDGE, "  - {origin: eaa, to: AD,", r"adequacy\[0\]\.origin: .*got eaa"),
    ("adequacy.yaml", EDGE, "  - {origin: eea, to: XX,", r"adequacy\[0\]\.to: .*got XX"),
    ("adequacy.yaml", EDGE, "  - {origin: eea, to: host,", r"adequacy\[0\]\.to: .*got host"),
    ("adequacy.yaml", "source: jp-appi}", "source: jp-appl}", r"adequacy\[\d+\]\.source: .*got jp-appl .*jp-appi"),
    ("regions/own.yaml", "country: host", "country: home", r"regions\.local\.country: .*got home"),
    (
        "regions/azure.yaml",
        "pair: westus,",
        "pair: westus9,",
        r"regions\.eastus\.pair: expected a region .*got westus9",
    ),
    ("regions/aws.yaml", "source: aws-regions}", "source: aws}", r"regions\.us-east-1\.source: .*got aws"),
    ("gpus.yaml", "regions: [us-east-1,", "regions: [us-east-9,", r"gpus\.p4d\.regions\[0\]: .*got us-east-9"),
    ("gpus.yaml", "platform: aws", "platform: awz", r"gpus\.p4d\.platform: .*got awz"),
    (
        "telemetry.yaml",
        "countries: [US]",
        "countries: [host]",
        r"telemetry\.datadoghq\.com\.countries\[0\]: .*got host",
    ),
    ("weights.yaml", "source: qwen-model-card", "source: qwen", r"weights\..*\.source: .*got qwen"),
    (
        "guardrails.yaml",
        "guardrails:\n",
        GUARDRAIL % "aws-eu9",
        r"calls\.aws-eu9: expected a region or set, got aws-eu9",
    ),
    # names that stand for two things
    ("countries.yaml", "  eu:\n", "  host:\n", rf"groups\.host: {NAME}"),
    ("regions/own.yaml", "  local:", "  self:", rf"regions\.self: {NAME}"),
    ("regions/own.yaml", "  local:", "  eea:", rf"regions\.eea: {NAME}"),
    ("regions/aws.yaml", "  aws-gov:", "  eu-west-1:", rf"sets\.eu-west-1: {NAME}"),
    ("adequacy.yaml", EDGE, "  - {origin: eea, to: AR,", r"adequacy\[1\]: expected one decision from eea to AR"),
    # what is of another cloud
    (
        "regions/azure.yaml",
        "pair: westus,",
        "pair: eastus,",
        r"regions\.eastus\.pair: expected another region of public",
    ),
    (
        "regions/azure.yaml",
        "pair: westus,",
        "pair: usgovtexas,",
        r"regions\.eastus\.pair: expected another region of public",
    ),
    ("gpus.yaml", "regions: [us-east-1,", "regions: [eastus,", r"gpus\.p4d\.regions\[0\]: expected a region of aws"),
]


@pytest.mark.parametrize(("file", "old", "new", "message"), CASES)
def test_a_reference_is_refused_at_its_line(
    copied: Path, change: Change, file: str, old: str, new: str, message: str
) -> None:
    line = change(file, old, new) + (new.startswith("guardrails:") or "adequacy[1]" in message.replace("\\", ""))
    with pytest.raises(CatalogueError) as caught:
        read_catalogue(copied)
    expected = re.compile(rf"{re.escape(str(copied / file))}:{line}: .*?{message}")
    assert [mistake for mistake in caught.value.mistakes if expected.match(mistake)], caught.value
