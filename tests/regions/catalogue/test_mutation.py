"""Each single fact matters: flip it, and some check of the modules beside this fails."""

import importlib
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from regions.catalogue import Catalogue

Path_ = tuple[str | int, ...]
Check = Callable[[Catalogue], None]

ROOT = Path(__file__).parents[3]
TEXTS = {"title", "place", "vendor", "basis", "licence", "hub", "requirement", "names"}
"""What people read beside the facts. No decision is made with it, and no second entry holds it."""


class Mutant(NamedTuple):
    place: Path_
    value: Any


def checks() -> list[Check]:
    modules = [
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for path in sorted(Path(__file__).parent.rglob("test_*.py"))
        if path != Path(__file__)
    ]
    return [found for module in modules for name, found in vars(module).items() if name.startswith("check_")]


def mutants(value: Any, place: Path_ = ()) -> Iterator[Mutant]:
    """One for each fact: flipped, or taken away where it is an entry by name."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            if name not in TEXTS:
                yield from mutants(getattr(value, name), (*place, name))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield Mutant(place, {other: kept for other, kept in value.items() if other != key})
            yield from mutants(inner, (*place, key))
    elif isinstance(value, tuple):
        for index, inner in enumerate(value):
            yield from mutants(inner, (*place, index))
    else:
        yield Mutant(place, flipped(value))


def flipped(value: Any) -> Any:
    match value:
        case Enum():
            return next(other for other in type(value) if other is not value)
        case bool():
            return not value
        case int() | date():
            return value + (timedelta(days=1) if isinstance(value, date) else 1)
    return "YY" if value == "XX" else "XX"


def replaced(value: Any, place: Path_, new: Any) -> Any:
    """The value with one part replaced; everything else is shared."""
    if not place:
        return new
    first, rest = place[0], place[1:]
    if isinstance(value, BaseModel):
        return value.model_copy(update={str(first): replaced(getattr(value, str(first)), rest, new)})
    if isinstance(value, dict):
        return {**value, first: replaced(value[first], rest, new)}
    index = int(first)
    return (*value[:index], replaced(value[index], rest, new), *value[index + 1 :])


def killed(mutated: Catalogue, every: list[Check]) -> bool:
    for position, check in enumerate(every):
        try:
            check(mutated)
        except Exception:  # noqa: BLE001 a check that breaks has noticed
            every.insert(0, every.pop(position))
            return True
    return False


def test_flipping_or_dropping_any_fact_fails_some_check(catalogue: Catalogue) -> None:
    every = checks()
    total, survivors = 0, []
    for mutant in mutants(catalogue):
        total += 1
        if not killed(replaced(catalogue, mutant.place, mutant.value), every):
            survivors.append(".".join(map(str, mutant.place)))
    print(f"{total - len(survivors)} of {total} mutants noticed")
    assert not survivors
