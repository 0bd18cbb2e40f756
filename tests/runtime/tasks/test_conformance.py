"""One table, three readings: the table itself, the Temporal workflow, the Step Functions state machine.

The same answers of activities and the same words of people must take a task over the same rows on each.
"""

import asyncio
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.worker import Worker

from runtime.tasks.messages import (
    APPROVAL_EVENTS,
    CHOICE_EVENTS,
    ActResult,
    ApprovalDecision,
    HandOverChoice,
    StepRef,
    TaskRef,
    Thought,
    Transition,
    Wait,
)
from runtime.tasks.states import FINAL, TRANSITIONS, WAITING, Event, State, after
from runtime.tasks.step_functions_worker import polling
from runtime.tasks.workflow import AgentTask
from tests.fixtures.step_functions import Machine, make

APPROVAL, DIGEST = "apr_1", "sha256:1"
APPROVAL_SECONDS = 1
CASES: dict[str, Sequence[Event]] = {
    "finishes at once": (Event.FINISHED,),
    "acts and finishes": (Event.PROPOSED, Event.SUCCEEDED, Event.PROPOSED, Event.REJECTED, Event.FINISHED),
    "corrects itself": (Event.UNUSABLE, Event.PROPOSED, Event.INVALID, Event.FINISHED),
    "is approved": (Event.PROPOSED, Event.APPROVAL_REQUIRED, Event.APPROVED, Event.SUCCEEDED, Event.FINISHED),
    "is declined": (Event.PROPOSED, Event.APPROVAL_REQUIRED, Event.DECLINED, Event.FINISHED),
    "is asked again": (
        *(Event.PROPOSED, Event.APPROVAL_REQUIRED, Event.APPROVED, Event.APPROVAL_REQUIRED, Event.APPROVED),
        *(Event.SUCCEEDED, Event.FINISHED),
    ),
    "expires": (Event.PROPOSED, Event.APPROVAL_REQUIRED, Event.EXPIRED, Event.STOPPED),
    "is revoked while it waits": (Event.PROPOSED, Event.APPROVAL_REQUIRED, Event.REVOKED, Event.TAKEN_OVER),
    "is revoked in a thought": (Event.REVOKED, Event.STOPPED),
    "reaches its limit and is continued": (Event.PROPOSED, Event.LIMIT_REACHED, Event.CONTINUED, Event.FINISHED),
    "is resumed": (Event.PROPOSED, Event.REFUSED, Event.RESUMED, Event.SUCCEEDED, Event.FINISHED),
    "is handed over twice": (Event.LIMIT_REACHED, Event.CONTINUED, Event.REFUSED, Event.TAKEN_OVER),
}
_DECISIONS = {event: word for word, event in APPROVAL_EVENTS.items()}
_CHOICES = {event: word for word, event in CHOICE_EVENTS.items()}


class Row(NamedTuple):
    seq: int
    step: int
    source: State
    event: Event
    target: State


@dataclass
class Script:
    """Activities that answer the case's events, in order; ``words``: what people say, in order."""

    thoughts: list[Event] = field(default_factory=list)
    acts: list[Event] = field(default_factory=list)
    words: list[Event] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    machine: Machine | None = None

    @activity.defn
    async def think(self, step: StepRef) -> Thought:
        return Thought(self.thoughts.pop(0))

    @activity.defn
    async def act(self, step: StepRef) -> ActResult:
        event = self.acts.pop(0)
        if event is Event.APPROVAL_REQUIRED:
            return ActResult(event, approval=APPROVAL, digest=DIGEST)
        return ActResult(event)

    @activity.defn
    async def record(self, transition: Transition) -> None:
        row = transition
        self.rows.append(Row(row.seq, row.step, row.source, row.event, row.target))

    async def wait(self, wait: Wait) -> None:
        word = self.words.pop(0)
        if self.machine and word is not Event.EXPIRED:
            said = json.dumps({"event": word, "reason": ""})
            await asyncio.to_thread(self.machine.states.send_task_success, taskToken=wait.token, output=said)


def by_the_table(events: Sequence[Event]) -> tuple[list[Row], Script]:
    """The rows, and who has to answer what for them."""
    rows, script = [], Script()
    asked = {State.THINKING: script.thoughts, State.ACTING: script.acts} | dict.fromkeys(WAITING, script.words)
    state, step = State.OPENED, 0
    for seq, event in enumerate((Event.STARTED, *events), 1):
        if state in asked:
            asked[state].append(event)
        target = after(state, event)
        step += target is State.THINKING
        rows.append(Row(seq, step, state, event, target))
        state = target
    assert state in FINAL
    return rows, script


async def by_temporal(client: Client, script: Script) -> list[Row]:
    queue = txn = uuid.uuid4().hex
    activities = [script.think, script.act, script.record]
    task = TaskRef(txn, APPROVAL_SECONDS if Event.EXPIRED in script.words else 60)
    async with Worker(client, task_queue=queue, workflows=[AgentTask], activities=activities):
        handle = await client.start_workflow(AgentTask.run, task, id=txn, task_queue=queue)
        for waits, word in enumerate(script.words, 1):
            while sum(row.target in WAITING for row in script.rows) < waits:  # noqa: ASYNC110  in another thread
                await asyncio.sleep(0.02)
            if word is not Event.EXPIRED:
                await say(handle, word)
        await handle.result()
    return script.rows


async def say(handle: WorkflowHandle[Any, Any], word: Event) -> None:
    """As the outbox does: until it is taken."""
    if word is Event.REVOKED:
        while await handle.query(AgentTask.state) != State.AWAITING_APPROVAL:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await handle.execute_update("revoke")
        return
    name, message = ("choose", HandOverChoice(_CHOICES[word])) if word in _CHOICES else ("decide_approval", None)
    message = message or ApprovalDecision(APPROVAL, DIGEST, _DECISIONS[word])
    while True:
        try:
            await handle.execute_update(name, message)
        except WorkflowUpdateFailedError:
            await asyncio.sleep(0.02)
        else:
            return


async def by_step_functions(machine: Machine, script: Script) -> list[Row]:
    seconds = APPROVAL_SECONDS if Event.EXPIRED in script.words else 60
    async with polling(machine.endpoint, script):
        execution = machine.start(uuid.uuid4().hex, seconds)
        while machine.status(execution) == "RUNNING":  # noqa: ASYNC110  it lies in another thread
            await asyncio.sleep(0.05)
    assert machine.status(execution) == "SUCCEEDED"
    return script.rows


@pytest.fixture(scope="module")
def machine(moto_server: str) -> Machine:
    return make(moto_server)


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("name", CASES)
async def test_a_task_takes_the_tables_rows(client: Client, machine: Machine, name: str) -> None:
    rows, script = by_the_table(CASES[name])
    assert await by_temporal(client, _own(script)) == rows
    assert await by_step_functions(machine, replace(_own(script), machine=machine)) == rows


def _own(script: Script) -> Script:
    return Script([*script.thoughts], [*script.acts], [*script.words])


def test_the_cases_go_over_nearly_every_row() -> None:
    """``failed`` is what each backend makes of a step that cannot be done: their own tests have it."""
    gone = {(row.source, row.event) for events in CASES.values() for row in by_the_table(events)[0]}
    rows = {(state, event) for state, row in TRANSITIONS.items() for event in row}
    assert {event for _, event in rows - gone} <= {Event.FAILED, Event.REVOKED, Event.REFUSED, Event.LIMIT_REACHED}
