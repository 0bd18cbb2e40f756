"""The agent state machine in Amazon States Language, from the table of ``runtime.tasks.states``.

``python -m scripts.state_machine`` writes it where the component finds it; a test fails when the file differs.

    <state>              asks: a message on the queue of steps, answered by its task token
    after <state>        finds the row by the event
    <state> to <state>   has the gateway take the row

``${queue}`` and ``${partition}`` are the component's to fill in. Only txn, step, ids, digests and codes travel.
"""

import json
from typing import Any

from components.naming import REPOSITORY
from runtime.tasks.states import FINAL, TRANSITIONS, Event, State

PATH = REPOSITORY / "components" / "orchestrator" / "state_machine.json"

MOST_ROWS = 1000
"""Of one execution; then a person is asked, and again after each turn they add. A row costs 14 of the 25,000 events
that AWS gives an execution; the rest is for what is tried again."""
STEP_SECONDS = 3600
"""How long a step is tried while the gateway, the model or a core system is away; then a person is asked."""
SILENT_SECONDS = 900
"""After so long without a heartbeat the message is lost, or nobody works: another one is sent."""
RECORD_SECONDS = 14 * 86_400
"""How long a row waits for a worker; the queue keeps a message no longer."""
CHOICE_SECONDS = 7 * 86_400
"""After so long another token is given out to wait for the same person, should the first be lost; a year in all."""

Definition = dict[str, Any]

_SEND = {
    "ErrorEquals": ["SQS.AmazonSQSException", "SQS.SdkClientException"],
    "IntervalSeconds": 1,
    "BackoffRate": 2,
    "MaxDelaySeconds": 15,
    "MaxAttempts": 10,
}


def definition() -> Definition:
    """The state machine."""
    states = {
        State.OPENED: {
            "Type": "Pass",
            "Parameters": {
                "txn.$": "$.txn",
                "approval_seconds.$": "$.approval_seconds",
                "at": {"seq": 0, "step": 0},
                "outcome": {"event": Event.STARTED, "reason": ""},
            },
            "Next": _after(State.OPENED),
        },
        **_step(State.THINKING, "think"),
        **_step(State.ACTING, "act"),
        **_approval(),
        State.HANDED_OVER: _choice(),
        **{state: {"Type": "Succeed"} for state in FINAL},
        "unexpected event": {"Type": "Fail", "ErrorPath": "$.outcome.event", "Cause": "no row of the state has it"},
    }
    for state in TRANSITIONS.keys() - FINAL:
        states[_after(state)] = _find_row(state)
        states |= {_row(state, target): _record(state, target) for target in TRANSITIONS[state].values()}
    return {
        "Comment": "One task of an agent: scripts/state_machine.py wrote it from runtime/tasks/states.py",
        "StartAt": State.OPENED,
        "States": states,
    }


def text() -> str:
    """The file's."""
    return json.dumps(definition(), indent=2, sort_keys=True) + "\n"


def _after(state: State) -> str:
    return f"after {state}"


def _row(source: State, target: State) -> str:
    return f"{source} to {target}"


def _ask(activity: str, fields: Definition, following: str, result: str) -> Definition:
    """A message on the queue; who takes it answers by its token."""
    body = {"activity": activity, "token.$": "$$.Task.Token", "txn.$": "$.txn", **fields}
    return {
        "Type": "Task",
        "Resource": "arn:${partition}:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": "${queue}", "MessageBody": body},
        "ResultPath": result,
        "Next": following,
    }


