"""The agent state machine: one table, interpreted by every orchestrator backend.

    opened ─started▶ thinking ─proposed▶ acting ─succeeded▶ thinking ─…─finished▶ finished
                                         acting ─approval_required▶ awaiting_approval ─approved▶ acting
    a limit, a refusal, a failure or a revocation ▶ handed_over ─continued▶ thinking | ─resumed▶ acting (a write whose
                                                          effect is unknown) | taken_over | stopped

The model never holds state: it is asked once per visit of ``thinking``, and its answer is an event like any other.
"""

from enum import StrEnum


class State(StrEnum):
    OPENED = "opened"
    THINKING = "thinking"
    ACTING = "acting"
    AWAITING_APPROVAL = "awaiting_approval"
    HANDED_OVER = "handed_over"
    FINISHED = "finished"
    TAKEN_OVER = "taken_over"
    STOPPED = "stopped"


class Event(StrEnum):
    STARTED = "started"
    PROPOSED = "proposed"
    FINISHED = "finished"
    UNUSABLE = "unusable"
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    INVALID = "invalid"
    APPROVAL_REQUIRED = "approval_required"
    APPROVED = "approved"
    DECLINED = "declined"
    EXPIRED = "expired"
    LIMIT_REACHED = "limit_reached"
    REFUSED = "refused"
    FAILED = "failed"
    REVOKED = "revoked"
    CONTINUED = "continued"
    RESUMED = "resumed"
    TAKEN_OVER = "taken_over"
    STOPPED = "stopped"


_BROKEN = {
    Event.LIMIT_REACHED: State.HANDED_OVER,
    Event.REFUSED: State.HANDED_OVER,
    Event.FAILED: State.HANDED_OVER,
    Event.REVOKED: State.HANDED_OVER,
}

TRANSITIONS: dict[State, dict[Event, State]] = {
    State.OPENED: {Event.STARTED: State.THINKING},
    State.THINKING: {
        Event.PROPOSED: State.ACTING,
        Event.FINISHED: State.FINISHED,
        Event.UNUSABLE: State.THINKING,
        **_BROKEN,
    },
    State.ACTING: {
        Event.SUCCEEDED: State.THINKING,
        Event.REJECTED: State.THINKING,
        Event.INVALID: State.THINKING,
        Event.APPROVAL_REQUIRED: State.AWAITING_APPROVAL,
        **_BROKEN,
    },
    State.AWAITING_APPROVAL: {
        Event.APPROVED: State.ACTING,
        Event.DECLINED: State.THINKING,
        Event.EXPIRED: State.HANDED_OVER,
        Event.REVOKED: State.HANDED_OVER,
    },
    State.HANDED_OVER: {
        Event.CONTINUED: State.THINKING,
        Event.RESUMED: State.ACTING,
        Event.TAKEN_OVER: State.TAKEN_OVER,
        Event.STOPPED: State.STOPPED,
    },
    State.FINISHED: {},
    State.TAKEN_OVER: {},
    State.STOPPED: {},
}

WAITING = frozenset({State.AWAITING_APPROVAL, State.HANDED_OVER})
"""A person's word ends them; nothing is asked meanwhile."""
FINAL = frozenset(state for state, row in TRANSITIONS.items() if not row)


class UnexpectedEvent(Exception):
    """The event has no place in the state's row of ``TRANSITIONS``."""


def after(state: State, event: Event) -> State:
    """The state that follows; raises ``UnexpectedEvent``."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        expected = ", ".join(TRANSITIONS[state]) or "none: the state is final"
        raise UnexpectedEvent(f"{event} in state {state}; expected: {expected}") from None
