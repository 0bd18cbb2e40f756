"""What a grant allows, and that narrowing it never allows more."""

from typing import Any, Literal

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from msgspec import UNSET

from runtime.errors import Refused
from runtime.grants.details import Budget, Constraint, Detail, narrow, read_details

CONTRACT = "sha256:" + "c" * 64

SCALARS = st.one_of(
    st.integers(-3, 3), st.booleans(), st.none(), st.sampled_from(["", "a", "ab", "abc", "b", "A", "å", "å"])
)
VALUES = st.one_of(SCALARS, st.sampled_from([1.0, 2.5, float("nan"), ["a"], {"a": 1}]))


@st.composite
def constraints(draw: st.DrawFn) -> Constraint:
    sourced = draw(st.booleans())
    members: dict[str, Any] = {
        "const": draw(st.just(UNSET) | SCALARS),
        "enum": draw(st.just(UNSET) | st.lists(SCALARS, max_size=3).map(tuple)),
        "minimum": draw(st.just(UNSET) | st.integers(-3, 3)),
        "maximum": draw(st.just(UNSET) | st.integers(-3, 3)),
        "prefix": draw(st.just(UNSET) | st.sampled_from(["", "a", "ab"])),
        "source": "t#/a" if sourced else UNSET,
        "trust": "internal" if sourced else UNSET,
        "bind": sourced and draw(st.booleans()),
    }
    assume(any(value is not UNSET for name, value in members.items() if name != "bind"))
    return Constraint(**members)


@st.composite
def details(draw: st.DrawFn) -> Detail:
    effect: Literal["read", "write"] = draw(st.sampled_from(("read", "write")))
    budget = st.builds(Budget, st.integers(1, 3))
    return Detail(
        type="tool_call",
        tool=draw(st.sampled_from(["t", "u"])),
        effect=effect,
        contract=draw(st.sampled_from(["c", "d"])),
        budget=draw(budget if effect == "write" else st.just(UNSET) | budget),
        args=draw(st.dictionaries(st.sampled_from(["x", "y"]), constraints(), max_size=2)),
    )


def allows(detail: Detail, call: dict[str, Any], calls: int) -> bool:
    """Whether the ``calls``-th call with these arguments is inside the detail; limited arguments must be given."""
    in_budget = detail.budget is UNSET or calls <= detail.budget.calls
    return in_budget and all(name in call and rule.permits(call[name]) for name, rule in detail.args.items())


@given(constraints(), constraints(), VALUES)
@example(Constraint(const=True), Constraint(const=1), True)
@example(Constraint(enum=()), Constraint(const=1), 1)
@example(Constraint(minimum=1, maximum=2), Constraint(maximum=2), 1)
def test_a_constraint_within_another_permits_no_value_that_the_other_refuses(
    inner: Constraint, outer: Constraint, value: Any
) -> None:
    if inner.within(outer):
        assert not inner.permits(value) or outer.permits(value)
        assert (inner.source, inner.trust, inner.bind) == (outer.source, outer.trust, outer.bind)


@given(
    st.lists(details(), max_size=2, unique_by=lambda detail: detail.tool),
    st.lists(details(), max_size=2, unique_by=lambda detail: detail.tool),
    st.dictionaries(st.sampled_from(["x", "y"]), VALUES),
    st.integers(1, 3),
)
def test_a_narrowed_grant_allows_no_call_that_the_grant_refuses(
    granted: list[Detail], requested: list[Detail], call: dict[str, Any], calls: int
) -> None:
    try:
        narrowed = narrow(tuple(granted), tuple(requested))
    except Refused:
        return
    outer = {detail.tool: detail for detail in granted}
    for detail in narrowed:
        around = outer[detail.tool]
        assert (detail.effect, detail.contract) == (around.effect, around.contract)
        assert not allows(detail, call, calls) or allows(around, call, calls)


@pytest.mark.parametrize(
    ("rule", "fitting", "outside"),
    [
        ({"const": 1}, [1, 1.0], [True, "1", 2, None, [1]]),
        ({"const": True}, [True], [1, "true", False]),
        ({"const": None}, [None], [False, 0, ""]),
        ({"enum": ["a", 0]}, ["a", 0], ["A", False, "", "а"]),  # noqa: RUF001 - the last one is Cyrillic
        ({"enum": []}, [], ["", None]),
        ({"min": 1, "max": 3}, [1, 2.5, 3], [0, 4, True, "2", None, float("nan"), float("inf"), [2]]),
        ({"prefix": "ab"}, ["ab", "abc"], ["a", "AB", " ab", "", 1, ["ab"]]),
        ({"enum": ["a", "ab"], "prefix": "ab"}, ["ab"], ["a", "abc"]),
    ],
)
def test_a_constraint_permits_what_fits_all_its_members(
    rule: dict[str, Any], fitting: list[Any], outside: list[Any]
) -> None:
    constraint = msgspec.convert(rule, Constraint)
    assert [value for value in fitting if not constraint.permits(value)] == []
    assert [value for value in outside if constraint.permits(value)] == []


