"""Evidence: equal to the last byte, and every change of it is seen."""

import json
import os
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from components.review import review
from regions.boundary import Boundary
from regions.catalogue import load_catalogue
from scripts.report.evidence import EvidenceError, verify_evidence, write_evidence
from scripts.report.seal import SealError, seal
from tests.fixtures.reviews import MIXED, ON, reviewed, stack_file

KEY = ECKey.generate_key("P-256")
PRIVATE, PUBLIC = KEY.as_dict(private=True), KEY.as_dict(private=False)
CATALOGUE = load_catalogue()
FILES = {
    "NOT-COVERED.md",
    "boundary.json",
    "catalogue.json",
    "data-flow.svg",
    "findings.json",
    "report.html",
    "residency-map.json",
    "stack.yaml",
    "waivers.json",
}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_evidence(tmp_path / "evidence", reviewed(tmp_path), CATALOGUE, ON, PRIVATE)
    return tmp_path / "evidence"


def test_it_holds_what_an_auditor_asks_for_and_verifies(folder: Path) -> None:
    assert set(contents(folder)) == {*FILES, "evidence.json", "evidence.jws"}
    listed, differences = verify_evidence(folder, PUBLIC)
    assert {file.path for file in listed.files} == FILES
    assert differences == []
    assert (listed.stack, listed.on, listed.open_findings, listed.waived_findings) == ("mixed", "2026-11-23", 3, 1)
    assert listed.catalogue_digest == CATALOGUE.digest


def test_made_twice_at_different_places_it_is_the_same_to_the_last_byte(tmp_path: Path, folder: Path) -> None:
    elsewhere = reviewed(tmp_path / "another checkout")
    write_evidence(tmp_path / "again", elsewhere, CATALOGUE, ON, PRIVATE)
    write_evidence(folder, elsewhere, CATALOGUE, ON, PRIVATE)
    assert contents(tmp_path / "again") == contents(folder)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_its_files_say_what_the_review_saw(tmp_path: Path, folder: Path) -> None:
    found = reviewed(tmp_path)
    assert (folder / "stack.yaml").read_text() == MIXED
    boundary = json.loads((folder / "boundary.json").read_bytes())
    assert Boundary.model_validate_json(json.dumps(boundary["boundary"])).digest == boundary["digest"] == found.digest
    findings = json.loads((folder / "findings.json").read_bytes())
    assert [one["rule"] for one in findings] == [one.rule for one in found.findings]
    assert {one["location"]["file"] for one in findings} == {"stack.yaml"}
    answers = json.loads((folder / "waivers.json").read_bytes())
    assert [(one["kind"], one["approver"], one["void"]) for one in answers] == [
        ("relaxation", "Ines Weber", None),
        ("waiver", "Jan Petersen", None),
    ]
    catalogue = json.loads((folder / "catalogue.json").read_bytes())
    assert catalogue["digest"] == CATALOGUE.digest
    assert catalogue["sources"]["langfuse-regions"]["confidence"] == "verified"
    assert json.loads((folder / "residency-map.json").read_bytes())["keys"] == "provider"
    uncovered = (folder / "NOT-COVERED.md").read_text()
    assert "not legal advice" in uncovered
    assert "`loomstead review --graph`" in uncovered


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_changed_byte_in_any_file_is_seen(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.write(b" ")
    assert verify_evidence(folder, PUBLIC)[1] == [f"changed: {name}"]


def test_missing_and_added_files_are_named(folder: Path) -> None:
    (folder / "findings.json").unlink()
    (folder / "more").mkdir()
    (folder / "more" / "note.txt").write_text("found nothing")
    (folder / "boundary.json").unlink()
    (folder / "boundary.json").symlink_to("/dev/null")
    (folder / "catalogue.json").unlink()
    os.mkfifo(folder / "catalogue.json")
    (folder / ".hidden").write_text("")
    (folder / "empty").mkdir()
    (folder / "link").symlink_to(folder.parent, target_is_directory=True)
    assert verify_evidence(folder, PUBLIC)[1] == [
        "changed: boundary.json",
        "changed: catalogue.json",
        "missing: findings.json",
        "added: .hidden",
        "added: empty",
        "added: link",
        "added: more/note.txt",
    ]


def test_a_changed_list_is_refused_before_anything_in_it_is_believed(folder: Path) -> None:
    listed = json.loads((folder / "evidence.json").read_bytes())
    (folder / "evidence.json").write_text(json.dumps(listed | {"open_findings": 0}))
    with pytest.raises(EvidenceError, match="the signature does not fit"):
        verify_evidence(folder, PUBLIC)


def test_evidence_of_another_signer_is_refused(folder: Path) -> None:
    with pytest.raises(EvidenceError, match="another key made it"):
        verify_evidence(folder, ECKey.generate_key("P-256").as_dict(private=False))


def test_a_list_that_leads_out_of_the_folder_is_refused_even_when_it_is_sealed(folder: Path) -> None:
    listed = json.loads((folder / "evidence.json").read_bytes())
    listed["files"][0]["path"] = "../../etc/passwd"
    content = json.dumps(listed).encode()
    (folder / "evidence.json").write_bytes(content)
    (folder / "evidence.jws").write_bytes(seal(content, PRIVATE))
    with pytest.raises(EvidenceError, match="another version"):
        verify_evidence(folder, PUBLIC)


def test_a_folder_that_is_no_evidence_is_told_as_that(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"Is .* evidence"):
        verify_evidence(tmp_path, PUBLIC)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "letters.txt").write_text("dear")
    for target in (home, home / "letters.txt"):
        with pytest.raises(EvidenceError, match="holds what is no evidence"):
            write_evidence(target, reviewed(tmp_path), CATALOGUE, ON, PRIVATE)
    assert (home / "letters.txt").read_text() == "dear"


def test_a_note_beside_evidence_is_not_lost_when_it_is_written_again(tmp_path: Path, folder: Path) -> None:
    (folder / "note.txt").write_text("seen by Jan")
    with pytest.raises(EvidenceError, match=r"note\.txt"):
        write_evidence(folder, reviewed(tmp_path), CATALOGUE, ON, PRIVATE)
    assert (folder / "note.txt").read_text() == "seen by Jan"


def test_a_file_without_a_boundary_gives_no_evidence_and_says_why(tmp_path: Path) -> None:
    for text, said in (("config: {", "spec/yaml"), (MIXED.replace("[eu-gdpr]", "[moon]"), "no regime 'moon'")):
        broken = review(stack_file(tmp_path, text), CATALOGUE, ON)
        with pytest.raises(EvidenceError, match=said):
            write_evidence(tmp_path / "evidence", broken, CATALOGUE, ON, PRIVATE)
    assert not (tmp_path / "evidence").exists()


def test_without_a_private_key_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(SealError):
        write_evidence(tmp_path / "evidence", reviewed(tmp_path), CATALOGUE, ON, PUBLIC)
    assert not (tmp_path / "evidence").exists()


def test_it_does_not_depend_on_the_place_or_the_hash_seed(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = review(Path(os.path.relpath(stack_file(tmp_path))), CATALOGUE, ON)
    write_evidence(tmp_path / "again", relative, CATALOGUE, ON, PRIVATE)
    assert contents(tmp_path / "again") == contents(folder)
