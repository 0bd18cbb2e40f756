"""The worker on the generated state machine, run by moto; the activities are scripted, people answer by the token."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from runtime.tasks import step_functions_worker
from runtime.tasks.messages import ActResult, StepRef, Thought, Transition, Wait
from runtime.tasks.states import Event, State
from runtime.tasks.step_functions_worker import StepWorker, polling
from tests.fixtures import step_functions
from tests.fixtures.step_functions import Machine

PROPOSES, FINISHES = Thought(Event.PROPOSED), Thought(Event.FINISHED)
ASKS = ActResult(Event.APPROVAL_REQUIRED, approval="apr_1", digest="sha256:1")
SUCCEEDS = ActResult(Event.SUCCEEDED)
REFUSED = Thought(Event.REFUSED, "tool_not_granted")
AWAY = ApplicationError("upstream_unavailable", type="upstream_unavailable")
BROKEN = ApplicationError("response_outside_contract", type="response_outside_contract", non_retryable=True)


@dataclass
class Script:
    """Activities that give what they are told to give, in order; ``words``: what people answer to each wait."""

    thoughts: list[Any] = field(default_factory=list)
    acts: list[Any] = field(default_factory=list)
    words: list[Event | None] = field(default_factory=list)
    answer: Callable[[str, Event], Awaitable[None]] | None = None
    refused_rows: dict[Event, str] = field(default_factory=dict)
    rows: list[Transition] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)

    async def think(self, step: StepRef) -> Thought:
        return await _give(self.thoughts)

    async def act(self, step: StepRef) -> ActResult:
        return await _give(self.acts)

    async def record(self, transition: Transition) -> None:
        if code := self.refused_rows.get(transition.event):
            raise ApplicationError(code, type=code, non_retryable=True)
        self.rows.append(transition)

    async def wait(self, wait: Wait) -> None:
        self.waits.append(wait)
        word = self.words.pop(0)
        if word and self.answer:
            await self.answer(wait.token, word)

    @property
    def path(self) -> list[str]:
        return [f"{row.event} {row.target}" for row in self.rows]


async def _give(outcomes: list[Any]) -> Any:
    outcome = outcomes.pop(0)
    if callable(outcome):
        outcome = await outcome()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def run(machine: Machine, script: Script, approval_seconds: int = 60) -> str:
    """ARN of the execution, once it is over."""

    async def answer(token: str, event: Event) -> None:
        said = json.dumps({"event": event, "reason": ""})
        await asyncio.to_thread(machine.states.send_task_success, taskToken=token, output=said)

    script.answer = answer
    async with polling(machine.endpoint, script):
        execution = machine.start(uuid.uuid4().hex, approval_seconds)
        await over(machine, execution)
    return execution


async def over(machine: Machine, execution: str) -> None:
    while machine.status(execution) == "RUNNING":  # noqa: ASYNC110  it lies in another thread
        await asyncio.sleep(0.05)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_functions_worker, "FIRST_PAUSE", 0.01)


async def test_a_task_goes_from_its_first_thought_to_its_end(machine: Machine) -> None:
    script = Script([PROPOSES, FINISHES], [SUCCEEDS])
    execution = await run(machine, script)
    assert machine.status(execution) == "SUCCEEDED"
    assert script.path == ["started thinking", "proposed acting", "succeeded thinking", "finished finished"]
    assert [row.seq for row in script.rows] == [1, 2, 3, 4]
    assert [row.step for row in script.rows] == [1, 1, 2, 2]
    assert machine.path(execution)[-1] == State.FINISHED
    assert machine.receive(machine.endpoint.queue) == []


async def test_an_approval_is_waited_for_by_a_token_that_names_it(machine: Machine) -> None:
    script = Script([PROPOSES, FINISHES], [ASKS, SUCCEEDS], [Event.APPROVED])
    await run(machine, script)
    assert script.path[2:5] == ["approval_required awaiting_approval", "approved acting", "succeeded thinking"]
    (wait,) = script.waits
    assert (wait.seq, wait.approval, wait.digest) == (3, "apr_1", "sha256:1")


async def test_an_approval_that_nobody_decides_expires_into_a_hand_over(machine: Machine) -> None:
    script = Script([PROPOSES], [ASKS], [None, Event.STOPPED])
    await run(machine, script, approval_seconds=1)
    assert script.path[3:] == ["expired handed_over", "stopped stopped"]
    assert script.waits[1].approval is None


async def test_a_decision_of_the_last_moment_wins_over_the_timer(machine: Machine) -> None:
    """The gateway refuses ``expired`` where the row is decided already; the same wait goes on by another token."""
    script = Script(
        [PROPOSES, FINISHES], [ASKS, SUCCEEDS], [None, Event.APPROVED], refused_rows={Event.EXPIRED: "approval_decided"}
    )
    await run(machine, script, approval_seconds=1)
    assert script.path[3:] == ["approved acting", "succeeded thinking", "finished finished"]
    first, second = script.waits
    assert first.token != second.token
    assert (first.seq, first.approval, first.digest) == (second.seq, second.approval, second.digest)


@pytest.mark.parametrize(
    ("word", "path"),
    [
        (Event.CONTINUED, ["continued thinking", "finished finished"]),
        (Event.RESUMED, ["resumed acting", "succeeded thinking", "finished finished"]),
        (Event.TAKEN_OVER, ["taken_over taken_over"]),
        (Event.STOPPED, ["stopped stopped"]),
    ],
)
async def test_a_step_that_cannot_be_done_is_handed_over_and_a_person_says_what_follows(
    machine: Machine, word: Event, path: list[str]
) -> None:
    script = Script([PROPOSES, FINISHES], [BROKEN, SUCCEEDS], [word])
    await run(machine, script)
    assert script.path[2] == "failed handed_over"
    assert script.rows[2].reason == "response_outside_contract"
    assert script.path[3:] == path


async def test_an_upstream_that_comes_back_is_not_noticed(machine: Machine) -> None:
    script = Script([AWAY, AWAY, PROPOSES, FINISHES], [AWAY, SUCCEEDS])
    execution = await run(machine, script)
    assert script.path == ["started thinking", "proposed acting", "succeeded thinking", "finished finished"]
    tried = [event for event in machine.events(execution) if event["type"] == "TaskScheduled"]
    assert len(tried) == 7


async def test_an_event_that_the_table_does_not_have_ends_the_execution_as_failed(machine: Machine) -> None:
    execution = await run(machine, Script([Thought(Event.SUCCEEDED)]))
    assert machine.status(execution) == "FAILED"
    assert machine.path(execution)[-1] == "unexpected event"


async def test_a_row_that_the_gateway_does_not_take_ends_the_execution_as_failed(machine: Machine) -> None:
    script = Script([PROPOSES], refused_rows={Event.PROPOSED: "task_not_waiting"})
    assert machine.status(await run(machine, script)) == "FAILED"


async def test_a_worker_that_dies_leaves_its_step_to_another(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken off it without a word, as a kill would: the message is hidden for a second, then comes again."""
    begun = asyncio.Event()

    async def hangs() -> Thought:
        begun.set()
        await asyncio.sleep(600)
        return FINISHES

    script = Script([hangs, FINISHES])
    dying = StepWorker(machine.endpoint, script)
    dying_loop = asyncio.create_task(dying.run())
    execution = machine.start(uuid.uuid4().hex)
    await begun.wait()
    monkeypatch.setattr(dying, "_hide", _say_nothing)
    dying.stop()
    await dying_loop
    for task in dying._under_way:
        task.cancel()
    async with polling(machine.endpoint, script):
        await over(machine, execution)
    assert script.path == ["started thinking", "finished finished"]
    assert script.thoughts == []


