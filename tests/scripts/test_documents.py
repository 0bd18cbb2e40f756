"""What the documents say from the code is what the code says."""

import re
from pathlib import Path

import pytest

from components.naming import REPOSITORY
from components.parity import Capability
from runtime.errors import CODES
from scripts import documents, stack_pages


@pytest.mark.parametrize("path", sorted(set(documents.DOCUMENTS.values())), ids=lambda path: path.name)
def test_tables_say_what_the_code_says(path: Path) -> None:
    assert path.read_text() == documents.written(path), "run `python -m scripts.documents`"


@pytest.mark.parametrize("path", sorted(stack_pages.pages()), ids=lambda path: path.stem)
def test_each_stack_has_a_page_that_says_what_its_file_says(path: Path) -> None:
    assert path.read_text() == stack_pages.page(path.stem), "run `python -m scripts.documents`"


def test_no_page_is_left_of_a_stack_that_is_gone() -> None:
    assert {*stack_pages.PAGES.glob("*.md")} == {*stack_pages.pages()}


def test_a_page_never_shows_what_is_unpriced_as_nothing() -> None:
    rows = stack_pages.page("aws-eu-central-1").splitlines()
    assert "| models | unpriced | unpriced | unpriced |" in rows


def test_the_readme_has_a_row_for_every_capability() -> None:
    assert {*documents.ROWS} == {*Capability}


def test_a_document_without_a_place_for_its_table_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "README.md"
    empty.write_text("nothing here")
    monkeypatch.setattr(documents, "DOCUMENTS", {"parity": empty})
    with pytest.raises(ValueError, match="no place for the table parity"):
        documents.written(empty)


def test_every_code_that_the_runtime_raises_is_in_the_table() -> None:
    sources = "".join(path.read_text() for path in (REPOSITORY / "runtime").rglob("*.py"))
    raised = set(re.findall(r'Refused\(\s*"(\w+)"', sources))
    assert len(raised) > 20
    assert raised <= CODES.keys()
