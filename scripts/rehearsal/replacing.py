"""Which changed inputs make a provider replace a resource that holds data: ``replacing.yaml``, with its sources."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

_TABLE = Path(__file__).with_name("replacing.yaml")


class Row(BaseModel):
    """Inputs as on the wire. ``undecided``: it depends on more than which of them changed, or nobody knows here.
    ``source``: where a reader finds the same."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    replaces: frozenset[str] = frozenset()
    undecided: frozenset[str] = frozenset()
    source: str = Field(min_length=1)


@cache
def replacing() -> Mapping[str, Row]:
    """By type token. Every type in it holds data; of any other it is not known what replaces it."""
    return {token: Row.model_validate(row) for token, row in yaml.safe_load(_TABLE.read_text()).items()}
