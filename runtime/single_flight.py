"""Many callers that want the same thing at the same time share one attempt."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """One running attempt for each key; whoever asks meanwhile gets its result or its exception."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[T]] = {}

    async def run(self, key: str, attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the running attempt for ``key``, else of a new one."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(attempt())
            task.add_done_callback(lambda _: self._running.pop(key, None))
        # A caller that gives up must not take the others down with it.
        return await asyncio.shield(task)
