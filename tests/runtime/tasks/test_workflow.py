"""The workflow on a real Temporal server; the activities are scripted, for it decides and does nothing else.

Not proved here: what the activities do (``test_activities``), and that the gateway takes the same rows
(``test_store``).
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowHandle, WorkflowHistory, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer, Worker

from runtime.tasks.messages import ActResult, ApprovalDecision, HandOverChoice, StepRef, TaskRef, Thought, Transition
from runtime.tasks.states import Event, State
from runtime.tasks.workflow import AgentTask

HISTORIES = Path(__file__).with_name("histories")
ASKS = ActResult(Event.APPROVAL_REQUIRED, approval="apr_1", digest="sha256:1")
PROPOSES, FINISHES = Thought(Event.PROPOSED), Thought(Event.FINISHED)
SUCCEEDS = ActResult(Event.SUCCEEDED)
APPROVE = ApprovalDecision("apr_1", "sha256:1", "approve")

Handle = WorkflowHandle[AgentTask, State]
Outcome = Thought | ActResult | Exception


@dataclass
class Script:
    """Activities that give what they are told to give, in order, and remember what they were asked."""

    thoughts: list[Outcome]
    acts: list[Outcome] = field(default_factory=list)
    refused_rows: dict[Event, str] = field(default_factory=dict)
    rows: list[Transition] = field(default_factory=list)
    steps: list[StepRef] = field(default_factory=list)

    @activity.defn
    async def think(self, step: StepRef) -> Thought:
        self.steps.append(step)
        return _give(self.thoughts)

    @activity.defn
    async def act(self, step: StepRef) -> ActResult:
        return _give(self.acts)

    @activity.defn
    async def record(self, transition: Transition) -> None:
        if code := self.refused_rows.get(transition.event):
            raise ApplicationError(code, type=code, non_retryable=True)
        self.rows.append(transition)

    @property
    def path(self) -> list[str]:
        return [f"{row.event} {row.target}" for row in self.rows]


def _give(outcomes: list[Any]) -> Any:
    outcome = outcomes.pop(0)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


@asynccontextmanager
async def running(client: Client, script: Script, approval_seconds: int = 60) -> AsyncGenerator[Handle]:
    queue = txn = uuid.uuid4().hex
    activities = [script.think, script.act, script.record]
    async with Worker(client, task_queue=queue, workflows=[AgentTask], activities=activities):
        yield await client.start_workflow(AgentTask.run, TaskRef(txn, approval_seconds), id=txn, task_queue=queue)


async def until(handle: Handle, state: State) -> None:
    while await handle.query(AgentTask.state) != state:  # noqa: ASYNC110  it lies in another process
        await asyncio.sleep(0.02)


async def history(name: str) -> WorkflowHistory:
    return WorkflowHistory.from_json(name, (HISTORIES / f"{name}.json").read_text())


async def test_a_task_goes_from_its_first_thought_to_its_end(client: Client) -> None:
    script = Script([PROPOSES, FINISHES], [SUCCEEDS])
    async with running(client, script) as handle:
        assert await handle.result() == State.FINISHED
    assert script.path == ["started thinking", "proposed acting", "succeeded thinking", "finished finished"]
    assert [row.seq for row in script.rows] == [1, 2, 3, 4]
    assert [row.step for row in script.rows] == [1, 1, 2, 2]
    assert [step.step for step in script.steps] == [1, 2]


async def test_an_approved_action_is_acted_on_in_the_same_step(client: Client) -> None:
    script = Script([PROPOSES, FINISHES], [ASKS, SUCCEEDS])
    async with running(client, script) as handle:
        await until(handle, State.AWAITING_APPROVAL)
        await handle.execute_update("decide_approval", APPROVE)
        assert await handle.result() == State.FINISHED
    assert script.path[2:5] == ["approval_required awaiting_approval", "approved acting", "succeeded thinking"]
    assert [row.step for row in script.rows[1:4]] == [1, 1, 1]


async def test_a_declined_action_goes_back_to_the_model(client: Client) -> None:
    script = Script([PROPOSES, FINISHES], [ASKS])
    async with running(client, script) as handle:
        await until(handle, State.AWAITING_APPROVAL)
        await handle.execute_update("decide_approval", ApprovalDecision("apr_1", "sha256:1", "decline"))
        assert await handle.result() == State.FINISHED
    assert script.path[3:] == ["declined thinking", "finished finished"]


@pytest.mark.parametrize(
    "decision",
    [
        ApprovalDecision("apr_2", "sha256:1", "approve"),
        ApprovalDecision("apr_1", "sha256:2", "approve"),
        ApprovalDecision("apr_1", "sha256:1", "perhaps"),
    ],
)
async def test_a_decision_on_another_action_is_refused_and_leaves_the_task_waiting(
    client: Client, decision: ApprovalDecision
) -> None:
    async with running(client, Script([PROPOSES], [ASKS])) as handle:
        await until(handle, State.AWAITING_APPROVAL)
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update("decide_approval", decision)
        assert await handle.query(AgentTask.state) == State.AWAITING_APPROVAL


async def test_a_decision_is_refused_where_none_is_waited_for(client: Client) -> None:
    async with running(client, Script([Thought(Event.REFUSED, "tool_not_granted")])) as handle:
        await until(handle, State.HANDED_OVER)
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update("decide_approval", APPROVE)


async def test_an_approval_that_nobody_decides_expires_into_a_hand_over(client: Client) -> None:
    script = Script([PROPOSES], [ASKS])
    async with running(client, script, approval_seconds=1) as handle:
        await until(handle, State.HANDED_OVER)
    assert script.path[-1] == "expired handed_over"


async def test_a_decision_of_the_last_moment_wins_over_the_timer(client: Client) -> None:
    """The gateway refuses ``expired`` where the row is decided already; the decision is on its way."""
    script = Script([PROPOSES, FINISHES], [ASKS, SUCCEEDS], refused_rows={Event.EXPIRED: "approval_decided"})
    async with running(client, script, approval_seconds=1) as handle:
        await asyncio.sleep(1.5)
        await handle.execute_update("decide_approval", APPROVE)
        assert await handle.result() == State.FINISHED
    assert "expired handed_over" not in script.path
    assert [row.seq for row in script.rows] == list(range(1, 7))


async def test_a_revocation_ends_the_wait_for_an_approval(client: Client) -> None:
    script = Script([PROPOSES], [ASKS])
    async with running(client, script) as handle:
        await until(handle, State.AWAITING_APPROVAL)
        await handle.execute_update("revoke")
        await until(handle, State.HANDED_OVER)
    assert (script.rows[-1].event, script.rows[-1].reason) == (Event.REVOKED, "token_revoked")


@pytest.mark.parametrize(
    ("choice", "path"),
    [
        ("continue", ["continued thinking", "finished finished"]),
        ("resume", ["resumed acting", "succeeded thinking", "finished finished"]),
        ("take_over", ["taken_over taken_over"]),
        ("stop", ["stopped stopped"]),
    ],
)
async def test_a_handed_over_task_waits_for_a_person_and_does_what_they_choose(
    client: Client, choice: str, path: list[str]
) -> None:
    broken = ApplicationError("response_outside_contract", type="response_outside_contract", non_retryable=True)
    script = Script([PROPOSES, FINISHES], [broken, SUCCEEDS])
    async with running(client, script) as handle:
        await until(handle, State.HANDED_OVER)
        assert script.rows[-1].reason == "response_outside_contract"
        await handle.execute_update("choose", HandOverChoice(choice))
        await handle.result()
    assert script.path[3:] == path


async def test_a_choice_is_refused_unless_the_task_is_handed_over(client: Client) -> None:
    async with running(client, Script([PROPOSES], [ASKS])) as handle:
        await until(handle, State.AWAITING_APPROVAL)
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update("choose", HandOverChoice("stop"))


async def test_an_unusable_answer_costs_a_step_and_is_asked_again(client: Client) -> None:
    script = Script([Thought(Event.UNUSABLE), FINISHES])
    async with running(client, script) as handle:
        assert await handle.result() == State.FINISHED
    assert [step.step for step in script.steps] == [1, 2]


async def test_an_upstream_that_comes_back_is_not_noticed(client: Client) -> None:
    away = ApplicationError("upstream_unavailable", type="upstream_unavailable")
    script = Script([away, PROPOSES, FINISHES], [away, SUCCEEDS])
    async with running(client, script) as handle:
        assert await handle.result() == State.FINISHED
    assert "failed handed_over" not in script.path


async def test_what_the_workflow_did_replays(client: Client) -> None:
    async with running(client, Script([PROPOSES, FINISHES], [SUCCEEDS])) as handle:
        await handle.result()
    await Replayer(workflows=[AgentTask]).replay_workflow(await handle.fetch_history())


@pytest.mark.parametrize("name", sorted(path.stem for path in HISTORIES.glob("*.json")))
async def test_a_kept_history_of_an_older_workflow_replays(name: str) -> None:
    """A task that began before an update of the code must be able to end after it: guard changes by
    ``workflow.patched``, and keep a new history (``handle.fetch_history()``, ``to_json()``) for each new branch."""
    await Replayer(workflows=[AgentTask]).replay_workflow(await history(name))
