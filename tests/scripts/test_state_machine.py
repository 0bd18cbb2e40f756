"""The definition is the table's, the committed file is the definition, and AWS's limits hold."""

from pathlib import Path
from typing import Any

import pytest

from runtime.tasks.states import FINAL, TRANSITIONS, Event, State
from scripts.asl import validate
from scripts.command import StepFailed
from scripts.progress import progress
from scripts.state_machine import MOST_ROWS, PATH, definition, text

MACHINE = definition()
STATES: dict[str, dict[str, Any]] = MACHINE["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
MOST_EVENTS = 25_000
"""Of an execution (AWS Step Functions developer guide, service quotas); the next one ends it."""
TASK_EVENTS, CHOICE_EVENTS, TRIED_AGAIN_EVENTS = 6, 2, 4
"""Of a task by token: entered, scheduled, started, submitted, succeeded, exited; without the outer ones when tried
again."""


def test_the_committed_definition_is_what_the_table_says() -> None:
    assert PATH.read_text() == text(), "python -m scripts.state_machine"


@pytest.mark.parametrize("state", sorted(TRANSITIONS))
def test_each_event_of_a_state_leads_to_its_row_and_the_row_to_the_next_state(state: State) -> None:
    if state in FINAL:
        assert STATES[state] == {"Type": "Succeed"}
        return
    choices = [choice for choice in STATES[f"after {state}"]["Choices"] if "And" not in choice]
    led = {choice["StringEquals"]: choice["Next"] for choice in choices}
    assert led == {event: f"{state} to {target}" for event, target in TRANSITIONS[state].items()}
    for event, target in TRANSITIONS[state].items():
        row = STATES[led[event]]
        assert row["Next"] == target
        sent = row["Parameters"]["MessageBody"]
        assert (sent["source"], sent["target"]) == (state, target)
    assert STATES[STATES[f"after {state}"]["Default"]]["Type"] == "Fail"


@pytest.mark.parametrize("state", [State.THINKING, State.ACTING])
def test_only_a_step_that_leads_on_is_stopped_by_the_limit_of_rows(state: State) -> None:
    full, events = STATES[f"after {state}"]["Choices"][0]["And"]
    stopped = {each["StringEquals"] for each in events["Or"]}
    assert full["NumericGreaterThanEquals"] == MOST_ROWS
    ending = {Event.FINISHED, Event.LIMIT_REACHED, Event.REFUSED, Event.FAILED, Event.REVOKED}
    assert stopped == set(TRANSITIONS[state]) - ending


def test_an_execution_ends_by_its_own_limit_before_awss() -> None:
    row = TASK_EVENTS + CHOICE_EVENTS + TASK_EVENTS
    tried_again = max(retry["MaxAttempts"] for retry in STATES["thinking"]["Retry"]) * TRIED_AGAIN_EVENTS
    assert MOST_ROWS * (row + tried_again // 4) < MOST_EVENTS


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_message_is_answered_within_a_time_or_given_up(name: str) -> None:
    task = TASKS[name]
    assert task["Resource"].endswith("sqs:sendMessage.waitForTaskToken")
    assert {"TimeoutSeconds", "TimeoutSecondsPath"} & task.keys()
    asks_a_person = task["Parameters"]["MessageBody"]["activity"] == "wait"
    assert asks_a_person or task["HeartbeatSeconds"] < task["TimeoutSeconds"]


def test_only_the_way_is_tried_again() -> None:
    tried = {error for task in TASKS.values() for retry in task["Retry"] for error in retry["ErrorEquals"]}
    assert tried == {"SQS.AmazonSQSException", "SQS.SdkClientException", "States.HeartbeatTimeout", "States.Timeout"}
    assert "States.Timeout" not in {error for retry in STATES["thinking"]["Retry"] for error in retry["ErrorEquals"]}


def test_it_fits_what_aws_takes() -> None:
    assert len(text()) < 1_048_576
    assert all(len(name) <= 80 for name in STATES)


def deployed(folder: Path, text: str) -> Path:
    """A file with the component's values in place."""
    file = folder / "machine.json"
    queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/steps"
    file.write_text(text.replace("${queue}", queue).replace("${partition}", "aws"))
    return file


def test_asl_validator_has_nothing_against_it(tmp_path: Path) -> None:
    with progress() as report:
        validate(deployed(tmp_path, text()), report)


def test_asl_validator_sees_a_state_that_is_not_there(tmp_path: Path) -> None:
    broken = text().replace('"Next": "after thinking"', '"Next": "after thought"')
    with progress() as report, pytest.raises(StepFailed, match="after thought"):
        validate(deployed(tmp_path, broken), report)
