"""Recorded tasks of an agent against another endpoint: where would its actions differ, before any weight moves?

Each model turn of tasks that have ended is asked again as it was sent then, one after the other. The Boundary decides
about each task's data as it does for a call that acts, the decision is in that task's ledger before anything leaves,
and what comes back is compared and acts on nothing. An action is what the answer would have done; its words are not.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import asyncpg
import msgspec

from regions.manifest import ModelEndpoint
from runtime.errors import Refused
from runtime.ledger.content import SubjectKeys
from runtime.ledger.record import Decision, Kind
from runtime.ledger.trace import ContentState, TraceRecord, trace
from runtime.ledger.writer import Ledger
from runtime.models.asgi import read_reply
from runtime.models.outgoing import Outgoing
from runtime.models.quarantine import Quarantine
from runtime.models.record import Call
from runtime.models.reply import Answer, read_answer
from runtime.models.request import read_request
from runtime.models.routing import Candidate, Routing, outside_boundary
from runtime.models.upstream import Upstream

PATH = "/chat/completions"
_TASKS = """
SELECT txn, version, tasks.data_subject, data_class FROM tasks JOIN grants USING (txn)
WHERE agent = $1 AND closed_at IS NOT NULL ORDER BY closed_at DESC, txn LIMIT $2
"""


class Action(msgspec.Struct, frozen=True):
    """What an answer proposes to do."""

    tool: str
    arguments: dict[str, Any]


ReadAction = Callable[[int, str], Awaitable[Action | None]]
"""The action in an answer of this version of the agent; None where the answer is none."""


class Outcome(StrEnum):
    """``refused``: not asked, for the Boundary does not allow it. ``failed``: asked in vain."""

    SAME = "same"
    DIFFERENT = "different"
    REFUSED = "refused"
    FAILED = "failed"


class Row(msgspec.Struct, frozen=True):
    """One turn; an action is None where the answer was unusable. ``detail``: why there is no answer."""

    txn: str
    step: int
    outcome: Outcome
    recorded: Action | None
    candidate: Action | None = None
    detail: str = ""


@dataclass(frozen=True)
class _Turn:
    """A model call as it was sent and what was answered. ``version``: of the agent."""

    call: Call
    version: int
    sent: dict[str, Any]
    said: str


class Comparison:
    """``upstreams``: by endpoint name. ``policy``: the Boundary's digest."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        ledger: Ledger,
        keys: SubjectKeys,
        routing: Routing,
        quarantine: Quarantine,
        upstreams: Mapping[str, Upstream],
        policy: str,
    ) -> None:
        self._pool, self._ledger, self._keys, self._policy = pool, ledger, keys, policy
        self._routing, self._quarantine, self._upstreams = routing, quarantine, upstreams

    async def run(self, agent: str, endpoint: ModelEndpoint, tasks: int, by: str, read: ReadAction) -> list[Row]:
        """The turns of the ``tasks`` that ended last, as ``by`` has them asked again.

        Raises ``Refused`` (endpoint_quarantined) where its last reply was made where it may not be.
        """
        rows: list[Row] = []
        versions: set[str | None] = set()
        for task in await self._pool.fetch(_TASKS, agent, tasks):
            async for turn in self._turns(task, by):
                recorded = await read(turn.version, turn.said)
                try:
                    candidate = self._allowed(endpoint, task["data_class"])
                except Refused as refused:
                    await self._ledger.append(_refused(turn, endpoint, refused))
                    rows.append(Row(turn.call.txn, turn.call.step, Outcome.REFUSED, recorded, detail=refused.detail))
                    continue
                row, answer = await self._compare(turn, candidate, recorded, read)
                rows.append(row)
                versions |= {answer.model} if answer else set()
        if len(versions) == 1:
            await self._quarantine.compared(endpoint, versions.pop())
        return rows

    def _allowed(self, endpoint: ModelEndpoint, data_class: str) -> Candidate:
        """Raises ``Refused`` (outside_boundary, model_class_unavailable)."""
        every = self._routing.every(endpoint.model_class, data_class)
        found = next(candidate for candidate in every if candidate.endpoint.name == endpoint.name)
        if not found.verdict.allowed:
            raise outside_boundary([found])
        return found

    async def _turns(self, task: Any, by: str) -> AsyncIterator[_Turn]:
        """The whole chat turns that the ledger has and that nobody erased; copies are left out."""
        sent: dict[tuple[int, str], dict[str, Any]] = {}
        async with self._pool.acquire() as conn:
            records = await trace(conn, task["txn"], self._keys)
        for record in records:
            if record.content_state is not ContentState.PRESENT or "shadow" in record.body or "code" in record.body:
                continue
            asked = (record.step, record.body.get("endpoint", ""))
            if record.kind is Kind.MODEL_CALL and "messages" in record.content:
                sent[asked] = record.content
            said = _said(record) if record.kind is Kind.MODEL_REPLY else None
            if said is not None and asked in sent:
                call = Call(task["txn"], record.step, by, task["data_subject"], self._policy)
                yield _Turn(call, task["version"], sent.pop(asked), said)

    async def _compare(
        self, turn: _Turn, candidate: Candidate, recorded: Action | None, read: ReadAction
    ) -> tuple[Row, Answer | None]:
        call, endpoint = turn.call, candidate.endpoint
        try:
            content = await self._ask(turn, candidate)
        except Refused as refused:
            if refused.code == "endpoint_quarantined":
                raise
            told = {"endpoint": endpoint.name, "outcome": Outcome.FAILED, "code": refused.code}
            await self._ledger.append(call.entry(Kind.MODEL_COMPARED, told, None))
            return Row(call.txn, call.step, Outcome.FAILED, recorded, detail=refused.detail), None
        answer = read_answer(content, stream=False)
        found = await read(turn.version, _words(msgspec.json.decode(content)) or "") if answer.choices else None
        outcome = Outcome.SAME if found == recorded else Outcome.DIFFERENT
        told = {"endpoint": endpoint.name, "outcome": outcome, "model": answer.model}
        await self._ledger.append(call.entry(Kind.MODEL_COMPARED, told, content))
        return Row(call.txn, call.step, outcome, recorded, found), answer

    async def _ask(self, turn: _Turn, candidate: Candidate) -> bytes:
        """A success's body; raises ``Refused``, also where the reply shows that it was made elsewhere."""
        call, endpoint = turn.call, candidate.endpoint
        await self._refuse_withheld(endpoint)
        body = msgspec.json.encode({**turn.sent, "stream": False})
        sent = Outgoing(read_request(body), body, PATH).body(endpoint)
        told = {"endpoint": endpoint.name, "countries": endpoint.countries}
        rule = candidate.verdict.rule
        await self._ledger.append(call.entry(Kind.MODEL_COMPARED, told, sent, decision=Decision.ALLOWED, rule=rule))
        response = await self._upstreams[endpoint.name].post(PATH, sent)
        try:
            content = await read_reply(response)
        finally:
            response.close()
        success = response.status < 300
        self._quarantine.check_head(call, endpoint, response.headers, success=success)
        if success:
            await self._quarantine.check_end(call, endpoint, read_answer(content, stream=False), whole=True)
        await self._quarantine.save()
        await self._refuse_withheld(endpoint)
        if not success:
            raise Refused("upstream_failed", f"{endpoint.name} answered {response.status}", remedy="see its log")
        return content

    async def _refuse_withheld(self, endpoint: ModelEndpoint) -> None:
        """One that moved to another version is compared; one that answered elsewhere is not asked again."""
        held = (await self._quarantine.current()).get(endpoint.name)
        if held is not None and held.finding.withholds:
            raise Refused(
                "endpoint_quarantined",
                f"model endpoint {endpoint.name} is {held}",
                remedy="`loomstead models status` shows it; a person looks into it and releases it with a reason",
            )


def _refused(turn: _Turn, endpoint: ModelEndpoint, refused: Refused) -> Any:
    told = {"endpoint": endpoint.name, "outcome": Outcome.REFUSED, "code": refused.code}
    return turn.call.entry(Kind.MODEL_COMPARED, told, None, decision=Decision.REFUSED, rule=refused.rule)


def _said(record: TraceRecord) -> str | None:
    """The words of a whole reply; None for a failed one, and for a stream, which is text and no JSON."""
    return _words(record.content) if record.body.get("status", 0) < 300 else None


def _words(reply: Any) -> str | None:
    match reply:
        case {"choices": [{"message": {"content": str(words)}}, *_]}:
            return words
    return None
