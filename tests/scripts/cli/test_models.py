"""`loomstead models where`: the answer an architect has first, with why not, and that it is no legal advice."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from regions.boundary import ResidencyError
from regions.catalogue import load_catalogue
from regions.endpoints import servings
from scripts.cli import app
from scripts.cli.failure import CommandError


def where(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["models", "where", "--data-class", "personal", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def answered(*arguments: str) -> list[dict[str, Any]]:
    return json.loads(where("--json", *arguments))["servings"]


def line(output: str, *parts: str) -> str:
    return next(found for found in output.splitlines() if all(part in found for part in parts))


def test_a_regime_of_one_country_leaves_what_is_answered_in_it() -> None:
    output = where("--regime", "ch-fadp")
    assert "may be used for personal data under ch-fadp" in output
    assert "eu-central-2 CH" in line(output, "in-region (regional, verified)", "amazon.titan-embed-text-v2:0")
    assert "gpt-4.1-mini" in line(output, "Standard (regional, verified) at switzerlandnorth CH")


def test_a_profile_called_in_zurich_is_refused_with_the_countries_it_leaves_to() -> None:
    output = where("--regime", "ch-fadp", "--model", "claude")
    assert "Refused by ch-fadp/process, called inside but answered outside:" in output
    assert "bedrock eu (zone) at eu-central-2 → DE, ES, FR, IE, IT, SE: Claude Opus 4.8" in output
    assert "None of these models may read personal data under ch-fadp" in output


def test_every_answer_says_its_days_and_that_it_is_no_legal_advice() -> None:
    output = where("--regime", "eu-gdpr", "--model", "titan")
    assert "Facts of 2026-07-01 to 2026-07-01, catalogue sha256:" in output
    assert output.rstrip().endswith("This is not legal advice.")


def test_what_is_allowed_is_in_the_regimes_countries_and_nothing_is_left_out() -> None:
    catalogue = load_catalogue()
    found = answered("--regime", "eu-gdpr")
    assert len(found) == len(list(servings(catalogue)))
    area = set(catalogue.groups["eea"].countries)
    for one in found:
        assert one["allowed"] == (set(one["countries"]) <= area), one
        assert set(one["outside"]) == set(one["countries"]) - area
        assert one["rule"] == ("residency/inside" if one["allowed"] else "eu-gdpr/process")


def test_several_regimes_leave_what_all_of_them_leave() -> None:
    assert not any(one["allowed"] for one in answered("--regime", "eu-gdpr", "--regime", "ch-fadp"))


def test_the_host_of_a_regime_is_the_country_of_the_region_called() -> None:
    found = answered("--regime", "host-country", "--model", "nova-lite", "--provider", "bedrock")
    allowed = {one["called"] for one in found if one["allowed"]}
    assert {"me-central-1", "eu-west-2", "ca-west-1", "us-east-2"} < allowed
    assert not allowed & {"eu-central-1", "ap-south-1"}


def test_a_regime_that_wants_another_partition_refuses_the_commercial_one() -> None:
    found = answered("--regime", "us-itar", "--model", "sonnet-4-5", "--provider", "bedrock")
    assert {one["called"] for one in found if one["allowed"]} == {"us-gov-east-1", "us-gov-west-1"}
    assert {one["rule"] for one in found if one["via"] == "us" and one["called"] == "us-east-1"} == {
        "us-itar/partition"
    }
    assert not any(one["allowed"] for one in answered("--regime", "us-itar", "--provider", "openai"))


def test_documents_that_a_regime_wants_are_told() -> None:
    assert "us-hipaa also wants the stack to name: baa_ref." in where("--regime", "us-hipaa", "--model", "titan")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--regime", "eu-gdpr", "--model", "gpt-9"],
            "no model 'gpt-9' (did you mean gpt-5?): what it lacks is refused",
        ),
        (["--regime", "eu-gdpr", "--provider", "asure"], "no provider 'asure' (did you mean azure?)"),
    ],
)
def test_what_the_catalogue_lacks_is_told_with_the_nearest_name(arguments: list[str], told: str) -> None:
    with pytest.raises(CommandError) as error:
        where(*arguments)
    assert told in str(error.value)


def test_an_unknown_regime_is_told_with_the_nearest_name() -> None:
    with pytest.raises(ResidencyError, match=r"no regime 'eu-gdrp' \(did you mean eu-gdpr\?\)"):
        where("--regime", "eu-gdrp")
