"""How reports write: templates whose every value is escaped, and countries as people read them."""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from regions.catalogue import Country
from scripts.cli.plain import plain

NAMED = 3
"""Countries that are written with their names; more are told by their codes."""


def _plain(value: Any) -> Any:
    """A stack file is written by strangers: what would turn the text around or hide in it is spelled out."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


environment = Environment(
    loader=PackageLoader("scripts.report"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_plain,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def places(countries: Sequence[Country], names: Mapping[Country, str]) -> str:
    """Few countries by name and code, more of them by number and codes; empty for none."""
    if len(countries) > NAMED:
        return f"{len(countries)} countries: {' '.join(countries)}"
    return ", ".join(f"{names.get(code, code)} ({code})" for code in countries)
