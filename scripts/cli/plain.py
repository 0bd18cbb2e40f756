"""Text that a terminal shows and does not obey. Apart from ``output``, so that to have it is not to load rich."""

import unicodedata
from typing import Any


def plain(text: Any) -> str:
    """The text with every control and invisible character spelled out: mails and answers are written by strangers."""
    lines = str(text).replace("\r\n", "\n")
    return "".join(char if char == "\n" or _visible(char) else ascii(char)[1:-1] for char in lines)


def plain_line(text: Any) -> str:
    """The same with line breaks spelled out too."""
    return plain(text).replace("\n", r"\n")


def _visible(char: str) -> bool:
    return unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