def _again(error: str, attempts: int) -> Definition:
    return {"ErrorEquals": [error], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": attempts}


def _catch(following: str, *errors: str) -> Definition:
    return {"ErrorEquals": [*errors], "ResultPath": "$.error", "Next": following}


def _outcome(outcome: Definition, following: str) -> Definition:
    return {"Type": "Pass", "Parameters": outcome, "ResultPath": "$.outcome", "Next": following}


def _step(state: State, activity: str) -> Definition:
    """Ask for a step. What cannot be done is ``failed``; what would be one row too many, ``limit_reached``."""
    broken = _row(state, State.HANDED_OVER)
    asked = _ask(activity, {"step.$": "$.at.step"}, _after(state), "$.outcome")
    return {
        state: {
            **asked,
            "TimeoutSeconds": STEP_SECONDS,
            "HeartbeatSeconds": SILENT_SECONDS,
            "Retry": [_SEND, _again("States.HeartbeatTimeout", STEP_SECONDS // SILENT_SECONDS - 1)],
            "Catch": [
                _catch(f"{state} timed out", "States.Timeout", "States.HeartbeatTimeout"),
                _catch(f"{state} failed", "States.ALL"),
            ],
        },
        f"{state} timed out": _outcome({"event": Event.FAILED, "reason": "upstream_timeout"}, broken),
        f"{state} failed": _outcome({"event": Event.FAILED, "reason.$": "$.error.Error"}, broken),
        f"{state} spent": _outcome({"event": Event.LIMIT_REACHED, "reason": "iteration_limit"}, broken),
    }


def _approval() -> Definition:
    """Wait for a decision as long as it may take; without one the approval has expired."""
    state, kept = State.AWAITING_APPROVAL, {"approval.$": "$.outcome.approval", "digest.$": "$.outcome.digest"}
    return {
        state: {
            **_ask("wait", {"seq.$": "$.at.seq", **kept}, _after(state), "$.outcome"),
            "TimeoutSecondsPath": "$.approval_seconds",
            "Retry": [_SEND],
            "Catch": [_catch("approval expired", "States.ALL")],
        },
        "approval expired": _outcome({"event": Event.EXPIRED, "reason": "", **kept}, _row(state, State.HANDED_OVER)),
    }


def _choice() -> Definition:
    """Wait for a person's choice."""
    state = State.HANDED_OVER
    return {
        **_ask("wait", {"seq.$": "$.at.seq"}, _after(state), "$.outcome"),
        "TimeoutSeconds": CHOICE_SECONDS,
        "Retry": [_SEND, _again("States.Timeout", 52)],
    }


def _find_row(state: State) -> Definition:
    """By the event; a step that would lead on is not taken when the execution has had its rows."""
    row = TRANSITIONS[state]
    choices = [_when(event, _row(state, target)) for event, target in row.items()]
    if Event.LIMIT_REACHED in row:
        going_on = [event for event, target in row.items() if target not in FINAL | {State.HANDED_OVER}]
        full = {"Variable": "$.at.seq", "NumericGreaterThanEquals": MOST_ROWS}
        choices.insert(0, {"And": [full, {"Or": [_is(event) for event in going_on]}], "Next": f"{state} spent"})
    return {"Type": "Choice", "Choices": choices, "Default": "unexpected event"}


def _is(event: Event) -> Definition:
    return {"Variable": "$.outcome.event", "StringEquals": event}


def _when(event: Event, following: str) -> Definition:
    return {**_is(event), "Next": following}


def _record(source: State, target: State) -> Definition:
    """Have the gateway take the row. A decision of the last moment wins over its expiry: its wait goes on."""
    fields = {
        "seq.$": "States.MathAdd($.at.seq, 1)",
        "step.$": "States.MathAdd($.at.step, 1)" if target is State.THINKING else "$.at.step",
        "source": source,
        "event.$": "$.outcome.event",
        "target": target,
        "reason.$": "$.outcome.reason",
    }
    recorded = {
        **_ask("record", fields, target, "$.at"),
        "TimeoutSeconds": RECORD_SECONDS,
        "HeartbeatSeconds": STEP_SECONDS,
        "Retry": [_SEND, _again("States.HeartbeatTimeout", RECORD_SECONDS // STEP_SECONDS - 1)],
    }
    if (source, target) == (State.AWAITING_APPROVAL, State.HANDED_OVER):
        recorded["Catch"] = [_catch(source, "approval_decided")]
    return recorded


if __name__ == "__main__":
    PATH.write_text(text())