async def _say_nothing(receipt: str, seconds: int) -> None:
    return


async def test_a_stopped_worker_gives_its_step_back_at_once(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_functions_worker, "GRACE_SECONDS", 0)
    machine = step_functions.make(aws, hidden_seconds=600)
    begun = asyncio.Event()

    async def hangs() -> Thought:
        begun.set()
        await asyncio.sleep(600)
        return FINISHES

    script = Script([hangs, FINISHES])
    async with polling(machine.endpoint, script):
        execution = machine.start(uuid.uuid4().hex)
        await begun.wait()
    async with polling(machine.endpoint, script):
        await over(machine, execution)
    assert script.path == ["started thinking", "finished finished"]


async def test_a_step_that_takes_longer_than_its_message_is_hidden_is_done_once(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_functions_worker, "BEAT_SECONDS", 0.2)

    async def slow() -> Thought:
        await asyncio.sleep(2.5)
        return FINISHES

    script = Script([slow])
    await run(machine, script)
    assert script.path == ["started thinking", "finished finished"]


async def test_a_message_whose_step_was_answered_is_thrown_away(machine: Machine) -> None:
    """A worker answered and died before it took the message off the queue."""
    script = Script([FINISHES])
    worker = StepWorker(machine.endpoint, script)
    execution = machine.start(uuid.uuid4().hex)
    answered: dict[str, Any] = {}
    while machine.status(execution) == "RUNNING":
        for message in await worker._receive(1):
            await worker.take(message)
            if answered:
                machine.sqs.send_message(QueueUrl=machine.endpoint.queue, MessageBody=answered["Body"])
            answered = message
    assert script.path == ["started thinking", "finished finished"]


async def test_messages_that_nobody_can_read_are_put_aside_and_hold_nothing_up(machine: Machine) -> None:
    bodies = {"not JSON", "{}", '{"activity": "delete", "token": "t"}', '{"activity": "think"}'}
    for body in bodies:
        machine.sqs.send_message(QueueUrl=machine.endpoint.queue, MessageBody=body)
    script = Script([PROPOSES, FINISHES], [SUCCEEDS])
    await run(machine, script)
    assert script.path[-1] == "finished finished"
    worker, dead = StepWorker(machine.endpoint, Script()), set()
    while dead != bodies:
        for message in await worker._receive(10):
            await worker.take(message)
        dead |= {message["Body"] for message in machine.receive(machine.dead)}


async def test_a_wait_whose_token_nobody_gave_out_is_never_written_down(machine: Machine) -> None:
    wait = {"activity": "wait", "token": "of-somebody-else", "txn": "t", "seq": 3, "approval": "apr_1", "digest": "d"}
    machine.sqs.send_message(QueueUrl=machine.endpoint.queue, MessageBody=json.dumps(wait))
    script = Script(words=[None])
    worker = StepWorker(machine.endpoint, script)
    (message,) = await worker._receive(1)
    worker._read(message["Body"])
    await worker.take(message)
    assert script.waits == []


async def test_nothing_that_was_said_travels(machine: Machine) -> None:
    script = Script([PROPOSES, FINISHES], [ASKS, SUCCEEDS], [Event.APPROVED])
    execution = await run(machine, script)
    fields = {"activity", "token", "txn", "step", "seq", "source", "event", "target", "reason", "approval", "digest"}
    sent = [
        event["taskScheduledEventDetails"] for event in machine.events(execution) if event["type"] == "TaskScheduled"
    ]
    assert sent
    assert all(set(json.loads(each["parameters"])["MessageBody"]) <= fields for each in sent)
