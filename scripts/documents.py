"""Tables in the documents that are written from the code: ``python -m scripts.documents`` writes them anew.

A table stands between ``<!-- name -->`` and ``<!-- /name -->``; a test fails when one differs from what the code says.
"""

import re
from pathlib import Path

from components.naming import REPOSITORY
from components.parity import PLATFORMS, Capability, Equivalent, Native, Parity, parity
from runtime.errors import CODES

DOCUMENTS = {"parity": REPOSITORY / "README.md", "codes": REPOSITORY / "docs" / "contract.md"}


def written(path: Path) -> str:
    """The document with its tables as the code has them; raises ``ValueError`` where the place of one is missing."""
    text = path.read_text()
    for name in (name for name, document in DOCUMENTS.items() if document == path):
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        table = f"{begin}\n{_TABLES[name]()}\n{end}"
        text, found = re.subn(f"{begin}.*?{end}", lambda _, table=table: table, text, flags=re.DOTALL)
        if not found:
            raise ValueError(f"{path} has no place for the table {name}: {begin} … {end}")
    return text


def parity_table() -> str:
    """Capability by platform."""
    rows = [["capability", *PLATFORMS], ["---"] * (len(PLATFORMS) + 1)]
    rows += [
        [capability, *(_cell(parity(capability, platform)) for platform in PLATFORMS)] for capability in Capability
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def codes_table() -> str:
    """Every refusal's code."""
    rows = [f"| `{code}` | {status} | {title} |" for code, (status, title) in CODES.items()]
    return "\n".join(["| code | status | title |", "| --- | --- | --- |", *rows])


def _cell(found: Parity) -> str:
    match found:
        case Native(by):
            return by
        case Equivalent(by):
            return f"equivalent: {by}"
        case _:
            return f"— {found.reason}"


_TABLES = {"parity": parity_table, "codes": codes_table}


if __name__ == "__main__":
    for document in set(DOCUMENTS.values()):
        document.write_text(written(document))
