"""A late-bound argument is what one recorded result holds, whatever the model says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import Refused
from runtime.grants.details import Constraint
from runtime.tools.binding import Record, bind

REFUND = {
    "order_id": Constraint(source="orders.get#/id", trust="internal"),
    "amount_cents": Constraint(source="orders.get#/total_cents", trust="internal", bind=True),
}


def order(order_id: str, cents: int) -> Record:
    return Record("orders.get", {"id": order_id, "total_cents": cents})


def test_an_injected_amount_becomes_the_recorded_total() -> None:
    bound = bind(REFUND, {"order_id": "4711", "amount_cents": 999999}, [order("4711", 12900)])

    assert bound.arguments == {"order_id": "4711", "amount_cents": 12900}
    assert bound.origin["amount_cents"] == {
        "proposed": 999999,
        "used": 12900,
        "source": "orders.get#/total_cents",
    }


def test_an_amount_that_was_left_out_is_put_in() -> None:
    assert bind(REFUND, {"order_id": "4711"}, [order("4711", 12900)]).arguments["amount_cents"] == 12900


def test_the_amount_is_that_of_the_order_named_and_not_of_the_latest() -> None:
    records = [order("4711", 12900), order("4712", 7200)]

    assert bind(REFUND, {"order_id": "4711"}, records).arguments["amount_cents"] == 12900


def test_the_latest_reading_of_an_order_wins() -> None:
    records = [order("4711", 12900), order("4711", 100)]

    assert bind(REFUND, {"order_id": "4711"}, records).arguments["amount_cents"] == 100


@pytest.mark.parametrize("said", ["4712", 4711, "４７１１", "4711 ", ["4711"], None, True])  # noqa: RUF001  full width
def test_a_value_that_was_not_read_is_refused_with_those_that_were(said: Any) -> None:
    with pytest.raises(Refused) as refused:
        bind(REFUND, {"order_id": said}, [order("4711", 12900)])

    assert refused.value.code == "argument_not_recorded"
    assert refused.value.extra["recorded"] == {"order_id": ["4711"]}
    assert "4711" in refused.value.remedy


def test_without_a_reading_the_model_is_told_to_read_first() -> None:
    with pytest.raises(Refused, match="argument_not_recorded") as refused:
        bind(REFUND, {"order_id": "4711"}, [Record("stock.check", {"id": "4711", "total_cents": 1})])

    assert refused.value.remedy.startswith("call orders.get first")


def test_the_choosing_argument_must_be_given() -> None:
    with pytest.raises(Refused, match="argument_not_recorded"):
        bind(REFUND, {"amount_cents": 12900}, [order("4711", 12900)])


def test_a_result_without_the_bound_value_is_no_source() -> None:
    with pytest.raises(Refused, match="argument_not_recorded"):
        bind(REFUND, {"order_id": "4711"}, [Record("orders.get", {"id": "4711"})])


def test_other_arguments_pass_untouched() -> None:
    assert bind({}, {"sku": "PUMP-3"}, []).arguments == {"sku": "PUMP-3"}


def test_each_source_tool_has_a_result_of_its_own() -> None:
    rules = {**REFUND, "sku": Constraint(source="stock.check#/items/0/sku", trust="internal")}
    stock = Record("stock.check", {"items": [{"sku": "PUMP-3"}]})

    bound = bind(rules, {"order_id": "4711", "sku": "PUMP-3"}, [stock, order("4711", 12900)])

    assert bound.arguments == {"order_id": "4711", "sku": "PUMP-3", "amount_cents": 12900}


IDS = st.sampled_from(["1", "2", "3", 1, True, None])
RECORDS = st.lists(
    st.builds(
        Record,
        st.sampled_from(["orders.get", "stock.check"]),
        st.fixed_dictionaries({}, optional={"id": IDS, "total_cents": st.integers(0, 9)}),
    ),
    max_size=6,
)
PROPOSED = st.fixed_dictionaries({}, optional={"order_id": IDS, "amount_cents": st.integers(), "note": st.text()})


def tried(proposed: dict[str, Any], records: list[Record]) -> dict[str, Any] | None:
    try:
        return bind(REFUND, proposed, records).arguments
    except Refused:
        return None


def readings(records: list[Record]) -> list[dict[str, Any]]:
    """Complete results of the source tool."""
    return [record.result for record in records if record.tool == "orders.get" and len(record.result) == 2]


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


@given(PROPOSED, RECORDS)
def test_bound_arguments_always_come_from_one_recorded_result(proposed: dict[str, Any], records: list[Record]) -> None:
    used = tried(proposed, records)
    if used is not None:
        pairs = [(reading["id"], reading["total_cents"]) for reading in readings(records)]
        assert any(same(one, used["order_id"]) and cents == used["amount_cents"] for one, cents in pairs)
        assert same(used["order_id"], proposed["order_id"])
        assert used.get("note") == proposed.get("note")


@given(PROPOSED, RECORDS)
def test_only_what_no_result_holds_is_refused(proposed: dict[str, Any], records: list[Record]) -> None:
    read = "order_id" in proposed and any(same(one["id"], proposed["order_id"]) for one in readings(records))
    assert (tried(proposed, records) is not None) == read
