"""How often each endpoint was asked lately, whether it answered or not: by this a model server is started and stopped.

Of this process alone; whoever scales adds up all gateways.
"""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable

WINDOW_SECONDS = 300
_SLICE_SECONDS = 10


class Demand:
    """``clock``: seconds that only go forward. What it holds does not grow with the number of calls."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._calls: Counter[str] = Counter()
        self._slices: defaultdict[str, deque[list[int]]] = defaultdict(deque)

    def asked(self, endpoint: str) -> None:
        """One call goes to the endpoint now."""
        now = int(self._clock()) // _SLICE_SECONDS
        slices = self._slices[endpoint]
        if not slices or slices[-1][0] != now:
            self._forget(endpoint, now)
            slices.append([now, 0])
        slices[-1][1] += 1
        self._calls[endpoint] += 1

    def calls(self, endpoint: str) -> int:
        """Of the last ``WINDOW_SECONDS``, up to a slice more or less."""
        self._forget(endpoint, int(self._clock()) // _SLICE_SECONDS)
        return self._calls[endpoint]

    def _forget(self, endpoint: str, now: int) -> None:
        slices = self._slices.get(endpoint, deque())
        while slices and slices[0][0] <= now - WINDOW_SECONDS // _SLICE_SECONDS:
            self._calls[endpoint] -= slices.popleft()[1]