LATE = {"from": "t#/a", "trust": "internal"}


@pytest.mark.parametrize(
    ("inner", "outer", "within"),
    [
        ({"prefix": "abc"}, {"prefix": "ab"}, True),
        ({"prefix": "a"}, {"prefix": "ab"}, False),
        ({"const": "abc"}, {"prefix": "ab"}, True),
        ({"max": 1}, {"const": 1}, False),
        ({"min": 1, "max": 1}, {"const": 1}, False),  # it is a subset, but proving it is not built
        ({"max": 1}, {"enum": [0, 1]}, False),
        ({"prefix": "a"}, {"enum": ["a"]}, False),
        ({"enum": [1]}, {"const": 1}, True),
        ({"enum": [True]}, {"const": 1}, False),
        ({"enum": [0, 1]}, {"const": 1}, False),
        ({"min": 2}, {"min": 1}, True),
        ({"min": 0}, {"min": 1}, False),
        ({"min": 1}, {"max": 3}, False),
        ({"prefix": "a"}, {"max": 3}, False),
        (LATE, LATE, True),
        ({**LATE, "max": 3}, LATE, True),
        (LATE, {**LATE, "max": 3}, False),
        ({**LATE, "bind": True}, LATE, False),
        (LATE, {**LATE, "bind": True}, False),
        ({**LATE, "from": "t#/b"}, LATE, False),
        (LATE, {"max": 3}, False),
        ({"max": 3}, LATE, False),
    ],
)
def test_a_subset_is_what_can_be_proved(inner: dict[str, Any], outer: dict[str, Any], within: bool) -> None:
    assert msgspec.convert(inner, Constraint).within(msgspec.convert(outer, Constraint)) is within


def write(**changes: Any) -> dict[str, Any]:
    args = {"amount_cents": {"max": 12000}, "order_id": {"from": "orders.get#/id", "trust": "internal"}}
    described = {
        "type": "tool_call",
        "tool": "orders.refund",
        "effect": "write",
        "contract": CONTRACT,
        "budget": {"calls": 2},
        "args": args,
    }
    return {**described, **changes}


def args(**changes: Any) -> dict[str, Any]:
    return write(args={**write()["args"], **changes})


@pytest.mark.parametrize(
    "requested",
    [
        [],
        [write()],
        [write(budget={"calls": 1})],
        [args(amount_cents={"max": 100})],
        [args(amount_cents={"min": 1, "max": 12000})],
        [args(amount_cents={"const": 12000})],
        [args(amount_cents={"enum": [1, 2]})],
        [args(note={"prefix": "refund"})],
    ],
)
def test_less_of_the_grant_is_given(requested: list[dict[str, Any]]) -> None:
    asked = read_details(requested)
    assert narrow(read_details([write()]), asked) == asked


@pytest.mark.parametrize(
    "requested",
    [
        write(tool="orders.cancel"),
        write(effect="read"),
        write(contract="sha256:" + "0" * 64),
        write(budget={"calls": 3}),
        write(args={}),
        args(amount_cents={"max": 12001}),
        args(amount_cents={"min": 1}),
        args(amount_cents={"const": 12001}),
        args(amount_cents={"const": "12000"}),
        args(amount_cents={"const": True}),
        args(amount_cents={"enum": [1, 99999]}),
        args(amount_cents={"max": 12000, "from": "orders.get#/total_cents", "trust": "internal", "bind": True}),
        args(order_id={"const": "4711"}),
        args(order_id={"from": "mail#/id", "trust": "internal"}),
        args(order_id={"from": "orders.get#/id", "trust": "internal", "bind": True}),
        args(note={"from": "orders.get#/id", "trust": "internal"}),
    ],
)
def test_more_than_the_grant_is_refused(requested: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        narrow(read_details([write()]), read_details([requested]))
    assert caught.value.code == "widening_refused"


@pytest.mark.parametrize(
    "described",
    [
        [write(), write()],
        [write(budget={"calls": 0})],
        [write(budget={"calls": 1, "usd_cents": 5})],
        [{name: value for name, value in write().items() if name != "budget"}],
        [write(type="other")],
        [write(also="this")],
        [args(amount_cents={})],
        [args(amount_cents={"max": "12000"})],
        [args(amount_cents={"max": 1.5})],
        [args(amount_cents={"pattern": ".*"})],
        [args(amount_cents={"from": "orders.get#/id"})],
        [args(amount_cents={"from": "orders.get#/id", "trust": "untrusted"})],
        [args(amount_cents={"bind": True, "max": 1})],
        {"tool": "orders.refund"},
    ],
)
def test_what_is_no_statement_of_rights_is_not_read(described: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        read_details(described)
