"""``AgentTask``: the state machine of one task, kept by Temporal.

Decisions only. Each turn of the loop asks an activity, a timer or a person for the next event and applies it by the
table of ``runtime.tasks.states``; the gateway is told of every row applied before the next one begins. History holds
txn, step, ids and digests: what was said lies in PostgreSQL.

Updates come from the gateway's outbox, which repeats them until they are taken: a validator refuses what the task does
not wait for (nothing is written to history then), and a second delivery has the same update id and changes nothing.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
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
    )
    from runtime.tasks.states import FINAL, Event, State, after

OUTAGE = timedelta(hours=1)
"""How long a step is tried again while the gateway, the model or a core system is away; then a person is asked."""
STEP_TIMEOUT = timedelta(minutes=10)
"""One try of a step: a small model on a busy machine has answered after four minutes."""
HEARTBEAT_TIMEOUT = timedelta(seconds=10)
"""A worker that was killed is noticed after this, and its step is given to another."""
RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(seconds=15)
)
"""Every error is tried again, except those that the activities raise as non-retryable."""

Result = TypeVar("Result")


@workflow.defn
class AgentTask:
    """One task; the workflow id is its txn, the result its final state."""

    @workflow.init
    def __init__(self, task: TaskRef) -> None:
        self._task = task
        self._state = State.OPENED
        self._step = 0
        self._seq = 0
        self._pending: ActResult | None = None
        self._decisions: list[ApprovalDecision] = []
        self._choices: list[HandOverChoice] = []
        self._revoked = False

    @workflow.run
    async def run(self, task: TaskRef) -> State:
        next_event: dict[State, Callable[[], Awaitable[tuple[Event, str]]]] = {
            State.OPENED: self._start,
            State.THINKING: self._think,
            State.ACTING: self._act,
            State.AWAITING_APPROVAL: self._await_approval,
            State.HANDED_OVER: self._await_choice,
        }
        while self._state not in FINAL:
            await self._apply(*await next_event[self._state]())
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._state

    @workflow.query
    def state(self) -> State:
        """The state the task is in."""
        return self._state

    @workflow.update
    async def decide_approval(self, decision: ApprovalDecision) -> None:
        self._decisions.append(decision)

    @decide_approval.validator
    def _fits_the_pending_approval(self, decision: ApprovalDecision) -> None:
        if self._state is not State.AWAITING_APPROVAL or self._pending is None or self._decisions:
            raise _not_waiting(f"state {self._state}")
        if (decision.approval, decision.digest) != (self._pending.approval, self._pending.digest):
            raise _not_waiting("another approval is pending")
        if decision.decision not in APPROVAL_EVENTS:
            raise _not_waiting("decision is approve or decline")

    @workflow.update
    async def choose(self, choice: HandOverChoice) -> None:
        self._choices.append(choice)

    @choose.validator
    def _is_handed_over(self, choice: HandOverChoice) -> None:
        if self._state is not State.HANDED_OVER or self._choices:
            raise _not_waiting(f"state {self._state}")
        if choice.choice not in CHOICE_EVENTS:
            raise _not_waiting(f"choice is one of {', '.join(CHOICE_EVENTS)}")

    @workflow.update
    async def revoke(self) -> None:
        self._revoked = True

    async def _start(self) -> tuple[Event, str]:
        return Event.STARTED, ""

    async def _think(self) -> tuple[Event, str]:
        """A revocation that arrives while the activity runs needs no cancelling: its tokens are dead already."""
        if self._revoked:
            return Event.REVOKED, "token_revoked"
        try:
            thought = await self._execute("think", Thought)
        except ActivityError as error:
            return Event.FAILED, _code(error)
        return thought.event, thought.reason

    async def _act(self) -> tuple[Event, str]:
        if self._revoked:
            return Event.REVOKED, "token_revoked"
        try:
            result = await self._execute("act", ActResult)
        except ActivityError as error:
            return Event.FAILED, _code(error)
        self._pending = result
        self._decisions.clear()
        return result.event, result.reason

    async def _execute(self, activity: str, result: type[Result]) -> Result:
        return await workflow.execute_activity(
            activity,
            StepRef(self._task.txn, self._step),
            result_type=result,
            start_to_close_timeout=STEP_TIMEOUT,
            schedule_to_close_timeout=OUTAGE,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=RETRY,
        )

    async def _await_approval(self) -> tuple[Event, str]:
        timeout = timedelta(seconds=self._task.approval_seconds)
        try:
            await workflow.wait_condition(self._is_decided, timeout=timeout)
        except TimeoutError:
            return Event.EXPIRED, ""
        return self._verdict()

    def _is_decided(self) -> bool:
        return self._revoked or bool(self._decisions)

    def _verdict(self) -> tuple[Event, str]:
        """What ended the wait for an approval; a revocation wins over a decision."""
        if self._revoked:
            return Event.REVOKED, "token_revoked"
        return APPROVAL_EVENTS[self._decisions.pop().decision], ""

    async def _await_choice(self) -> tuple[Event, str]:
        await workflow.wait_condition(lambda: bool(self._choices))
        return CHOICE_EVENTS[self._choices.pop().choice], ""

    async def _apply(self, event: Event, reason: str) -> None:
        """One row of the table; decisions, choices and a revocation may arrive while the gateway is being told.

        A decision taken in the last moment wins over the timer: the gateway then refuses ``expired``, and the decision
        is on its way.
        """
        target = after(self._state, event)
        step = self._step + (target is State.THINKING)
        try:
            await workflow.execute_activity(
                "record",
                Transition(self._task.txn, self._seq + 1, step, self._state, event, target, reason),
                start_to_close_timeout=timedelta(seconds=20),
                retry_policy=RETRY,
            )
        except ActivityError as error:
            if event is not Event.EXPIRED or _code(error) != "approval_decided":
                raise
            await workflow.wait_condition(self._is_decided)
            await self._apply(*self._verdict())
            return
        self._seq, self._step, self._state = self._seq + 1, step, target


def _not_waiting(why: str) -> ApplicationError:
    return ApplicationError(f"the task does not wait for this: {why}", type="task_not_waiting", non_retryable=True)


def _code(error: ActivityError) -> str:
    """The error code that an activity gave up with; a timeout has none."""
    return (error.cause.type if isinstance(error.cause, ApplicationError) else None) or "upstream_timeout"
