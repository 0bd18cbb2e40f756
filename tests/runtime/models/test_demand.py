"""What is counted of an endpoint is what was asked within the window, and of no other endpoint."""

from hypothesis import given
from hypothesis import strategies as st

from runtime.models.demand import WINDOW_SECONDS, Demand

SLICE = 10


def test_nothing_was_asked_of_an_endpoint_that_nobody_named() -> None:
    assert Demand().calls("chat/here") == 0


def test_a_call_counts_for_its_endpoint_alone_until_the_window_has_passed() -> None:
    now = [0.0]
    demand = Demand(lambda: now[0])
    demand.asked("chat/here")
    demand.asked("chat/here")
    demand.asked("chat/there")
    assert (demand.calls("chat/here"), demand.calls("chat/there")) == (2, 1)
    now[0] = WINDOW_SECONDS - 1
    assert demand.calls("chat/here") == 2
    now[0] = WINDOW_SECONDS + SLICE
    assert (demand.calls("chat/here"), demand.calls("chat/there")) == (0, 0)


@given(st.lists(st.floats(0, 100), max_size=60), st.floats(0, 400))
def test_what_is_told_is_what_was_asked_within_the_window_up_to_a_slice(pauses: list[float], later: float) -> None:
    now = [0.0]
    demand = Demand(lambda: now[0])
    asked = []
    for pause in pauses:
        now[0] += pause
        asked.append(now[0])
        demand.asked("chat/here")
    now[0] += later
    certain = sum(at > now[0] - WINDOW_SECONDS + SLICE for at in asked)
    possible = sum(at > now[0] - WINDOW_SECONDS - SLICE for at in asked)
    assert certain <= demand.calls("chat/here") <= possible
