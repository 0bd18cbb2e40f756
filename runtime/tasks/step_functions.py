"""AWS Step Functions in Temporal's place: executions started, and what people say brought to those that wait for it.

An execution that waits has left a token with the gateway (table ``waits``), and goes on when it is answered by it. A
token that is spent, or whose wait has ended, is refused by AWS: the delivery is not taken then, and is due no more as
soon as the task has moved on. So each word of a person counts once, however often it is brought.
"""

import asyncio
import json
import logging
from functools import partial
from typing import Any

import asyncpg
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from regions.manifest import StepFunctions
from runtime.tasks.dispatch import NotTaken
from runtime.tasks.messages import APPROVAL_EVENTS, CHOICE_EVENTS, ApprovalDecision, HandOverChoice
from runtime.tasks.states import Event, State

log = logging.getLogger(__name__)

AWS_ERRORS = (BotoCoreError, ClientError)
TOKEN_GONE = frozenset({"TaskDoesNotExist", "TaskTimedOut"})
"""Codes of AWS: nobody waits for an answer by this token any more. One that it cannot read is ``InvalidToken``."""
_CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})


class Aws:
    """A service's API in the state machine's region, called in threads: its SDK blocks.

    Credentials are the process's own identity, as the SDK finds it. Methods raise one of ``AWS_ERRORS``.
    """

    def __init__(self, service: str, state_machine: str) -> None:
        region = state_machine.split(":")[3]
        self._client: Any = get_session().create_client(service, region_name=region, config=_CONFIG)

    async def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return await asyncio.to_thread(partial(getattr(self._client, operation), **parameters))


def code_of(error: Exception) -> str:
    """What AWS calls the error, or the class of one on the way there."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__


class StepFunctionsOrchestrator:
    """``approval_seconds``: of the Manifest's limits. ``pool``: the gateway's, which has the tokens."""

    def __init__(self, endpoint: StepFunctions, approval_seconds: int, pool: asyncpg.Pool) -> None:
        self._machine, self._approval_seconds, self._pool = endpoint.state_machine, approval_seconds, pool
        self._states = Aws("stepfunctions", endpoint.state_machine)

    async def ready(self) -> bool:
        """Whether the state machine takes executions now."""
        try:
            found = await self._states.call(
                "describe_state_machine", stateMachineArn=self._machine, includedData="METADATA_ONLY"
            )
        except AWS_ERRORS as error:
            log.info("Step Functions: %s", code_of(error))
            return False
        return found["status"] == "ACTIVE"

    async def start(self, txn: str) -> None:
        task = json.dumps({"txn": txn, "approval_seconds": self._approval_seconds})
        try:
            await self._states.call("start_execution", stateMachineArn=self._machine, name=txn, input=task)
        except AWS_ERRORS as error:
            if code_of(error) != "ExecutionAlreadyExists":
                raise NotTaken(f"start of {txn}: {code_of(error)}") from error

    async def decide(self, txn: str, delivery: str, decision: ApprovalDecision) -> None:
        wait = await self._wait(txn, State.AWAITING_APPROVAL)
        if wait is None or (wait["approval"], wait["digest"]) != (decision.approval, decision.digest):
            raise NotTaken(f"decision of {txn}: it does not wait for {decision.approval}")
        await self._answer(txn, wait["token"], APPROVAL_EVENTS[decision.decision])

    async def choose(self, txn: str, delivery: str, choice: HandOverChoice) -> None:
        wait = await self._wait(txn, State.HANDED_OVER)
        if wait is None:
            raise NotTaken(f"choice of {txn}: it does not wait for one")
        await self._answer(txn, wait["token"], CHOICE_EVENTS[choice.choice])

    async def revoke(self, txn: str) -> None:
        """Only a wait for an approval has to hear of it, and says so when it begins: a step's tokens are dead."""
        if wait := await self._wait(txn, State.AWAITING_APPROVAL):
            await self._answer(txn, wait["token"], Event.REVOKED, "token_revoked")

    async def _wait(self, txn: str, state: State) -> Any:
        return await self._pool.fetchrow(
            """SELECT w.token, w.approval, w.digest FROM waits w JOIN tasks t
            ON t.txn = w.txn AND t.transition_seq = w.transition WHERE t.txn = $1 AND t.state = $2""",
            txn,
            state,
        )

    async def _answer(self, txn: str, token: str, event: Event, reason: str = "") -> None:
        outcome = json.dumps({"event": event, "reason": reason})
        try:
            await self._states.call("send_task_success", taskToken=token, output=outcome)
        except AWS_ERRORS as error:
            raise NotTaken(f"{event} of {txn}: {code_of(error)}") from error
