"""What the documents say from the code is what the code says."""

import re
from pathlib import Path

import pytest

from components.naming import REPOSITORY
from runtime.errors import CODES
from scripts import documents


@pytest.mark.parametrize("path", sorted(set(documents.DOCUMENTS.values())), ids=lambda path: path.name)
def test_tables_say_what_the_code_says(path: Path) -> None:
    assert path.read_text() == documents.written(path), "run `python -m scripts.documents`"


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
