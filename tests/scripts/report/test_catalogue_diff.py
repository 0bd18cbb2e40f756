"""What a new catalogue changes: fact by fact, and what follows for a stack."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from regions.catalogue import SCHEMA_PATH, Catalogue, load_catalogue, read_catalogue
from scripts.report.catalogue_diff import Change, Moved, as_json, fact_changes, stack_change
from tests.fixtures.reviews import ON, stack_file

CATALOGUE = load_catalogue()
Edit = Callable[[str, str, str], Catalogue]


@pytest.fixture
def edited(tmp_path: Path) -> Edit:
    """The shipped catalogue with one text of one file replaced once."""

    def edit(file: str, old: str, new: str) -> Catalogue:
        folder = shutil.copytree(SCHEMA_PATH.parent, tmp_path / "catalogue", ignore=shutil.ignore_patterns("*.py"))
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1))
        return read_catalogue(folder)

    return edit


def test_the_same_catalogue_changes_nothing(tmp_path: Path) -> None:
    change = stack_change(stack_file(tmp_path), CATALOGUE, CATALOGUE, ON)
    assert fact_changes(CATALOGUE, CATALOGUE) == []
    assert not change.changed


def test_a_changed_fact_is_told_by_name_with_old_and_new(edited: Edit) -> None:
    moved = edited(
        "regions/aws.yaml", "eu-central-1: {platform: aws, country: DE", "eu-central-1: {platform: aws, country: PL"
    )
    assert fact_changes(CATALOGUE, moved) == [Change("regions.eu-central-1.country", "DE", "PL")]
    assert fact_changes(moved, CATALOGUE) == [Change("regions.eu-central-1.country", "PL", "DE")]


def test_added_and_removed_facts_are_told_apart(edited: Edit) -> None:
    line = "  us.cloud.langfuse.com: {vendor: Langfuse, countries: [US], source: langfuse-regions}\n"
    fewer = edited("telemetry.yaml", line, "")
    fact = CATALOGUE.telemetry["us.cloud.langfuse.com"].model_dump(mode="json")
    assert fact_changes(CATALOGUE, fewer) == [Change("telemetry.us.cloud.langfuse.com", fact, None)]
    assert fact_changes(fewer, CATALOGUE) == [Change("telemetry.us.cloud.langfuse.com", None, fact)]


def test_an_adequacy_decision_goes_by_its_direction_and_basis(edited: Edit) -> None:
    first = CATALOGUE.adequacy[0]
    without = CATALOGUE.model_copy(update={"adequacy": CATALOGUE.adequacy[1:]})
    changes = fact_changes(CATALOGUE, without)
    assert [change.fact for change in changes] == [f"adequacy.{first.origin}→{first.to} ({first.basis})"]
    assert changes[0].new is None


def test_reading_a_source_again_changes_no_fact() -> None:
    later = {name: source.model_copy(update={"as_of": ON}) for name, source in CATALOGUE.sources.items()}
    assert fact_changes(CATALOGUE, CATALOGUE.model_copy(update={"sources": later})) == []


def test_a_stack_is_told_where_its_data_goes_now_and_what_is_wrong_with_it(tmp_path: Path, edited: Edit) -> None:
    moved = edited(
        "regions/aws.yaml", "eu-central-1: {platform: aws, country: DE", "eu-central-1: {platform: aws, country: US"
    )
    change = stack_change(stack_file(tmp_path), CATALOGUE, moved, ON)
    assert Moved("the stack (rest)", ("US",), ("DE",)) in change.flows
    assert change.old_digest != change.new_digest
    assert {finding.rule for finding in change.appeared} >= {"eu-gdpr/rest"}
    assert change.changed


def test_a_stack_is_told_which_countries_a_rule_gains_and_loses(tmp_path: Path, edited: Edit) -> None:
    smaller = edited("regimes.yaml", "    logs: [eea]", "    logs: [DE, GB]")
    change = stack_change(stack_file(tmp_path), CATALOGUE, smaller, ON)
    (rule,) = change.rules
    assert rule.what == "eu-gdpr/logs"
    assert rule.gained == ("GB",)
    assert "FR" in rule.lost


def test_a_country_that_a_relaxation_opens_already_is_no_gain_while_it_holds(tmp_path: Path, edited: Edit) -> None:
    wider = edited("regimes.yaml", "    logs: [eea]", "    logs: [eea, US]")
    path = stack_file(tmp_path)
    assert stack_change(path, CATALOGUE, wider, ON).rules == ()
    assert stack_change(path, CATALOGUE, wider, date(2027, 7, 1)).rules == (Moved("eu-gdpr/logs", ("US",), ()),)


def test_a_finding_that_goes_is_told(tmp_path: Path, edited: Edit) -> None:
    wider = edited("regimes.yaml", "    logs: [eea]", "    logs: [eea, US]")
    change = stack_change(stack_file(tmp_path), CATALOGUE, wider, ON)
    assert [finding.rule for finding in change.gone] == ["eu-gdpr/logs"]
    assert change.appeared == ()


def test_a_regime_that_is_not_there_any_more_leaves_no_boundary(tmp_path: Path) -> None:
    without = {name: regime for name, regime in CATALOGUE.regimes.items() if name != "eu-gdpr"}
    change = stack_change(stack_file(tmp_path), CATALOGUE, CATALOGUE.model_copy(update={"regimes": without}), ON)
    assert change.new_digest is None
    assert change.changed


def test_as_json_it_says_of_each_stack_whether_it_changes(tmp_path: Path) -> None:
    change = stack_change(stack_file(tmp_path), CATALOGUE, CATALOGUE, ON)
    assert as_json([], [change])["stacks"][0]["changed"] is False
