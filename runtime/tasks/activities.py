"""The effects of a task: ask the model, call a tool, report a transition. Each is one effect with one key.

Everything goes to the gateway over HTTP, like any client's call. An activity that runs twice finds its message stored
(``think:<step>``, ``act:<step>``) or the gateway's recorded answer, and comes to the same event. What it raises is
tried again by the orchestrator; error texts are codes only, for they end in the history.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from temporalio import activity
from temporalio.exceptions import ApplicationError

from runtime.errors import Refused
from runtime.identity.client import IdentityClient, refusal
from runtime.tasks import prompt
from runtime.tasks.context import Context, act_key, think_key
from runtime.tasks.messages import ActResult, StepRef, Thought, Transition, Wait
from runtime.tasks.states import Event

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 2.0
MAX_RESULT = 4_000
"""Characters of a tool's result that the conversation keeps; the whole of it is in the ledger."""
TOLD = frozenset({Event.SUCCEEDED, Event.REJECTED, Event.INVALID})
"""Outcomes that go back to the model; at any other a person is asked, and the same step may be acted on again."""
FINAL = frozenset({403, 404, 409, 413, 422})
"""Statuses of worker's calls that no retry can change."""


class Activities:
    """``http``: its base URL is the gateway. ``context_tokens``: of each model class, from the Manifest."""

    def __init__(self, http: httpx.AsyncClient, identity: IdentityClient, context_tokens: Mapping[str, int]) -> None:
        self._http, self._identity, self._context_tokens = http, identity, context_tokens

    @property
    def all(self) -> list[Callable[..., Awaitable[Any]]]:
        """What a worker registers."""
        return [self.think, self.act, self.record]

    @activity.defn
    async def think(self, step: StepRef) -> Thought:
        """One model turn. A stored answer is read again instead of asking twice."""
        async with _effect("think"):
            context = await self._context(step.txn)
            answer = context.content(think_key(step.step))
            if answer is None:
                try:
                    answer = await self._ask(context, step)
                except prompt.ContextTooLong:
                    return Thought(Event.REFUSED, "body_too_large")
                except Refused as refused:
                    return Thought(_event(refused), refused.code)
                answer = await self._store(step.txn, think_key(step.step), "assistant", answer)
            return Thought(_thought(answer, context))

    @activity.defn
    async def act(self, step: StepRef) -> ActResult:
        """The tool call that the model proposed in this step. The gateway's own key makes a second call harmless."""
        async with _effect("act"):
            context = await self._context(step.txn)
            told = context.content(act_key(step.step))
            if told is not None:
                return ActResult(Event(json.loads(told)["event"]))
            proposal = _proposal(context, step)
            try:
                answer = await self._as_task(step, f"/tools/{proposal.tool}", {"arguments": proposal.arguments})
            except Refused as refused:
                invalid = refused.status == httpx.codes.UNPROCESSABLE_ENTITY
                event = Event.INVALID if invalid else _event(refused)
                result, answer = ActResult(event, refused.code), refused.problem()
            else:
                result = _acted(answer)
            if result.event in TOLD:
                told = await self._store(
                    step.txn, act_key(step.step), "tool", _told(result.event, proposal.tool, answer)
                )
                return ActResult(Event(json.loads(told)["event"]), result.reason)
            return result

    @activity.defn
    async def record(self, transition: Transition) -> None:
        """Report one applied row to the gateway."""
        row = {
            "seq": transition.seq,
            "step": transition.step,
            "from": transition.source,
            "event": transition.event,
            "to": transition.target,
            "reason": transition.reason,
        }
        async with _effect("record"):
            await self._as_worker("POST", f"/tasks/{transition.txn}/transitions", row)

    async def wait(self, wait: Wait) -> None:
        """Leave with the gateway what answers an orchestrator that waits for a person by a token."""
        row = {"seq": wait.seq, "token": wait.token, "approval": wait.approval, "digest": wait.digest}
        async with _effect("wait"):
            await self._as_worker("PUT", f"/tasks/{wait.txn}/wait", row)

    async def _ask(self, context: Context, step: StepRef) -> str:
        """The model's words; raises ``ContextTooLong``, ``Refused``."""
        body = prompt.request(context, self._context_tokens[context.agent.model_class])
        completion = await self._as_task(step, "/v1/chat/completions", body)
        return completion["choices"][0]["message"]["content"] or ""

    async def _context(self, txn: str) -> Context:
        return Context.model_validate_json((await self._as_worker("GET", f"/tasks/{txn}/context")).content)

    async def _store(self, txn: str, key: str, role: str, content: str) -> str:
        """What is stored under the key: not ``content``, if another try of this step was first."""
        message = {"key": key, "role": role, "content": content.replace("\0", "")}  # PostgreSQL's text holds no NUL
        return (await self._as_worker("POST", f"/tasks/{txn}/messages", message)).json()["content"]

    async def _as_worker(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        return _checked(await self._http.request(method, path, json=body, auth=self._identity.auth()))

    async def _as_task(self, step: StepRef, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Loomstead-Step": str(step.step)}
        auth = self._identity.task_auth(step.txn)
        return _checked(await self._http.post(path, json=body, headers=headers, auth=auth)).json()


def _checked(response: httpx.Response) -> httpx.Response:
    """The answer, if it is one below 300; raises ``Refused``.

    What an upstream refused without a problem document (a request too long for it) no retry can change.
    """
    if response.is_success:
        return response
    refused = refusal(response)
    if response.is_client_error and refused.status != response.status_code:
        raise ApplicationError(refused.code, type=refused.code, non_retryable=True)
    raise refused


def _thought(answer: str, context: Context) -> Event:
    try:
        proposal = prompt.parse(answer, context.tools)
    except prompt.AnswerUnusable:
        return Event.UNUSABLE
    return Event.FINISHED if proposal.tool == prompt.FINISH else Event.PROPOSED


def _proposal(context: Context, step: StepRef) -> prompt.Proposal:
    answer = context.content(think_key(step.step))
    if answer is None:
        raise ApplicationError("not_found", type="not_found", non_retryable=True)
    return prompt.parse(answer, context.tools)


def _acted(answer: dict[str, Any]) -> ActResult:
    if answer["status"] == "awaiting_approval":
        approval = answer["approval"]
        return ActResult(Event.APPROVAL_REQUIRED, approval=approval["id"], digest=approval["digest"])
    return ActResult(Event(answer["status"]))


def _event(refused: Refused) -> Event:
    """What a refusal is to the task; raises it again where a later try may pass."""
    if refused.status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise refused
    if refused.code == "token_revoked":
        return Event.REVOKED
    return Event.LIMIT_REACHED if refused.status == httpx.codes.TOO_MANY_REQUESTS else Event.REFUSED


def _told(event: Event, tool: str, answer: dict[str, Any]) -> str:
    """The tool message: result and what was bound, or why not and what would help."""
    kept = {name: answer[name] for name in ("code", "detail", "remedy", "result", "bound") if name in answer}
    text = prompt.compact(kept.get("result"))
    if len(text) > MAX_RESULT:
        kept["result"] = f"{text[:MAX_RESULT]}… ({len(text) - MAX_RESULT} characters left out)"
    return prompt.compact({"event": event, "tool": tool, **kept})


@asynccontextmanager
async def _effect(name: str) -> AsyncGenerator[None]:
    """Tells Temporal that this worker lives, so that a killed one's step is given away after seconds; and keeps
    content out of the history, whatever goes wrong: an error leaves as its code."""
    beating = asyncio.create_task(_beat())
    try:
        yield
    except ApplicationError:
        raise
    except Refused as refused:
        raise ApplicationError(refused.code, type=refused.code, non_retryable=refused.status in FINAL) from None
    except httpx.TransportError as error:
        log.warning("the gateway is not reachable: %s", type(error).__name__)
        raise ApplicationError("upstream_unavailable", type="upstream_unavailable") from None
    except Exception as error:  # noqa: BLE001  leaves as another exception, without its text
        log.error("%s failed: %s", name, type(error).__name__)
        raise ApplicationError(type(error).__name__, type="internal") from None
    finally:
        beating.cancel()


async def _beat() -> None:
    while activity.in_activity():
        activity.heartbeat()
        await asyncio.sleep(HEARTBEAT_SECONDS)
