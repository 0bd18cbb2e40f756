"""JSON that two readers cannot understand differently: the only way bytes from outside become arguments or results.

    JsonError    the text is not JSON, or is ambiguous; the message says where

Refused: duplicate keys, NaN and infinities, integers beyond ±(2^53 - 1), lone surrogates, nesting beyond ``MAX_DEPTH``.
A whole number written as a float (``1e2``, ``100.0``) is refused in arguments, where a model must say what it means,
and folded to the integer in results, where RFC 8785 makes them the same number anyway.
"""

import json
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 64

_TEXT_CONTROLS = frozenset("\n\t")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


class JsonError(ValueError):
    """The text is not JSON, or JSON that two readers may understand differently."""


def read_arguments(text: bytes | str) -> Any:
    """The value of a caller's JSON; raises ``JsonError``. Strings must be NFC and free of hidden characters."""
    value = _read(text, _no_whole_float)
    for place, string in strings(value):
        _check_visible(place, string)
    return value


def read_result(text: bytes | str) -> Any:
    """The value of a core system's JSON; raises ``JsonError``."""
    return _read(text, _fold_whole_float)


def strings(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every string in a JSON value, keys included, with the JSON pointer of where it stands."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from strings(item, f"{place}/{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield place, key
            yield from strings(item, f"{place}/{key}")


def _read(text: bytes | str, parse_float: Callable[[str], Any]) -> Any:
    try:
        value = json.loads(
            text if isinstance(text, str) else text.decode("utf-8"),
            object_pairs_hook=_no_duplicates,
            parse_int=_safe_integer,
            parse_float=parse_float,
            parse_constant=_no_constant,
        )
        _check_depth(value, MAX_DEPTH)
        for place, string in strings(value):
            _check_encodable(place, string)
    except RecursionError:
        raise JsonError(f"nested deeper than {MAX_DEPTH} levels") from None
    except UnicodeDecodeError as error:
        raise JsonError(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise JsonError(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise JsonError(f"the key {key!r} stands twice in one object")
        result[key] = value
    return result


def _safe_integer(text: str) -> int:
    if len(text) > len(f"-{MAX_INTEGER}") or abs(int(text)) > MAX_INTEGER:
        raise JsonError(f"the integer {text[:24]} is beyond ±(2^53 - 1)")
    return int(text)


def _no_whole_float(text: str) -> float:
    number = _finite(text)
    if number == int(number):
        raise JsonError(f"{text[:24]} is a whole number written as a float: write it as an integer")
    return number


def _fold_whole_float(text: str) -> int | float:
    number = _finite(text)
    return _safe_integer(str(int(number))) if number == int(number) else number


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise JsonError(f"the number {text[:24]} is too large")
    return number


def _no_constant(text: str) -> NoReturn:
    raise JsonError(f"{text} is no JSON number")


def _check_depth(value: Any, left: int) -> None:
    if left == 0:
        raise JsonError(f"nested deeper than {MAX_DEPTH} levels")
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        _check_depth(child, left - 1)


def _check_encodable(place: str, string: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in string):
        raise JsonError(f"{place or '/'}: the string holds a lone surrogate")
    if "\0" in string:
        raise JsonError(f"{place or '/'}: the string holds U+0000, which PostgreSQL cannot store")


def _check_visible(place: str, string: str) -> None:
    if not unicodedata.is_normalized("NFC", string):
        raise JsonError(f"{place or '/'}: the string is not in Unicode normal form C")
    for character in string:
        if unicodedata.category(character) in _HIDDEN and character not in _TEXT_CONTROLS:
            raise JsonError(f"{place or '/'}: the string holds the hidden character U+{ord(character):04X}")
