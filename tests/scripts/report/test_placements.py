"""The map: every leg for every data class, with the Boundary's own verdict."""

from datetime import date
from pathlib import Path

from regions.catalogue import load_catalogue
from scripts.report.placements import Standing, as_json, facts_used, placements, unverified, worst
from tests.fixtures.reviews import MIXED, ON, reviewed

CATALOGUE = load_catalogue()


def standings(folder: Path, subject: str, on: date = ON, text: str = MIXED) -> dict[str, str]:
    placed = placements(reviewed(folder, text), on)
    return {str(one.data_class): str(one.standing) for one in placed if one.leg.subject == subject}


def test_each_flow_stands_as_the_boundary_says(tmp_path: Path) -> None:
    assert standings(tmp_path, "telemetry langfuse") == {
        "public": "relaxed",
        "personal": "outside",
        "health": "outside",
    }
    assert standings(tmp_path, "model chat-small/titan") == {
        "public": "inside",
        "personal": "inside",
        "health": "outside",
    }
    assert set(standings(tmp_path, "the stack").values()) == {"inside"}


def test_a_class_that_is_not_sent_has_no_placement(tmp_path: Path) -> None:
    assert standings(tmp_path, "model chat-small/abroad") == {"public": "outside"}


def test_what_is_inside_by_a_relaxation_is_outside_when_it_ends(tmp_path: Path) -> None:
    assert standings(tmp_path, "telemetry langfuse", date(2027, 7, 1))["public"] == "outside"


def test_the_worst_of_several_is_the_word_for_all(tmp_path: Path) -> None:
    assert worst(placements(reviewed(tmp_path), ON)) is Standing.OUTSIDE


def test_a_file_without_a_boundary_has_no_map(tmp_path: Path) -> None:
    for text in ("config: {", MIXED.replace("regimes: [eu-gdpr]", "regimes: [eu-gdpr, moon]")):
        assert list(placements(reviewed(tmp_path, text), ON)) == []


def test_the_map_as_json_names_key_rule_and_source(tmp_path: Path) -> None:
    found = [one for one in as_json(placements(reviewed(tmp_path), ON)) if one["subject"] == "telemetry langfuse"]
    assert found[1] == {
        "data_class": "personal",
        "purpose": "logs",
        "subject": "telemetry langfuse",
        "where": "us.cloud.langfuse.com",
        "countries": ["US"],
        "standing": "outside",
        "rule": "eu-gdpr/logs",
        "reason": found[1]["reason"],
        "key": "telemetry.langfuse",
        "source": "langfuse-regions",
    }
    assert "outside eu-gdpr" in found[1]["reason"]


def test_the_facts_are_those_of_places_regimes_and_adequacy(tmp_path: Path) -> None:
    assert set(facts_used(reviewed(tmp_path), CATALOGUE)) == {"aws-regions", "eu-adequacy", "langfuse-regions"}
    adequate = MIXED.replace("countries: [US]\n", "countries: [JP]\n")
    adequate = adequate.replace("basis: documented\n          reference: clauses of 2026", "basis: adequacy")
    further = set(facts_used(reviewed(tmp_path, adequate), CATALOGUE)) - {
        "aws-regions",
        "eu-adequacy",
        "langfuse-regions",
    }
    edge = next(one for one in CATALOGUE.adequacy if one.to == "JP" and one.origin in ("eea", "eu"))
    assert further == {edge.source} - {"eu-adequacy"}


def test_facts_that_nobody_read_in_their_source_are_told_apart() -> None:
    assert set(unverified(CATALOGUE.sources)) == {
        name for name, source in CATALOGUE.sources.items() if source.confidence in ("secondary", "known")
    }
    assert unverified(CATALOGUE.sources)
