"""Whether arguments stay inside what the grant permits (``runtime.grants.details`` says what a constraint is). Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from regions.canonical import canonical
from runtime.grants.details import Constraint


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values: 1 is not true, and texts are equal by code points, so look-alikes are not."""
    return canonical(one) == canonical(other)


def violations(rules: Mapping[str, Constraint], arguments: Mapping[str, Any]) -> list[str]:
    """What is outside the grant, one line each.

    A limited argument must be given: the core system's default for it is nothing that the grant permits.
    """
    found = []
    for name, rule in rules.items():
        if name not in arguments:
            found.append(f"{name}: the grant limits it, so it must be given")
        elif not rule.permits(arguments[name]):
            found.append(f"{name}: the grant permits {_told(rule)}, got {arguments[name]!r}")
    return found


def _told(rule: Constraint) -> str:
    return msgspec.json.encode(rule).decode()
