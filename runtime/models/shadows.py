"""Copies of calls to endpoints that are compared: asked when the caller has its answer, and nobody waits for them.

Their decisions and replies are in the task's ledger beside the real ones, marked ``shadow``, and act on nothing.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping

from runtime.errors import Refused
from runtime.ledger.writer import Ledger
from runtime.models.asgi import read_reply
from runtime.models.outgoing import Outgoing
from runtime.models.quarantine import Quarantine
from runtime.models.record import Attempt, Call
from runtime.models.reply import read_answer
from runtime.models.routing import Candidate
from runtime.models.upstream import Response, Upstream

log = logging.getLogger(__name__)

MAX_RUNNING = 16
"""Copies under way in one process; beyond it they are left out."""


class Shadows:
    def __init__(self, upstreams: Mapping[str, Upstream], ledger: Ledger, quarantine: Quarantine) -> None:
        self._upstreams, self._ledger, self._quarantine = upstreams, ledger, quarantine
        self._running: set[asyncio.Task[None]] = set()

    def start(self, call: Call, outgoing: Outgoing, candidates: Iterable[Candidate]) -> None:
        """Returns at once."""
        for candidate in candidates:
            if len(self._running) >= MAX_RUNNING:
                log.warning("no copy to %s: %d are under way", candidate.endpoint.name, MAX_RUNNING)
                continue
            task = asyncio.create_task(self._copy(Attempt(call, candidate, 1, shadow=True), outgoing))
            self._running.add(task)
            task.add_done_callback(self._done)

    async def close(self) -> None:
        """Ends those under way."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a copy of a call failed", exc_info=error)

    async def _copy(self, attempt: Attempt, outgoing: Outgoing) -> None:
        endpoint = attempt.endpoint
        try:
            sent = outgoing.body(endpoint)
        except Refused as refused:
            log.warning("no copy to %s: %s", endpoint.name, refused)
            return
        await self._ledger.append(attempt.allowed(outgoing.request, sent))
        response: Response | None = None
        try:
            response = await self._upstreams[endpoint.name].post(outgoing.path, sent)
            content = await read_reply(response)
        except Refused as refused:
            await self._ledger.append(attempt.no_reply(refused))
            return
        finally:
            if response is not None:
                response.close()
        await self._check(attempt, response, content, stream=outgoing.request.stream)

    async def _check(self, attempt: Attempt, response: Response, content: bytes, *, stream: bool) -> None:
        endpoint, success = attempt.endpoint, response.status < 300
        answer = read_answer(content, stream=stream) if success else None
        self._quarantine.check_head(attempt.call, endpoint, response.headers, success=success)
        if answer is not None:
            await self._quarantine.check_end(attempt.call, endpoint, answer, whole=True)
        await self._ledger.append(attempt.reply(response.status, answer, content))
        await self._quarantine.save()
