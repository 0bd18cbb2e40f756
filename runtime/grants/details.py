"""What a grant allows (RFC 9396 ``authorization_details``), and whether one statement of it is within another.

A constraint is a conjunction: every member must hold. ``narrow`` accepts only what it can prove to be a subset; for a
value the gateway must find in a recorded result (``from``), that is the same source, trust and binding.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from runtime.errors import Refused

Scalar = str | int | bool | None


class Constraint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one argument may be. ``minimum`` and ``maximum`` are inclusive; ``source`` is ``tool#/json/pointer``.

    ``bind``: the gateway puts the recorded value in, whatever the model said.
    """

    const: Scalar | UnsetType = UNSET
    enum: tuple[Scalar, ...] | UnsetType = UNSET
    minimum: int | UnsetType = msgspec.field(default=UNSET, name="min")
    maximum: int | UnsetType = msgspec.field(default=UNSET, name="max")
    prefix: str | UnsetType = UNSET
    source: str | UnsetType = msgspec.field(default=UNSET, name="from")
    trust: Literal["internal"] | UnsetType = UNSET
    bind: bool = False

    def __post_init__(self) -> None:
        if (self.source is UNSET) != (self.trust is UNSET):
            raise ValueError("`from` and `trust` go together")
        if self.bind and self.source is UNSET:
            raise ValueError("`bind` needs `from`")
        if all(getattr(self, name) is UNSET for name in ("const", "enum", "minimum", "maximum", "prefix", "source")):
            raise ValueError("a constraint must constrain something")

    def permits(self, value: Any) -> bool:
        """Whether ``value`` fits all members but ``from``, which only the recorded results can answer."""
        return (
            (self.const is UNSET or _same(value, self.const))
            and (self.enum is UNSET or any(_same(value, one) for one in self.enum))
            and (self.minimum is UNSET or (_number(value) and value >= self.minimum))
            and (self.maximum is UNSET or (_number(value) and value <= self.maximum))
            and (self.prefix is UNSET or (isinstance(value, str) and value.startswith(self.prefix)))
        )

    def within(self, outer: "Constraint") -> bool:
        """Whether everything this permits is provably permitted by ``outer``."""
        # Any other source or binding makes the gateway choose another recorded result: not less, but something else.
        if (self.source, self.trust, self.bind) != (outer.source, outer.trust, outer.bind):
            return False
        values = self._values()
        if values is not None:
            return all(outer.permits(value) for value in values)
        return (
            outer.const is UNSET
            and outer.enum is UNSET
            and (outer.minimum is UNSET or (self.minimum is not UNSET and self.minimum >= outer.minimum))
            and (outer.maximum is UNSET or (self.maximum is not UNSET and self.maximum <= outer.maximum))
            and (outer.prefix is UNSET or (self.prefix is not UNSET and self.prefix.startswith(outer.prefix)))
        )

    def _values(self) -> tuple[Scalar, ...] | None:
        """The finite set this permits at most; None where it is not finite."""
        if self.const is not UNSET:
            return (self.const,)
        return None if self.enum is UNSET else self.enum


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``calls``: how often the tool may be called in the task."""

    calls: int

    def __post_init__(self) -> None:
        if self.calls < 1:
            raise ValueError("`calls` must be at least 1")


class Detail(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One tool. ``contract``: digest of the OpenAPI document that was in force when the grant was opened."""

    type: Literal["tool_call"]
    tool: str
    effect: Literal["read", "write"]
    contract: str
    budget: Budget | UnsetType = UNSET
    args: dict[str, Constraint] = {}

    def __post_init__(self) -> None:
        if self.effect == "write" and self.budget is UNSET:
            raise ValueError("a write needs a `budget`")

    def within(self, outer: "Detail") -> bool:
        """Whether every call this allows is provably allowed by ``outer``."""
        return (
            (self.tool, self.effect, self.contract) == (outer.tool, outer.effect, outer.contract)
            and _budget_within(self.budget, outer.budget)
            and all(name in self.args and self.args[name].within(rule) for name, rule in outer.args.items())
            and all(rule.source is UNSET for name, rule in self.args.items() if name not in outer.args)
        )


Details = tuple[Detail, ...]


def read_details(value: Any) -> Details:
    """Details from a JSON value; raises ``msgspec.ValidationError``, also for a tool named twice."""
    details = msgspec.convert(value, type=Details)
    if len({detail.tool for detail in details}) != len(details):
        # Two entries for one tool would be two budgets for it.
        raise msgspec.ValidationError("a tool is named twice")
    return details


def narrow(granted: Details, requested: Details) -> Details:
    """``requested``, if each of its tools is provably within ``granted``; raises ``Refused`` (widening_refused)."""
    outer = {detail.tool: detail for detail in granted}
    for detail in requested:
        if detail.tool not in outer or not detail.within(outer[detail.tool]):
            raise Refused(
                "widening_refused",
                f"what was asked for {detail.tool} is not provably within the grant",
                remedy="ask for less: constants, enums, bounds and prefixes inside the granted ones; "
                "for more, a new task or an approval is needed",
            )
    return requested


def _budget_within(inner: Budget | UnsetType, outer: Budget | UnsetType) -> bool:
    return outer is UNSET or (inner is not UNSET and inner.calls <= outer.calls)


def _same(left: Any, right: Any) -> bool:
    # Python holds True == 1 and 1 == 1.0; JSON's true is no number.
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
