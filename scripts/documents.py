"""What the documents say from the code: ``python -m scripts.documents`` writes it anew.

A table stands between ``<!-- name -->`` and ``<!-- /name -->``; ``docs/stacks`` has a page for each stack. A test fails
when one differs from what the code says.
"""

import re
from pathlib import Path

from components.naming import REPOSITORY
from components.parity import PLATFORMS, Capability, Equivalent, Native, Parity, parity
from runtime.errors import CODES
from scripts.stack_pages import pages

DOCUMENTS = {"parity": REPOSITORY / "README.md", "codes": REPOSITORY / "docs" / "contract.md"}


ROWS = {
    Capability.NETWORK: "network",
    Capability.KEYS: "keys & secrets",
    Capability.CLUSTER: "cluster",
    Capability.IDENTITY: "identity",
    Capability.POSTGRES: "database",
    Capability.REPLICA: "agent-only replica",
    Capability.CACHE: "cache",
    Capability.VECTOR: "vector store",
    Capability.MODELS: "managed models",
    Capability.MODEL_HOST: "self-hosted GPU models",
    Capability.GATEWAY: "gateway",
    Capability.ORCHESTRATOR: "orchestrator",
    Capability.CORE_SYSTEM: "demo's core system",
    Capability.TRIGGERS: "triggers",
    Capability.OBSERVABILITY: "observability",
    Capability.GUARDRAILS: "guardrails",
    Capability.BUDGET: "budget",
    Capability.COST: "cost estimate",
    Capability.BACKUP: "backup & restore",
}
"""Capabilities as people call them."""


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
        [label, *(_cell(parity(capability, platform)) for platform in PLATFORMS)] for capability, label in ROWS.items()
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
    for file, text in pages().items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
