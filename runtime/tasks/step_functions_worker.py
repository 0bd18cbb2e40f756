"""The worker where AWS Step Functions is the orchestrator: steps come as messages of a queue and are answered by token.

The same activities as Temporal's. A message stays on the queue until its step is answered, hidden while this worker
says that it lives; one that dies leaves it to another, and the activity's own key keeps the effect single. What fails
for now is tried again here, for as long as the state machine waits: its definition alone knows how long. A message that
nobody can read, or that kills whoever takes it, is put aside by the queue.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from temporalio.exceptions import ApplicationError

from regions.manifest import StepFunctions
from runtime.tasks.messages import ActResult, StepRef, Thought, Transition, Wait
from runtime.tasks.step_functions import AWS_ERRORS, TOKEN_GONE, Aws, code_of

log = logging.getLogger(__name__)

AT_ONCE = 32
"""Steps under way in a process; they wait for others nearly all the time."""
POLL_SECONDS = 5
"""One look at the queue; so long may a stop take."""
HIDDEN_SECONDS = 30
"""A dead worker's step is given to another after this."""
BEAT_SECONDS = 10
TRY_SECONDS = 600
"""One try of a step: a small model on a busy machine has answered after four minutes."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0
GRACE_SECONDS = 5
"""For steps under way when told to stop; the rest is given to the next worker."""


class Activities(Protocol):
    """What steps come to; ``runtime.tasks.activities`` has them."""

    async def think(self, step: StepRef) -> Thought: ...

    async def act(self, step: StepRef) -> ActResult: ...

    async def record(self, transition: Transition) -> None: ...

    async def wait(self, wait: Wait) -> None: ...


@dataclass(frozen=True)
class _Step:
    """A message read: ``activity`` called with ``argument``, and the token that answers."""

    token: str
    activity: Callable[[Any], Awaitable[Any]]
    argument: StepRef | Transition | Wait

    @property
    def is_wait(self) -> bool:
        """A person answers it, and no worker."""
        return isinstance(self.argument, Wait)


@asynccontextmanager
async def polling(endpoint: StepFunctions, activities: Activities) -> AsyncGenerator[None]:
    """With a worker on the queue, from when the queue has answered."""
    worker = StepWorker(endpoint, activities)
    await worker.connect()
    loop = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await loop
        await worker.drain()


class StepWorker:
    def __init__(self, endpoint: StepFunctions, activities: Activities) -> None:
        self._queue = endpoint.queue
        self._sqs = Aws("sqs", endpoint.state_machine)
        self._states = Aws("stepfunctions", endpoint.state_machine)
        self._activities = {
            "think": (StepRef, activities.think),
            "act": (StepRef, activities.act),
            "record": (Transition, activities.record),
            "wait": (Wait, activities.wait),
        }
        self._under_way: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def connect(self) -> None:
        """Until the queue answers."""
        while True:
            try:
                await self._sqs.call("get_queue_attributes", QueueUrl=self._queue, AttributeNames=["QueueArn"])
                return
            except AWS_ERRORS as error:
                log.info("the queue does not answer yet: %s", code_of(error))
                await asyncio.sleep(FIRST_PAUSE)

    async def run(self) -> None:
        """Takes messages until told to stop."""
        while not self._stopping:
            free = AT_ONCE - len(self._under_way)
            if not free:
                await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
                continue
            for message in await self._receive(min(free, 10)):
                task = asyncio.create_task(self.take(message))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    def stop(self) -> None:
        """No more messages than the look under way brings."""
        self._stopping = True

    async def drain(self) -> None:
        """Steps under way may end for a while, and are given back then."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def take(self, message: dict[str, Any]) -> None:
        """One message, from reading it to its answer; it stays on the queue where it could not be answered."""
        receipt = message["ReceiptHandle"]
        try:
            step = self._read(message["Body"])
        except (msgspec.MsgspecError, KeyError) as error:
            log.error("message %s is no step: %s; the queue puts it aside", message["MessageId"], type(error).__name__)
            return
        try:
            await self._settle(step, receipt)
            await self._sqs.call("delete_message", QueueUrl=self._queue, ReceiptHandle=receipt)
        except AWS_ERRORS as error:
            log.warning("message %s comes again: %s", message["MessageId"], code_of(error))
        except asyncio.CancelledError:
            with suppress(*AWS_ERRORS):
                await self._hide(receipt, 0)
            raise

    def _read(self, body: str) -> _Step:
        fields = msgspec.json.decode(body, type=dict[str, Any])
        shape, activity = self._activities[fields["activity"]]
        return _Step(str(fields["token"]), activity, msgspec.convert(fields, shape))

    async def _settle(self, step: _Step, receipt: str) -> None:
        """Until the step is answered, or nobody waits for it any more."""
        if not await self._awaited(step):
            return
        doing = asyncio.create_task(self._do(step))
        beating = asyncio.create_task(self._beat(step, receipt))
        try:
            await asyncio.wait({doing, beating}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                await self._answer(step, doing)
        finally:
            for task in (doing, beating):
                task.cancel()
            await asyncio.gather(doing, beating, return_exceptions=True)

    async def _do(self, step: _Step) -> Any:
        """What the activity came to; raises ``ApplicationError`` where no retry can change it."""
        pause = FIRST_PAUSE
        while True:
            try:
                async with asyncio.timeout(TRY_SECONDS):
                    return await step.activity(step.argument)
            except ApplicationError as error:
                if error.non_retryable:
                    raise
                log.info("a step is tried again: %s", error.type)
            except TimeoutError:
                log.info("a step is tried again: no answer after %d s", TRY_SECONDS)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _beat(self, step: _Step, receipt: str) -> None:
        """Say that this worker lives, until nobody waits for the step any more."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await self._hide(receipt, HIDDEN_SECONDS)
                if not await self._awaited(step):
                    return
            except AWS_ERRORS as error:
                log.warning("no heartbeat: %s", code_of(error))

    async def _awaited(self, step: _Step) -> bool:
        """Whether the state machine still waits for this answer; it hears that somebody is at it.

        Of a wait too, which no heartbeat keeps alive: a token that nobody gave out is never written down.
        """
        return await self._told(step, "send_task_heartbeat")

    async def _answer(self, step: _Step, doing: asyncio.Task[Any]) -> None:
        try:
            output = _output(step.argument, doing.result())
        except ApplicationError as error:
            await self._told(step, "send_task_failure", error=error.type or "internal", cause="")
        else:
            if not step.is_wait:
                await self._told(step, "send_task_success", output=output)

    async def _told(self, step: _Step, operation: str, **parameters: str) -> bool:
        """Whether the state machine took it; False where it waits no more."""
        try:
            await self._states.call(operation, taskToken=step.token, **parameters)
        except AWS_ERRORS as error:
            if code_of(error) not in TOKEN_GONE:
                raise
            log.info("nobody waits for a step any more")
            return False
        return True

    async def _hide(self, receipt: str, seconds: int) -> None:
        await self._sqs.call(
            "change_message_visibility", QueueUrl=self._queue, ReceiptHandle=receipt, VisibilityTimeout=seconds
        )

    async def _receive(self, most: int) -> list[dict[str, Any]]:
        try:
            found = await self._sqs.call(
                "receive_message", QueueUrl=self._queue, MaxNumberOfMessages=most, WaitTimeSeconds=POLL_SECONDS
            )
        except AWS_ERRORS as error:
            log.warning("the queue does not answer: %s", code_of(error))
            await asyncio.sleep(FIRST_PAUSE)
            return []
        return found.get("Messages", [])


def _output(argument: StepRef | Transition | Wait, result: Any) -> str:
    """What the state machine goes on with: the outcome of a step, or where the task stands after a row."""
    if isinstance(argument, Transition):
        result = {"seq": argument.seq, "step": argument.step}
    return json.dumps(msgspec.to_builtins(result))
